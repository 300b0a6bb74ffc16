//! The edge over real sockets on loopback: an edge, tasks that behave or misbehave, and clients. A task runs on a runtime of its
//! own, so that killing it cuts every connection, as the end of a container does.
#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    reason = "a test may fail where it stands, tells a whole story, and runs what it waits for"
)]
use super::*;
use axum::{Router, routing::any};
use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

mod balancing;
mod clients;
mod draining;
mod early;
mod forwarding;
mod fuzzing;
mod holding;
mod http2;
mod load;
mod measuring;
mod probing;
mod protocols;
mod routing;
mod semantics;
mod smuggling;
mod streaming;
mod table;
mod targets;
mod tls;

const LONG: Duration = Duration::from_secs(20);

/// A plain listener on a free port.
fn free() -> Listener {
    SocketAddr::from(([127, 0, 0, 1], 0)).into()
}

/// Tasks to balance over.
fn to(tasks: &[&Task]) -> Target {
    Target::Tasks { backends: tasks.iter().map(|task| task.backend.clone()).collect(), hold: LONG }
}

/// An edge on a free port, and a client for it.
struct TestEdge {
    handle: EdgeHandle,
    client: reqwest::Client,
    version: AtomicU64,
}

impl TestEdge {
    fn start() -> Self {
        Self::with(EdgeConfig::default())
    }

    fn with(config: EdgeConfig) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let handle = Edge::start(EdgeConfig { listen: [vec![free()], config.listen].concat(), threads: 2, ..config }).unwrap();
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        TestEdge { handle, client, version: AtomicU64::new(0) }
    }

    fn address(&self) -> SocketAddr {
        self.handle.addresses()[0]
    }

    /// Leads app.localhost to these tasks.
    fn lead_to(&self, tasks: &[&Task], hold: Duration) {
        self.lead(Target::Tasks { backends: tasks.iter().map(|task| task.backend.clone()).collect(), hold });
    }

    fn lead(&self, target: Target) {
        let version = self.version.fetch_add(1, Ordering::SeqCst) + 1;
        self.publish(Snapshot { version, routes: vec![Route::new("app.localhost", "app_1", target)], ..Snapshot::default() });
    }

    /// Puts routes with their certificates in place, as the next version.
    fn publish(&self, snapshot: Snapshot) {
        let version = match snapshot.version {
            0 => self.version.fetch_add(1, Ordering::SeqCst) + 1,
            version => version,
        };
        assert!(self.handle.publish(Snapshot { version, ..snapshot }));
        assert_eq!(self.handle.version(), version);
    }

    /// Leads app.localhost to a task under a policy.
    fn lead_under(&self, tasks: &[&Task], policy: Policy) {
        let route = Route { policy: Some(Box::new(policy)), ..Route::new("app.localhost", "app_1", to(tasks)) };
        self.publish(Snapshot { routes: vec![route], ..Snapshot::default() });
    }

    /// All that is answered to bytes as they stand here, up to the end of the connection.
    async fn answer_to(&self, bytes: &[u8]) -> String {
        let mut socket = TcpStream::connect(self.address()).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(LONG, socket.read_to_end(&mut answer)).await.expect("the connection is closed");
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.request_to("app.localhost", method, path)
    }

    fn request_to(&self, host: &str, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.address());
        self.client.request(method.parse().unwrap(), url).header("host", host).timeout(LONG)
    }

    async fn get(&self) -> reqwest::Response {
        self.request("GET", "/").send().await.unwrap()
    }

    /// A connection on which `request` was sent, a whole header with `\n` for its line ends.
    async fn raw(&self, request: &str) -> TcpStream {
        let mut socket = TcpStream::connect(self.address()).await.unwrap();
        socket.write_all(request.replace('\n', "\r\n").as_bytes()).await.unwrap();
        socket
    }
}

/// A task on a runtime of its own. Dropping it kills it.
struct Task {
    backend: Backend,
    /// Requests that reached it, or connections where it does not speak HTTP.
    seen: Arc<AtomicUsize>,
    runtime: Option<Runtime>,
}

impl Task {
    fn run<F: Future<Output = ()> + Send + 'static>(name: &str, serve: impl FnOnce(TcpListener, Arc<AtomicUsize>) -> F) -> Self {
        let (release, _) = name.split_once('.').unwrap_or((name, ""));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let backend = Backend { task: name.into(), release: release.into(), address: listener.local_addr().unwrap(), h2c: false };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener).unwrap()
        };
        runtime.spawn(serve(listener, seen.clone()));
        Task { backend, seen, runtime: Some(runtime) }
    }

    /// An application that answers with its name, or with what `routes` add.
    fn app(name: &str, routes: Router) -> Self {
        let body = name.to_string();
        Self::run(name, |listener, seen| async move {
            let count = axum::middleware::from_fn(move |request: axum::extract::Request, next: axum::middleware::Next| {
                seen.fetch_add(1, Ordering::SeqCst);
                next.run(request)
            });
            let app = routes.fallback(any(move || async move { body })).layer(count);
            axum::serve(listener, app).await.unwrap();
        })
    }

    fn plain(name: &str) -> Self {
        Self::app(name, Router::new())
    }

    /// A task that answers after this long.
    fn slow(name: &str, after: Duration) -> Self {
        let sleep = move || async move { tokio::time::sleep(after).await };
        Self::app(name, Router::new().route("/", any(sleep)))
    }

    /// A task whose every connection is handled by `serve`, which gets the connection's number.
    fn raw<F: Future<Output = ()> + Send + 'static>(name: &str, serve: impl Fn(TcpStream, usize) -> F + Send + 'static) -> Self {
        Self::run(name, |listener, seen| async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, seen.fetch_add(1, Ordering::SeqCst)));
            }
        })
    }

    /// What docker's userland proxy is where nothing listens behind it.
    fn closing(name: &str) -> Self {
        Self::raw(name, |socket, _| async move { drop(socket) })
    }

    /// An address where nothing listens.
    fn refusing(name: &str) -> Self {
        let mut task = Self::plain(name);
        task.kill();
        task
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        // The listener goes with the runtime's tasks, which end a moment later.
        while std::net::TcpStream::connect(self.backend.address).is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Reads one request's header, and nothing after it.
async fn read_header(socket: &mut TcpStream) -> Option<String> {
    let mut header = Vec::new();
    while !header.ends_with(b"\r\n\r\n") {
        header.push(socket.read_u8().await.ok()?);
    }
    String::from_utf8(header).ok()
}

/// Waits until something is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "{what}: still not so");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
