//! The reverse proxy, on pingora. It is handed snapshots of routes (host → tasks) and balances over the tasks' host-mode ports
//! by itself: no VIP, no DNS, no ingress mesh. It retries what never reached a backend, counts what is in flight per backend so
//! that a deployment can drain the old release before it stops, and probes tasks as part of a deployment. It knows no
//! feature: who routes where is told to it.
//!
//! A request comes in through [`server`] (listeners, threads, the end of it all), is led by [`proxy`] (which attempt, to whom,
//! and what a failure means) with the help of [`table`] and [`upstream`] (who there is, and how busy), and is answered by a
//! task or, where there is none, by a page of [`pages`].
use std::{net::SocketAddr, time::Duration};

mod headers;
mod pages;
mod probe;
mod proxy;
mod server;
mod table;
mod upstream;

#[cfg(test)]
mod tests;

pub use probe::{Probe, ProbeAnswer, probe};
pub use server::{Edge, EdgeConfig, EdgeHandle};

/// One task that can take requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Backend {
    /// The task's id.
    pub task: String,
    /// The release's id, for measuring.
    pub release: String,
    pub address: SocketAddr,
}

/// What a host name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Tasks to balance over. Where the list is empty the request is held for up to `hold`, then answered 503.
    Tasks { backends: Vec<Backend>, hold: Duration },
    /// The application is stopped by its owner: 503 with a page that says so.
    Stopped,
    /// It has never been deployed: 503 with a page that says so.
    Empty,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The host name; case, a port and a trailing dot do not matter.
    pub host: String,
    /// The application's id, for measuring and for the log.
    pub app: String,
    pub target: Target,
}

/// All routes, as of one version. Versions only grow. Where two routes name one host, the later one holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    pub version: u64,
    pub routes: Vec<Route>,
}

/// The panel's own hosts, which every table holds, whatever the snapshot says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelRoute {
    pub hosts: Vec<String>,
    /// Where the panel listens.
    pub address: SocketAddr,
}

impl PanelRoute {
    fn backends(&self) -> impl Iterator<Item = (&str, Backend)> {
        let backend = Backend { task: "panel".into(), release: "panel".into(), address: self.address };
        self.hosts.iter().map(move |host| (host.as_str(), backend.clone()))
    }
}
