//! Requests that mean to leave HTTP on the connection that they came by.
use http::header;
use pingora_proxy::Session;

/// How a request means to leave HTTP, if it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Upgrade {
    #[default]
    None,
    WebSocket,
    /// To something else, which the task must know.
    Other,
    /// To another kind of HTTP, which would pass by everything here; or with a body, which no protocol needs. It goes on without.
    Denied,
}

/// Whether a protocol is another kind of HTTP, with TLS or without.
fn is_http(token: &str) -> bool {
    let name = token.trim().split('/').next().unwrap_or_default();
    matches!(name, "" | "h2" | "h2c" | "http" | "tls")
}

impl Upgrade {
    /// What a request asks for.
    pub fn of(session: &mut Session) -> Self {
        if !session.is_upgrade_req() {
            return Upgrade::None;
        }
        let tokens = session.req_header().headers.get(header::UPGRADE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let tokens = tokens.to_ascii_lowercase();
        match tokens.trim() {
            "websocket" => Upgrade::WebSocket,
            tokens if tokens.split(',').any(is_http) => Upgrade::Denied,
            _ if session.as_mut().is_body_empty() => Upgrade::Other,
            _ => Upgrade::Denied,
        }
    }

    /// Whether what follows may be no HTTP any more.
    pub fn leaves_http(self) -> bool {
        matches!(self, Upgrade::WebSocket | Upgrade::Other)
    }
}
