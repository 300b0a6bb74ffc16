//! One backend and what is known of it: how many requests it has in hand and whether it failed lately; and which of several to
//! ask next.
use super::{prober::ProbeRequest, signals::Meter, snapshot::Backend};
use rand::Rng;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a backend that could not be reached is passed over, where there are others; twice as long each time it fails again.
const EJECTION: Duration = Duration::from_secs(3);
const LONGEST_EJECTION: Duration = Duration::from_secs(60);
/// So many answers of 5xx in a row are taken for a failure of the backend.
const BAD_ANSWERS: u32 = 10;
/// What a backend gets of its share as it begins.
const FIRST_SHARE: f64 = 0.1;

/// A backend and what is known of it.
#[derive(Debug)]
pub(super) struct Upstream {
    pub backend: Backend,
    pub meter: Arc<Meter>,
    /// The same for this backend on every edge.
    pub mark: StickyMark,
    in_flight: AtomicUsize,
    /// Milliseconds after `born` until which it is passed over.
    ejected_until: AtomicU64,
    /// How often it was ejected since it last answered.
    strikes: AtomicU32,
    /// Answers of 5xx since the last other one.
    bad_answers: AtomicU32,
    born: Instant,
    /// Milliseconds after `born` at which it began to take requests, the last time.
    joined: AtomicU64,
    /// Its probe says that it does not answer.
    is_out: AtomicBool,
    watched: Mutex<Watched>,
}

/// How a backend is probed.
#[derive(Debug, Default)]
struct Watched {
    /// As the live table wants it, if it does.
    asked: Option<Arc<ProbeRequest>>,
    /// Somebody sees to it.
    is_watched: bool,
}

/// A task and its release in short, for a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StickyMark {
    pub task: u64,
    pub release: u64,
}

impl StickyMark {
    pub fn of(backend: &Backend) -> Self {
        StickyMark { task: short(&backend.task), release: short(&backend.release) }
    }
}

/// FNV-1a: it need not be strong, only the same everywhere; the cookie is signed.
pub(super) fn short(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Upstream {
    pub fn new(backend: Backend, meter: Arc<Meter>) -> Arc<Self> {
        Arc::new(Upstream {
            mark: StickyMark::of(&backend),
            backend,
            meter,
            in_flight: AtomicUsize::new(0),
            ejected_until: AtomicU64::new(0),
            strikes: AtomicU32::new(0),
            bad_answers: AtomicU32::new(0),
            born: Instant::now(),
            joined: AtomicU64::new(0),
            is_out: AtomicBool::new(false),
            watched: Mutex::default(),
        })
    }

    /// Requests in its hands.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    fn age(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether it is passed over where there are others.
    pub fn is_ejected(&self) -> bool {
        let until = self.ejected_until.load(Ordering::Relaxed);
        self.is_out.load(Ordering::Relaxed) || (until != 0 && self.age() < until)
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how it is to be probed from now on.
    pub fn ask(&self, asked: Option<ProbeRequest>) {
        let mut watched = self.watched();
        if watched.asked.as_deref() != asked.as_ref() {
            watched.asked = asked.map(Arc::new);
        }
    }

    /// How it is to be probed. `None` tells the watcher to stop; the last probe's result is dropped.
    pub fn asked(&self) -> Option<Arc<ProbeRequest>> {
        let mut watched = self.watched();
        if watched.asked.is_none() {
            watched.is_watched = false;
            self.is_out.store(false, Ordering::Relaxed);
        }
        watched.asked.clone()
    }

    /// Whether somebody has to begin to watch it.
    pub fn begin_watch(&self) -> bool {
        let mut watched = self.watched();
        let is_due = watched.asked.is_some() && !watched.is_watched;
        watched.is_watched |= is_due;
        is_due
    }

    /// Whether its probe fails.
    pub fn is_out(&self) -> bool {
        self.is_out.load(Ordering::Relaxed)
    }

    /// Its probe failed. Says whether that is new.
    pub fn take_out(&self) -> bool {
        !self.is_out.swap(true, Ordering::Relaxed)
    }

    /// Its probe succeeded. Says whether that is new; it then begins slowly, as a task that joins.
    pub fn bring_back(&self) -> bool {
        let is_new = self.is_out.swap(false, Ordering::Relaxed);
        if is_new {
            self.joined.store(self.age(), Ordering::Relaxed);
            self.strikes.store(0, Ordering::Relaxed);
            self.ejected_until.store(0, Ordering::Relaxed);
        }
        is_new
    }

    /// Passes it over for a while: it could not be reached, or only fails. Requests that failed together count as one.
    pub fn eject(&self) {
        if self.is_ejected() {
            return;
        }
        let strikes = self.strikes.fetch_add(1, Ordering::Relaxed).min(8);
        let length = (EJECTION * 2_u32.pow(strikes)).min(LONGEST_EJECTION);
        self.ejected_until.store(self.age() + length.as_millis() as u64, Ordering::Relaxed);
    }

    /// It has answered.
    pub fn answered(&self, status: u16) {
        if status >= 500 {
            if self.bad_answers.fetch_add(1, Ordering::Relaxed) + 1 >= BAD_ANSWERS {
                self.bad_answers.store(0, Ordering::Relaxed);
                self.eject();
            }
        } else if self.bad_answers.load(Ordering::Relaxed) != 0 || self.strikes.load(Ordering::Relaxed) != 0 {
            self.bad_answers.store(0, Ordering::Relaxed);
            self.strikes.store(0, Ordering::Relaxed);
            self.ejected_until.store(0, Ordering::Relaxed);
        }
    }

    /// What it should get of its share, 0 to 1.
    fn share(&self, slow_start: Duration) -> f64 {
        let age = self.born.elapsed().saturating_sub(Duration::from_millis(self.joined.load(Ordering::Relaxed)));
        if age >= slow_start { 1.0 } else { FIRST_SHARE.max(age.as_secs_f64() / slow_start.as_secs_f64()) }
    }
}

/// A request in the hands of a backend. It counts until it is dropped, whatever the reason.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Upstream>);

impl InFlight {
    /// Counts one more request.
    pub fn begin(upstream: Arc<Upstream>) -> Self {
        upstream.in_flight.fetch_add(1, Ordering::SeqCst);
        InFlight(upstream)
    }

    /// The backend that has it.
    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a request has tried already, and where it would like to go.
#[derive(Debug, Default)]
pub(super) struct Tried {
    /// Backends that are not asked again.
    pub failed: Vec<Arc<Upstream>>,
    /// A kept connection to this one was dead, which says nothing of the backend: where no other is left it is asked again.
    pub stale: Option<Arc<Upstream>>,
    /// Where the client was before.
    pub wish: Option<StickyMark>,
    /// The release that the client asks for, in short.
    pub release: Option<u64>,
}

impl Tried {
    fn has(&self, upstream: &Arc<Upstream>) -> bool {
        self.failed.iter().chain(&self.stale).any(|tried| Arc::ptr_eq(tried, upstream))
    }
}

/// Backends in groups that have a share each.
#[derive(Debug, Default)]
pub(super) struct Pool {
    all: Vec<Arc<Upstream>>,
    /// Empty where all are equal.
    shares: Vec<(u32, Vec<Arc<Upstream>>)>,
    slow_start: Duration,
}

impl Pool {
    pub fn new(all: Vec<Arc<Upstream>>, weight: impl Fn(&str) -> Option<u32>, slow_start: Duration) -> Self {
        let mut shares: Vec<(u32, Vec<Arc<Upstream>>)> = Vec::new();
        for upstream in &all {
            let Some(weight) = weight(&upstream.backend.release).filter(|weight| *weight > 0) else { continue };
            match shares.iter_mut().find(|(_, group)| group[0].backend.release == upstream.backend.release) {
                Some((_, group)) => group.push(upstream.clone()),
                None => shares.push((weight, vec![upstream.clone()])),
            }
        }
        Pool { all, shares, slow_start }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The backend to ask next. What the client asks for comes first, then where it was before, then shares, then the one with fewer requests in hand of two
    /// chosen at random. Backends that failed lately are chosen only where there are no others, backends that failed this request
    /// never.
    pub fn choose(&self, tried: &Tried) -> Option<&Arc<Upstream>> {
        if let Some(release) = tried.release
            && let Some(upstream) = self.of_release(release, tried)
        {
            return Some(upstream);
        }
        if let Some(wish) = tried.wish
            && let Some(upstream) = self.wished(wish, tried)
        {
            return Some(upstream);
        }
        let is_fit = |u: &Arc<Upstream>| !tried.has(u) && !u.is_ejected();
        let stale = || tried.stale.as_ref().and_then(|stale| self.all.iter().find(|u| Arc::ptr_eq(u, stale)));
        let group = self.group(is_fit);
        two_choices(group, is_fit, self.slow_start)
            .or_else(|| two_choices(&self.all, is_fit, Duration::ZERO))
            .or_else(|| two_choices(&self.all, |u| !tried.has(u), Duration::ZERO))
            .or_else(stale)
    }

    /// A backend of a release, whatever its share; the one where the client was before, if it is one of them.
    fn of_release(&self, release: u64, tried: &Tried) -> Option<&Arc<Upstream>> {
        let is_fit = |u: &Arc<Upstream>| u.mark.release == release && !tried.has(u) && !u.is_ejected();
        let before = tried.wish.and_then(|wish| self.all.iter().find(|u| u.mark == wish && is_fit(u)));
        before.or_else(|| two_choices(&self.all, is_fit, Duration::ZERO))
    }

    fn wished(&self, wish: StickyMark, tried: &Tried) -> Option<&Arc<Upstream>> {
        // A release that was taken out of the shares keeps nobody.
        let is_shared =
            |u: &Arc<Upstream>| self.shares.is_empty() || self.shares.iter().any(|(_, group)| group[0].mark.release == u.mark.release);
        let is_fit = |u: &Arc<Upstream>| !tried.has(u) && !u.is_ejected() && is_shared(u);
        let task = self.all.iter().find(|u| u.mark == wish && is_fit(u));
        task.or_else(|| two_choices(&self.all, |u| u.mark.release == wish.release && is_fit(u), Duration::ZERO))
    }

    /// The group whose turn it is, of those that have a backend to ask.
    fn group(&self, is_fit: impl Fn(&Arc<Upstream>) -> bool) -> &[Arc<Upstream>] {
        if self.shares.is_empty() {
            return &self.all;
        }
        let fit = || self.shares.iter().filter(|(_, group)| group.iter().any(&is_fit));
        let total: u32 = fit().map(|(weight, _)| weight).sum();
        if total == 0 {
            return &[];
        }
        let mut left = rand::rng().random_range(0..total);
        for (weight, group) in fit() {
            if left < *weight {
                return group;
            }
            left -= weight;
        }
        &[]
    }
}

fn two_choices(all: &[Arc<Upstream>], is_fit: impl Fn(&Arc<Upstream>) -> bool, slow_start: Duration) -> Option<&Arc<Upstream>> {
    if let [only] = all {
        return is_fit(only).then_some(only);
    }
    let count = all.iter().filter(|u| is_fit(u)).count();
    let nth = |n: usize| all.iter().filter(|u| is_fit(u)).nth(n);
    match count {
        0 => None,
        1 => nth(0),
        _ => {
            let mut rng = rand::rng();
            let one = rng.random_range(0..count);
            let other = (one + rng.random_range(1..count)) % count;
            // A backend's ejection may run out between the counts, hence `or`.
            let (one, other) = (nth(one)?, nth(other).or_else(|| nth(0))?);
            if !slow_start.is_zero() {
                let (mine, theirs) = (one.share(slow_start), other.share(slow_start));
                // The younger of two gives way as often as its age asks for.
                if mine != theirs && !rng.random_bool(mine.min(theirs)) {
                    return Some(if mine < theirs { other } else { one });
                }
            }
            Some(if other.in_flight() < one.in_flight() { other } else { one })
        }
    }
}
