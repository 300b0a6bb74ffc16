//! What both sides know of an application's numbers: ranges of time, points of a chart, and lines of the access log.
use crate::{error::Error, id::DeploymentId, units::Timestamp};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Lengths of a point that can be asked for, in seconds.
pub const STEPS: [i64; 8] = [60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400];
/// Points that one answer holds at most.
pub const MOST_POINTS: i64 = 1_500;
/// How far back minutes, quarters of an hour and days are kept, in seconds.
pub const KEPT: [(i64, i64); 3] = [(60, 86_400), (900, 30 * 86_400), (86_400, 366 * 86_400)];
/// What stands for the edge where a release is asked for: answers that no task gave.
pub const EDGE: &str = "edge";

/// A stretch of time that ends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Range {
    #[serde(rename = "1h")]
    Hour,
    #[serde(rename = "6h")]
    SixHours,
    #[default]
    #[serde(rename = "24h")]
    Day,
    #[serde(rename = "7d")]
    Week,
    #[serde(rename = "30d")]
    Month,
    #[serde(rename = "1y")]
    Year,
}

impl Range {
    /// Every one there is, the shortest first.
    pub const ALL: [Range; 6] = [Range::Hour, Range::SixHours, Range::Day, Range::Week, Range::Month, Range::Year];

    /// The word in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Range::Hour => "1h",
            Range::SixHours => "6h",
            Range::Day => "24h",
            Range::Week => "7d",
            Range::Month => "30d",
            Range::Year => "1y",
        }
    }

    /// The words on the page.
    pub fn words(self) -> &'static str {
        match self {
            Range::Hour => "1 hour",
            Range::SixHours => "6 hours",
            Range::Day => "24 hours",
            Range::Week => "7 days",
            Range::Month => "30 days",
            Range::Year => "1 year",
        }
    }

    /// Its length in seconds.
    pub fn seconds(self) -> i64 {
        match self {
            Range::Hour => 3_600,
            Range::SixHours => 6 * 3_600,
            Range::Day => 86_400,
            Range::Week => 7 * 86_400,
            Range::Month => 30 * 86_400,
            Range::Year => 365 * 86_400,
        }
    }

    /// The length of its points in seconds, unless another is asked for.
    pub fn step(self) -> i64 {
        match self {
            Range::Hour => 60,
            Range::SixHours => 300,
            Range::Day => 900,
            Range::Week => 3_600,
            Range::Month => 21_600,
            Range::Year => 86_400,
        }
    }
}

impl FromStr for Range {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Range::ALL.into_iter().find(|range| range.name() == text);
        found.ok_or_else(|| Error::invalid("range", "A range is 1h, 6h, 24h, 7d, 30d or 1y."))
    }
}

/// Times from a request's header to the beginning of its answer that a share of the requests did not exceed, in microseconds; right
/// within 12.5 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Latency {
    pub p50_micros: u64,
    pub p95_micros: u64,
    pub p99_micros: u64,
}

/// What was counted in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Numbers {
    pub requests: u64,
    /// Answers by the hundreds of their status: 1xx (upgrades among them) to 5xx.
    pub informational: u64,
    pub success: u64,
    pub redirect: u64,
    pub client_error: u64,
    pub server_error: u64,
    /// Requests whose client left before an answer.
    pub aborted: u64,
    /// Bytes of bodies, from clients and to them.
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Requests that more than one replica was tried for.
    pub retried: u64,
    /// Requests that waited for a replica to be there.
    pub held: u64,
    /// The most that were in hand at once, as looked at every few seconds.
    pub in_flight: u64,
    /// Nothing where no request was answered.
    pub latency: Option<Latency>,
}

impl Numbers {
    /// The share of requests that were answered with 500 or more, in hundredths of a percent.
    pub fn error_share(&self) -> u64 {
        (self.server_error * 10_000).checked_div(self.requests).unwrap_or(0)
    }
}

/// One point of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Point {
    /// When its span begins.
    pub at: Timestamp,
    /// Nothing where no edge told what happened; zeros where nothing did.
    pub numbers: Option<Numbers>,
}

/// What one release was asked in the whole time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReleaseNumbers {
    /// The deployment that put it in front of visitors; none for what the edge answered by itself.
    pub deployment_id: Option<DeploymentId>,
    /// The deployment's number, where it is still known.
    pub deployment_number: Option<u64>,
    pub numbers: Numbers,
}

/// A deployment that went live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Mark {
    pub deployment_id: DeploymentId,
    pub number: u64,
    pub at: Timestamp,
}

/// An application's numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({
    "from": "2026-01-31T11:00:00Z", "to": "2026-01-31T12:00:00Z", "step_seconds": 60,
    "total": { "requests": 120, "informational": 0, "success": 118, "redirect": 0, "client_error": 1, "server_error": 1, "aborted": 0,
        "bytes_in": 0, "bytes_out": 90210, "retried": 0, "held": 0, "in_flight": 3,
        "latency": { "p50_micros": 1800, "p95_micros": 9200, "p99_micros": 21000 } },
    "points": [{ "at": "2026-01-31T11:00:00Z", "numbers": null }],
    "releases": [],
    "deployments": [{ "deployment_id": "dep_01jd0000000000000000000000", "number": 12, "at": "2026-01-31T11:20:00Z" }]
}))]
pub struct Metrics {
    pub from: Timestamp,
    pub to: Timestamp,
    /// The length of each point.
    pub step_seconds: i64,
    /// All points together.
    pub total: Numbers,
    /// The oldest first.
    pub points: Vec<Point>,
    /// The busiest first, at most 20.
    pub releases: Vec<ReleaseNumbers>,
    /// Those that went live in the time, the oldest first, at most 100.
    pub deployments: Vec<Mark>,
}

/// One request, as the access log tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({
    "seq": 4711, "at": "2026-01-31T11:59:58.120Z", "request_id": "0b1c…", "method": "GET", "host": "shop.example.com", "path": "/cart",
    "protocol": "HTTP/2.0", "is_tls": true, "status": 200, "micros": 3400, "bytes_in": 0, "bytes_out": 5120, "client": "203.0.113.9",
    "user_agent": "Mozilla/5.0", "release": "dep_01jd0000000000000000000000", "replica": "a1b2c3"
}))]
pub struct AccessLine {
    /// Grows by one from line to line of an application.
    pub seq: i64,
    /// When the request began.
    pub at: Timestamp,
    pub request_id: String,
    pub method: String,
    pub host: String,
    /// Without the query, which may hold secrets.
    pub path: String,
    pub protocol: String,
    pub is_tls: bool,
    /// 0 where the client left before the answer.
    pub status: u16,
    /// To the beginning of the answer, in microseconds.
    pub micros: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub client: String,
    pub user_agent: String,
    /// The deployment whose release answered; empty where the edge did.
    pub release: String,
    pub replica: String,
}

/// What one edge was asked lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EdgeNumbers {
    pub edge: String,
    /// When the last minute that it told of began.
    pub last: Timestamp,
    /// In the last five whole minutes.
    pub requests: u64,
    /// Answers of 500 and more.
    pub failed: u64,
    /// Requests for hosts that no route names, and those that were refused before one was looked for.
    pub unrouted: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// The most at once.
    pub in_flight: u64,
}

/// One point of the platform's chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlatformPoint {
    pub at: Timestamp,
    /// Nothing where no edge told.
    pub requests: Option<u64>,
    /// Answers of 500 and more, and requests that led nowhere.
    pub failed: Option<u64>,
    pub unrouted: Option<u64>,
}

/// What all edges were asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlatformTraffic {
    /// Those that told something in the last hour.
    pub edges: Vec<EdgeNumbers>,
    /// The last day, a quarter of an hour each.
    pub points: Vec<PlatformPoint>,
    pub step_seconds: i64,
}
