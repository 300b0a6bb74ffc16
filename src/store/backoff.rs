//! How long to wait before something that failed is tried again: twice as long after each failure, up to a bound.
use std::time::Duration;

/// The first and the longest wait.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    pub first: Duration,
    pub longest: Duration,
}

impl Backoff {
    /// The wait after so many failures in a row; after none as after one.
    pub fn after(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(30);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }

    /// The same, give or take a quarter: many that failed together do not come back together.
    pub fn jittered(self, failures: u32) -> Duration {
        self.after(failures).mul_f64(rand::random_range(0.75..1.25))
    }
}

/// How often something failed, from a column.
pub fn failures(attempts: i64) -> u32 {
    u32::try_from(attempts.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: Backoff = Backoff { first: Duration::from_secs(5), longest: Duration::from_secs(3_600) };

    #[test]
    fn waits_double_up_to_their_bound() {
        let waits: Vec<u64> = (0..=12).map(|failures| SECONDS.after(failures).as_secs()).collect();
        assert_eq!(waits, [5, 5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600]);
        assert_eq!(SECONDS.after(failures(i64::MAX)), SECONDS.longest);
    }

    #[test]
    fn those_that_failed_together_come_back_apart() {
        for failures in [0, 1, 4, u32::MAX] {
            let waited = SECONDS.jittered(failures).as_secs_f64() / SECONDS.after(failures).as_secs_f64();
            assert!((0.75..1.25).contains(&waited), "{failures}: {waited}");
        }
    }
}
