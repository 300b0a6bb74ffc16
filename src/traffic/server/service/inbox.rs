//! What edges counted, until it is written down. Numbers of the same minute are summed up here, so that a database which is away for a
//! while costs memory for minutes and not for requests.
use crate::{
    edge::{AccessEntry, EdgeHandle, ReleaseSignals, Signals},
    id::AppId,
    traffic::server::service::{Step, lines::KEPT},
    units::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};
use tokio::sync::mpsc;

/// Sums that wait at most. When there are more, minutes are joined.
const SUMS: usize = 20_000;
/// Lines of access logs that wait at most, in all and of one application.
const LINES: usize = 20_000;
const LINES_OF_ONE: usize = KEPT as usize;
/// Characters of an edge's name that are kept.
const NAME: usize = 100;
/// What is written in one transaction at most.
const SUMS_AT_ONCE: usize = 2_000;
const LINES_AT_ONCE: usize = 2_000;

/// A row of minutes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub app: AppId,
    pub release: String,
    pub edge: String,
    /// When the minute began.
    pub at: i64,
}

/// What one edge counted, for all applications together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EdgeCount {
    pub requests: u64,
    /// Answers of 500 and more.
    pub failed: u64,
    pub unrouted: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// The most at once.
    pub in_flight: u64,
}

impl EdgeCount {
    /// Adds another span's.
    pub fn merge(&mut self, other: &EdgeCount) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.unrouted += other.unrouted;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.in_flight = self.in_flight.max(other.in_flight);
    }
}

/// What is written in one transaction.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Grows from batch to batch of this process.
    pub number: i64,
    pub sums: BTreeMap<Key, ReleaseSignals>,
    pub edges: BTreeMap<(i64, String), EdgeCount>,
    pub lines: Vec<(AppId, AccessEntry)>,
}

impl Batch {
    /// Those that something is told of.
    pub fn apps(&self) -> BTreeSet<AppId> {
        self.sums.keys().map(|key| &key.app).chain(self.lines.iter().map(|(app, _)| app)).cloned().collect()
    }
}

#[derive(Debug, Default)]
struct Waiting {
    last: i64,
    sums: BTreeMap<Key, ReleaseSignals>,
    edges: BTreeMap<(i64, String), EdgeCount>,
    lines: HashMap<AppId, VecDeque<AccessEntry>>,
    count: usize,
    lost_requests: u64,
    lost_lines: u64,
}

/// What edges counted and nobody has written down yet.
#[derive(Debug, Default)]
pub struct Inbox {
    waiting: Mutex<Waiting>,
    /// The access log of this process's edge.
    access: Mutex<Option<mpsc::Receiver<AccessEntry>>>,
    /// What is being written; it stays here until that is known to have come to pass.
    pub(super) storing: tokio::sync::Mutex<Option<Batch>>,
}

impl Inbox {
    /// Takes what an edge counted in a span of time, and lines of its access log. Each span is told once, and spans are a few seconds
    /// long: one is counted to the minute that it ends in. Never waits; what is too much for the memory is dropped and counted as
    /// [lost](Inbox::lost).
    pub fn push(&self, edge: &str, signals: Signals, entries: Vec<AccessEntry>) {
        let edge: String = edge.chars().filter(|c| !c.is_control()).take(NAME).collect();
        let at = Step::Minute.begin(i64::try_from(signals.until).unwrap_or(0));
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = EdgeCount { unrouted: signals.unrouted, ..EdgeCount::default() };
        for one in &signals.releases {
            all.requests += one.requests;
            all.failed += one.classes[4];
            all.bytes_in += one.bytes_in;
            all.bytes_out += one.bytes_out;
            all.in_flight += one.in_flight;
            // The panel itself and its like are no application.
            if let Ok(app) = one.app.parse() {
                waiting.add(Key { app, release: one.release.clone(), edge: edge.clone(), at }, one);
            }
        }
        if waiting.edges.len() < SUMS || waiting.edges.contains_key(&(at, edge.clone())) {
            waiting.edges.entry((at, edge)).or_default().merge(&all);
        }
        for entry in entries {
            if let Ok(app) = entry.app.parse() {
                waiting.keep(app, entry);
            }
        }
    }

    /// Requests and lines of access logs that were dropped since the start.
    pub fn lost(&self) -> (u64, u64) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        (waiting.lost_requests, waiting.lost_lines)
    }

    /// What this process's edge has written to its access log since the last time.
    pub(super) fn entries(&self, edge: &EdgeHandle) -> Vec<AccessEntry> {
        let mut access = self.access.lock().unwrap_or_else(PoisonError::into_inner);
        if access.is_none() {
            *access = edge.take_access_log();
        }
        let mut entries = Vec::new();
        while let Some(entry) = access.as_mut().and_then(|access| access.try_recv().ok()) {
            entries.push(entry);
        }
        entries
    }

    /// What is to be written next. An edge's clock is not believed when it is ahead, and numbers that come when their minute is not kept
    /// any more count to the first one that is.
    pub(super) fn next(&self, now: Timestamp) -> Option<Batch> {
        let (first, last) = (Step::Minute.begin((now - Step::Minute.kept()).millis()) + 60_000, Step::Minute.begin(now.millis()));
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = Batch { number: waiting.last + 1, ..Batch::default() };
        while batch.sums.len() < SUMS_AT_ONCE
            && let Some((mut key, one)) = waiting.sums.pop_first()
        {
            key.at = key.at.clamp(first, last);
            match batch.sums.get_mut(&key) {
                Some(sum) => *sum += &one,
                None => drop(batch.sums.insert(key, one)),
            }
        }
        for ((at, edge), count) in std::mem::take(&mut waiting.edges) {
            batch.edges.entry((at.clamp(first, last), edge)).or_default().merge(&count);
        }
        while batch.lines.len() < LINES_AT_ONCE
            && let Some(app) = waiting.lines.keys().next().cloned()
        {
            let lines = waiting.lines.remove(&app).unwrap_or_default();
            waiting.count -= lines.len();
            batch.lines.extend(lines.into_iter().map(|line| (app.clone(), line)));
        }
        if batch.sums.is_empty() && batch.edges.is_empty() && batch.lines.is_empty() {
            return None;
        }
        waiting.last = batch.number;
        Some(batch)
    }
}

impl Waiting {
    fn add(&mut self, key: Key, one: &ReleaseSignals) {
        if let Some(sum) = self.sums.get_mut(&key) {
            *sum += one;
            return;
        }
        if self.sums.len() < SUMS {
            self.sums.insert(key, one.clone());
            return;
        }
        // Better in the wrong minute than not at all.
        let from = Key { at: i64::MIN, ..key.clone() };
        let to = Key { at: i64::MAX, ..key };
        match self.sums.range_mut(from..=to).next_back() {
            Some((_, sum)) => *sum += one,
            None => self.lost_requests += one.requests,
        }
    }

    /// Keeps a line; of an application that writes too many, the newest.
    fn keep(&mut self, app: AppId, entry: AccessEntry) {
        let of_app = self.lines.entry(app).or_default();
        if of_app.len() >= LINES_OF_ONE {
            of_app.pop_front();
            self.lost_lines += 1;
        } else if self.count >= LINES {
            self.lost_lines += 1;
            return;
        } else {
            self.count += 1;
        }
        of_app.push_back(entry);
    }
}
