//! What an edge is told: routes with their tasks and rules, certificates, and answers to an authority's challenges. All of it can be
//! written to disk and read again.
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, net::SocketAddr, time::Duration};

/// One task that can take requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Backend {
    /// The task's id.
    pub task: String,
    /// The release's id, for measuring.
    pub release: String,
    pub address: SocketAddr,
    /// It speaks HTTP/2 without TLS (gRPC does). Upgrades go to it as HTTP/1.1 all the same.
    #[serde(default)]
    pub h2c: bool,
}

/// What a route leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// Tasks to balance over. Where the list is empty the request is held for up to `hold`, then answered 503.
    Tasks { backends: Vec<Backend>, hold: Duration },
    /// Another host, where the same path is asked for again (308): www and apex, or the primary domain.
    Redirect { host: String },
    /// The application is stopped by its owner: 503 with a page that says so.
    Stopped,
    /// It has never been deployed: 503 with a page that says so.
    Empty,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The host name, or `*.name` for every name one label longer, where no route names it exactly. Case, a port and a trailing
    /// dot do not matter.
    pub host: String,
    /// The path that requests begin with, whole segments only; empty or `/` takes all. The longest that fits holds.
    #[serde(default)]
    pub path: String,
    /// The application's id, for measuring and for the log.
    pub app: String,
    pub target: Target,
    /// What else holds for it; `None` is [`Policy::default`].
    #[serde(default)]
    pub policy: Option<Box<Policy>>,
}

impl Route {
    /// A route for all paths of a host, with no rules of its own.
    pub fn new(host: impl Into<String>, app: impl Into<String>, target: Target) -> Self {
        Route { host: host.into(), path: String::new(), app: app.into(), target, policy: None }
    }
}

/// What holds for the requests of one route. The default asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Requests without TLS are sent to the same address with it (308).
    pub https_only: bool,
    /// `Strict-Transport-Security` on answers over TLS.
    pub hsts: Option<HstsRule>,
    /// Who may come in, by basic authentication; everybody where it is empty.
    pub logins: Vec<Credentials>,
    /// What passes without one of those.
    pub login_exceptions: LoginExceptions,
    /// Fields of requests, set or removed on their way to a task. Those that the edge itself says cannot be named.
    pub request_headers: Vec<HeaderRule>,
    /// Fields of answers, set or removed on their way to the client.
    pub response_headers: Vec<HeaderRule>,
    /// The route's path is taken off before a task sees it.
    pub strip_path: bool,
    pub limits: RequestLimits,
    /// Nobody is let through to a task.
    pub maintenance: Option<MaintenancePage>,
    /// Pages (HTML) for what the edge answers in a task's place, by status.
    pub pages: BTreeMap<u16, String>,
    pub balance: Balance,
    /// How many of 1000 requests are written to the access log.
    pub access_permille: u16,
}

/// `Strict-Transport-Security` (RFC 6797).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HstsRule {
    /// Seconds.
    pub max_age: u64,
    pub include_subdomains: bool,
    pub preload: bool,
}

/// A name and a password for basic authentication.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    pub user: String,
    /// The password's argon2 hash in PHC form (`$argon2id$…`).
    pub hash: String,
}

/// Requests that pass a route's logins, for the application to judge. The default lets none pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LoginExceptions {
    /// Preflights of other origins: `OPTIONS` with `Origin` and `Access-Control-Request-Method`, and without `Authorization`.
    pub preflights: bool,
    /// Requests with `Authorization: Bearer …`, whatever the token: the edge does not know the application's tokens.
    pub bearer_tokens: bool,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// One header field: set to a value, or removed where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderRule {
    pub name: String,
    pub value: Option<String>,
}

/// What one request may take, and one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestLimits {
    /// Bytes of a request's body; more is answered 413.
    pub body: Option<u64>,
    /// Requests of one client (an IPv4 address, an IPv6 /64); more are answered 429.
    pub rate: Option<RateLimit>,
    /// How long a client may be silent within a request's body; longer is answered 408. 5 minutes by default.
    pub body_timeout: Option<Duration>,
    /// How long a task may be silent, before its answer and within it; longer before is answered 504. An hour by default, and always
    /// for upgraded connections and event streams.
    pub response_timeout: Option<Duration>,
}

/// Requests per second, and how many may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    pub per_second: u32,
    /// At least 1.
    pub burst: u32,
}

/// A page instead of the application: 503.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenancePage {
    /// HTML; without it a page of ours.
    pub page: Option<String>,
    /// Seconds, for `Retry-After`.
    pub retry_after: u32,
    /// Requests whose path begins with this go through all the same.
    pub bypass: Option<String>,
}

/// How a route's requests are spread over its tasks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Balance {
    /// Shares by release, as of a canary: `{new: 5, old: 95}`. Where it names no release all tasks are equal; where it names some, the
    /// others get nothing unless none of the named has a task.
    pub weights: BTreeMap<String, u32>,
    /// A signed cookie leads a client back to where it was.
    pub sticky: Option<Sticky>,
    /// How long a task that joins others is given less than its share.
    pub slow_start: Duration,
    /// A cookie by which a client asks for a release, whatever its share.
    pub cookie: Option<ReleaseCookie>,
    /// How the edge asks tasks by itself whether they answer. Where several routes lead to a task, the last one's holds.
    pub probe: Option<HealthProbe>,
}

/// A cookie whose value is a word that stands for a release: `skypanel-release=canary`. A word that stands for nothing here, or for a
/// release without a task that can be asked, counts as none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseCookie {
    pub name: String,
    /// Releases' ids by word.
    pub releases: BTreeMap<String, String>,
}

impl ReleaseCookie {
    /// The usual name.
    pub const NAME: &str = "skypanel-release";

    /// A cookie of the usual name.
    pub fn of<W: Into<String>, R: Into<String>>(releases: impl IntoIterator<Item = (W, R)>) -> Self {
        let releases = releases.into_iter().map(|(word, release)| (word.into(), release.into())).collect();
        ReleaseCookie { name: Self::NAME.into(), releases }
    }
}

/// How often a task is asked whether it answers, and when that is believed. A task that does not is passed over where there are others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthProbe {
    pub check: ProbeCheck,
    /// From one question to the next; 100 ms at least.
    pub interval: Duration,
    /// For one question, connecting included; 10 ms at least.
    pub timeout: Duration,
    /// So many failures in a row take a task out; 1 at least.
    pub failures: u32,
    /// So many answers in a row bring it back; 1 at least.
    pub successes: u32,
}

impl Default for HealthProbe {
    fn default() -> Self {
        let (interval, timeout) = (Duration::from_secs(5), Duration::from_secs(2));
        HealthProbe { check: ProbeCheck::Tcp, interval, timeout, failures: 2, successes: 1 }
    }
}

/// What a task is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ProbeCheck {
    /// To accept a connection, and not to close it at once.
    #[default]
    Tcp,
    /// To answer `GET path` with 200 to 399, over HTTP/2 where it speaks that.
    Http {
        path: String,
        /// The host to ask for; the route's own where it is empty.
        host: String,
    },
}

/// What a client sticks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sticky {
    /// One task, as long as it can take requests; then another one of its release.
    Task,
    /// One release.
    Release,
}

/// A certificate and its key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Host names, `*.name`, or `*` alone for every name that no other certificate is for.
    pub names: Vec<String>,
    /// PEM, the certificate itself first.
    pub chain: String,
    /// PEM: PKCS #8, PKCS #1 or SEC 1.
    pub key: String,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("names", &self.names).finish_non_exhaustive()
    }
}

/// What an authority is answered that wants to see who holds a name (RFC 8555, RFC 8737).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Challenge {
    /// HTTP-01: `/.well-known/acme-challenge/<token>` of every host, answered without TLS and with it.
    Http { token: String, key_authorization: String },
    /// TLS-ALPN-01: the certificate that is shown to who asks by `acme-tls/1`, for the one name in it.
    TlsAlpn { certificate: Certificate },
}

/// All of it, as of one version. Versions only grow. Where two routes have the same host and path, the later one holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    pub version: u64,
    pub routes: Vec<Route>,
    pub certificates: Vec<Certificate>,
    pub challenges: Vec<Challenge>,
    /// The key that sticky cookies are signed with, the same on all edges. Where it is empty, each has its own.
    pub cookie_key: Vec<u8>,
}

/// The panel's own hosts, which every table holds, whatever the snapshot says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelRoute {
    pub hosts: Vec<String>,
    /// Where the panel listens.
    pub address: SocketAddr,
}

impl PanelRoute {
    pub(super) fn backends(&self) -> impl Iterator<Item = (&str, Backend)> {
        let backend = Backend { task: "panel".into(), release: "panel".into(), address: self.address, h2c: false };
        self.hosts.iter().map(move |host| (host.as_str(), backend.clone()))
    }
}
