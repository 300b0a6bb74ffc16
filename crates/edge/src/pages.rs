//! What the edge answers by itself, where no task can: a small calm page for a person, JSON or one line for a program.
use super::{
    headers,
    table::{Refusal, RouteSlot},
};
use bytes::Bytes;
use http::header;
use pingora_core::Result;
use pingora_http::{Method, ResponseHeader};
use pingora_proxy::Session;
use std::sync::Arc;

/// The status, the stable code for programs, a title, and a sentence with the remedy.
type Words = (u16, &'static str, &'static str, &'static str);

impl Refusal {
    #[allow(clippy::too_many_lines, reason = "one refusal after the other")]
    fn words(self) -> Words {
        match self {
            Refusal::UnknownHost => (
                404,
                "HOST_NOT_FOUND",
                "Nothing lives at this address",
                "Check the address. If it is new, its owner has yet to point it at an application.",
            ),
            Refusal::Stopped => (
                503,
                "APPLICATION_STOPPED",
                "This application is stopped",
                "Its owner has stopped it. It answers again as soon as it is started.",
            ),
            Refusal::Empty => {
                (503, "APPLICATION_NOT_DEPLOYED", "This application has not been deployed yet", "Its first deployment will appear here.")
            }
            Refusal::NoTask => (
                503,
                "APPLICATION_UNAVAILABLE",
                "This application is starting",
                "None of its replicas can take requests yet. Try again in a moment.",
            ),
            Refusal::Full => {
                (503, "APPLICATION_BUSY", "This application is busy", "Too many requests wait for it already. Try again in a moment.")
            }
            Refusal::Unreachable => (
                502,
                "APPLICATION_UNREACHABLE",
                "This application did not answer",
                "Its replicas were asked and none gave an answer. Try again in a moment.",
            ),
            Refusal::TooSlow => (
                504,
                "APPLICATION_TOO_SLOW",
                "This application took too long",
                "It was asked and has not answered in time. Try again later.",
            ),
            Refusal::HeadersTooLarge => (
                431,
                "HEADERS_TOO_LARGE",
                "This request is too large",
                "Its header fields are more than are taken here. Clearing this site's cookies may help.",
            ),
            Refusal::BodyTooLarge => (413, "BODY_TOO_LARGE", "This request is too large", "Send less at once."),
            Refusal::BadRequest => {
                (400, "BAD_REQUEST", "This request cannot be read", "It is no HTTP, or could be read in more than one way.")
            }
            Refusal::Stalled => (408, "REQUEST_TIMEOUT", "This request took too long", "Its body did not come in time. Try again."),
            Refusal::TooOften(_) => (429, "RATE_LIMITED", "Too many requests", "Wait a little before the next one."),
            Refusal::Login => (401, "LOGIN_REQUIRED", "This application is private", "It takes a name and a password."),
            Refusal::Maintenance(_) => {
                (503, "APPLICATION_IN_MAINTENANCE", "This application is being worked on", "It will be back. Try again later.")
            }
        }
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        self.words().0
    }

    /// Whether the connection ends with it, because where the next request would begin is not sure, or does not matter.
    pub fn is_final(self) -> bool {
        matches!(self, Refusal::BadRequest | Refusal::HeadersTooLarge | Refusal::BodyTooLarge | Refusal::Stalled)
    }

    fn retry_after(self) -> Option<u32> {
        match self {
            Refusal::NoTask | Refusal::Full => Some(2),
            Refusal::Stopped | Refusal::Empty => Some(60),
            Refusal::TooOften(seconds) | Refusal::Maintenance(seconds) => Some(seconds),
            _ => None,
        }
    }

    fn body(self, accept: &str, id: &str) -> (&'static str, String) {
        let (status, code, title, sentence) = self.words();
        if accept.contains("text/html") {
            let page = PAGE.replace("{title}", title).replace("{sentence}", sentence).replace("{status}", &status.to_string());
            ("text/html; charset=utf-8", page.replace("{id}", id))
        } else if accept.contains("json") {
            let error = serde_json::json!({ "code": code, "message": format!("{title}. {sentence}"), "details": [] });
            let body = serde_json::json!({ "success": false, "error": error, "request_id": id });
            ("application/json", body.to_string())
        } else {
            ("text/plain; charset=utf-8", format!("{title}. {sentence}\n{status} {code}, request {id}\n"))
        }
    }
}

/// Answers a request with a refusal: with the owner's page where there is one, and else in the form that it accepts.
pub(super) async fn refuse(session: &mut Session, refusal: Refusal, id: &str, slot: Option<&Arc<RouteSlot>>, is_tls: bool) -> Result<()> {
    let request = session.req_header();
    let is_head = request.method == Method::HEAD;
    let accept = request.headers.get("accept").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let own = slot.filter(|_| accept.contains("text/html")).and_then(|slot| match refusal {
        Refusal::Maintenance(_) => slot.rules.maintenance.as_ref().or_else(|| slot.rules.pages.get(&refusal.status())),
        _ => slot.rules.pages.get(&refusal.status()),
    });
    let (kind, body) = match own {
        Some(page) => ("text/html; charset=utf-8", page.clone()),
        None => {
            let (kind, body) = refusal.body(accept, id);
            (kind, Bytes::from(body))
        }
    };
    let mut response = ResponseHeader::build(refusal.status(), Some(8))?;
    response.insert_header(header::CONTENT_TYPE, kind)?;
    response.insert_header(header::CONTENT_LENGTH, body.len())?;
    response.insert_header(header::CACHE_CONTROL, "no-store")?;
    if let Some(seconds) = refusal.retry_after() {
        response.insert_header(header::RETRY_AFTER, seconds)?;
    }
    if refusal == Refusal::Login {
        response.insert_header(header::WWW_AUTHENTICATE, "Basic realm=\"private\", charset=\"UTF-8\"")?;
    }
    headers::finish(&mut response, id, slot, is_tls)?;
    write(session, response, body, is_head).await
}

/// Sends a client to another address for good, with the same method (308).
pub(super) async fn redirect(session: &mut Session, location: String, id: &str, slot: Option<&Arc<RouteSlot>>, is_tls: bool) -> Result<()> {
    let mut response = ResponseHeader::build(308, Some(6))?;
    response.insert_header(header::LOCATION, location)?;
    response.insert_header(header::CONTENT_LENGTH, 0)?;
    headers::finish(&mut response, id, slot, is_tls)?;
    write(session, response, Bytes::new(), true).await
}

/// Answers with a short text.
pub(super) async fn say(session: &mut Session, text: String, id: &str) -> Result<()> {
    let is_head = session.req_header().method == Method::HEAD;
    let mut response = ResponseHeader::build(200, Some(4))?;
    response.insert_header(header::CONTENT_TYPE, "text/plain; charset=utf-8")?;
    response.insert_header(header::CONTENT_LENGTH, text.len())?;
    headers::finish(&mut response, id, None, false)?;
    write(session, response, Bytes::from(text), is_head).await
}

async fn write(session: &mut Session, response: ResponseHeader, body: Bytes, is_bare: bool) -> Result<()> {
    session.write_response_header(Box::new(response), is_bare).await?;
    if !is_bare {
        session.write_response_body(Some(body), true).await?;
    }
    Ok(())
}

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>
:root { color-scheme: light dark; --ink: #1c1f26; --soft: #667085; --line: #e4e7ec; --paper: #fbfbfc; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ec; --soft: #98a2b3; --line: #2a2f3a; --paper: #111318; } }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--paper); color: var(--ink);
       font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 28rem; padding: 2rem; }
h1 { margin: 0 0 .5rem; font-size: 1.25rem; line-height: 1.3; }
p { margin: 0 0 1.5rem; }
small { display: block; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); font: 12px/1.5 ui-monospace, monospace; }
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{sentence}</p>
<small>{status} · request {id}</small>
</main>
</body>
</html>
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_visitors_read_is_made_of_words_and_ends() {
        use Refusal::*;
        for refusal in [UnknownHost, Stopped, Empty, NoTask, Full, Unreachable, TooSlow, HeadersTooLarge, BodyTooLarge, BadRequest, Stalled]
        {
            let (status, code, title, sentence) = refusal.words();
            assert!((400..600).contains(&status) && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{code}");
            assert!(sentence.ends_with('.') && !title.ends_with('.'), "{code}: {title} {sentence}");
            // A name of the code has a capital within it; a word has none.
            let is_name = |word: &str| word.chars().skip(1).any(char::is_uppercase) && word.chars().any(char::is_lowercase);
            let names: Vec<&str> = title.split(' ').chain(sentence.split(' ')).filter(|word| is_name(word)).collect();
            assert!(names.is_empty(), "{code}: {names:?}");
        }
    }
}
