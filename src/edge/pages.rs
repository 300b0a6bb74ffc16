//! What the edge answers by itself, where no task can: a small calm page for a person, JSON or one line for a program.
use super::{headers::REQUEST_ID, table::Refusal};
use bytes::Bytes;
use pingora_core::Result;
use pingora_http::{Method, ResponseHeader};
use pingora_proxy::Session;

impl Refusal {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Refusal::UnknownHost => 404,
            Refusal::Stopped | Refusal::Empty | Refusal::NoTask => 503,
            Refusal::Unreachable => 502,
            Refusal::HeadersTooLarge => 431,
        }
    }

    /// The stable code for programs.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::UnknownHost => "HOST_NOT_FOUND",
            Refusal::Stopped => "APPLICATION_STOPPED",
            Refusal::Empty => "APPLICATION_NOT_DEPLOYED",
            Refusal::NoTask => "APPLICATION_UNAVAILABLE",
            Refusal::Unreachable => "APPLICATION_UNREACHABLE",
            Refusal::HeadersTooLarge => "HEADERS_TOO_LARGE",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Refusal::UnknownHost => "Nothing lives at this address",
            Refusal::Stopped => "This application is stopped",
            Refusal::Empty => "This application has not been deployed yet",
            Refusal::NoTask => "This application is starting",
            Refusal::Unreachable => "This application did not answer",
            Refusal::HeadersTooLarge => "This request is too large",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Refusal::UnknownHost => "Check the address. If it is new, its owner has yet to point it at an application.",
            Refusal::Stopped => "Its owner has stopped it. It answers again as soon as it is started.",
            Refusal::Empty => "Its first deployment will appear here.",
            Refusal::NoTask => "None of its copies can take requests yet. Try again in a moment.",
            Refusal::Unreachable => "Its copies were asked and none gave an answer. Try again in a moment.",
            Refusal::HeadersTooLarge => "Its header fields are larger than is taken here. Clearing this site's cookies may help.",
        }
    }

    fn retry_after(self) -> Option<&'static str> {
        match self {
            Refusal::NoTask => Some("2"),
            Refusal::Stopped | Refusal::Empty => Some("60"),
            Refusal::Unreachable | Refusal::UnknownHost | Refusal::HeadersTooLarge => None,
        }
    }

    fn body(self, accept: &str, id: &str) -> (&'static str, String) {
        let (status, code, title, sentence) = (self.status(), self.code(), self.title(), self.sentence());
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

/// Answers a request with a refusal, in the form that it accepts.
pub(super) async fn refuse(session: &mut Session, refusal: Refusal, id: &str) -> Result<()> {
    let request = session.req_header();
    let is_head = request.method == Method::HEAD;
    let accept = request.headers.get("accept").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, body) = refusal.body(accept, id);
    let mut response = ResponseHeader::build(refusal.status(), Some(6))?;
    response.insert_header("Content-Type", kind)?;
    response.insert_header("Content-Length", body.len().to_string())?;
    response.insert_header("Cache-Control", "no-store")?;
    response.insert_header(REQUEST_ID, id)?;
    if let Some(seconds) = refusal.retry_after() {
        response.insert_header("Retry-After", seconds)?;
    }
    session.write_response_header(Box::new(response), is_head).await?;
    if !is_head {
        session.write_response_body(Some(Bytes::from(body)), true).await?;
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
