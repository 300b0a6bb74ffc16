//! What a request may say about where it came from: nothing. The edge says it freshly, and removes what the outside says, in
//! every spelling that a server behind it might take for the same (WSGI and CGI read `X_Forwarded_For` as `X-Forwarded-For`).
use super::table::normal_host;
use pingora_core::Result;
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;

/// The header that names a request, in requests to tasks and in answers to clients.
pub(super) const REQUEST_ID: &str = "X-Request-Id";

/// What the outside may not say. The edge sets some of these itself.
const OURS: [&str; 9] = [
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-server",
    "x-forwarded-prefix",
    "x-real-ip",
    "x-request-id",
    "forwarded",
];

/// The host that a request is for, as the table spells it.
pub(super) fn host_of(request: &RequestHeader) -> String {
    let named = request.headers.get("host").and_then(|value| value.to_str().ok());
    normal_host(named.or_else(|| request.uri.authority().map(|authority| authority.as_str())).unwrap_or_default())
}

/// Tells a task who asked for what, and by which way.
pub(super) fn forward(session: &Session, request: &mut RequestHeader, id: &str) -> Result<()> {
    for name in OURS {
        request.remove_header(name);
    }
    let disguised = |name: &str| name.contains('_') && OURS.contains(&name.replace('_', "-").as_str());
    let disguised: Vec<_> = request.headers.keys().filter(|name| disguised(name.as_str())).cloned().collect();
    for name in disguised {
        request.remove_header(&name);
    }
    if let Some(client) = session.client_addr().and_then(|address| address.as_inet()) {
        request.insert_header("X-Forwarded-For", client.ip().to_canonical().to_string())?;
    }
    let is_tls = session.digest().is_some_and(|digest| digest.ssl_digest.is_some());
    request.insert_header("X-Forwarded-Proto", if is_tls { "https" } else { "http" })?;
    if let Some(host) = request.headers.get("host").cloned() {
        request.insert_header("X-Forwarded-Host", host)?;
    }
    request.insert_header(REQUEST_ID, id)
}

/// Tells the client under which name its request stands in the logs.
pub(super) fn name(response: &mut ResponseHeader, id: &str) -> Result<()> {
    response.insert_header(REQUEST_ID, id)
}
