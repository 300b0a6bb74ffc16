//! Active probes: the edge asks tasks by itself whether they answer, so that one that hangs is passed over before a request finds out.
//! Each task that a route wants to be probed has one small loop of its own for as long as some table or request knows it. What a
//! probe finds never empties a route: where all tasks are out, all are asked.
use super::{
    probe::{Probe, ProbeAnswer, probe},
    snapshot::{HealthProbe, ProbeCheck},
    upstream::Upstream,
};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{io::AsyncReadExt, net::TcpStream, runtime::Handle, sync::Semaphore};
use tracing::info;

/// Questions at the same time.
const AT_ONCE: usize = 256;
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(10);
/// How long a connection has to stay open to count as accepted: docker's proxy accepts any and closes it where nobody listens.
const STAYS: Duration = Duration::from_millis(200);

/// Starts the loops.
#[derive(Debug, Clone)]
pub(super) struct Prober {
    runtime: Handle,
    slots: Arc<Semaphore>,
}

/// How a task is probed, and for which host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProbeRequest {
    probe: HealthProbe,
    host: Box<str>,
}

impl ProbeRequest {
    /// What a route asks of its tasks.
    pub fn of(probe: &HealthProbe, host: &str) -> Self {
        let host = match &probe.check {
            ProbeCheck::Http { host, .. } if !host.is_empty() => host,
            _ => host.strip_prefix("*.").unwrap_or(host),
        };
        ProbeRequest { probe: probe.clone(), host: host.into() }
    }

    fn interval(&self) -> Duration {
        self.probe.interval.max(SHORTEST_INTERVAL)
    }

    /// What is wrong with a task; nothing where it answers.
    async fn fault(&self, upstream: &Upstream) -> Option<String> {
        let (address, timeout) = (upstream.backend.address, self.probe.timeout.max(SHORTEST_TIMEOUT));
        match &self.probe.check {
            ProbeCheck::Tcp => match tokio::time::timeout(timeout, stays_open(address, timeout.min(STAYS))).await {
                Ok(Ok(())) => None,
                Ok(Err(why)) => Some(why.to_string()),
                Err(_) => Some(ProbeAnswer::Timeout { millis: timeout.as_millis() as u64 }.to_string()),
            },
            ProbeCheck::Http { path, .. } => {
                let asked = Probe { host: self.host.to_string(), path: Some(path.clone()), timeout };
                let answer = if upstream.backend.h2c { probe_h2(address, &asked).await } else { probe(address, &asked).await };
                (!answer.is_healthy(&asked)).then(|| answer.to_string())
            }
        }
    }
}

async fn stays_open(address: SocketAddr, long_enough: Duration) -> io::Result<()> {
    let start = tokio::time::Instant::now();
    let mut socket = TcpStream::connect(address).await?;
    // The connection's own time counts: it must fit into the timeout with it.
    match tokio::time::timeout_at(start + long_enough, socket.read(&mut [0])).await {
        Ok(Ok(0)) => Err(io::Error::other(ProbeAnswer::Closed.to_string())),
        Ok(Ok(_)) | Err(_) => Ok(()),
        Ok(Err(why)) => Err(why),
    }
}

/// The same question over HTTP/2 without TLS.
async fn probe_h2(address: SocketAddr, asked: &Probe) -> ProbeAnswer {
    let start = tokio::time::Instant::now();
    let ask = async {
        let socket = TcpStream::connect(address).await.map_err(|why| (why.kind(), why.to_string()))?;
        let other = |why: h2::Error| (io::ErrorKind::Other, why.to_string());
        let (client, connection) = h2::client::handshake(socket).await.map_err(other)?;
        let path = asked.path.as_deref().unwrap_or("/");
        let request = http::Request::get(format!("http://{}{path}", asked.host)).header("user-agent", "SkyPanel-Probe").body(());
        let request = request.map_err(|why| (io::ErrorKind::InvalidInput, why.to_string()))?;
        let answer = async {
            let (answer, _) = client.ready().await?.send_request(request, true)?;
            answer.await
        };
        tokio::select! {
            answer = answer => answer.map(|answer| answer.status().as_u16()).map_err(other),
            ended = connection => Err((io::ErrorKind::Other, ended.err().map_or_else(|| "the connection ended".into(), |why| why.to_string()))),
        }
    };
    match tokio::time::timeout(asked.timeout, ask).await {
        Ok(Ok(status)) => ProbeAnswer::Answered { status, millis: start.elapsed().as_millis() as u64 },
        Ok(Err((io::ErrorKind::ConnectionRefused, _))) => ProbeAnswer::Refused,
        Ok(Err((_, why))) => ProbeAnswer::Error { why },
        Err(_) => ProbeAnswer::Timeout { millis: asked.timeout.as_millis() as u64 },
    }
}

impl Prober {
    /// Its loops run where this is called.
    pub fn new(runtime: Handle) -> Self {
        Prober { runtime, slots: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Asks a task from now on, unless it is asked already.
    pub fn watch(&self, upstream: &Arc<Upstream>) {
        if upstream.begin_watch() {
            self.runtime.spawn(watch(Arc::downgrade(upstream), self.slots.clone()));
        }
    }
}

/// Asks one task until nobody wants it to be asked any more.
async fn watch(upstream: Weak<Upstream>, slots: Arc<Semaphore>) {
    let (mut failures, mut successes) = (0, 0);
    let mut wait = None;
    while let Some(first) = upstream.upgrade().and_then(|upstream| upstream.asked()).map(|asked| asked.interval()) {
        // Tasks that came together are not asked together.
        tokio::time::sleep(wait.unwrap_or_else(|| first.mul_f64(rand::random_range(0.0..1.0)))).await;
        let Some(upstream) = upstream.upgrade() else { break };
        let Some(asked) = upstream.asked() else { break };
        wait = Some(asked.interval());
        let Ok(_slot) = slots.acquire().await else { break };
        match asked.fault(&upstream).await {
            None => (failures, successes) = (0, successes + 1_u32),
            Some(why) => {
                (failures, successes) = (failures + 1_u32, 0);
                if failures >= asked.probe.failures.max(1) && upstream.take_out() {
                    info!(task = ?upstream.backend.task, release = ?upstream.backend.release, why = ?why, "a task does not answer its probe");
                }
            }
        }
        if successes >= asked.probe.successes.max(1) && upstream.bring_back() {
            info!(task = ?upstream.backend.task, release = ?upstream.backend.release, "a task answers its probe again");
        }
    }
}
