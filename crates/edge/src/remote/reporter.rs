//! What an edge tells the panel: how it is, at once when something changed and every few seconds, and what it measured. Measures stay in a
//! queue of fixed size until the panel has them, under a number by which one that is sent twice is counted once; while the panel is away
//! they are collected by the minute.
use super::{
    link::Link,
    node::EdgeNode,
    wire::{EdgeReport, MOST_ENTRIES, MOST_RELEASES},
};
use crate::{AccessEntry, Signals};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::mpsc;
use tracing::{debug, warn};

/// How often an edge says how it is, and measures.
const EVERY: Duration = Duration::from_secs(5);
/// How often it measures while nobody takes it.
const AWAY: Duration = Duration::from_secs(60);
/// How often it reports while old releases drain.
const DRAINING: Duration = Duration::from_millis(200);
/// Reports that wait, and bytes of them.
const MOST_WAITING: usize = 3_000;
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of measures in one report: the panel takes 1 MiB.
const PART: usize = 600 * 1024;

/// Measures that wait to be sent.
struct ReportPart {
    sequence: u64,
    signals: Option<Signals>,
    entries: Vec<AccessEntry>,
    bytes: usize,
}

/// The queue.
pub struct Reporter {
    boot: String,
    started_at: i64,
    sequence: u64,
    waiting: VecDeque<ReportPart>,
    bytes: usize,
    lost: u64,
    per_second: f64,
    measured: Instant,
    log: Option<mpsc::Receiver<AccessEntry>>,
    is_away: bool,
}

#[expect(clippy::disallowed_methods, reason = "figures carry the time of the machine that measured them")]
fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |past| past.as_millis() as i64)
}

fn size(of: &impl serde::Serialize) -> usize {
    serde_json::to_vec(of).map_or(0, |text| text.len() + 1)
}

impl Reporter {
    /// A queue of a process that starts now.
    pub fn new(node: &EdgeNode) -> Self {
        let random: [u8; 12] = rand::random();
        Reporter {
            boot: random.iter().map(|byte| format!("{byte:02x}")).collect(),
            started_at: now(),
            sequence: 0,
            waiting: VecDeque::new(),
            bytes: 0,
            lost: 0,
            per_second: 0.0,
            measured: Instant::now(),
            log: node.handle().take_access_log(),
            is_away: false,
        }
    }

    /// Reports until the edge stops.
    pub async fn run(&mut self, node: &Arc<EdgeNode>, link: &Link) {
        let mut wait = EVERY;
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = node.changed.notified() => {}
                () = node.stop.cancelled() => return,
            }
            if self.measured.elapsed() >= if self.is_away { AWAY } else { EVERY } {
                self.measure(node);
            }
            let is_draining = self.send(node, link).await;
            wait = if is_draining && !self.is_away { DRAINING } else { EVERY };
        }
    }

    /// Takes the last measures and tries to hand all of them over.
    pub async fn finish(&mut self, node: &Arc<EdgeNode>, link: &Link) {
        self.measure(node);
        self.send(node, link).await;
        if !self.waiting.is_empty() {
            warn!("{} reports with measures were not taken and are lost", self.waiting.len());
        }
    }

    /// Puts what was counted since the last time into the queue.
    fn measure(&mut self, node: &EdgeNode) {
        let signals = node.handle().take_signals();
        let span = self.measured.elapsed().as_secs_f64().max(0.001);
        self.measured = Instant::now();
        self.per_second = signals.releases.iter().map(|release| release.requests).sum::<u64>() as f64 / span;
        let mut entries = Vec::new();
        while let Some(entry) = self.log.as_mut().and_then(|log| log.try_recv().ok()) {
            entries.push(entry);
        }
        let Signals { since, until, releases, unrouted } = signals;
        let mut parts = vec![ReportPart { sequence: 0, signals: None, entries: Vec::new(), bytes: 0 }];
        let room = |parts: &mut Vec<ReportPart>, bytes: usize, is_full: &dyn Fn(&ReportPart) -> bool| {
            if parts.last().is_none_or(|part| part.bytes + bytes > PART || is_full(part)) {
                parts.push(ReportPart { sequence: 0, signals: None, entries: Vec::new(), bytes: 0 });
            }
            let at = parts.len() - 1;
            parts[at].bytes += bytes;
            at
        };
        // Said although nothing was asked: a span that no edge tells of is one that nobody knows about.
        parts[0].signals = Some(Signals { since, until, releases: Vec::new(), unrouted });
        for release in releases {
            let is_full = |part: &ReportPart| part.signals.as_ref().is_some_and(|signals| signals.releases.len() >= MOST_RELEASES);
            let at = room(&mut parts, size(&release), &is_full);
            let signals = parts[at].signals.get_or_insert_with(|| Signals { since, until, ..Signals::default() });
            signals.releases.push(release);
        }
        for entry in entries {
            let at = room(&mut parts, size(&entry), &|part| part.entries.len() >= MOST_ENTRIES);
            parts[at].entries.push(entry);
        }
        for mut part in parts.into_iter().filter(|part| part.signals.is_some() || !part.entries.is_empty()) {
            self.sequence += 1;
            part.sequence = self.sequence;
            self.bytes += part.bytes;
            self.waiting.push_back(part);
        }
        while self.waiting.len() > MOST_WAITING || self.bytes > MOST_BYTES {
            self.drop_first();
            self.lost += 1;
        }
    }

    fn drop_first(&mut self) {
        if let Some(part) = self.waiting.pop_front() {
            self.bytes -= part.bytes;
        }
    }

    /// Sends how the edge is, and what waits. Says whether old releases drain.
    async fn send(&mut self, node: &Arc<EdgeNode>, link: &Link) -> bool {
        loop {
            let (version, draining, figures) = node.draining();
            let is_draining = !draining.is_empty();
            let part = self.waiting.front();
            let report = EdgeReport {
                boot: self.boot.clone(),
                sequence: part.map_or(0, |part| part.sequence),
                at: now(),
                software: env!("CARGO_PKG_VERSION").into(),
                started_at: self.started_at,
                version,
                digest: node.digest(),
                problem: node.problem(),
                draining,
                figures: super::wire::Figures { per_second: self.per_second, lost: self.lost, ..figures },
                signals: part.and_then(|part| part.signals.clone()),
                entries: part.map(|part| part.entries.clone()).unwrap_or_default(),
            };
            let had = part.is_some();
            match link.report(&node.token(), &report).await {
                Ok(_) => self.is_away = false,
                Err((true, why)) if had => {
                    warn!("the panel does not take a report, which is given up: {why}");
                    self.lost += 1;
                }
                Err((_, why)) => {
                    debug!("a report was not taken: {why}");
                    self.is_away = true;
                    return is_draining;
                }
            }
            if had {
                self.drop_first();
            }
            if self.waiting.is_empty() {
                return is_draining;
            }
        }
    }
}
