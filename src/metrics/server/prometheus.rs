//! What this process counts, for Prometheus: the panel itself, and its edge with one set of series for each release of an application.
//! Only the first thousand releases are told apart, so that the text stays bounded; what is left out is counted.
use crate::traffic::server::service::Inbox;
use crate::{runtime::panel::Panel, traffic::server::service};
use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use std::{fmt::Write, sync::Arc};

/// Releases whose series are told.
const RELEASES: usize = 1_000;

/// The media type of the text form.
const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The door for scrapers: the operator's token, or nothing.
pub async fn scrape(panel: Arc<Panel>, headers: HeaderMap) -> Response {
    let Some(token) = panel.config.metrics.token.as_deref() else {
        return (StatusCode::NOT_FOUND, "Set metrics.token to read this with it; operators read /api/admin/metrics.\n").into_response();
    };
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
    // Hashes have one length and tell nothing of what was nearly right.
    if given.map(Sha256::digest) != Some(Sha256::digest(token)) {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], "The token is missing or wrong.\n").into_response();
    }
    answer(&panel)
}

/// The text as an answer.
pub fn answer(panel: &Panel) -> Response {
    ([(header::CONTENT_TYPE, TYPE), (header::CACHE_CONTROL, "no-store")], text(panel)).into_response()
}

/// Everything this process counts.
#[allow(clippy::too_many_lines, reason = "one family after the other")]
pub fn text(panel: &Panel) -> String {
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, values: &[(String, f64)]| {
        let _ = writeln!(text, "# HELP skypanel_{name} {help}\n# TYPE skypanel_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "skypanel_{name}{labels} {value}");
        }
    };
    let one = |value: f64| [(String::new(), value)];
    family("build_info", "gauge", "The program's version.", &[(format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), 1.0)]);
    family("panel_start_time_seconds", "gauge", "When this process began, in seconds since 1970.", &one(panel.heartbeats.began()));
    let (answered, in_hand) = panel.heartbeats.requests();
    family("panel_requests_total", "counter", "Requests that pages and the API have answered.", &one(answered as f64));
    family("panel_requests_in_flight", "gauge", "Requests that pages and the API have in hand.", &one(in_hand as f64));
    let beats = panel.heartbeats.beats();
    let label = |name: &str| format!("{{loop=\"{name}\"}}");
    let of =
        |read: fn(&crate::runtime::heartbeats::Beat) -> f64| beats.iter().map(|(name, beat)| (label(name), read(beat))).collect::<Vec<_>>();
    family("panel_loop_passes_total", "counter", "Rounds of each loop that ended well.", &of(|beat| beat.passes as f64));
    family("panel_loop_failures_total", "counter", "Rounds of each loop that failed.", &of(|beat| beat.failures as f64));
    family("panel_loop_last_seconds", "gauge", "How long the last round of each loop took.", &of(|beat| beat.took.as_secs_f64()));
    let (requests, lines) = panel.of::<Inbox>().lost();
    family("traffic_lost_requests_total", "counter", "Requests that were counted and could not be kept.", &one(requests as f64));
    family("traffic_lost_lines_total", "counter", "Lines of access logs that could not be kept.", &one(lines as f64));
    if let Some(edge) = &panel.edge {
        family(
            "edge_dropped_access_entries_total",
            "counter",
            "Lines of access logs that nobody took in time.",
            &one(edge.dropped_access_entries() as f64),
        );
        let name = service::own_edge(panel);
        family("edge_info", "gauge", "The name of this process's edge.", &[(format!("{{edge=\"{name}\"}}"), 1.0)]);
        let (told, left_out) = edge.prometheus(RELEASES);
        family("edge_releases_left_out", "gauge", "Releases whose series are left out because there are too many.", &one(left_out as f64));
        text.push_str(&told);
    }
    text
}
