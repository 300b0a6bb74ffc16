//! Plain HTML forms in front of the server functions. A form posts to its own page's address with the function's name in `_action`
//! and the visitor's token in `_csrf`. When the function succeeds the browser is sent on; when it refuses, the same page is
//! rendered again with what was typed and the sentence beside the field: nothing is lost, with or without JavaScript.
use crate::{
    error::{Error, Result},
    kit::Posted,
    web::{
        api::{MAX_BODY, Refusal},
        ctx::Visitor,
        declared::Declared,
        rate_limits::RateCheck,
    },
};
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures::future::BoxFuture;
use std::{collections::HashMap, sync::Arc};

/// Renders the page of a request, for a visitor, with what was posted and refused.
pub type Render = Arc<dyn Fn(Request, Visitor, Option<Posted>) -> BoxFuture<'static, Response> + Send + Sync>;

/// Calls a server function with its context.
pub type Call = Arc<dyn Fn(Request, Visitor) -> BoxFuture<'static, Response> + Send + Sync>;

/// The two things that a page's door needs.
#[derive(Clone)]
pub struct Pages {
    pub render: Render,
    pub call: Call,
    /// The path of each server function by its name.
    pub actions: Arc<HashMap<String, String>>,
    pub declared: Arc<Declared>,
}

/// Answers a GET of a page.
pub async fn show(State(pages): State<Pages>, visitor: Visitor, request: Request) -> Response {
    (pages.render)(request, visitor, None).await
}

/// Answers a POST of a page's form.
pub async fn post(State(pages): State<Pages>, visitor: Visitor, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let form = match read(&visitor, body).await {
        Ok(form) => form,
        Err(why) => {
            let posted = Posted { action: String::new(), values: Vec::new(), error: why };
            return again(&pages, &parts, visitor, posted).await;
        }
    };
    let Some(path) = pages.actions.get(&form.action) else {
        let error = Error::invalid("form", "The form doesn't say what it is for. Load the page again.");
        return again(&pages, &parts, visitor, Posted { action: form.action, values: form.values, error }).await;
    };
    let mut tally = RateCheck::default();
    if let Err(error) = tally.class(&visitor, pages.declared.function(path)) {
        let mut refused =
            again(&pages, &parts, visitor, Posted { action: form.action, values: without_passwords(form.values), error }).await;
        tally.tell(refused.headers_mut());
        return refused;
    }
    let response = (pages.call)(inner(path, &form), visitor.clone()).await;
    match refused(response).await {
        Ok(done) => onward(done, &parts),
        Err(Error::SignedOut(_)) if visitor.who.is_none() && !parts.uri.path().starts_with("/sign-") => see_other(&sign_in(&parts)),
        Err(error) => {
            let values = without_passwords(form.values);
            again(&pages, &parts, visitor, Posted { action: form.action, values, error }).await
        }
    }
}

fn without_passwords(values: Vec<(String, String)>) -> Vec<(String, String)> {
    values.into_iter().filter(|(name, _)| !name.contains("password") && !name.contains("private_key")).collect()
}

/// A form as it was sent, the hidden fields taken out.
struct Form {
    action: String,
    values: Vec<(String, String)>,
}

async fn read(visitor: &Visitor, body: Body) -> Result<Form> {
    let bytes = to_bytes(body, MAX_BODY).await.map_err(|_| Error::TooLarge("A form may have 1 MiB.".into()))?;
    let mut form = Form { action: String::new(), values: Vec::new() };
    let mut token = String::new();
    for (name, value) in url::form_urlencoded::parse(&bytes) {
        match &*name {
            "_action" => form.action = value.into_owned(),
            "_csrf" => token = value.into_owned(),
            // A browser sends every line end as CR LF.
            _ => form.values.push((name.into_owned(), value.replace("\r\n", "\n"))),
        }
    }
    if !visitor.panel.secrets.is_form_token(&visitor.form_key, &token) {
        return Err(Error::Forged);
    }
    Ok(form)
}

/// The form as the server function's own request.
fn inner(path: &str, form: &Form) -> Request {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.values).finish();
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = Method::POST;
    if let Ok(uri) = path.parse() {
        *request.uri_mut() = uri;
    }
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request
}

/// Tells a refusal from success.
async fn refused(response: Response) -> Result<Response> {
    if response.status().is_success() || response.status().is_redirection() {
        return Ok(response);
    }
    let bytes = to_bytes(response.into_body(), MAX_BODY).await.unwrap_or_default();
    Err(serde_json::from_slice(&bytes).unwrap_or_else(|_| Error::invalid("form", "The form could not be read. Load the page again.")))
}

/// Sends the browser where the function said, or back to the page; cookies go along.
fn onward(done: Response, parts: &Parts) -> Response {
    let place = done.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()).filter(|place| is_local(place));
    let back = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_string();
    let mut response = see_other(place.unwrap_or(&back));
    for cookie in done.headers().get_all(header::SET_COOKIE) {
        response.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    response
}

/// Renders the page again with the refusal.
async fn again(pages: &Pages, parts: &Parts, visitor: Visitor, posted: Posted) -> Response {
    let status = StatusCode::from_u16(posted.error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = parts.uri.clone();
    *request.headers_mut() = parts.headers.clone();
    request.headers_mut().remove(header::CONTENT_LENGTH);
    request.headers_mut().remove(header::CONTENT_TYPE);
    let mut response = (pages.render)(request, visitor, Some(posted)).await;
    if response.status() == StatusCode::OK {
        *response.status_mut() = status;
    }
    response
}

/// `303 See Other`.
pub fn see_other(place: &str) -> Response {
    match HeaderValue::from_str(place) {
        Ok(value) => (StatusCode::SEE_OTHER, [(header::LOCATION, value)]).into_response(),
        Err(_) => Refusal(Error::NotFound(crate::error::Thing::PAGE)).into_response(),
    }
}

/// Where somebody who is signed out goes, and what she wanted to see.
pub fn sign_in(parts: &Parts) -> String {
    let next = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    format!("/sign-in?{query}")
}

/// A path on this site: what follows a sign-in must not lead elsewhere.
pub fn is_local(place: &str) -> bool {
    place.starts_with('/') && !place.starts_with("//") && !place.contains('\\') && !place.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_followed() {
        assert!(is_local("/applications?page=2"));
        for bad in ["//evil.example", "https://evil.example", "/\\evil", "javascript:alert(1)", "", "/a\nb"] {
            assert!(!is_local(bad), "{bad}");
        }
    }
}
