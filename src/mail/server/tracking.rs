//! The doors of mail that are no JSON: the picture and the redirect that tell that a message was opened, and how a template looks. A token
//! names a message and nothing else; where its link leads is read from the message.
use crate::{
    error::{Error, Thing},
    mail::{
        model::MESSAGE,
        server::{
            letter::{of_click, of_open},
            service::{self, Feedback},
        },
    },
    web::{
        api::Refusal,
        ctx::{Operator, Visitor},
    },
};
use axum::{
    Router,
    extract::Path,
    http::{HeaderName, HeaderValue, Method, header},
    response::{IntoResponse, Response},
    routing::get,
};

/// A transparent picture of one point.
const PIXEL: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

/// What a template's HTML may do in its frame: nothing but look like something.
const SANDBOX: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'; base-uri 'none'; form-action 'none'";

/// The routes.
pub fn router() -> Router {
    Router::new()
        .route("/m/o/{token}", get(opened))
        .route("/m/c/{token}", get(clicked))
        .route("/admin/mail/templates/{kind}/html", get(template))
}

/// Notes that a message was opened. Whoever guesses gets the same picture.
async fn opened(visitor: Visitor, method: Method, Path(token): Path<String>) -> Result<Response, Refusal> {
    if let Some(id) = of_open(&visitor.panel, &token).filter(|_| notes(&visitor, &method)) {
        // Once per message: mail programs load it again and again.
        service::feedback(&visitor.panel, &id, &Feedback::Opened, &format!("open:{id}")).await?;
    }
    Ok(([(header::CONTENT_TYPE, "image/gif")], PIXEL).into_response())
}

/// Notes that a message's link was followed, and goes there.
async fn clicked(visitor: Visitor, method: Method, Path(token): Path<String>) -> Result<Response, Refusal> {
    let id = of_click(&visitor.panel, &token).ok_or(Error::NotFound(Thing::LINK))?;
    let link = service::link(&visitor.panel, &id)
        .await
        .map_err(|why| if why == Error::NotFound(MESSAGE) { Error::NotFound(Thing::LINK) } else { why })?;
    if notes(&visitor, &method) {
        service::feedback(&visitor.panel, &id, &Feedback::Clicked, &format!("click:{id}")).await?;
    }
    Ok(crate::web::forms::see_other(&link))
}

fn notes(visitor: &Visitor, method: &Method) -> bool {
    visitor.panel.config.mail.tracking && *method == Method::GET
}

/// How a template looks, for the frame on its page.
async fn template(ctx: Operator, Path(kind): Path<String>) -> Result<Response, Refusal> {
    let html = service::preview(&ctx, &kind)?.html;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX)),
        (HeaderName::from_static("x-frame-options"), HeaderValue::from_static("SAMEORIGIN")),
    ];
    Ok((headers, html).into_response())
}
