//! Where requests come in: sockets bound by us, accepted and served by pingora's service on a runtime of its own.
//!
//! Pingora's `Server` is left out on purpose. It takes the process's signals, sleeps through a fixed grace period, and panics
//! where an address is taken. The service underneath wants only listening sockets and a shutdown signal; we give it both, so an
//! address that is taken is an error that names it, port 0 works, and stopping ends when the last request does.
use super::{Backend, PanelRoute, Snapshot, proxy::Proxy, table::Routes};
use crate::error::{Error, Result};
use pingora_core::{
    server::{Fds, ListenFds, configuration::ServerConf},
    services::{Service as _, listening::Service},
};
use pingora_proxy::{HttpProxy, http_proxy};
use std::{
    net::{SocketAddr, TcpListener},
    os::fd::IntoRawFd,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tracing::{info, warn};

/// Idle connections to backends that are kept at most, for each thread.
const KEPT_CONNECTIONS: usize = 512;
/// Attempts at one request, a fail-safe: the backends run out before.
const ATTEMPTS: usize = 16;

/// What an edge is started with.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    /// Where it listens. Port 0 takes a free one, see [`EdgeHandle::addresses`].
    pub listen: Vec<SocketAddr>,
    /// Worker threads; 0 is one for each core.
    pub threads: usize,
    /// The panel's own hosts, where they go through this edge.
    pub panel: Option<PanelRoute>,
    /// How long requests may go on after [`EdgeHandle::stop`].
    pub grace: Duration,
}

impl Default for EdgeConfig {
    fn default() -> Self {
        EdgeConfig { listen: Vec::new(), threads: 0, panel: None, grace: Duration::from_secs(30) }
    }
}

/// A running reverse proxy; see [`Edge::start`].
pub struct Edge;

/// The way to a running edge. It stops when told to, or when the last handle is dropped.
#[derive(Clone)]
pub struct EdgeHandle {
    routes: Arc<Routes>,
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
        let listeners = config.listen.iter().map(|address| bind(*address)).collect::<Result<Vec<_>>>()?;
        let addresses: Arc<[SocketAddr]> = listeners.iter().map(|(address, _)| *address).collect();
        let threads = match config.threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("edge")
            .enable_all()
            .build()
            .map_err(|why| Error::Unavailable(format!("The edge cannot start its threads: {why}.")))?;

        let routes = Arc::new(Routes::new(config.panel));
        let open = Arc::new(AtomicUsize::new(0));
        let (shutdown, is_shutdown) = watch::channel(false);
        let (end, ended) = watch::channel(());
        let (service, fds) = service(Proxy::new(routes.clone(), open.clone()), threads, listeners);
        let serve = move || {
            runtime.block_on(serve(service, fds, is_shutdown, &open, config.grace));
            runtime.shutdown_timeout(Duration::from_secs(1));
            drop(end);
        };
        let started = thread::Builder::new().name("edge-main".into()).spawn(serve);
        started.map_err(|why| Error::Unavailable(format!("The edge cannot start its thread: {why}.")))?;
        info!("the edge listens on {}", addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", "));
        Ok(EdgeHandle { routes, addresses, shutdown: Arc::new(shutdown), ended })
    }
}

fn bind(address: SocketAddr) -> Result<(SocketAddr, TcpListener)> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok((listener.local_addr()?, listener))
    });
    bound.map_err(|why| Error::Unavailable(format!("The edge cannot listen on {address}: {why}.")))
}

/// Pingora's service and the sockets for it, which it finds by their address.
fn service(proxy: Proxy, threads: usize, listeners: Vec<(SocketAddr, TcpListener)>) -> (Service<HttpProxy<Proxy>>, ListenFds) {
    let conf = ServerConf { threads, upstream_keepalive_pool_size: KEPT_CONNECTIONS, max_retries: ATTEMPTS, ..ServerConf::default() };
    let mut service = Service::new("edge".into(), http_proxy(&Arc::new(conf), proxy));
    let mut fds = Fds::new();
    for (address, listener) in listeners {
        service.add_tcp(&address.to_string());
        fds.add(address.to_string(), listener.into_raw_fd());
    }
    (service, Arc::new(fds.into()))
}

/// Serves until the shutdown, and then until the last request has ended or the grace is over.
async fn serve(
    mut service: Service<HttpProxy<Proxy>>,
    fds: ListenFds,
    is_shutdown: watch::Receiver<bool>,
    open: &AtomicUsize,
    grace: Duration,
) {
    service.start_service(Some(fds), is_shutdown, 1).await;
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
    /// Where it listens.
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

    /// Stops listening, lets the open requests end within the grace, and returns when all is over.
    pub async fn stop(&self) {
        self.shutdown.send_replace(true);
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }
}
