//! How this process is: the requests that it has in hand, and when its loops last went round. For the operator's monitoring.
use crate::{runtime::clock::SystemClock, units::Timestamp};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// The rounds of one loop.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beat {
    pub passes: u64,
    pub failures: u64,
    /// How long the last one took.
    pub took: Duration,
}

/// How this process is.
#[derive(Debug)]
pub struct Heartbeats {
    began: Timestamp,
    taken: AtomicU64,
    answered: AtomicU64,
    beats: Mutex<BTreeMap<&'static str, Beat>>,
}

impl Default for Heartbeats {
    fn default() -> Self {
        use crate::runtime::clock::Clock;
        Heartbeats { began: SystemClock.now(), taken: AtomicU64::new(0), answered: AtomicU64::new(0), beats: Mutex::default() }
    }
}

/// A request that is in hand until this is dropped.
pub struct InHand<'a>(&'a Heartbeats);

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.0.answered.fetch_add(1, Relaxed);
    }
}

impl Heartbeats {
    /// Takes a request into hand.
    pub fn take(&self) -> InHand<'_> {
        self.taken.fetch_add(1, Relaxed);
        InHand(self)
    }

    /// Notes a loop's round.
    pub fn beat(&self, name: &'static str, took: Duration, is_well: bool) {
        let mut beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        let beat = beats.entry(name).or_default();
        *if is_well { &mut beat.passes } else { &mut beat.failures } += 1;
        beat.took = took;
    }

    /// When this process began, in seconds since 1970.
    pub fn began(&self) -> f64 {
        self.began.millis() as f64 / 1e3
    }

    /// Requests that were answered, and those in hand.
    pub fn requests(&self) -> (u64, u64) {
        let answered = self.answered.load(Relaxed);
        (answered, self.taken.load(Relaxed).saturating_sub(answered))
    }

    /// Every loop that went round.
    pub fn beats(&self) -> BTreeMap<&'static str, Beat> {
        self.beats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
