//! Where requests come in: sockets bound by us, accepted, and handed to pingora's HTTP on a runtime of their own.
//!
//! Pingora's `Server` and its listening service are left out on purpose. The one takes the process's signals, sleeps through a fixed
//! grace period, and panics where an address is taken; the other knows neither whose connection it is (PROXY protocol) before TLS,
//! nor how many there are. So connections are accepted here: an address that is taken is an error that names it, port 0 works, and
//! stopping ends when the last request does.
use super::{
    access::{AccessEntry, AccessLog},
    basic_auth::BasicAuth,
    certs,
    gate::Gate,
    limits::{Buckets, client_key},
    log_throttle::LogThrottle,
    prober::Prober,
    proxy::Proxy,
    proxy_protocol::{self, ProxyHeader},
    signals::Signals,
    snapshot::{Backend, Certificate, PanelRoute, Snapshot},
    table::{HoldLimits, Routes},
    wire::{Conn, Wire},
};
use base::error::{Error, Result};
use ipnet::IpNet;
use pingora_core::{
    apps::{HttpServerOptions, ServerApp},
    protocols::http::v2::server::default_h2_options,
    server::configuration::ServerConf,
};
use pingora_proxy::HttpProxy;
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

/// Idle connections to backends that are kept at most, for each thread.
const KEPT_CONNECTIONS: usize = 512;
/// Attempts at one request, a fail-safe: the backends run out before.
const ATTEMPTS: usize = 16;
/// How long a TLS handshake may take, and a balancer to say whose connection it is.
const HANDSHAKE: Duration = Duration::from_secs(10);
const PROXY_HEADER: Duration = Duration::from_secs(5);
/// How long an HTTP/2 connection is kept on which nothing is asked.
const H2_IDLE: Duration = Duration::from_secs(60);

/// One address that an edge listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// Port 0 takes a free one, see [`EdgeHandle::addresses`].
    pub address: SocketAddr,
    /// With TLS, by the snapshot's certificates.
    pub tls: bool,
    /// Connections come from balancers among [`EdgeConfig::trusted`] that say whose they are (PROXY protocol, version 1 or 2); all
    /// others are closed.
    pub proxy_protocol: bool,
}

impl From<SocketAddr> for Listener {
    fn from(address: SocketAddr) -> Self {
        Listener { address, tls: false, proxy_protocol: false }
    }
}

/// What an edge is started with.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    pub listen: Vec<Listener>,
    /// Worker threads; 0 is one for each core.
    pub threads: usize,
    /// The panel's own hosts, where they go through this edge.
    pub panel: Option<PanelRoute>,
    /// How long requests may go on after [`EdgeHandle::stop`].
    pub grace: Duration,
    /// Networks of proxies and balancers in front, which are believed when they say whose request it is.
    pub trusted: Vec<IpNet>,
    /// The port of addresses with TLS as clients see it, for redirects.
    pub https_port: u16,
    /// What is shown in handshakes where no certificate is for the name; without it they end.
    pub last_resort: Option<Certificate>,
    /// How long a request's header may take to come whole; longer is answered 408.
    pub header_timeout: Duration,
    /// Connections at the same time, in all and of one client; more are closed.
    pub max_connections: usize,
    pub max_connections_per_client: usize,
    /// Requests that may wait for a task, of one application and in all; more are answered 503.
    pub max_held_per_app: usize,
    pub max_held: usize,
}

impl Default for EdgeConfig {
    fn default() -> Self {
        EdgeConfig {
            listen: Vec::new(),
            threads: 0,
            panel: None,
            grace: Duration::from_secs(30),
            trusted: Vec::new(),
            https_port: 443,
            last_resort: None,
            header_timeout: Duration::from_secs(20),
            max_connections: 50_000,
            max_connections_per_client: 2_000,
            max_held_per_app: 500,
            max_held: 5_000,
        }
    }
}

/// A running reverse proxy; see [`Edge::start`].
pub struct Edge;

/// The way to a running edge. It stops when told to, or when the last handle is dropped.
#[derive(Clone)]
pub struct EdgeHandle {
    routes: Arc<Routes>,
    access: Arc<AccessLog>,
    addresses: Arc<[SocketAddr]>,
    shutdown: Arc<watch::Sender<bool>>,
    ended: watch::Receiver<()>,
}

impl Edge {
    /// Starts an edge on threads of its own. It listens when this returns, and knows no route before the first snapshot.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with the address that cannot be listened on, and why.
    pub fn start(config: EdgeConfig) -> Result<EdgeHandle> {
        let listeners = config.listen.iter().map(bind).collect::<Result<Vec<_>>>()?;
        let addresses: Arc<[SocketAddr]> = listeners.iter().map(|(listener, _)| listener.address).collect();
        let threads = match config.threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        let cannot = |why: &dyn std::fmt::Display| Error::Unavailable(format!("The edge cannot start: {why}."));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("edge")
            .enable_all()
            .build()
            .map_err(|why| cannot(&why))?;
        let limits = HoldLimits { per_app: config.max_held_per_app, in_all: config.max_held };
        let routes = Arc::new(Routes::new(config.panel.clone(), limits, Some(Prober::new(runtime.handle().clone()))));
        if let Some(certificate) = &config.last_resort {
            routes.certs.fall_back(certificate);
        }
        let tls = certs::config(routes.certs.clone()).map_err(|why| cannot(&why))?;
        let (open, access, log) = (Arc::new(AtomicUsize::new(0)), Arc::new(AccessLog::new()), Arc::new(LogThrottle::new()));
        let trusted: Arc<[IpNet]> = config.trusted.clone().into();
        let gate = Gate {
            routes: routes.clone(),
            trusted: trusted.clone(),
            https_port: config.https_port,
            buckets: Buckets::new(),
            basic_auth: BasicAuth::new(),
        };
        let app = app(Proxy::new(gate, access.clone(), log.clone(), open.clone()), threads);
        let (shutdown, is_shutdown) = watch::channel(false);
        let (end, ended) = watch::channel(());
        let grace = config.grace;
        let state = Arc::new(ServerState {
            app,
            tls: TlsAcceptor::from(Arc::new(tls)),
            trusted,
            log,
            config,
            is_shutdown: is_shutdown.clone(),
            per_client: Mutex::default(),
            count: AtomicUsize::new(0),
        });
        let run = move || {
            runtime.block_on(serve(&state, listeners, is_shutdown, &open, grace));
            runtime.shutdown_timeout(Duration::from_secs(1));
            drop(end);
        };
        thread::Builder::new().name("edge-main".into()).spawn(run).map_err(|why| cannot(&why))?;
        info!("the edge listens on {}", addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", "));
        Ok(EdgeHandle { routes, access, addresses, shutdown: Arc::new(shutdown), ended })
    }
}

fn bind(listener: &Listener) -> Result<(Listener, std::net::TcpListener)> {
    let bound = std::net::TcpListener::bind(listener.address).and_then(|socket| {
        socket.set_nonblocking(true)?;
        Ok((Listener { address: socket.local_addr()?, ..*listener }, socket))
    });
    bound.map_err(|why| Error::Unavailable(format!("The edge cannot listen on {}: {why}.", listener.address)))
}

type App = Arc<HttpProxy<Proxy>>;

fn app(proxy: Proxy, threads: usize) -> App {
    let conf = ServerConf { threads, upstream_keepalive_pool_size: KEPT_CONNECTIONS, max_retries: ATTEMPTS, ..ServerConf::default() };
    let mut app = HttpProxy::new(proxy, Arc::new(conf));
    let mut options = HttpServerOptions::default();
    options.h2c = true;
    options.h2_idle_timeout = Some(H2_IDLE);
    app.server_options = Some(options);
    app.h2_options = Some(default_h2_options());
    app.handle_init_modules();
    Arc::new(app)
}

/// What all connections of an edge share.
struct ServerState {
    app: App,
    tls: TlsAcceptor,
    trusted: Arc<[IpNet]>,
    log: Arc<LogThrottle>,
    config: EdgeConfig,
    is_shutdown: watch::Receiver<bool>,
    per_client: Mutex<HashMap<IpAddr, usize>>,
    count: AtomicUsize,
}

/// A connection's permit: the connection counts, and counts for its client where there is one, until this is dropped.
struct ConnectionPermit<'a>(&'a ServerState, Option<IpAddr>);

impl Drop for ConnectionPermit<'_> {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
        if let Some(client) = self.1 {
            let mut per_client = self.0.per_client.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = per_client.get_mut(&client) {
                *count -= 1;
                if *count == 0 {
                    per_client.remove(&client);
                }
            }
        }
    }
}

impl ServerState {
    fn is_trusted(&self, ip: IpAddr) -> bool {
        self.trusted.iter().any(|net| net.contains(&ip.to_canonical()))
    }

    /// Counts a connection in. Proxies in front speak for many and are not counted as one client.
    fn let_in(&self, client: IpAddr) -> Option<ConnectionPermit<'_>> {
        let is_room = self.count.fetch_add(1, Ordering::Relaxed) < self.config.max_connections;
        let mut permit = ConnectionPermit(self, None);
        if !self.is_trusted(client) {
            let mut per_client = self.per_client.lock().unwrap_or_else(PoisonError::into_inner);
            let client = client_key(client);
            let count = per_client.entry(client).or_default();
            if *count >= self.config.max_connections_per_client {
                drop(per_client);
                return None;
            }
            *count += 1;
            permit.1 = Some(client);
        }
        is_room.then_some(permit)
    }

    async fn receive(&self, socket: TcpStream, peer: SocketAddr, listener: Listener) -> io::Result<()> {
        let Some(_permit) = self.let_in(peer.ip()) else {
            self.log.refused(peer.ip(), "connection", "there are too many");
            return Ok(());
        };
        socket.set_nodelay(true)?;
        let mut client = peer;
        let mut is_trusted = self.is_trusted(peer.ip());
        if listener.proxy_protocol {
            if !is_trusted {
                self.log.refused(peer.ip(), "connection", "its network is not trusted to speak for others");
                return Ok(());
            }
            let Ok(Ok(header)) = tokio::time::timeout(PROXY_HEADER, read_proxy_header(&socket)).await else {
                self.log.refused(peer.ip(), "connection", "it did not say whose it is");
                return Ok(());
            };
            client = header.client.unwrap_or(peer);
            is_trusted = self.is_trusted(client.ip());
        }
        let conn = Arc::new(Conn::new(client, listener.tls, is_trusted));
        let wire = if listener.tls {
            let tls = match tokio::time::timeout(HANDSHAKE, self.tls.accept(socket)).await {
                Ok(Ok(tls)) => tls,
                Ok(Err(why)) => {
                    self.log.refused(client.ip(), "TLS handshake", &why.to_string());
                    return Ok(());
                }
                Err(_) => {
                    self.log.refused(client.ip(), "TLS handshake", "it took too long");
                    return Ok(());
                }
            };
            if tls.get_ref().1.alpn_protocol() == Some(certs::ACME) {
                return Ok(()); // the handshake was all that the authority wanted
            }
            Wire::tls(tls, conn, self.log.clone(), self.config.header_timeout)?
        } else {
            Wire::plain(socket, conn, self.log.clone(), self.config.header_timeout)?
        };
        self.app.process_new(Box::new(wire), &self.is_shutdown).await;
        Ok(())
    }
}

/// Takes the PROXY protocol's header off a connection, and not a byte more.
async fn read_proxy_header(socket: &TcpStream) -> io::Result<ProxyHeader> {
    let mut seen = [0; proxy_protocol::LONGEST];
    let mut known = 0;
    loop {
        let count = socket.peek(&mut seen).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match proxy_protocol::read(&seen[..count]) {
            Err(()) => return Err(io::ErrorKind::InvalidData.into()),
            Ok(Some(header)) => {
                let mut left = header.length;
                while left > 0 {
                    socket.readable().await?;
                    match socket.try_read(&mut seen[..left]) {
                        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                        Ok(count) => left -= count,
                        Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
                        Err(why) => return Err(why),
                    }
                }
                return Ok(header);
            }
            // The socket stays readable, so there is nothing to wake us when the rest comes.
            Ok(None) if count == known => tokio::time::sleep(Duration::from_millis(5)).await,
            Ok(None) => known = count,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a task for each connection; draining waits for them")]
async fn accept(state: Arc<ServerState>, listener: Listener, socket: TcpListener) {
    loop {
        match socket.accept().await {
            Ok((socket, peer)) => {
                let state = state.clone();
                tokio::spawn(async move { state.receive(socket, peer, listener).await });
            }
            Err(why) => {
                // Out of sockets or memory: asking again at once would only take the processor's time.
                warn!("cannot accept connections on {}: {why}", listener.address);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// Serves until the shutdown, and then until the last request has ended or the grace is over.
async fn serve(
    state: &Arc<ServerState>,
    listeners: Vec<(Listener, std::net::TcpListener)>,
    mut is_shutdown: watch::Receiver<bool>,
    open: &AtomicUsize,
    grace: Duration,
) {
    let mut doors = tokio::task::JoinSet::new();
    for (listener, socket) in listeners {
        match TcpListener::from_std(socket) {
            Ok(socket) => drop(doors.spawn(accept(state.clone(), listener, socket))),
            Err(why) => warn!("cannot listen on {}: {why}", listener.address),
        }
    }
    // An error means that the last handle is gone, which is the same.
    let _ = is_shutdown.wait_for(|is| *is).await;
    doors.shutdown().await;
    state.app.cleanup().await;
    let end = Instant::now() + grace;
    while open.load(Ordering::SeqCst) > 0 {
        if Instant::now() >= end {
            warn!("the edge ends with {} requests cut off", open.load(Ordering::SeqCst));
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    info!("the edge has ended its last request");
}

impl EdgeHandle {
    /// Where it listens, in the order of [`EdgeConfig::listen`].
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Puts a snapshot in place of the present one and wakes the requests that wait for it. Says whether it did: a snapshot
    /// that is older than the live one is left aside.
    pub fn publish(&self, snapshot: Snapshot) -> bool {
        self.routes.publish(snapshot)
    }

    /// The version of the snapshot that is live: every request from now on is led by it or a later one.
    pub fn version(&self) -> u64 {
        self.routes.version()
    }

    /// Requests that a backend has in hand. Once it is 0 after a snapshot without that backend went live, it stays 0.
    pub fn in_flight(&self, backend: &Backend) -> usize {
        self.routes.in_flight(backend)
    }

    /// Requests that all backends of a release have in hand.
    pub fn in_flight_of_release(&self, release: &str) -> usize {
        self.routes.in_flight_of_release(release)
    }

    /// Backends that are passed over because they do not answer their probes.
    pub fn backends_out(&self) -> Vec<Backend> {
        self.routes.out()
    }

    /// Requests in hand, by release.
    pub fn in_flight_by_release(&self) -> HashMap<String, usize> {
        self.routes.in_flight_by_release()
    }

    /// What was counted since this was last called, by release. One reader per edge: what it takes, nobody else sees here.
    pub fn take_signals(&self) -> Signals {
        let in_flight = self.routes.in_flight_by_release();
        self.routes.meters.take(|release| in_flight.get(release).copied().unwrap_or(0))
    }

    /// Everything that was counted since the start, in Prometheus's text form: the series of the first `most` releases, and how many
    /// releases were left out.
    pub fn prometheus(&self, most: usize) -> (String, usize) {
        let in_flight = self.routes.in_flight_by_release();
        self.routes.meters.prometheus(most, |release| in_flight.get(release).copied().unwrap_or(0))
    }

    /// The end that the access log's entries come out of, to whoever asks first.
    pub fn take_access_log(&self) -> Option<mpsc::Receiver<AccessEntry>> {
        self.access.take()
    }

    /// Entries of the access log that nobody took in time, since the start.
    pub fn dropped_access_entries(&self) -> u64 {
        self.access.dropped()
    }

    /// Stops listening, lets the open requests end within the grace, and returns when all is over.
    pub async fn stop(&self) {
        self.shutdown.send_replace(true);
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }
}
