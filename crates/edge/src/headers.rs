//! What a request may say about where it came from: nothing. The edge says it freshly, and removes what the outside says, in
//! every spelling that a server behind it might take for the same (WSGI and CGI read `X_Forwarded_For` as `X-Forwarded-For`).
//! A proxy of ours in front (see [`EdgeConfig::trusted`](super::EdgeConfig)) is believed; what it says is added to.
use super::{host::normal_host, paths, table::RouteSlot, wire::Conn};
use http::{HeaderName, HeaderValue, Method, header};
use ipnet::IpNet;
use pingora_core::{ErrorType, OrErr, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;
use std::{net::IpAddr, sync::Arc};

/// The header that names a request, in requests to tasks and in answers to clients.
pub(super) const REQUEST_ID: &str = "X-Request-Id";
/// Characters of an id that a proxy in front has given.
const LONGEST_ID: usize = 128;

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
/// What concerns one connection only (RFC 9110, 7.6.1).
const HOP: [&str; 7] = ["http2-settings", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "proxy-authorization"];

/// What a request's `Host` or `:authority` says.
pub(super) fn authority(request: &RequestHeader) -> &str {
    let named = request.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    named.or_else(|| request.uri.authority().map(|authority| authority.as_str())).unwrap_or_default()
}

/// The host that a request is for, as the table spells it.
pub(super) fn host_of(request: &RequestHeader) -> String {
    normal_host(authority(request))
}

fn is_ours(name: &str) -> bool {
    matches!(name.as_bytes().first(), Some(b'x' | b'f'))
        && (OURS.contains(&name) || (name.contains('_') && OURS.contains(&name.replace('_', "-").as_str())))
}

/// A field of a proxy that is believed.
fn said<'a>(request: &'a RequestHeader, conn: &Conn, name: &str) -> Option<&'a str> {
    if !conn.is_trusted {
        return None;
    }
    let value = request.headers.get(name)?;
    value.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
}

/// The name of a request: the one that a proxy in front has given, or a new one.
pub(super) fn id_of(request: &RequestHeader, conn: &Conn) -> String {
    let good =
        |id: &&str| id.len() <= LONGEST_ID && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if let Some(id) = said(request, conn, "x-request-id").filter(good) {
        return id.to_string();
    }
    let mut buffer = [0; ulid::ULID_LEN];
    let text = ulid::Ulid::new().array_to_str(&mut buffer);
    text.make_ascii_lowercase();
    text.to_string()
}

/// Whose request it is: the connection's client, or the last one in front of it that is no proxy of ours.
pub(super) fn client_of(request: &RequestHeader, conn: &Conn, trusted: &[IpNet]) -> IpAddr {
    let peer = conn.client.ip().to_canonical();
    if !conn.is_trusted {
        return peer;
    }
    let lists = request.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let all: Vec<&str> = lists.flat_map(|list| list.split(',')).map(str::trim).collect();
    let addresses = all.iter().rev().map_while(|text| text.parse::<IpAddr>().ok());
    let mut last = peer;
    for address in addresses {
        last = address.to_canonical();
        if !trusted.iter().any(|net| net.contains(&last)) {
            break;
        }
    }
    last
}

/// What is told to a task of a request.
pub(super) struct Forwarding<'a> {
    pub id: &'a str,
    pub conn: &'a Conn,
    pub slot: Option<&'a Arc<RouteSlot>>,
    /// The request's `Authorization` was for the edge.
    pub hides_login: bool,
    /// An upgrade other than to a WebSocket, whose fields pingora leaves as they are.
    pub is_raw_upgrade: bool,
    /// The task speaks HTTP/1.1.
    pub is_http1: bool,
}

/// The fields by which a task is told where a request comes from, in the order of [`ForwardedFields`].
const NAMES: [&str; 5] = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "Forwarded"];

/// Their values.
pub(super) type ForwardedFields = Arc<[Option<HeaderValue>; 5]>;

impl Forwarding<'_> {
    fn fields(original: &RequestHeader, conn: &Conn) -> Result<ForwardedFields> {
        let ip = conn.client.ip().to_canonical();
        let authority = authority(original);
        let own_proto = if conn.is_tls { "https" } else { "http" };
        let proto = said(original, conn, "x-forwarded-proto").filter(|proto| matches!(*proto, "http" | "https")).unwrap_or(own_proto);
        let host = said(original, conn, "x-forwarded-host").unwrap_or(authority);
        let port = said(original, conn, "x-forwarded-port").filter(|port| port.parse::<u16>().is_ok());
        let default_port = if proto == "https" { "443" } else { "80" };
        let named_port =
            host.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
        let node = if ip.is_ipv6() { format!("for=\"[{ip}]\"") } else { format!("for={ip}") };
        // What stands between quotes is only what `is_host` lets in.
        let named = if authority.is_empty() { String::new() } else { format!(";host=\"{}\"", authority.replace(['"', '\\'], "")) };
        let value = |text: &str| HeaderValue::from_str(text).or_err(ErrorType::InvalidHTTPHeader, "saying where a request comes from");
        Ok(Arc::new([
            Some(value(&all_said(original, conn, "x-forwarded-for", &ip.to_string()))?),
            Some(value(proto)?),
            if host.is_empty() { None } else { Some(value(host)?) },
            Some(value(port.or(named_port).unwrap_or(default_port))?),
            Some(value(&all_said(original, conn, "forwarded", &format!("{node}{named};proto={own_proto}")))?),
        ]))
    }
}

/// Tells a task who asked for what, and by which way.
pub(super) fn forward(session: &Session, request: &mut RequestHeader, told: &Forwarding<'_>) -> Result<()> {
    let (original, conn) = (session.req_header(), told.conn);
    if told.is_raw_upgrade {
        clear_hop(request);
        request.insert_header(header::CONNECTION, "Upgrade")?;
    }
    let doomed: Vec<HeaderName> = request.headers.keys().filter(|name| is_ours(name.as_str())).cloned().collect();
    for name in doomed {
        request.remove_header(&name);
    }
    let fields = if conn.is_trusted {
        Forwarding::fields(original, conn)?
    } else {
        conn.told(authority(original), || Forwarding::fields(original, conn))?
    };
    for (name, value) in NAMES.into_iter().zip(fields.iter()) {
        if let Some(value) = value {
            request.insert_header(name, value.clone())?;
        }
    }
    request.insert_header(REQUEST_ID, told.id)?;
    if told.hides_login {
        request.remove_header(&header::AUTHORIZATION);
    }
    if original.version != http::Version::HTTP_2 {
        make_origin_form(request);
    }
    if told.is_http1 && original.version == http::Version::HTTP_2 {
        join_cookies(request)?;
    }
    let Some(slot) = told.slot else { return Ok(()) };
    for (name, value) in &slot.rules.request {
        match value {
            Some(value) => request.insert_header(name.clone(), value.clone())?,
            None => drop(request.remove_header(name)),
        }
    }
    if slot.rules.policy.strip_path && !slot.prefix.is_empty() {
        strip(request, &slot.prefix)?;
        request.insert_header("X-Forwarded-Prefix", &*slot.prefix)?;
    }
    Ok(())
}

/// What proxies in front have said, and what we add to it.
fn all_said(original: &RequestHeader, conn: &Conn, name: &str, last: &str) -> String {
    if !conn.is_trusted {
        return last.to_string();
    }
    let earlier = original.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    earlier.chain([last]).collect::<Vec<_>>().join(", ")
}

/// Takes away what concerns the client's connection only.
fn clear_hop(request: &mut RequestHeader) {
    let nominated =
        request.headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(','));
    let nominated: Vec<HeaderName> = nominated.filter_map(|name| name.trim().parse().ok()).collect();
    for name in nominated.iter().filter(|name| **name != header::UPGRADE && **name != header::HOST) {
        request.remove_header(name);
    }
    for name in HOP {
        request.remove_header(name);
    }
}

/// HTTP/2 may bring cookies in pieces; HTTP/1.1 has one field for them (RFC 9113, 8.2.3).
fn join_cookies(request: &mut RequestHeader) -> Result<()> {
    let all: Vec<_> = request.headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if all.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..]))
    {
        request.insert_header(header::COOKIE, joined)?;
    }
    Ok(())
}

/// Writes a target that names scheme and host as the path alone, as servers behind a proxy expect it (RFC 9112, 3.2.1 and 3.2.4). Its
/// host is the same as in `Host`, or the request was refused.
fn make_origin_form(request: &mut RequestHeader) {
    if matches!(request.raw_path(), [b'/', ..] | b"*") {
        return;
    }
    let target = request.uri.path_and_query().map_or("", |target| target.as_str());
    let target = match target {
        "" | "/" if request.method == Method::OPTIONS && !request.raw_path().ends_with(b"/") => "*".to_string(),
        target if target.starts_with('/') => target.to_string(),
        query => format!("/{query}"),
    };
    if let Ok(uri) = target.parse() {
        request.set_uri(uri);
    }
}

/// Takes the route's path off, where the request spells it plainly.
fn strip(request: &mut RequestHeader, prefix: &str) -> Result<()> {
    let Some(target) = request.uri.path_and_query().map(|target| target.as_str().to_string()) else { return Ok(()) };
    let end = target.find('?').unwrap_or(target.len());
    if !paths::begins_with(&target[..end], prefix) {
        return Ok(());
    }
    let rest = &target[prefix.len()..];
    let rest = if rest.starts_with('/') { rest.to_string() } else { format!("/{rest}") };
    if let Ok(uri) = rest.parse::<http::Uri>() {
        let mut parts = request.uri.clone().into_parts();
        parts.path_and_query = uri.into_parts().path_and_query;
        if let Ok(uri) = http::Uri::from_parts(parts) {
            request.set_uri(uri);
        }
    }
    Ok(())
}

/// What the edge adds to an answer on its way to the client: the request's name, and what the route asks for.
pub(super) fn finish(response: &mut ResponseHeader, id: &str, slot: Option<&Arc<RouteSlot>>, is_tls: bool) -> Result<()> {
    response.insert_header(REQUEST_ID, id)?;
    let Some(slot) = slot else { return Ok(()) };
    if let Some(hsts) = slot.rules.hsts.as_ref().filter(|_| is_tls) {
        response.insert_header("Strict-Transport-Security", hsts.clone())?;
    }
    for (name, value) in &slot.rules.response {
        match value {
            Some(value) => response.insert_header(name.clone(), value.clone())?,
            None => drop(response.remove_header(name)),
        }
    }
    Ok(())
}
