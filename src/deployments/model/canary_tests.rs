//! The judge, case by case and over what nobody thought of.
use super::*;
use crate::deployments::model::Step;
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_secs(60);

fn settings() -> CanarySettings {
    CanarySettings { steps: vec![Step { percent: 5, seconds: 300 }], ..CanarySettings::default() }
}

fn counts(requests: u64, errors: u64, p95_millis: u64) -> Counts {
    let p95 = (requests > 0).then_some(p95_millis * 1_000);
    Counts { requests, errors, p50_micros: p95.map(|it| it / 2), p95_micros: p95 }
}

fn look(old: Counts, new: Counts, lasted: Duration) -> (Verdict, Next) {
    judge(&settings(), 0, &old, &new, lasted)
}

fn sentence(next: Next) -> (&'static str, String) {
    match next {
        Next::RollBack { code, sentence } => (code, sentence),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_release_that_fails_more_is_told_with_the_numbers_of_both() {
    let (verdict, next) = look(counts(22_870, 23, 180), counts(1_204, 63, 180), MINUTE);
    assert_eq!(verdict, Verdict::Worse);
    let (code, said) = sentence(next);
    assert_eq!(code, "canary_worse");
    assert_eq!(said, "5.2 % of 1 204 requests failed; 0.1 % of 22 870 at the release before.");
}

#[test]
fn one_that_does_as_well_goes_on_after_its_shortest_time_and_not_before() {
    let (old, new) = (counts(2_000, 2, 100), counts(110, 0, 120));
    assert_eq!(look(old, new, MINUTE), (Verdict::Fine, Next::Wait));
    assert_eq!(look(old, new, 5 * MINUTE), (Verdict::Fine, Next::Advance));
}

#[test]
fn small_samples_prove_nothing() {
    let (old, few) = (counts(1_900, 0, 100), counts(99, 9, 5_000));
    assert_eq!(look(old, few, 10 * MINUTE), (Verdict::Waiting, Next::Wait));
    // Four failures are chance, however large a share they are.
    assert_eq!(look(old, counts(100, 4, 100), MINUTE).0, Verdict::Fine);
    assert_eq!(look(old, counts(100, 5, 100), MINUTE).0, Verdict::Worse);
    // The old release needs as many: what one is compared with must be known, too.
    assert_eq!(look(counts(50, 0, 100), counts(5_000, 0, 100), 10 * MINUTE), (Verdict::Waiting, Next::Wait));
}

#[test]
fn exactly_the_margin_is_not_beyond_it() {
    let settings = CanarySettings { error_margin_permille: 10, ..settings() };
    let judged = |new: u64| judge(&settings, 0, &counts(100, 6, 100), &counts(100, new, 100), MINUTE).0;
    assert_eq!((judged(7), judged(8)), (Verdict::Fine, Verdict::Worse));
}

#[test]
fn what_is_broken_is_taken_back_at_once() {
    let (verdict, next) = look(counts(200, 0, 100), counts(12, 12, 100), Duration::from_secs(3));
    assert_eq!(verdict, Verdict::Worse);
    assert_eq!(sentence(next).1, "100 % of 12 requests failed; 0 % of 200 at the release before.");
    assert_eq!(look(counts(200, 0, 100), counts(9, 9, 100), MINUTE).0, Verdict::Waiting);
    // Where everything fails, it is not the new release's fault.
    assert_eq!(look(counts(200, 150, 100), counts(12, 12, 100), MINUTE).0, Verdict::Waiting);
}

#[test]
fn an_old_release_that_fails_as_well_excuses_the_new_one() {
    assert_eq!(look(counts(2_000, 600, 100), counts(200, 60, 100), 5 * MINUTE), (Verdict::Fine, Next::Advance));
    assert_eq!(look(counts(2_000, 600, 100), counts(200, 20, 100), MINUTE).0, Verdict::Fine);
    assert_eq!(look(counts(2_000, 600, 100), counts(200, 64, 100), MINUTE).0, Verdict::Worse);
}

#[test]
fn a_slow_release_is_worse_only_by_the_factor_and_the_floor() {
    let old = counts(2_000, 0, 180);
    let (verdict, next) = look(old, counts(1_204, 0, 1_200), MINUTE);
    assert_eq!(verdict, Verdict::Worse);
    assert_eq!(
        sentence(next).1,
        "95 of 100 answers began within 1.2 s over 1 204 requests; within 180 ms over 2 000 at the release before."
    );
    // Ten times as slow, and nobody would notice.
    assert_eq!(look(counts(2_000, 0, 5), counts(200, 0, 50), MINUTE).0, Verdict::Fine);
    // 150 ms more, and a seventh of what it was.
    assert_eq!(look(counts(2_000, 0, 1_000), counts(200, 0, 1_150), MINUTE).0, Verdict::Fine);
    assert_eq!(look(old, counts(200, 0, 281), MINUTE).0, Verdict::Worse);
    assert_eq!(look(old, counts(200, 0, 270), MINUTE).0, Verdict::Fine);
}

#[test]
fn too_little_traffic_goes_as_the_settings_say() {
    let (old, new, long) = (counts(19, 0, 100), counts(1, 0, 100), 30 * MINUTE);
    assert_eq!(look(old, new, long - Duration::from_secs(1)), (Verdict::Waiting, Next::Wait));
    assert_eq!(look(old, new, long), (Verdict::Waiting, Next::Advance));
    assert_eq!(look(Counts::default(), Counts::default(), long), (Verdict::Waiting, Next::Advance));
    let hold = CanarySettings { too_little: TooLittle::Hold, ..settings() };
    assert_eq!(judge(&hold, 0, &old, &new, long * 10), (Verdict::Waiting, Next::Wait));
    let back = CanarySettings { too_little: TooLittle::RollBack, ..settings() };
    let (code, said) = sentence(judge(&back, 0, &old, &new, long).1);
    assert_eq!(code, "canary_unproven");
    assert!(said.contains("1 at the new release and 19 at the one before, 100 each"), "{said}");
    // Even then it must not fail: five of twenty is no good news.
    assert_eq!(look(old, counts(20, 5, 100), long).0, Verdict::Worse);
}

#[test]
fn numbers_are_written_for_people() {
    let cases =
        [(0.0, "0 %"), (0.001, "0.1 %"), (0.00001, "under 0.01 %"), (0.0004, "0.04 %"), (0.0523, "5.2 %"), (0.1, "10 %"), (1.0, "100 %")];
    for (share, words) in cases {
        assert_eq!(percent(share), words);
    }
    assert_eq!([grouped(0), grouped(999), grouped(1_204), grouped(1_000_000)], ["0", "999", "1 204", "1 000 000"]);
    assert_eq!([latency(250), latency(1_500), latency(180_000), latency(1_200_000)], ["250 µs", "1.5 ms", "180 ms", "1.2 s"]);
}

fn any_counts() -> impl Strategy<Value = Counts> {
    (0..50_000_u64, 0.0..=1.0_f64, 0..20_000_000_u64).prop_map(|(requests, share, p95)| Counts {
        requests,
        errors: (requests as f64 * share) as u64,
        p50_micros: (requests > 0).then_some(p95 / 2),
        p95_micros: (requests > 0).then_some(p95),
    })
}

fn any_settings() -> impl Strategy<Value = CanarySettings> {
    let too_little = prop_oneof![Just(TooLittle::Promote), Just(TooLittle::Hold), Just(TooLittle::RollBack)];
    (10..5_000_u32, 1..=1_000_u32, 110..=1_000_u32, 0..=5_000_u32, too_little).prop_map(|(min, margin, factor, floor, too_little)| {
        CanarySettings {
            min_requests: min,
            error_margin_permille: margin,
            p95_factor_percent: factor,
            p95_floor_millis: floor,
            too_little,
            ..settings()
        }
    })
}

proptest! {
    /// A release is never worse than itself.
    #[test]
    fn equals_are_equal(settings in any_settings(), it in any_counts(), seconds in 0..10_000_u64) {
        let (verdict, next) = judge(&settings, 0, &it, &it, Duration::from_secs(seconds));
        prop_assert_ne!(verdict, Verdict::Worse);
        if let Next::RollBack { code, .. } = next {
            prop_assert_eq!(code, "canary_unproven");
        }
    }

    /// Whoever fails less and answers faster is never worse; and who is worse stays so where he fails more.
    #[test]
    fn better_is_never_worse(settings in any_settings(), old in any_counts(), new in any_counts(), seconds in 0..10_000_u64) {
        let lasted = Duration::from_secs(seconds);
        let (verdict, next) = judge(&settings, 0, &old, &new, lasted);
        if new.error_share() <= old.error_share() && new.p95_micros <= old.p95_micros {
            prop_assert_ne!(verdict, Verdict::Worse);
        }
        prop_assert_eq!(verdict == Verdict::Worse, matches!(next, Next::RollBack { code: "canary_worse", .. }));
        let failing = Counts { errors: new.requests, ..new };
        if verdict == Verdict::Worse && old.error_share() <= 0.5 && new.errors >= FAILURES {
            prop_assert_eq!(judge(&settings, 0, &old, &failing, lasted).0, Verdict::Worse);
        }
    }

    /// Nothing is promoted on few requests before the longest time, and nothing before the shortest.
    #[test]
    fn nothing_is_promoted_early(settings in any_settings(), old in any_counts(), new in any_counts(), seconds in 0..10_000_u64) {
        let (verdict, next) = judge(&settings, 0, &old, &new, Duration::from_secs(seconds));
        let enough = old.requests.min(new.requests) >= u64::from(settings.min_requests);
        if next == Next::Advance {
            let least = if enough { settings.steps[0].seconds } else { settings.longest_seconds };
            prop_assert!(seconds >= u64::from(least));
            prop_assert_ne!(verdict, Verdict::Worse);
        }
    }
}
