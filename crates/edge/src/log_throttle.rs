//! A throttle for log lines that strangers cause: each cause is logged, and no flood of them fills the log.
use std::{
    sync::Mutex,
    time::{Duration, Instant},
};
use tracing::info;

/// How many lines are written in one [`WINDOW`].
const LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(60);

/// Writes the first lines of a minute, and counts the others.
#[derive(Debug)]
pub(super) struct LogThrottle {
    window: Mutex<(Instant, u32)>,
}

impl LogThrottle {
    pub fn new() -> Self {
        LogThrottle { window: Mutex::new((Instant::now(), 0)) }
    }

    /// Whether a line may be written now. It counts as written.
    fn may_speak(&self) -> bool {
        let mut window = self.window.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if window.0.elapsed() >= WINDOW {
            if window.1 > LINES {
                info!("{} more requests were refused in the last minute that are not written here", window.1 - LINES);
            }
            *window = (Instant::now(), 0);
        }
        window.1 = window.1.saturating_add(1);
        window.1 <= LINES
    }

    /// Says that something was refused, and whose it was.
    pub fn refused(&self, client: std::net::IpAddr, what: &str, why: &str) {
        if self.may_speak() {
            info!(%client, what, ?why, "refused");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_writes_no_more_than_a_few_lines() {
        let log = LogThrottle::new();
        assert_eq!((0..10_000).filter(|_| log.may_speak()).count(), LINES as usize);
    }
}
