//! The reverse proxy, on pingora. It is handed snapshots of routes (host and path → tasks), certificates and challenges, and balances
//! over the tasks' host-mode ports by itself: no VIP, no DNS, no ingress mesh. It retries what never reached a backend, counts what
//! is in flight per backend so that a deployment can drain the old release before it stops, measures every request, and probes
//! tasks as part of a deployment. It knows no feature: who routes where is told to it.
//!
//! A connection comes in through [`server`] (listeners, threads, the end of it all), says by [`proxy_protocol`] whose it is where a balancer
//! is in front, shakes hands with a certificate of [`certs`], and becomes a [`wire`]. Each of its requests is looked at by [`strict`]
//! and [`gate`] (may it come in, and is it for a task at all), led by [`proxy`] (which attempt, to whom, and what a failure means) with
//! the help of [`table`] and [`upstream`] (who there is, and how busy), told about by [`headers`], and answered by a task or, where
//! there is none, by a page of [`pages`]. How it went goes to [`signals`] and [`access`]. Meanwhile [`prober`] asks tasks by itself.
mod access;
mod basic_auth;
mod certs;
mod gate;
mod headers;
mod host;
mod limits;
mod log_throttle;
mod pages;
mod paths;
mod probe;
mod probe_http2;
mod prober;
mod proxy;
mod proxy_protocol;
pub mod remote;
mod rules;
mod selfsigned;
mod server;
mod signals;
mod snapshot;
mod sticky;
mod strict;
mod table;
mod upgrade;
mod upstream;
mod wire;

#[cfg(test)]
mod tests;

pub use access::AccessEntry;
pub use probe::{Probe, ProbeAnswer, probe};
pub use probe_http2::{GRPC_HEALTH, probe_as_routed};
pub use selfsigned::self_signed;
pub use server::{Edge, EdgeConfig, EdgeHandle, Listener};
pub use signals::{BUCKETS, Histogram, ReleaseSignals, Signals};
pub use snapshot::{
    Backend, Balance, Certificate, Challenge, Credentials, HeaderRule, HealthProbe, HstsRule, LoginExceptions, MaintenancePage, PanelRoute,
    Policy, ProbeCheck, RateLimit, ReleaseCookie, RequestLimits, Route, Snapshot, Sticky, Target,
};
