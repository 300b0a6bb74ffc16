//! The two addresses that a browser visits on its way through a provider. They answer with a redirect: to the provider, into the panel,
//! or to a page that says what went wrong.
use crate::{
    accounts::{
        fns::factors::SECURITY_PAGE,
        server::{
            cookies::{pending, session_cookies},
            service::{
                Begun,
                providers::{self, Problem, Returned},
            },
        },
    },
    auth::session::{VISIT, visit_cookie},
    error::Error,
    web::{
        ctx::Visitor,
        forms::{is_local, see_other},
    },
};
use axum::{
    Router,
    extract::{Path, Query},
    http::{HeaderValue, header},
    response::Response,
    routing::get,
};
use serde::Deserialize;

/// The addresses.
pub fn router() -> Router {
    Router::new().route("/auth/oidc/{id}", get(begin)).route("/auth/oidc/{id}/callback", get(take_back))
}

#[derive(Deserialize)]
struct Begin {
    next: Option<String>,
}

async fn begin(visitor: Visitor, Path(id): Path<String>, Query(asked): Query<Begin>) -> Response {
    let next = asked.next.filter(|next| is_local(next) && next.len() <= 2000);
    match providers::begin(&visitor, &id, next).await {
        Ok(url) => {
            let mut response = see_other(&url);
            // What comes back is taken only from the browser that went.
            if visitor.who.is_none() && visitor.cookie(VISIT).is_none() {
                add(&mut response, &visit_cookie(&visitor.panel, &visitor.form_key));
            }
            response
        }
        Err(why) => sorry(&visitor, &id, &why),
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

async fn take_back(visitor: Visitor, Path(id): Path<String>, Query(answer): Query<Answer>) -> Response {
    let code = match (&answer.error, &answer.code) {
        (Some(why), _) => Err(why.as_str()),
        (None, Some(code)) => Ok(code.as_str()),
        (None, None) => Err("neither a code nor an error"),
    };
    match providers::take_back(&visitor, &id, &answer.state, code, answer.iss.as_deref()).await {
        Ok(returned) => go(&visitor, &id, returned),
        Err(why) => sorry(&visitor, &id, &why),
    }
}

fn go(visitor: &Visitor, id: &str, returned: Returned) -> Response {
    let onward = |next: Option<String>| next.filter(|next| is_local(next)).unwrap_or_else(|| "/applications".into());
    let (place, cookies) = match returned {
        Returned::SignsIn(Begun::In(opened), next) => (onward(next), session_cookies(visitor, &opened)),
        Returned::SignsIn(Begun::Asks(token), _) => ("/sign-in/second-factor".into(), vec![pending(visitor, &token)]),
        Returned::Renewed(next) => (onward(next), Vec::new()),
        Returned::MayLink(token) => (format!("{SECURITY_PAGE}/link/{token}"), Vec::new()),
        Returned::Not(why) => {
            let word = match why {
                Problem::Taken => "taken",
                Problem::NoAddress => "address",
                Problem::Closed => "closed",
            };
            (problem(page(visitor), id, word, None), Vec::new())
        }
        Returned::SignInFirst => (problem("/sign-in", id, "known", Some(&format!("/auth/oidc/{id}"))), Vec::new()),
    };
    let mut response = see_other(&place);
    cookies.iter().for_each(|cookie| add(&mut response, cookie));
    response
}

fn add(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// Leads to a page that says what went wrong, in words of its own: an address can't put sentences into it.
fn sorry(visitor: &Visitor, id: &str, why: &Error) -> Response {
    let word = match why {
        Error::NotFound(_) => "gone",
        Error::SignedOut(_) => "refused",
        Error::RateLimited { .. } => "often",
        _ => "away",
    };
    see_other(&problem(page(visitor), id, word, None))
}

fn page(visitor: &Visitor) -> &'static str {
    if visitor.who.is_some() { SECURITY_PAGE } else { "/sign-in" }
}

fn problem(page: &str, id: &str, word: &str, next: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("provider", id).append_pair("problem", word);
    if let Some(next) = next {
        query.append_pair("next", next);
    }
    format!("{page}?{}", query.finish())
}
