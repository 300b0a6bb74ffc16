//! When a certificate is renewed, when a failed attempt is repeated, and when the authority may be asked at all. Pure.
use crate::{store::backoff::Backoff, units::Timestamp};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Failed validations of one registered domain within an hour, and certificates within a week: what the best known authority allows.
pub const FAILED_AN_HOUR: usize = 5;
/// See [`FAILED_AN_HOUR`].
pub const ISSUED_A_WEEK: usize = 50;
/// How long attempts are remembered.
pub const REMEMBERED: Duration = Duration::from_secs(7 * 86_400);
/// How long before its end a certificate that nobody renews is worth a warning.
pub const NOTICE: Duration = Duration::from_secs(21 * 86_400);
/// How often a proven domain is looked at again.
pub const AGAIN: Duration = DAY;
/// How often one whose proof was missing is.
pub const AGAIN_FAILING: Duration = Duration::from_secs(12 * 3_600);
/// Checks in a row without the proof that end a claim.
pub const LAPSES_AFTER: i64 = 5;
/// How soon it is looked again where the name servers gave no answer.
pub const AGAIN_UNKNOWN: Duration = Duration::from_secs(600);

/// How soon another certificate is ordered where the clocks are far apart.
pub const AGAIN_SKEWED: Duration = Duration::from_secs(12 * 3_600);
/// How often a certificate that is served is looked at: whether its key can be read, and whether visitors trust its issuer.
pub const LOOK: Duration = DAY;

/// Whether a certificate that was issued just now, by our clock, is not in force: it ends before, or begins much later.
pub fn are_apart(from: Timestamp, to: Timestamp, now: Timestamp) -> bool {
    to <= now || from > now + HOUR
}

/// When a certificate is renewed: at two thirds of its life.
pub fn renew_at(from: Timestamp, to: Timestamp) -> Timestamp {
    from + to.since(from) * 2 / 3
}

/// How long to wait after so many failures in a row: 5 min, 10 min, 20 min … up to 12 h.
pub fn backoff(failures: u32) -> Duration {
    Backoff { first: Duration::from_secs(300), longest: HOUR * 12 }.after(failures)
}

/// How long after it was made a claim that is not proven is looked at again: often at first, after a month no more.
pub fn next_look(made: Timestamp, now: Timestamp) -> Option<Duration> {
    match now.since(made) {
        age if age < HOUR => Some(MINUTE),
        age if age < DAY => Some(MINUTE * 10),
        age if age < DAY * 30 => Some(HOUR * 6),
        _ => None,
    }
}

/// When the authority may be asked again, where too much was asked already. Both lists are of one registered domain.
pub fn budget(failed: &[Timestamp], issued: &[Timestamp], now: Timestamp) -> Option<(Timestamp, &'static str)> {
    let free_at = |all: &[Timestamp], most: usize, window: Duration| {
        let mut within: Vec<Timestamp> = all.iter().copied().filter(|at| *at + window > now).collect();
        within.sort_unstable();
        (within.len() >= most).then(|| within[within.len() - most] + window)
    };
    let failed = free_at(failed, FAILED_AN_HOUR, HOUR).map(|at| (at, "5 attempts for this domain failed within an hour"));
    let issued = free_at(issued, ISSUED_A_WEEK, REMEMBERED).map(|at| (at, "50 certificates were issued for this domain within a week"));
    failed.into_iter().chain(issued).max_by_key(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_of_ninety_days_is_renewed_after_sixty() {
        let from = Timestamp(1_000);
        assert_eq!(renew_at(from, from + DAY * 90), from + DAY * 60);
    }

    #[test]
    fn clocks_are_apart_where_a_new_certificate_is_not_in_force() {
        let now = Timestamp(1_000_000_000_000);
        assert!(!are_apart(now - HOUR, now + DAY, now));
        assert!(!are_apart(now + MINUTE, now + DAY, now));
        assert!(are_apart(now + HOUR * 2, now + DAY, now));
        assert!(are_apart(now - DAY * 2, now - DAY, now));
    }

    #[test]
    fn failures_are_repeated_ever_more_slowly() {
        assert_eq!([1, 2, 3].map(backoff), [MINUTE * 5, MINUTE * 10, MINUTE * 20]);
        assert_eq!(backoff(40), HOUR * 12);
    }

    #[test]
    fn the_budget_is_free_again_when_the_oldest_is_out_of_the_window() {
        let now = Timestamp(1_000_000_000_000);
        let ago = |minutes: u32| now - MINUTE * minutes;
        assert_eq!(budget(&[ago(1), ago(2), ago(3), ago(4)], &[], now), None);
        let five = [ago(50), ago(2), ago(3), ago(4), ago(1), ago(90)];
        assert_eq!(budget(&five, &[], now).map(|it| it.0), Some(now + MINUTE * 10));
        let fifty = vec![now - DAY; 50];
        assert_eq!(budget(&five, &fifty, now).map(|it| it.0), Some(now + DAY * 6));
    }
}
