//! Whether a request may come in, and what it gets where it is for no task: the checks that come before any backend is asked.
use super::{
    basic_auth::{AuthOutcome, BasicAuth},
    headers,
    host::is_host,
    limits::Buckets,
    pages::{redirect, refuse, say},
    paths,
    proxy::Exchange,
    snapshot::{LoginExceptions, Policy},
    sticky, strict,
    table::{Refusal, RouteSlot, RouteTarget, Routes},
    upstream::short,
    wire::HEADER_LIMIT,
};
use http::{Method, header};
use ipnet::IpNet;
use pingora_core::Result;
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use std::sync::Arc;

/// Where authorities look for the answer to HTTP-01 (RFC 8555, 8.3).
const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// What the checks need.
#[derive(Debug)]
pub(super) struct Gate {
    pub routes: Arc<Routes>,
    pub trusted: Arc<[IpNet]>,
    /// The port of addresses with TLS, as clients see it.
    pub https_port: u16,
    pub buckets: Buckets,
    pub basic_auth: BasicAuth,
}

/// What becomes of a request.
pub(super) enum GateVerdict {
    /// On to a task. `hides_login` says that the request's `Authorization` was for the edge.
    Pass {
        hides_login: bool,
    },
    Refuse(Refusal),
    Redirect(String),
    Say(String),
}

/// A request's path without its query.
pub(super) fn path_of(request: &RequestHeader) -> &str {
    request.uri.path()
}

/// What is wrong with a request's header that came by HTTP/2, beyond what its library refuses: what could mean something else to a
/// server that reads HTTP/1.1.
fn fault_of_http2(request: &RequestHeader) -> Option<strict::HeaderFault> {
    let named = |name: &str| request.headers.contains_key(name);
    let is_target = |target: &str| target.starts_with('/') || target == "*";
    match () {
        () if !is_host(headers::authority(request).as_bytes()) => Some(strict::HeaderFault::Host),
        () if !is_target(path_of(request)) => Some(strict::HeaderFault::RequestLine),
        () if request.headers.len() > strict::FIELDS_LIMIT => Some(strict::HeaderFault::TooMany),
        () if named("content_length") => Some(strict::HeaderFault::Length),
        () if named("transfer_encoding") => Some(strict::HeaderFault::TransferEncoding),
        () => None,
    }
}

/// Whether the client came with TLS, to us or to a proxy that is believed. Of several in a row the first one met the client.
fn is_https(request: &RequestHeader, exchange: &Exchange) -> bool {
    let said = request.headers.get("x-forwarded-proto").filter(|_| exchange.conn.is_trusted).and_then(|value| value.to_str().ok());
    said.map_or(exchange.conn.is_tls, |all| all.split(',').next().unwrap_or_default().trim().eq_ignore_ascii_case("https"))
}

/// Whether a request passes a route's logins without one: it is the application's to judge.
fn is_excepted(request: &RequestHeader, exceptions: LoginExceptions) -> bool {
    let authorization = request.headers.get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes);
    let has = |name: http::HeaderName| request.headers.contains_key(name);
    // What a browser asks before a request to another origin; it never sends credentials with that (Fetch, 3.2.2).
    let is_preflight = || {
        request.method == Method::OPTIONS && authorization.is_none() && has(header::ORIGIN) && has(header::ACCESS_CONTROL_REQUEST_METHOD)
    };
    let is_bearer =
        || authorization.and_then(|value| value.split_at_checked(7)).is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
    (exceptions.preflights && is_preflight()) || (exceptions.bearer_tokens && is_bearer())
}

impl Gate {
    /// Answers a request that is for no task. Says whether it did.
    pub async fn check(&self, session: &mut Session, exchange: &mut Exchange) -> Result<bool> {
        let verdict = match self.read(session, exchange) {
            Err(refusal) => GateVerdict::Refuse(refusal),
            Ok(Some(verdict)) => verdict,
            Ok(None) => self.judge(session, exchange).await,
        };
        let (id, slot, is_tls) = (&exchange.id, exchange.slot.as_ref(), exchange.is_https);
        match verdict {
            GateVerdict::Pass { hides_login } => {
                exchange.hides_login = hides_login;
                return Ok(false);
            }
            GateVerdict::Refuse(refusal) => {
                if refusal.is_final() {
                    session.set_keepalive(None);
                    exchange.conn.linger();
                }
                refuse(session, refusal, id, slot, is_tls).await?;
            }
            GateVerdict::Redirect(location) => redirect(session, location, id, slot, is_tls).await?,
            GateVerdict::Say(text) => say(session, text, id).await?,
        }
        Ok(true)
    }

    /// Reads what the request is for. Where it can be answered at once, this is how.
    fn read(&self, session: &Session, exchange: &mut Exchange) -> std::result::Result<Option<GateVerdict>, Refusal> {
        let request = session.req_header();
        exchange.id = headers::id_of(request, &exchange.conn);
        exchange.client = headers::client_of(request, &exchange.conn, &self.trusted);
        exchange.is_https = is_https(request, exchange);
        if let Some(http1) = session.as_http1() {
            let raw = http1.get_headers_raw_bytes();
            if raw.len() > HEADER_LIMIT {
                return Err(Refusal::HeadersTooLarge);
            }
            if let Err(fault) = strict::check(&raw) {
                exchange.fault = Some(fault.word());
                return Err(if fault == strict::HeaderFault::TooMany { Refusal::HeadersTooLarge } else { Refusal::BadRequest });
            }
        } else if let Some(fault) = fault_of_http2(request) {
            exchange.fault = Some(fault.word());
            return Err(if fault == strict::HeaderFault::TooMany { Refusal::HeadersTooLarge } else { Refusal::BadRequest });
        }
        exchange.host = headers::host_of(request);
        let table = self.routes.table();
        if let Some(answer) = path_of(request).strip_prefix(CHALLENGES).and_then(|token| table.answer(token)) {
            return Ok(Some(GateVerdict::Say(answer.to_string())));
        }
        let slot = table.find(&exchange.host, path_of(request)).ok_or(Refusal::UnknownHost)?.clone();
        let balance = &slot.rules.policy.balance;
        if let Some(cookie) = &balance.cookie {
            let mut words = sticky::cookies(request, &cookie.name);
            exchange.tried.release = words.find_map(|word| cookie.releases.get(word)).map(|release| short(release));
        }
        if balance.sticky.is_some() {
            let mut values = sticky::cookies(request, sticky::COOKIE);
            exchange.tried.wish = table.signer.as_ref().and_then(|signer| values.find_map(|value| signer.read(&slot.app.id, value)));
        }
        exchange.slot = Some(slot);
        Ok(None)
    }

    async fn judge(&self, session: &mut Session, exchange: &Exchange) -> GateVerdict {
        let Some(slot) = &exchange.slot else { return GateVerdict::Refuse(Refusal::UnknownHost) };
        let request = session.req_header();
        let policy = &slot.rules.policy;
        if policy.https_only && !exchange.is_https {
            return GateVerdict::Redirect(self.address(true, &exchange.host, request));
        }
        if let RouteTarget::Redirect(host) = &slot.target {
            return GateVerdict::Redirect(self.address(exchange.is_https, host, request));
        }
        if let Some(refusal) = self.limit(request, exchange, slot) {
            return GateVerdict::Refuse(refusal);
        }
        let hides_login = !policy.logins.is_empty() && !is_excepted(request, policy.login_exceptions);
        if hides_login {
            let value = request.headers.get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes);
            match self.basic_auth.check(&policy.logins, &slot.rules.queue, value).await {
                AuthOutcome::Valid => {}
                AuthOutcome::Invalid => return GateVerdict::Refuse(Refusal::Login),
                AuthOutcome::Busy => return GateVerdict::Refuse(Refusal::TooOften(2)),
            }
        }
        slot.target.refusal().map_or(GateVerdict::Pass { hides_login }, GateVerdict::Refuse)
    }

    fn limit(&self, request: &RequestHeader, exchange: &Exchange, slot: &RouteSlot) -> Option<Refusal> {
        let Policy { limits, maintenance, .. } = &slot.rules.policy;
        if let Some(rate) = limits.rate
            && let Err(wait) = self.buckets.take(&slot.key, exchange.client, rate)
        {
            return Some(Refusal::TooOften(wait.as_secs() as u32 + 1));
        }
        let is_let_by = |bypass: &str| paths::begins_with(&paths::plain(path_of(request)), &paths::prefix(bypass));
        if let Some(maintenance) = maintenance
            && !maintenance.bypass.as_deref().is_some_and(is_let_by)
        {
            return Some(Refusal::Maintenance(maintenance.retry_after));
        }
        let length =
            request.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
        let is_too_large = length.zip(limits.body).is_some_and(|(length, most)| length > most);
        is_too_large.then_some(Refusal::BodyTooLarge)
    }

    /// The request's address at a host.
    fn address(&self, is_https: bool, host: &str, request: &RequestHeader) -> String {
        let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
        let target = if target.starts_with('/') { target } else { "/" };
        let scheme = if is_https { "https" } else { "http" };
        let port = match self.https_port {
            port if is_https && port != 443 => format!(":{port}"),
            _ if is_https => String::new(),
            _ => headers::authority(request).rsplit_once(':').map_or(String::new(), |(_, port)| format!(":{port}")),
        };
        format!("{scheme}://{host}{port}{target}")
    }
}
