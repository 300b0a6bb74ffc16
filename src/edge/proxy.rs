//! The life of one request: to whom it goes, what a failure of that attempt means, and what the client is told in the end.
//!
//! Two rules decide about a second attempt. What never reached a backend whole may go to another one, whatever it is. What did
//! reach one may go to another only if sending it twice does no harm (RFC 9110, 9.2.2) and not a byte of an answer came: docker's
//! userland proxy accepts connections for a port where nothing listens and closes them at once, so a connection proves nothing.
use super::{
    headers,
    pages::refuse,
    table::{Refusal, Routes},
    upstream::{InFlight, Tried, Upstream},
};
use async_trait::async_trait;
use bytes::Bytes;
use pingora_core::{
    Error, ErrorSource, ErrorType, Result,
    modules::http::HttpModules,
    upstreams::peer::{HttpPeer, Peer},
};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tracing::{debug, warn};

/// Header fields and request line together may not be larger.
const HEADERS_LIMIT: usize = 64 * 1024;
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
/// How many backends a request may reach before it is given up: one that kills its server should not kill them all.
const REACHED_LIMIT: usize = 3;

/// The proxy's side of pingora.
pub(super) struct Proxy {
    routes: Arc<Routes>,
    /// Requests that have begun and not ended, pages included.
    open: Arc<AtomicUsize>,
    /// The start of the seconds that [`KEEP_FRESH`] connections are kept by.
    started: Instant,
    /// Numbers the attempts that must not take a kept connection.
    fresh: AtomicU64,
}

impl Proxy {
    pub fn new(routes: Arc<Routes>, open: Arc<AtomicUsize>) -> Self {
        Proxy { routes, open, started: Instant::now(), fresh: AtomicU64::new(u64::MAX) }
    }

    /// The next backend; where there is none the request is held, unless the client leaves meanwhile.
    async fn reserve(&self, session: &mut Session, exchange: &Exchange) -> Result<std::result::Result<InFlight, Refusal>> {
        if let Some(in_flight) = self.routes.reserve_now(&exchange.host, &exchange.tried) {
            return Ok(Ok(in_flight));
        }
        tokio::select! {
            reserved = self.routes.reserve_or_hold(&exchange.host, &exchange.tried) => Ok(reserved),
            left = departure(session) => Err(left),
        }
    }

    /// Which kept connections an attempt may take, and how long its own is kept afterwards.
    fn keeping(&self, session: &Session, exchange: &Exchange) -> (u64, Duration) {
        if exchange.attempts > 1 {
            (self.fresh.fetch_sub(1, Ordering::Relaxed), Duration::from_millis(1))
        } else if session.req_header().method.is_idempotent() {
            (0, KEEP)
        } else {
            (1 + self.started.elapsed().as_secs(), KEEP_FRESH)
        }
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
    id: String,
    host: String,
    in_flight: Option<InFlight>,
    tried: Tried,
    attempts: usize,
    /// How many backends had the whole header.
    reached: usize,
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
            in_flight: None,
            tried: Tried::default(),
            attempts: 0,
            reached: 0,
            is_sent: false,
            is_answered: false,
            refusal: None,
            open: self.open.clone(),
        }
    }

    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, exchange: &mut Exchange) -> Result<bool> {
        let is_upgrade = session.is_upgrade_req();
        session.set_read_timeout(Some(if is_upgrade { IDLE } else { STALL }));
        session.set_write_timeout(Some(STALL));
        session.set_total_drain_timeout(Some(DRAIN_BODY));
        session.set_pipelining_enabled(true);
        exchange.id = ulid::Ulid::new().to_string().to_lowercase();
        exchange.host = headers::host_of(session.req_header());
        let is_too_large = session.as_http1().is_some_and(|http1| http1.get_headers_raw_bytes().len() > HEADERS_LIMIT);
        let refusal = is_too_large.then_some(Refusal::HeadersTooLarge).or_else(|| self.routes.refusal(&exchange.host));
        match refusal {
            Some(refusal) => refuse(session, refusal, &exchange.id).await.map(|()| true),
            None => Ok(false),
        }
    }

    async fn upstream_peer(&self, session: &mut Session, exchange: &mut Exchange) -> Result<Box<HttpPeer>> {
        exchange.attempts += 1;
        exchange.is_sent = false;
        let in_flight = match self.reserve(session, exchange).await? {
            Ok(in_flight) => in_flight,
            Err(refusal) => {
                exchange.refusal = Some(refusal);
                return Err(Error::new_in(ErrorType::HTTPStatus(refusal.status())));
            }
        };
        let mut peer = HttpPeer::new(in_flight.upstream().backend.address, false, String::new());
        let (group, idle) = self.keeping(session, exchange);
        peer.group_key = group;
        peer.options.idle_timeout = Some(idle);
        peer.options.connection_timeout = Some(CONNECT);
        peer.options.total_connection_timeout = Some(CONNECT);
        peer.options.read_timeout = Some(IDLE);
        peer.options.write_timeout = Some(STALL);
        exchange.in_flight = Some(in_flight);
        Ok(Box::new(peer))
    }

    async fn upstream_request_filter(&self, session: &mut Session, request: &mut RequestHeader, exchange: &mut Exchange) -> Result<()> {
        headers::forward(session, request, &exchange.id)
    }

    /// Called for every request once its header is written, with nothing where it has no body.
    async fn request_body_filter(&self, _: &mut Session, _: &mut Option<Bytes>, _: bool, exchange: &mut Exchange) -> Result<()> {
        exchange.is_sent = true;
        Ok(())
    }

    async fn upstream_response_filter(&self, _: &mut Session, _: &mut ResponseHeader, exchange: &mut Exchange) -> Result<()> {
        exchange.is_answered = true;
        if let Some(in_flight) = &exchange.in_flight {
            in_flight.upstream().restore();
        }
        Ok(())
    }

    async fn response_filter(&self, _: &mut Session, response: &mut ResponseHeader, exchange: &mut Exchange) -> Result<()> {
        headers::name(response, &exchange.id)
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
        let refusal = match error.esource {
            ErrorSource::Downstream => None,
            _ => Some(exchange.refusal.unwrap_or(Refusal::Unreachable)),
        };
        let is_begun = session.response_written().is_some_and(|response| !response.status.is_informational());
        let (status, told) = match refusal {
            _ if is_begun => (0, Ok(())),
            Some(refusal) => (refusal.status(), refuse(session, refusal, &exchange.id).await),
            None if error.etype == ErrorType::InvalidHTTPHeader => (400, session.respond_error(400).await),
            None => (0, Ok(())),
        };
        if refusal == Some(Refusal::Unreachable) {
            let app = self.routes.app(&exchange.host).unwrap_or_default();
            warn!(request = %exchange.id, app, attempts = exchange.attempts, "no task gave a whole answer: {error}");
        }
        FailToProxy { error_code: if told.is_ok() { status } else { 0 }, can_reuse_downstream: false }
    }

    async fn logging(&self, _: &mut Session, _: Option<&Error>, exchange: &mut Exchange) {
        exchange.leave();
    }

    fn suppress_error_log(&self, _: &Session, _: &Exchange, _: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(&self, _: &Session, _: &Exchange, _: &Error, _: ProxyWarnLogContext) -> bool {
        true
    }
}
