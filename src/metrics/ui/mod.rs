//! The pages of numbers.
mod access;
mod live;
mod page;
mod parts;
mod platform;
mod summary;

pub use access::AccessLog;
pub use page::MetricsPage;
pub use platform::AdminTraffic;
pub use summary::TrafficSummary;

use crate::{kit::Unit, metrics::model::Numbers};

/// Where an application's numbers stand, in a range and of one release.
pub fn address(id: &crate::id::AppId, range: &str, release: Option<&str>) -> String {
    let release = release.map(|release| format!("&release={release}")).unwrap_or_default();
    format!("/applications/{id}/metrics?range={range}{release}")
}

/// Hundredths of a percent for people.
pub fn percent(hundredths: u64) -> String {
    match hundredths {
        0 => "0 %".into(),
        1..1_000 => format!("{}.{:02} %", hundredths / 100, hundredths % 100),
        _ => format!("{} %", hundredths / 100),
    }
}

/// Requests a minute for people.
pub fn per_minute(requests: u64, seconds: i64) -> String {
    let rate = requests as f64 * 60.0 / seconds.max(1) as f64;
    match rate {
        0.0 => "0".into(),
        _ if rate < 0.1 => "< 0.1".into(),
        _ if rate < 100.0 => format!("{rate:.1}"),
        _ => Unit::Count.words(rate),
    }
}

/// A time that 95 % of the requests did not exceed, for people.
pub fn p95(numbers: &Numbers) -> String {
    numbers.latency.map_or_else(|| "–".to_string(), |latency| Unit::Micros.words(latency.p95_micros as f64))
}
