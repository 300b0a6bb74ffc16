//! Whether a request may come in, and what it gets where it is for no task: the checks that come before any backend is asked.
use super::{
    headers,
    host::is_host,
    limits::Buckets,
    logins::{Doorman, Knock},
    pages::{redirect, refuse, say},
    paths,
    proxy::Exchange,
    snapshot::Policy,
    sticky, strict,
    table::{Leads, Place, Refusal, Routes},
    upstream::short,
    wire::HEADER_LIMIT,
};
use http::header;
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
    pub doorman: Doorman,
}

/// What becomes of a request.
pub(super) enum Verdict {
    Pass,
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
fn fault_of_http2(request: &RequestHeader) -> Option<strict::Fault> {
    let named = |name: &str| request.headers.contains_key(name);
    let is_target = |target: &str| target.starts_with('/') || target == "*";
    match () {
        () if !is_host(headers::authority(request).as_bytes()) => Some(strict::Fault::Host),
        () if !is_target(path_of(request)) => Some(strict::Fault::RequestLine),
        () if request.headers.len() > strict::FIELDS_LIMIT => Some(strict::Fault::TooMany),
        () if named("content_length") => Some(strict::Fault::Length),
        () if named("transfer_encoding") => Some(strict::Fault::TransferEncoding),
        () => None,
    }
}

/// Whether the client came with TLS, to us or to a proxy that is believed. Of several in a row the first one met the client.
fn is_https(request: &RequestHeader, exchange: &Exchange) -> bool {
    let said = request.headers.get("x-forwarded-proto").filter(|_| exchange.conn.is_trusted).and_then(|value| value.to_str().ok());
    said.map_or(exchange.conn.is_tls, |all| all.split(',').next().unwrap_or_default().trim().eq_ignore_ascii_case("https"))
}

impl Gate {
    /// Answers a request that is for no task. Says whether it did.
    pub async fn check(&self, session: &mut Session, exchange: &mut Exchange) -> Result<bool> {
        let verdict = match self.read(session, exchange) {
            Err(refusal) => Verdict::Refuse(refusal),
            Ok(Some(verdict)) => verdict,
            Ok(None) => self.judge(session, exchange).await,
        };
        let (id, place, is_tls) = (&exchange.id, exchange.place.as_ref(), exchange.is_https);
        match verdict {
            Verdict::Pass => return Ok(false),
            Verdict::Refuse(refusal) => {
                if refusal.is_final() {
                    session.set_keepalive(None);
                    exchange.conn.linger();
                }
                refuse(session, refusal, id, place, is_tls).await?;
            }
            Verdict::Redirect(location) => redirect(session, location, id, place, is_tls).await?,
            Verdict::Say(text) => say(session, text, id).await?,
        }
        Ok(true)
    }

    /// Reads what the request is for. Where it can be answered at once, this is how.
    fn read(&self, session: &Session, exchange: &mut Exchange) -> std::result::Result<Option<Verdict>, Refusal> {
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
                return Err(if fault == strict::Fault::TooMany { Refusal::HeadersTooLarge } else { Refusal::BadRequest });
            }
        } else if let Some(fault) = fault_of_http2(request) {
            exchange.fault = Some(fault.word());
            return Err(if fault == strict::Fault::TooMany { Refusal::HeadersTooLarge } else { Refusal::BadRequest });
        }
        exchange.host = headers::host_of(request);
        let table = self.routes.table();
        if let Some(answer) = path_of(request).strip_prefix(CHALLENGES).and_then(|token| table.answer(token)) {
            return Ok(Some(Verdict::Say(answer.to_string())));
        }
        let place = table.find(&exchange.host, path_of(request)).ok_or(Refusal::UnknownHost)?.clone();
        let balance = &place.rules.policy.balance;
        if let Some(cookie) = &balance.cookie {
            let mut words = sticky::cookies(request, &cookie.name);
            exchange.tried.release = words.find_map(|word| cookie.releases.get(word)).map(|release| short(release));
        }
        if balance.sticky.is_some() {
            let mut values = sticky::cookies(request, sticky::COOKIE);
            exchange.tried.wish = table.signer.as_ref().and_then(|signer| values.find_map(|value| signer.read(&place.app.id, value)));
        }
        exchange.place = Some(place);
        Ok(None)
    }

    async fn judge(&self, session: &mut Session, exchange: &Exchange) -> Verdict {
        let Some(place) = &exchange.place else { return Verdict::Refuse(Refusal::UnknownHost) };
        let request = session.req_header();
        let policy = &place.rules.policy;
        if policy.https_only && !exchange.is_https {
            return Verdict::Redirect(self.address(true, &exchange.host, request));
        }
        if let Leads::Redirect(host) = &place.leads {
            return Verdict::Redirect(self.address(exchange.is_https, host, request));
        }
        if let Some(refusal) = self.limit(request, exchange, place) {
            return Verdict::Refuse(refusal);
        }
        if !policy.logins.is_empty() {
            let value = request.headers.get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes);
            match self.doorman.look(&policy.logins, &place.rules.queue, value).await {
                Knock::Welcome => {}
                Knock::Unknown => return Verdict::Refuse(Refusal::Login),
                Knock::Busy => return Verdict::Refuse(Refusal::TooOften(2)),
            }
        }
        place.leads.refusal().map_or(Verdict::Pass, Verdict::Refuse)
    }

    fn limit(&self, request: &RequestHeader, exchange: &Exchange, place: &Place) -> Option<Refusal> {
        let Policy { limits, maintenance, .. } = &place.rules.policy;
        if let Some(rate) = limits.rate
            && let Err(wait) = self.buckets.take(&place.key, exchange.client, rate)
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
