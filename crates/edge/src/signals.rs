//! The golden signals: what each release of each application was asked, and how it went. Requests add to counters that belong to their
//! thread; whoever reads sums them up. Nothing is allocated for a release before its first request.
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fmt::Write,
    ops::AddAssign,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

/// Steps per doubling of the time, so that a quantile is right within 12.5 %.
const STEPS: usize = 8;
/// The first doubling ends at 2^FIRST microseconds, the last at 2^(FIRST + OCTAVES): 64 µs and 67 s.
const FIRST: u32 = 6;
const OCTAVES: usize = 20;
/// Buckets of a histogram: up to 64 µs, [`STEPS`] for each doubling, and what takes longer than 67 s.
pub const BUCKETS: usize = 2 + STEPS * OCTAVES;
const SHARDS: usize = 4;
/// Releases that are gone and whose numbers nobody has taken yet, beyond as many as there are live ones.
const SPARE: usize = 1000;

/// Times, in buckets whose width grows with the time. Two can be added.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Histogram {
    /// Empty, or [`BUCKETS`] counts.
    counts: Vec<u32>,
}

fn bucket(micros: u64) -> usize {
    if micros < 1 << FIRST {
        return 0;
    }
    let octave = micros.ilog2() - FIRST;
    let step = (micros >> (octave + FIRST - STEPS.ilog2())) as usize & (STEPS - 1);
    (1 + octave as usize * STEPS + step).min(BUCKETS - 1)
}

/// Where a bucket ends, in microseconds.
fn end(bucket: usize) -> u64 {
    let (octave, step) = (bucket.saturating_sub(1) / STEPS, bucket.saturating_sub(1) % STEPS);
    match bucket {
        0 => 1 << FIRST,
        _ => ((STEPS + step + 1) as u64) << (octave as u32 + FIRST - STEPS.ilog2()),
    }
}

impl Histogram {
    /// Counts one.
    pub fn record(&mut self, time: Duration) {
        self.counts.resize(BUCKETS, 0);
        self.counts[bucket(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))] += 1;
    }

    /// Adds another one's counts.
    pub fn merge(&mut self, other: &Histogram) {
        self.counts.resize(self.counts.len().max(other.counts.len()), 0);
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine = mine.saturating_add(*theirs));
    }

    /// The buckets that are not empty, with their counts.
    pub fn filled(&self) -> impl Iterator<Item = (usize, u32)> {
        self.counts.iter().copied().enumerate().filter(|(_, count)| *count > 0)
    }

    /// Adds to one bucket; one that there is not counts as the last.
    pub fn fill(&mut self, bucket: usize, count: u32) {
        self.counts.resize(BUCKETS, 0);
        let bucket = &mut self.counts[bucket.min(BUCKETS - 1)];
        *bucket = bucket.saturating_add(count);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// The time that `share` (0 to 1) of them did not exceed; nothing where none was counted.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let total = self.count();
        let rank = ((total as f64 * share).ceil() as u64).clamp(1, total.max(1));
        let mut below = 0;
        for (n, count) in self.counts.iter().enumerate() {
            let count = u64::from(*count);
            if below + count >= rank {
                let start = if n == 0 { 0 } else { end(n - 1) };
                let part = (rank - below) as f64 / count as f64;
                return Some(Duration::from_micros(start + ((end(n) - start) as f64 * part) as u64));
            }
            below += count;
        }
        None
    }

    /// How many took no longer than this, as exactly as the buckets tell.
    fn up_to(&self, micros: u64) -> u64 {
        self.counts.iter().enumerate().take_while(|(n, _)| end(*n) <= micros).map(|(_, count)| u64::from(*count)).sum()
    }
}

/// What one release did in one span of time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReleaseSignals {
    pub app: String,
    /// Empty for what the edge answered in a task's place.
    pub release: String,
    pub requests: u64,
    /// Answers of 100 to 599 by their hundreds; `classes[0]` is 1xx (upgrades among them), `classes[4]` 5xx.
    pub classes: [u64; 5],
    /// Requests whose client left before an answer.
    pub aborted: u64,
    /// Bytes of bodies.
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Requests that more than one backend was tried for.
    pub retried: u64,
    /// Requests that waited for a task.
    pub held: u64,
    /// Requests in hand at the end of the span.
    pub in_flight: u64,
    /// From a request's header to the beginning of its answer.
    pub latency: Histogram,
}

/// Adds what another span, or another edge, counted for the same release. Of the requests in hand the most at once is kept.
impl AddAssign<&ReleaseSignals> for ReleaseSignals {
    fn add_assign(&mut self, other: &ReleaseSignals) {
        self.requests += other.requests;
        self.classes.iter_mut().zip(other.classes).for_each(|(mine, theirs)| *mine += theirs);
        self.aborted += other.aborted;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.retried += other.retried;
        self.held += other.held;
        self.in_flight = self.in_flight.max(other.in_flight);
        self.latency.merge(&other.latency);
    }
}

/// What an edge counted since it was last asked.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Signals {
    /// Milliseconds since 1970.
    pub since: u64,
    pub until: u64,
    /// Those that were asked something, or have something in hand.
    pub releases: Vec<ReleaseSignals>,
    /// Requests for hosts that no route names, and those that were refused before one was looked for.
    pub unrouted: u64,
}

impl ReleaseSignals {
    /// Whether anything was counted, be it a part of a request only.
    fn has_counted(&self) -> bool {
        let counters = [self.requests, self.bytes_in, self.bytes_out, self.retried, self.held];
        counters.iter().any(|count| *count > 0) || self.latency.count() > 0
    }
}

/// How one request went.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RequestOutcome {
    /// 0 where the client left before.
    pub status: u16,
    pub time: Duration,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub is_retried: bool,
    pub is_held: bool,
}

#[repr(align(64))]
struct Shard {
    classes: [AtomicU64; 6],
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    retried: AtomicU64,
    held: AtomicU64,
    latency: [AtomicU32; BUCKETS],
}

impl Shard {
    fn new() -> Self {
        Shard {
            classes: Default::default(),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            held: AtomicU64::new(0),
            latency: std::array::from_fn(|_| AtomicU32::new(0)),
        }
    }

    /// Adds what is counted here to a sum, by a way to read one counter (taking what is there, or leaving it).
    fn add_to(&self, sum: &mut ReleaseSignals, read: impl Fn(&AtomicU64) -> u64, read_bucket: impl Fn(&AtomicU32) -> u32) {
        let classes: [u64; 6] = std::array::from_fn(|n| read(&self.classes[n]));
        sum.aborted += classes[0];
        sum.requests += classes.iter().sum::<u64>();
        sum.classes.iter_mut().zip(&classes[1..]).for_each(|(sum, count)| *sum += count);
        sum.bytes_in += read(&self.bytes_in);
        sum.bytes_out += read(&self.bytes_out);
        sum.retried += read(&self.retried);
        sum.held += read(&self.held);
        sum.latency.counts.resize(BUCKETS, 0);
        sum.latency.counts.iter_mut().zip(&self.latency).for_each(|(sum, count)| *sum = sum.saturating_add(read_bucket(count)));
    }
}

/// The counters of one release. There is one for each release of each route, most of which are asked nothing for long: what counts is
/// made when something is to be counted.
pub(super) struct Meter {
    app: Arc<str>,
    release: Arc<str>,
    shards: [OnceLock<Box<Shard>>; SHARDS],
    /// What was taken already.
    taken: Mutex<Option<Box<ReleaseSignals>>>,
}

fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static MINE: usize = NEXT.fetch_add(1, Relaxed) % SHARDS);
    MINE.with(|mine| *mine)
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter").finish_non_exhaustive()
    }
}

impl Meter {
    fn new(app: Arc<str>, release: Arc<str>) -> Self {
        Meter { app, release, shards: Default::default(), taken: Mutex::default() }
    }

    fn zero(&self) -> ReleaseSignals {
        ReleaseSignals { app: self.app.to_string(), release: self.release.to_string(), ..ReleaseSignals::default() }
    }

    pub fn record(&self, outcome: &RequestOutcome) {
        let shard = self.shards[shard()].get_or_init(|| Box::new(Shard::new()));
        let add = |counter: &AtomicU64, count: u64| {
            if count > 0 {
                counter.fetch_add(count, Relaxed);
            }
        };
        let class = usize::from(outcome.status / 100).min(5);
        add(&shard.classes[class], 1);
        add(&shard.bytes_in, outcome.bytes_in);
        add(&shard.bytes_out, outcome.bytes_out);
        add(&shard.retried, outcome.is_retried.into());
        add(&shard.held, outcome.is_held.into());
        if class > 0 {
            shard.latency[bucket(u64::try_from(outcome.time.as_micros()).unwrap_or(u64::MAX))].fetch_add(1, Relaxed);
        }
    }

    /// What was counted since the last time.
    fn take(&self) -> ReleaseSignals {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = self.zero();
        for shard in self.shards.iter().filter_map(OnceLock::get) {
            shard.add_to(&mut now, |count| count.swap(0, Relaxed), |count| count.swap(0, Relaxed));
        }
        // A request's bytes may be counted after its class was taken, so that there are some without a request.
        if self.shards.iter().any(|shard| shard.get().is_some()) {
            **taken.get_or_insert_with(|| Box::new(self.zero())) += &now;
        }
        now
    }
}

/// Meters by application and release.
type MetersByRelease = HashMap<(Arc<str>, Arc<str>), Arc<Meter>>;

/// The meters of all releases.
#[derive(Debug)]
pub(super) struct Meters {
    known: Mutex<MetersByRelease>,
    /// How many were known after the last look at which of them are still needed.
    needed: AtomicUsize,
    unrouted: AtomicU64,
    /// `unrouted` and the moment, as of the last time.
    last: Mutex<(u64, u64)>,
}

#[expect(clippy::disallowed_methods, reason = "figures carry the time of the machine that measured them")]
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |past| past.as_millis() as u64)
}

impl Meters {
    pub fn new() -> Self {
        Meters { known: Mutex::default(), needed: AtomicUsize::new(0), unrouted: AtomicU64::new(0), last: Mutex::new((0, now())) }
    }

    /// The meter of a release; the same for all who ask.
    pub fn of(&self, app: &str, release: &str) -> Arc<Meter> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Where nobody takes what is counted, releases that are gone must not pile up.
        if known.len() > 2 * self.needed.load(Relaxed) + SPARE {
            known.retain(|_, meter| Arc::strong_count(meter) > 1);
            self.needed.store(known.len(), Relaxed);
        }
        let (app, release): (Arc<str>, Arc<str>) = (app.into(), release.into());
        known.entry((app.clone(), release.clone())).or_insert_with(|| Arc::new(Meter::new(app, release))).clone()
    }

    /// Counts a request that no route was found for.
    pub fn unrouted(&self) {
        self.unrouted.fetch_add(1, Relaxed);
    }

    /// What was counted since the last time. Releases that nothing leads to any more are forgotten after this.
    pub fn take(&self, in_flight: impl Fn(&str) -> usize) -> Signals {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (unrouted, until) = (self.unrouted.load(Relaxed), now());
        let mut signals = Signals { since: last.1, until, releases: Vec::new(), unrouted: unrouted - last.0 };
        *last = (unrouted, until);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|(_, release), meter| {
            let is_led_to = Arc::strong_count(meter) > 1;
            let mut taken = meter.take();
            taken.in_flight = if release.is_empty() { 0 } else { in_flight(release) as u64 };
            // A request's bytes and time may come after its class was taken: they are told though no request comes with them.
            if taken.has_counted() || taken.in_flight > 0 {
                signals.releases.push(taken);
            }
            is_led_to
        });
        signals
    }

    /// Everything since the start, as text for Prometheus: the series of the first `most` releases, and how many releases were left out.
    /// What is taken meanwhile is not lost to [`Meters::take`].
    pub fn prometheus(&self, most: usize, in_flight: impl Fn(&str) -> usize) -> (String, usize) {
        let meters: Vec<_> = self.known.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let mut all: Vec<_> = meters.iter().map(|meter| meter.total()).filter(|total| total.requests > 0).collect();
        all.sort_by(|a, b| (&a.app, &a.release).cmp(&(&b.app, &b.release)));
        let left_out = all.len().saturating_sub(most);
        all.truncate(most);
        for total in &mut all {
            total.in_flight = if total.release.is_empty() { 0 } else { in_flight(&total.release) as u64 };
        }
        let mut text = render(&all);
        let _ = writeln!(text, "# TYPE skypanel_edge_unrouted_requests_total counter");
        let _ = writeln!(text, "skypanel_edge_unrouted_requests_total {}", self.unrouted.load(Relaxed));
        (text, left_out)
    }
}

impl Meter {
    /// What was counted since the start.
    fn total(&self) -> ReleaseSignals {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut total = taken.as_deref().cloned().unwrap_or_else(|| self.zero());
        for shard in self.shards.iter().filter_map(OnceLock::get) {
            shard.add_to(&mut total, |count| count.load(Relaxed), |count| count.load(Relaxed));
        }
        total
    }
}

/// The bounds of Prometheus's buckets, in microseconds.
const BOUNDS: [u64; 12] = [1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16, 1 << 17, 1 << 18, 1 << 20, 1 << 22, 1 << 24];

type Read = fn(&ReleaseSignals) -> u64;

/// Prometheus's text form, version 0.0.4.
fn render(all: &[ReleaseSignals]) -> String {
    let mut text = String::new();
    let labels = |one: &ReleaseSignals| format!("app=\"{}\",release=\"{}\"", label(&one.app), label(&one.release));
    let _ = writeln!(text, "# TYPE skypanel_edge_requests_total counter");
    for one in all {
        let classes = one.classes.iter().zip(["1xx", "2xx", "3xx", "4xx", "5xx"]).chain([(&one.aborted, "aborted")]);
        for (count, class) in classes.filter(|(count, _)| **count > 0) {
            let _ = writeln!(text, "skypanel_edge_requests_total{{{},class=\"{class}\"}} {count}", labels(one));
        }
    }
    let counters: [(&str, &str, Read); 5] = [
        ("received_bytes_total", "counter", |one| one.bytes_in),
        ("sent_bytes_total", "counter", |one| one.bytes_out),
        ("retried_requests_total", "counter", |one| one.retried),
        ("held_requests_total", "counter", |one| one.held),
        ("in_flight_requests", "gauge", |one| one.in_flight),
    ];
    for (name, kind, read) in counters {
        let _ = writeln!(text, "# TYPE skypanel_edge_{name} {kind}");
        for one in all {
            let _ = writeln!(text, "skypanel_edge_{name}{{{}}} {}", labels(one), read(one));
        }
    }
    let _ = writeln!(text, "# TYPE skypanel_edge_latency_seconds histogram");
    for one in all {
        let labels = labels(one);
        for bound in BOUNDS {
            let seconds = bound as f64 / 1e6;
            let _ = writeln!(text, "skypanel_edge_latency_seconds_bucket{{{labels},le=\"{seconds}\"}} {}", one.latency.up_to(bound));
        }
        let _ = writeln!(text, "skypanel_edge_latency_seconds_bucket{{{labels},le=\"+Inf\"}} {}", one.latency.count());
        let _ = writeln!(text, "skypanel_edge_latency_seconds_count{{{labels}}} {}", one.latency.count());
    }
    text
}

fn label(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_in_its_bucket_and_buckets_are_narrow() {
        for micros in (0..200_000).chain((200_000..70_000_000).step_by(7_919)) {
            let n = bucket(micros);
            assert!(micros < end(n) || n == BUCKETS - 1, "{micros} in {n}");
            assert!(n == 0 || micros >= end(n - 1), "{micros} in {n}");
            assert!(n < 1 || n == BUCKETS - 1 || (end(n) - end(n - 1)) as f64 <= 0.13 * end(n) as f64);
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_right_within_a_bucket_and_histograms_add_up() {
        let (mut all, mut parts) = (Histogram::default(), [Histogram::default(), Histogram::default()]);
        for n in 1..=10_000_u64 {
            all.record(Duration::from_micros(n * 100));
            parts[n as usize % 2].record(Duration::from_micros(n * 100));
        }
        let [mut sum, other] = parts;
        sum.merge(&other);
        assert_eq!(sum, all);
        for (share, expected) in [(0.5, 500_000.0), (0.95, 950_000.0), (0.99, 990_000.0)] {
            let found = all.quantile(share).unwrap().as_micros() as f64;
            assert!((found / expected - 1.0).abs() < 0.09, "{share}: {found}");
        }
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn nothing_is_lost_between_threads_and_takers() {
        let meters = Meters::new();
        let meter = meters.of("app_1", "rel_1");
        let outcome = RequestOutcome { status: 200, bytes_out: 3, time: Duration::from_millis(2), ..RequestOutcome::default() };
        let mut sum = ReleaseSignals::default();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| (0..20_000).for_each(|_| meter.record(&outcome)))).collect();
            while !threads.iter().all(|thread| thread.is_finished()) {
                meters.take(|_| 0).releases.iter().for_each(|taken| sum += taken);
            }
        });
        meters.take(|_| 0).releases.iter().for_each(|taken| sum += taken);
        assert_eq!((sum.requests, sum.classes[1], sum.bytes_out, sum.latency.count()), (80_000, 80_000, 240_000, 80_000));
        let (text, _) = meters.prometheus(1000, |_| 7);
        assert!(text.contains("skypanel_edge_requests_total{app=\"app_1\",release=\"rel_1\",class=\"2xx\"} 80000"), "{text}");
        assert!(text.contains("skypanel_edge_in_flight_requests{app=\"app_1\",release=\"rel_1\"} 7"), "{text}");
    }

    #[test]
    fn releases_that_are_gone_do_not_pile_up_where_nobody_takes_their_numbers() {
        let meters = Meters::new();
        let live = meters.of("app_1", "live");
        (0..10 * SPARE).for_each(|n| drop(meters.of("app_1", &format!("rel_{n}"))));
        assert!(meters.known.lock().unwrap().len() <= SPARE + 4);
        assert!(Arc::ptr_eq(&live, &meters.of("app_1", "live")));
    }

    #[test]
    fn series_that_are_too_many_are_left_out_and_counted() {
        let meters = Meters::new();
        let all: Vec<_> = (0..5).map(|n| meters.of(&format!("app_{n}"), "r")).collect();
        all.iter().for_each(|meter| meter.record(&RequestOutcome { status: 200, ..RequestOutcome::default() }));
        let (text, left_out) = meters.prometheus(3, |_| 0);
        assert!(left_out == 2 && text.contains("app_2") && !text.contains("app_3"), "{text}");
        assert_eq!(meters.prometheus(5, |_| 0).1, 0);
    }

    #[test]
    fn a_release_that_nothing_leads_to_is_told_once_more_and_forgotten() {
        let meters = Meters::new();
        meters.of("app_1", "rel_1").record(&RequestOutcome { status: 500, ..RequestOutcome::default() });
        assert_eq!(meters.take(|_| 0).releases.len(), 1);
        assert!(meters.known.lock().unwrap().is_empty());
    }
}
