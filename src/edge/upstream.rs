//! One backend and what is known of it: how many requests it has in hand and whether it failed lately; and which of several to
//! ask next.
use super::Backend;
use rand::Rng;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a backend that could not be reached is passed over, where there are others.
const EJECTION: Duration = Duration::from_secs(3);

/// A backend and what is known of it.
#[derive(Debug)]
pub(super) struct Upstream {
    pub backend: Backend,
    in_flight: AtomicUsize,
    /// Milliseconds after `born` until which it is passed over.
    ejected_until: AtomicU64,
    born: Instant,
}

impl Upstream {
    pub fn new(backend: Backend) -> Arc<Self> {
        Arc::new(Upstream { backend, in_flight: AtomicUsize::new(0), ejected_until: AtomicU64::new(0), born: Instant::now() })
    }

    /// Requests in its hands.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    fn age(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn is_ejected(&self) -> bool {
        let until = self.ejected_until.load(Ordering::Relaxed);
        until != 0 && self.age() < until
    }

    /// Passes it over for a while: it could not be reached.
    pub fn eject(&self) {
        self.ejected_until.store(self.age() + EJECTION.as_millis() as u64, Ordering::Relaxed);
    }

    /// Takes it back: it has answered.
    pub fn restore(&self) {
        if self.ejected_until.load(Ordering::Relaxed) != 0 {
            self.ejected_until.store(0, Ordering::Relaxed);
        }
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

/// What a request has tried already.
#[derive(Debug, Default)]
pub(super) struct Tried {
    /// Backends that are not asked again.
    pub failed: Vec<Arc<Upstream>>,
    /// A kept connection to this one was dead, which says nothing of the backend: where no other is left it is asked again.
    pub stale: Option<Arc<Upstream>>,
}

impl Tried {
    fn has(&self, upstream: &Arc<Upstream>) -> bool {
        self.failed.iter().chain(&self.stale).any(|tried| Arc::ptr_eq(tried, upstream))
    }
}

/// The one with fewer requests in flight of two chosen at random. Backends that failed lately are chosen only where there are
/// no others, backends that failed this request never.
pub(super) fn choose<'a>(upstreams: &'a [Arc<Upstream>], tried: &Tried) -> Option<&'a Arc<Upstream>> {
    let stale = || tried.stale.as_ref().and_then(|stale| upstreams.iter().find(|u| Arc::ptr_eq(u, stale)));
    two_choices(upstreams, |u| !tried.has(u) && !u.is_ejected()).or_else(|| two_choices(upstreams, |u| !tried.has(u))).or_else(stale)
}

fn two_choices<'a>(all: &'a [Arc<Upstream>], fit: impl Fn(&&'a Arc<Upstream>) -> bool) -> Option<&'a Arc<Upstream>> {
    let count = all.iter().filter(&fit).count();
    let nth = |n: usize| all.iter().filter(&fit).nth(n);
    match count {
        0 => None,
        1 => nth(0),
        _ => {
            let mut rng = rand::rng();
            let one = rng.random_range(0..count);
            let other = (one + rng.random_range(1..count)) % count;
            // A backend's ejection may run out between the counts, hence `or`.
            let (one, other) = (nth(one)?, nth(other).or_else(|| nth(0))?);
            Some(if other.in_flight() < one.in_flight() { other } else { one })
        }
    }
}
