//! What both sides know of routing: the rules of an application as they are kept and shown, and what may stand in them.
use crate::{
    id::{AppId, PathId},
    units::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod forms;
mod header;
mod input;
mod path;
pub use forms::*;
pub use header::*;
pub use input::*;
pub use path::*;

/// Bytes of a page that the edge answers with.
pub const MAX_PAGE: usize = 64 * 1024;
/// Bytes of all pages of an application.
pub const MAX_PAGES: usize = 256 * 1024;
/// The statuses that the edge answers in an application's place, in which a page may stand.
pub const PAGE_STATUSES: [(u16, &str); 7] = [
    (401, "A name and a password are wanted"),
    (408, "The visitor's request took too long"),
    (413, "The visitor sent too much"),
    (429, "The visitor asks too often"),
    (502, "No replica gave an answer"),
    (503, "No replica can take requests, or it is stopped"),
    (504, "A replica took too long"),
];
/// Logins of an application.
pub const MAX_LOGINS: usize = 20;
/// Header rules in each direction.
pub const MAX_HEADERS: usize = 20;
/// Paths that lead to one application.
pub const MAX_PATHS: u64 = 50;
/// Two years: what browsers' preload lists ask for at least is one.
pub const MAX_HSTS: u64 = 63_072_000;
/// What browsers' preload lists ask for.
pub const PRELOAD_HSTS: u64 = 31_536_000;

/// How requests without TLS are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HttpsMode {
    /// Sent to HTTPS where the host has a certificate.
    #[default]
    Auto,
    /// Sent to HTTPS always: for hosts whose TLS ends in front of the platform.
    Always,
    /// Served as they come.
    Off,
}

/// What a visitor sticks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stickiness {
    /// Nothing: each request goes where there is least to do.
    #[default]
    None,
    /// One replica, by a cookie.
    Replica,
    /// One release, by a cookie, while two of them serve.
    Release,
}

/// What replicas are spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 without TLS, as gRPC wants it.
    Http2,
}

/// How the edge finds out whether a replica answers, beside the requests that it gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// By the requests alone.
    #[default]
    None,
    /// It opens a connection.
    Tcp,
    /// It asks for the path of the probe.
    Http,
}

macro_rules! words {
    ($($name:ident: $($variant:ident $word:literal),*;)*) => {$(
        impl $name {
            /// The word on the wire.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word),* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text.trim() {
                    $($word => Ok($name::$variant),)*
                    _ => Err(format!("One of: {}.", [$($word),*].join(", "))),
                }
            }
        }
    )*};
}

words! {
    HttpsMode: Auto "auto", Always "always", Off "off";
    Stickiness: None "none", Replica "replica", Release "release";
    Protocol: Http1 "http1", Http2 "http2";
    ProbeKind: None "none", Tcp "tcp", Http "http";
}

/// A page instead of the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(as = MaintenanceMode)]
pub struct Maintenance {
    /// Visitors get the page now.
    pub enabled: bool,
    /// HTML; the platform's own page where there is none.
    pub page: Option<String>,
    /// When visitors are told to come back, in seconds.
    pub retry_after_seconds: u32,
    /// Requests whose path begins with this reach the application all the same.
    pub bypass: Option<String>,
    /// Since when it is on.
    pub since: Option<Timestamp>,
}

impl Default for Maintenance {
    fn default() -> Self {
        Maintenance { enabled: false, page: None, retry_after_seconds: 300, bypass: None, since: None }
    }
}

/// What browsers are told to remember (RFC 6797).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = StrictTransport)]
pub struct Hsts {
    /// How long they do.
    pub max_age_seconds: u64,
    pub include_subdomains: bool,
    pub preload: bool,
}

/// A header field that is set, or removed where there is no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HeaderField, example = json!({ "name": "X-Frame-Options", "value": "DENY" }))]
pub struct Header {
    pub name: String,
    /// `null` removes the field.
    #[serde(default)]
    pub value: Option<String>,
}

/// How often one client may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ClientRate)]
pub struct Rate {
    pub per_second: u32,
    /// How many may come at once.
    pub burst: u32,
}

/// What one request may take, and one client. What is `null` is as the platform has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(as = EdgeLimits)]
pub struct Limits {
    pub body_bytes: Option<u64>,
    pub rate: Option<Rate>,
    /// How long a client may be silent within its request's body.
    pub body_timeout_seconds: Option<u32>,
    /// How long a replica may be silent before its answer and within it.
    pub response_timeout_seconds: Option<u32>,
}

/// How requests are spread over replicas.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Balancing {
    pub sticky: Stickiness,
    /// How long a replica that joins others is given less than its share.
    pub slow_start_seconds: u32,
    pub protocol: Protocol,
    pub probe: ProbeKind,
    /// What the probe asks for, where it is `http`.
    pub probe_path: Option<String>,
    /// From one probe to the next.
    pub probe_interval_seconds: Option<u32>,
}

/// Requests that pass without a login where `basic_auth` asks for one; the application judges them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct BasicAuthExceptions {
    /// What browsers ask before they send a request of another origin (`OPTIONS` with `Origin` and `Access-Control-Request-Method`). They
    /// send no credentials with it.
    pub preflights: bool,
    /// Requests with `Authorization: Bearer …`, whatever the token is: only the application knows its tokens, and has to check each.
    pub bearer_tokens: bool,
}

/// The rules of an application, its logins aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(as = RoutingRules)]
pub struct Rules {
    pub maintenance: Maintenance,
    pub https: HttpsMode,
    pub hsts: Option<Hsts>,
    pub basic_auth_exceptions: BasicAuthExceptions,
    /// Fields of requests on their way to replicas.
    pub request_headers: Vec<Header>,
    /// Fields of answers on their way to visitors.
    pub response_headers: Vec<Header>,
    pub limits: Limits,
    /// HTML by status.
    #[schema(example = json!({ "503": "<!doctype html><title>Back soon</title>" }))]
    pub error_pages: BTreeMap<String, String>,
    pub balancing: Balancing,
    /// How many of 1000 requests are written to the access log.
    pub access_log_permille: u16,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            maintenance: Maintenance::default(),
            https: HttpsMode::default(),
            hsts: None,
            basic_auth_exceptions: BasicAuthExceptions::default(),
            request_headers: Vec::new(),
            response_headers: Vec::new(),
            limits: Limits::default(),
            error_pages: BTreeMap::new(),
            balancing: Balancing::default(),
            access_log_permille: 1000,
        }
    }
}

impl Rules {
    /// The names of the parts in which this differs from another.
    pub fn differences(&self, other: &Rules) -> Vec<&'static str> {
        let parts = [
            ("maintenance", self.maintenance != other.maintenance),
            ("https", self.https != other.https),
            ("hsts", self.hsts != other.hsts),
            ("basic_auth_exceptions", self.basic_auth_exceptions != other.basic_auth_exceptions),
            ("request_headers", self.request_headers != other.request_headers),
            ("response_headers", self.response_headers != other.response_headers),
            ("limits", self.limits != other.limits),
            ("error_pages", self.error_pages != other.error_pages),
            ("balancing", self.balancing != other.balancing),
            ("access_log_permille", self.access_log_permille != other.access_log_permille),
        ];
        parts.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}

/// Who may come in. The password is never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BasicLogin {
    #[schema(example = "ada")]
    pub username: String,
}

/// What an application asks of the edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Routing {
    pub application_id: AppId,
    /// Grows with each change; it is the `ETag`.
    pub version: i64,
    /// Who may come in; everybody where it is empty.
    pub basic_auth: Vec<BasicLogin>,
    #[serde(flatten)]
    pub rules: Rules,
}

/// A path under a host that leads to an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PathRoute {
    pub id: PathId,
    /// Whom it leads to.
    pub application_id: AppId,
    #[schema(example = "shop.example.com")]
    pub host: String,
    #[schema(example = "/api")]
    pub path: String,
    /// The path is taken off before the application sees it.
    pub strip_path: bool,
    /// The host is the organization's now. Where a domain's proof has lapsed, the path waits for it.
    pub active: bool,
    pub created_at: Timestamp,
}

/// The paths of an application, for its page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathsPage {
    /// Those that lead to it.
    pub routes: Vec<PathRoute>,
    /// Those under its own host that lead elsewhere, with the names of the applications.
    pub taken: Vec<(PathRoute, String)>,
    /// Its own host.
    pub host: String,
    /// Other hosts of the organization, some of them.
    pub others: Vec<String>,
}
