//! The life of one request: to whom it goes, what a failure of that attempt means, and what the client is told in the end.
//!
//! Two rules decide about a second attempt. What never reached a backend whole may go to another one, whatever it is. What did
//! reach one may go to another only if sending it twice does no harm (RFC 9110, 9.2.2) and not a byte of an answer came: docker's
//! userland proxy accepts connections for a port where nothing listens and closes them at once, so a connection proves nothing.
use super::{
    access::{AccessEntry, AccessLog, clipped},
    gate::{Gate, path_of},
    headers::{self, Forwarding},
    log_throttle::LogThrottle,
    pages::refuse,
    signals::RequestOutcome,
    snapshot::Sticky,
    sticky,
    table::{Refusal, RouteSlot},
    upgrade::{self, Upgrade},
    upstream::{InFlight, StickyMark, Tried, Upstream},
    wire::Conn,
};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Version, header};
use pingora_core::{
    Error, ErrorSource, ErrorType, Result, RetryType,
    modules::http::HttpModules,
    protocols::TcpKeepalive,
    upstreams::peer::{H1UpgradePolicy, HttpPeer, Peer},
};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};
use tracing::{debug, warn};

/// How long a backend may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// How long nothing may come from a backend, or from the client of an upgraded connection.
const IDLE: Duration = Duration::from_secs(3600);
/// How long a client may take over the next piece of its request, and anybody over taking the next piece of ours.
const STALL: Duration = Duration::from_secs(300);
/// How long the rest of a request's body is awaited that nobody reads any more.
const DRAIN_BODY: Duration = Duration::from_secs(5);
/// How long an idle connection to a backend is kept.
const KEEP: Duration = Duration::from_secs(30);
/// The same for requests that may not be sent twice: so short that no server has closed it for idleness, because a request
/// that meets such a closing cannot be repeated.
const KEEP_FRESH: Duration = Duration::from_secs(1);
/// How long a machine may acknowledge nothing, while something is awaited, before it counts as lost.
const SILENT: Duration = Duration::from_secs(5);
/// The same over a connection that carries more than headers, where a task that does not read looks like that, too.
const SILENT_BODY: Duration = Duration::from_secs(30);
/// Where connections are kept that began with the latter.
const PATIENT: u64 = 1 << 63;
/// How many backends a request may reach before it is given up: one that kills its server should not kill them all.
const REACHED_LIMIT: usize = 3;

/// Requests that go over one HTTP/2 connection to a backend at the same time.
const STREAMS: usize = 100;

/// The proxy's side of pingora.
pub(super) struct Proxy {
    gate: Gate,
    access: Arc<AccessLog>,
    log: Arc<LogThrottle>,
    /// Requests that have begun and not ended, pages included.
    open: Arc<AtomicUsize>,
    /// The start of the seconds that [`KEEP_FRESH`] connections are kept by.
    started: Instant,
    /// Numbers the attempts that must not take a kept connection.
    fresh: AtomicU64,
    /// For requests whose connection is not known, which does not happen.
    nowhere: Arc<Conn>,
}

impl Proxy {
    pub fn new(gate: Gate, access: Arc<AccessLog>, log: Arc<LogThrottle>, open: Arc<AtomicUsize>) -> Self {
        let nowhere = Arc::new(Conn::new((Ipv4Addr::UNSPECIFIED, 0).into(), false, false));
        Proxy { gate, access, log, open, started: Instant::now(), fresh: AtomicU64::new(u64::MAX), nowhere }
    }

    /// The next backend; where there is none the request is held, unless the client leaves meanwhile.
    async fn reserve(&self, session: &mut Session, exchange: &mut Exchange) -> Result<std::result::Result<InFlight, Refusal>> {
        let routes = &self.gate.routes;
        if let Some(in_flight) = routes.reserve_now(&exchange.host, path_of(session.req_header()), &exchange.tried) {
            return Ok(Ok(in_flight));
        }
        exchange.is_held = true;
        let path = path_of(session.req_header()).to_string();
        tokio::select! {
            reserved = routes.reserve_or_hold(&exchange.host, &path, &exchange.tried) => Ok(reserved),
            left = departure(session) => Err(left),
        }
    }

    /// Which kept connections an attempt may take, and how long its own is kept afterwards.
    fn keeping(&self, session: &Session, exchange: &Exchange) -> (u64, Duration) {
        if exchange.attempts > 1 || exchange.upgrade.leaves_http() {
            (self.fresh.fetch_sub(1, Ordering::Relaxed), Duration::from_millis(1))
        } else if session.req_header().method.is_idempotent() {
            (0, KEEP)
        } else {
            (1 + self.started.elapsed().as_secs(), KEEP_FRESH)
        }
    }

    /// Counts a request that has ended, and writes it down where it is one of the sample.
    fn account(&self, session: &Session, exchange: &Exchange) {
        let status = session.response_written().map_or(0, |response| response.status.as_u16());
        let status = if (100..200).contains(&status) && status != 101 { 0 } else { status };
        let Some(slot) = &exchange.slot else {
            if status < 400 {
                return; // an authority was answered
            }
            self.gate.routes.meters.unrouted();
            let what = exchange.fault.unwrap_or("unknown host");
            return self.log.refused(exchange.client, what, &clipped(headers::authority(session.req_header())));
        };
        if let Some(fault) = exchange.fault {
            self.log.refused(exchange.client, fault, &exchange.host);
        }
        let outcome = RequestOutcome {
            status,
            time: exchange.began.unwrap_or_else(|| exchange.start.elapsed()),
            bytes_in: session.body_bytes_read() as u64,
            bytes_out: session.body_bytes_sent() as u64,
            is_retried: exchange.attempts > 1,
            is_held: exchange.is_held,
        };
        exchange.last.as_ref().map_or(&slot.app.meter, |upstream| &upstream.meter).record(&outcome);
        if AccessLog::is_chosen(slot.rules.policy.access_permille) {
            self.access.write(entry(session.req_header(), exchange, slot, &outcome));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a line of the access log says when a request came")]
fn entry(request: &RequestHeader, exchange: &Exchange, slot: &RouteSlot, outcome: &RequestOutcome) -> AccessEntry {
    let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().saturating_sub(exchange.start.elapsed());
    let backend = exchange.last.as_ref().map(|upstream| &upstream.backend);
    let agent = request.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    AccessEntry {
        at: began.as_millis() as u64,
        id: exchange.id.clone(),
        app: slot.app.id.to_string(),
        release: backend.map(|backend| backend.release.clone()).unwrap_or_default(),
        task: backend.map(|backend| backend.task.clone()).unwrap_or_default(),
        client: exchange.client,
        method: clipped(request.method.as_str()),
        host: clipped(&exchange.host),
        path: clipped(path_of(request)),
        protocol: format!("{:?}", request.version),
        is_tls: exchange.conn.is_tls,
        status: outcome.status,
        micros: outcome.time.as_micros() as u64,
        bytes_in: outcome.bytes_in,
        bytes_out: outcome.bytes_out,
        user_agent: clipped(agent),
    }
}

/// Ends when the client of a request without a body leaves.
async fn departure(session: &mut Session) -> Box<Error> {
    if !session.as_mut().is_body_empty() {
        return std::future::pending().await;
    }
    match session.as_mut().read_body_or_idle(true).await {
        Ok(_) => std::future::pending().await,
        Err(left) => left.into_down(),
    }
}

/// One request, from its header to its end.
pub(super) struct Exchange {
    pub id: String,
    pub host: String,
    pub conn: Arc<Conn>,
    pub client: IpAddr,
    /// The client came with TLS, to us or to a proxy that is believed.
    pub is_https: bool,
    pub slot: Option<Arc<RouteSlot>>,
    pub tried: Tried,
    /// Its `Authorization` was for the edge, and is not the application's to see.
    pub hides_login: bool,
    /// What its header offends against.
    pub fault: Option<&'static str>,
    start: Instant,
    /// From the start to the beginning of the answer.
    began: Option<Duration>,
    upgrade: Upgrade,
    in_flight: Option<InFlight>,
    /// The backend that was asked last.
    last: Option<Arc<Upstream>>,
    is_held: bool,
    attempts: usize,
    /// How many backends had the whole header.
    reached: usize,
    /// Bytes of the body so far.
    body: u64,
    /// This attempt's header is with the backend.
    is_sent: bool,
    /// A first byte of an answer came.
    is_answered: bool,
    refusal: Option<Refusal>,
    open: Arc<AtomicUsize>,
}

impl Exchange {
    /// Ends an attempt: the request is no longer in that backend's hands.
    fn leave(&mut self) -> Option<Arc<Upstream>> {
        self.in_flight.take().map(|in_flight| in_flight.upstream().clone())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = Exchange;

    fn new_ctx(&self) -> Exchange {
        self.open.fetch_add(1, Ordering::SeqCst);
        Exchange {
            id: String::new(),
            host: String::new(),
            conn: self.nowhere.clone(),
            client: Ipv4Addr::UNSPECIFIED.into(),
            is_https: false,
            slot: None,
            tried: Tried::default(),
            hides_login: false,
            fault: None,
            start: Instant::now(),
            began: None,
            upgrade: Upgrade::None,
            in_flight: None,
            last: None,
            is_held: false,
            attempts: 0,
            reached: 0,
            body: 0,
            is_sent: false,
            is_answered: false,
            refusal: None,
            open: self.open.clone(),
        }
    }

    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, exchange: &mut Exchange) -> Result<bool> {
        let digest = session.digest().and_then(|digest| digest.proxy_digest.as_ref()).and_then(|digest| digest.user_data.as_ref());
        if let Some(conn) = digest.and_then(|data| data.downcast_ref::<Arc<Conn>>()) {
            exchange.conn = conn.clone();
        }
        exchange.conn.begin();
        session.set_read_timeout(Some(STALL));
        session.set_write_timeout(Some(STALL));
        session.set_total_drain_timeout(Some(DRAIN_BODY));
        // The parser takes an empty chunk size for 0, which others may not: what follows a chunked body at once is not a request.
        let is_chunked = session.req_header().headers.contains_key(header::TRANSFER_ENCODING);
        session.set_pipelining_enabled(!is_chunked);
        if self.gate.check(session, exchange).await? {
            return Ok(true);
        }
        exchange.upgrade = Upgrade::of(session);
        let limit = exchange.slot.as_ref().and_then(|slot| slot.rules.policy.limits.body_timeout);
        session.set_read_timeout(Some(if exchange.upgrade.leaves_http() { IDLE } else { limit.unwrap_or(STALL) }));
        Ok(false)
    }

    async fn upstream_peer(&self, session: &mut Session, exchange: &mut Exchange) -> Result<Box<HttpPeer>> {
        exchange.attempts += 1;
        exchange.is_sent = false;
        exchange.body = 0; // what was kept of it is sent again
        let in_flight = match self.reserve(session, exchange).await? {
            Ok(in_flight) => in_flight,
            Err(refusal) => {
                exchange.refusal = Some(refusal);
                return Err(Error::new_in(ErrorType::HTTPStatus(refusal.status())));
            }
        };
        let backend = &in_flight.upstream().backend;
        let mut peer = HttpPeer::new(backend.address, false, String::new());
        let is_patient = exchange.upgrade.leaves_http() || !session.as_mut().is_body_empty();
        let (group, idle) = self.keeping(session, exchange);
        let group = if is_patient { group ^ PATIENT } else { group };
        if backend.h2c && !exchange.upgrade.leaves_http() {
            peer.options.set_http_version(2, 2);
            peer.options.max_h2_streams = STREAMS;
            peer.group_key = if exchange.attempts > 1 { group } else { 0 };
        } else {
            peer.group_key = group;
            peer.options.custom_l4 = exchange.upgrade.leaves_http().then(|| Arc::new(upgrade::Connector) as _);
        }
        peer.options.idle_timeout = Some(idle);
        peer.options.connection_timeout = Some(CONNECT);
        peer.options.total_connection_timeout = Some(CONNECT);
        peer.options.read_timeout = Some(silence(session.req_header(), exchange));
        peer.options.write_timeout = Some(STALL);
        peer.options.tcp_keepalive = Some(TcpKeepalive {
            idle: Duration::from_secs(3),
            interval: Duration::from_secs(1),
            count: 3,
            user_timeout: if is_patient { SILENT_BODY } else { SILENT },
        });
        peer.options.http_upstream_request_policy.h1_upgrade = match exchange.upgrade {
            Upgrade::None | Upgrade::WebSocket => H1UpgradePolicy::WebSocketOnly,
            Upgrade::Other => H1UpgradePolicy::Preserve,
            Upgrade::Denied => H1UpgradePolicy::Deny,
        };
        exchange.last = Some(in_flight.upstream().clone());
        exchange.in_flight = Some(in_flight);
        Ok(Box::new(peer))
    }

    async fn upstream_request_filter(&self, session: &mut Session, request: &mut RequestHeader, exchange: &mut Exchange) -> Result<()> {
        let told = Forwarding {
            id: &exchange.id,
            conn: &exchange.conn,
            slot: exchange.slot.as_ref(),
            hides_login: exchange.hides_login,
            is_raw_upgrade: exchange.upgrade == Upgrade::Other,
            is_http1: request.version != Version::HTTP_2,
        };
        headers::forward(session, request, &told)
    }

    /// Called for every request once its header is written, with nothing where it has no body.
    async fn request_body_filter(&self, _: &mut Session, body: &mut Option<Bytes>, is_end: bool, exchange: &mut Exchange) -> Result<()> {
        // Pingora writes an empty piece as an empty chunk, which ends a body in chunks, and then ends it once more (pingora#935).
        if is_end && body.as_ref().is_some_and(Bytes::is_empty) {
            *body = None;
        }
        exchange.is_sent = true;
        exchange.body += body.as_ref().map_or(0, Bytes::len) as u64;
        let most = exchange.slot.as_ref().and_then(|slot| slot.rules.policy.limits.body);
        if !exchange.upgrade.leaves_http() && most.is_some_and(|most| exchange.body > most) {
            exchange.refusal = Some(Refusal::BodyTooLarge);
            return Err(Error::new_in(ErrorType::HTTPStatus(Refusal::BodyTooLarge.status())));
        }
        Ok(())
    }

    async fn upstream_response_filter(&self, _: &mut Session, response: &mut ResponseHeader, exchange: &mut Exchange) -> Result<()> {
        exchange.is_answered = true;
        if response.status.is_informational() && response.status != 101 {
            return Ok(());
        }
        exchange.began.get_or_insert_with(|| exchange.start.elapsed());
        if let Some(in_flight) = &exchange.in_flight {
            in_flight.upstream().answered(response.status.as_u16());
        }
        Ok(())
    }

    async fn response_filter(&self, session: &mut Session, response: &mut ResponseHeader, exchange: &mut Exchange) -> Result<()> {
        let (Some(slot), Some(upstream)) = (&exchange.slot, &exchange.last) else { return Ok(()) };
        if session.req_header().version == Version::HTTP_10 && response.headers.contains_key(header::TRANSFER_ENCODING) {
            // HTTP/1.0 knows no chunks: the answer ends where the connection does.
            response.remove_header(&header::TRANSFER_ENCODING);
            session.set_keepalive(None);
        }
        if response.status.is_informational() && response.status != 101 {
            return Ok(());
        }
        if let Some(sticky) = slot.rules.policy.balance.sticky {
            let mark = match sticky {
                Sticky::Task => upstream.mark,
                Sticky::Release => StickyMark { task: 0, ..upstream.mark },
            };
            // A client that asks for its release needs no cookie of ours to come back to it.
            let is_asked = sticky == Sticky::Release && exchange.tried.release == Some(mark.release);
            if exchange.tried.wish != Some(mark)
                && !is_asked
                && let Some(signer) = &self.gate.routes.table().signer
            {
                let (path, secure) =
                    (if slot.prefix.is_empty() { "/" } else { &slot.prefix }, if exchange.is_https { "; Secure" } else { "" });
                let value = signer.sign(&slot.app.id, mark);
                response.append_header(
                    header::SET_COOKIE,
                    format!("{}={value}; Path={path}; HttpOnly; SameSite=Lax{secure}", sticky::COOKIE),
                )?;
            }
        }
        headers::finish(response, &exchange.id, Some(slot), exchange.is_https)
    }

    /// Nothing was sent, so another backend may have it, whatever it is.
    fn fail_to_connect(&self, _: &mut Session, peer: &HttpPeer, exchange: &mut Exchange, mut error: Box<Error>) -> Box<Error> {
        debug!(request = %exchange.id, backend = %peer.address(), "cannot connect: {error}");
        // Other errors are our own, like having no more sockets, and say nothing of the backend.
        let is_theirs = matches!(error.etype, ErrorType::ConnectRefused | ErrorType::ConnectTimedout | ErrorType::ConnectNoRoute);
        if let Some(upstream) = exchange.leave() {
            if is_theirs {
                upstream.eject();
            }
            exchange.tried.failed.push(upstream);
        }
        error.set_retry(true);
        error
    }

    fn error_while_proxy(
        &self,
        peer: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        exchange: &mut Exchange,
        is_reused: bool,
    ) -> Box<Error> {
        debug!(request = %exchange.id, backend = %peer.address(), is_reused, "the attempt failed: {error}");
        let is_broken = matches!(error.etype, ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::WriteError);
        let is_dead = is_broken && error.esource == ErrorSource::Upstream && !exchange.is_answered;
        // The header could not be written whole, so no server has begun to work on it.
        let is_unsent = error.etype == ErrorType::WriteError && !exchange.is_sent;
        // An HTTP/2 server said that it did nothing about it (RFC 9113, 8.7): it is full, or going away in order.
        let is_theirs = error.etype == ErrorType::H2Error && error.esource == ErrorSource::Upstream;
        if is_theirs && error.retry == RetryType::Decided(true) && !exchange.is_answered {
            let left = exchange.leave();
            exchange.tried.failed.extend(left);
            error.set_retry(!session.as_ref().retry_buffer_truncated());
            return error;
        }
        exchange.reached += usize::from(!is_unsent);
        let may_repeat = is_unsent || (session.req_header().method.is_idempotent() && exchange.reached < REACHED_LIMIT);
        if let Some(upstream) = exchange.leave().filter(|_| is_dead) {
            if is_reused {
                exchange.tried.stale = Some(upstream);
            } else {
                upstream.eject();
                exchange.tried.failed.push(upstream);
            }
        }
        error.set_retry(is_dead && may_repeat && !session.as_ref().retry_buffer_truncated());
        error
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, exchange: &mut Exchange) -> FailToProxy {
        exchange.leave();
        session.set_keepalive(None); // pingora closes the connection after this, and the client should know
        let refusal = exchange.refusal.or_else(|| refusal_for(error, exchange));
        let is_begun = session.response_written().is_some_and(|response| !response.status.is_informational());
        let (status, told) = match refusal {
            Some(refusal) if !is_begun => {
                if !session.as_mut().is_body_done() {
                    exchange.conn.linger();
                }
                let told = refuse(session, refusal, &exchange.id, exchange.slot.as_ref(), exchange.is_https).await;
                (refusal.status(), told)
            }
            _ => (0, Ok(())),
        };
        if refusal == Some(Refusal::BadRequest) {
            exchange.fault = Some("body");
        }
        if matches!(refusal, Some(Refusal::Unreachable | Refusal::TooSlow)) {
            let app = exchange.slot.as_ref().map_or("", |slot| &slot.app.id);
            warn!(request = %exchange.id, app, attempts = exchange.attempts, "no task gave a whole answer: {error}");
        }
        FailToProxy { error_code: if told.is_ok() { status } else { 0 }, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, _: Option<&Error>, exchange: &mut Exchange) {
        exchange.leave();
        self.account(session, exchange);
        // Whoever answered did not want the rest of the body. Where the connection ends with that, the answer has to arrive all the same.
        if session.as_http1().is_some() && !exchange.upgrade.leaves_http() && !session.as_mut().is_body_done() {
            exchange.conn.linger();
        }
        exchange.conn.end();
    }

    fn suppress_error_log(&self, _: &Session, _: &Exchange, _: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(&self, _: &Session, _: &Exchange, _: &Error, _: ProxyWarnLogContext) -> bool {
        true
    }
}

/// How long a task may be silent over a request.
fn silence(request: &RequestHeader, exchange: &Exchange) -> Duration {
    let accepts = request.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_stream = exchange.upgrade.leaves_http() || accepts.contains("text/event-stream");
    let limit = exchange.slot.as_ref().and_then(|slot| slot.rules.policy.limits.response_timeout);
    limit.filter(|_| !is_stream).unwrap_or(IDLE)
}

/// What a failure is to the client; nothing where there is no client any more.
fn refusal_for(error: &Error, exchange: &Exchange) -> Option<Refusal> {
    match (&error.esource, &error.etype) {
        (ErrorSource::Downstream, ErrorType::ReadTimedout) => Some(Refusal::Stalled),
        (ErrorSource::Downstream, ErrorType::InvalidHTTPHeader | ErrorType::Custom(_) | ErrorType::CustomCode(..)) => {
            Some(Refusal::BadRequest)
        }
        (ErrorSource::Downstream, _) => None,
        (ErrorSource::Upstream, ErrorType::ReadTimedout) if !exchange.is_answered => Some(Refusal::TooSlow),
        _ => Some(Refusal::Unreachable),
    }
}
