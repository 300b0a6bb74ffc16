//! A canary as both sides know it: what each release was asked in a step and how it answered, and the judge that compares the two. The
//! judge is a pure function of the counts, so that every case can be read and tested here.
use super::{CanarySettings, TooLittle};
use crate::{
    id::DeploymentId,
    units::{Timestamp, spoken},
};
use serde::{Deserialize, Serialize};
use std::{str::FromStr, time::Duration};

/// Failed answers below this prove nothing, whatever share they are.
pub const FAILURES: u64 = 5;
/// So many failed answers that are more than half of all end a canary at once, however few requests were asked for.
pub const BROKEN: u64 = 10;

/// What one release was asked in a step, and how it answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Counts {
    pub requests: u64,
    /// Answers of 500 to 599.
    pub errors: u64,
    /// Half of the answers began within this; microseconds.
    pub p50_micros: Option<u64>,
    /// 95 of 100 answers began within this; microseconds.
    pub p95_micros: Option<u64>,
}

impl Counts {
    /// Failed answers of all, 0 to 1.
    pub fn error_share(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.errors as f64 / self.requests as f64 }
    }

    /// The same for people.
    pub fn error_words(&self) -> String {
        percent(self.error_share())
    }
}

/// A share for people: `5.2 %`, `0.04 %`, `0 %`.
pub fn percent(share: f64) -> String {
    let text = if share >= 0.01 { format!("{:.1}", share * 100.0) } else { format!("{:.2}", share * 100.0) };
    let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if short == "0" && share > 0.0 { "under 0.01 %".into() } else { format!("{short} %") }
}

/// A number in groups of three: `22 870`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// A latency for people.
pub fn latency(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        _ => spoken(Duration::from_micros(micros)),
    }
}

/// What the numbers of a step say so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CanaryVerdict)]
pub enum Verdict {
    /// Too few requests for a judgement.
    #[default]
    Waiting,
    /// No worse than the release before.
    Fine,
    /// Worse by more than the margin.
    Worse,
}

/// What follows from a look at the numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The step goes on.
    Wait,
    /// The next step, or everybody.
    Advance,
    /// Back to the release before, because of this.
    RollBack {
        /// Stable: `canary_worse` or `canary_unproven`.
        code: &'static str,
        /// One sentence with the numbers of both.
        sentence: String,
    },
}

/// Compares two releases over the same span.
///
/// - Both must have had [`CanarySettings::min_requests`] in this step; before that, only a release that fails more than half of its
///   requests, [`BROKEN`] at least, is taken back at once.
/// - It is worse where its share of 5xx is larger than the old one's by more than the margin (and it failed [`FAILURES`] times at
///   least), or where its p95 is larger by more than the factor and by more than the floor.
/// - A step that is no worse ends after its shortest time. One with too few requests ends after the longest, as the settings say; what
///   there is must not fail more than the margin allows even then.
pub fn judge(settings: &CanarySettings, step: usize, old: &Counts, new: &Counts, lasted: Duration) -> (Verdict, Next) {
    let Some(step) = settings.steps.get(step) else { return (Verdict::Fine, Next::Advance) };
    let worse = |sentence| (Verdict::Worse, Next::RollBack { code: "canary_worse", sentence });
    if new.errors >= BROKEN && new.errors * 2 > new.requests && old.error_share() <= 0.5 {
        return worse(more_errors(old, new));
    }
    let enough = old.requests.min(new.requests) >= u64::from(settings.min_requests);
    if enough {
        return match compare(settings, old, new) {
            Some(sentence) => worse(sentence),
            None if lasted >= Duration::from_secs(u64::from(step.seconds)) => (Verdict::Fine, Next::Advance),
            None => (Verdict::Fine, Next::Wait),
        };
    }
    if lasted < Duration::from_secs(u64::from(settings.longest_seconds)) {
        return (Verdict::Waiting, Next::Wait);
    }
    if fails_more(settings, old, new) {
        return worse(more_errors(old, new));
    }
    let next = match settings.too_little {
        TooLittle::Promote => Next::Advance,
        TooLittle::Hold => Next::Wait,
        TooLittle::RollBack => Next::RollBack {
            code: "canary_unproven",
            sentence: format!(
                "Too few requests for a judgement within {}: {} at the new release and {} at the one before, {} each are needed.",
                spoken(Duration::from_secs(u64::from(settings.longest_seconds))),
                grouped(new.requests),
                grouped(old.requests),
                grouped(u64::from(settings.min_requests)),
            ),
        },
    };
    (Verdict::Waiting, next)
}

fn fails_more(settings: &CanarySettings, old: &Counts, new: &Counts) -> bool {
    // In whole numbers: a share that is exactly the margin apart is not beyond it.
    let [new_requests, old_requests] = [new, old].map(|it| i128::from(it.requests.max(1)));
    let apart = i128::from(new.errors) * old_requests - i128::from(old.errors) * new_requests;
    new.errors >= FAILURES && apart * 1_000 > i128::from(settings.error_margin_permille) * new_requests * old_requests
}

fn compare(settings: &CanarySettings, old: &Counts, new: &Counts) -> Option<String> {
    if fails_more(settings, old, new) {
        return Some(more_errors(old, new));
    }
    let (was, is) = (old.p95_micros?, new.p95_micros?);
    let by_factor = u128::from(is) * 100 > u128::from(was) * u128::from(settings.p95_factor_percent);
    let by_floor = is > was.saturating_add(u64::from(settings.p95_floor_millis) * 1_000);
    (by_factor && by_floor).then(|| {
        format!(
            "95 of 100 answers began within {} over {} requests; within {} over {} at the release before.",
            latency(is),
            grouped(new.requests),
            latency(was),
            grouped(old.requests)
        )
    })
}

fn more_errors(old: &Counts, new: &Counts) -> String {
    format!(
        "{} of {} requests failed; {} of {} at the release before.",
        new.error_words(),
        grouped(new.requests),
        old.error_words(),
        grouped(old.requests)
    )
}

/// What somebody wants of a canary that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Promote,
    RollBack,
}

impl Wish {
    /// The word in the database.
    pub fn name(self) -> &'static str {
        match self {
            Wish::Promote => "promote",
            Wish::RollBack => "roll_back",
        }
    }
}

impl FromStr for Wish {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Wish::Promote, Wish::RollBack].into_iter().find(|it| it.name() == text).ok_or("A canary is promoted or rolled back.")
    }
}

/// How a canary ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It passed, or somebody let everybody have it.
    Promoted,
    /// It was worse, or somebody took it back.
    RolledBack,
    /// The deployment was cancelled.
    Cancelled,
    /// A newer deployment took its place.
    Superseded,
    /// Something else ended it: its replicas, the swarm, a deadline.
    Failed,
}

impl Outcome {
    const ALL: [Outcome; 5] = [Outcome::Promoted, Outcome::RolledBack, Outcome::Cancelled, Outcome::Superseded, Outcome::Failed];

    /// The word on the wire and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Promoted => "promoted",
            Outcome::RolledBack => "rolled_back",
            Outcome::Cancelled => "cancelled",
            Outcome::Superseded => "superseded",
            Outcome::Failed => "failed",
        }
    }

    /// The words on the page.
    pub fn words(self) -> &'static str {
        match self {
            Outcome::Promoted => "Promoted",
            Outcome::RolledBack => "Rolled back",
            Outcome::Cancelled => "Cancelled",
            Outcome::Superseded => "Ended by a newer deployment",
            Outcome::Failed => "Failed",
        }
    }
}

impl std::str::FromStr for Outcome {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Outcome::ALL.into_iter().find(|it| it.name() == text).ok_or_else(|| format!("“{text}” is no outcome of a canary."))
    }
}

/// What both releases did in one step, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = CanaryNumbers)]
pub struct Numbers {
    /// The release before.
    pub old: Counts,
    /// The canary.
    pub new: Counts,
    pub verdict: Verdict,
}

/// One step that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CanaryStep {
    /// Counts from 1.
    pub number: i64,
    /// Of the requests.
    pub percent: i64,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// When it ends at the earliest.
    pub next_at: Timestamp,
    #[serde(flatten)]
    pub numbers: Numbers,
}

/// A canary that runs or ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Canary {
    /// As they were when the deployment was asked for.
    pub settings: CanarySettings,
    /// The deployment that it is compared with.
    pub previous_deployment_id: Option<DeploymentId>,
    /// Percent of the requests that the new release gets now.
    pub share: i64,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub outcome: Option<Outcome>,
    /// The name of whoever decided, where somebody did.
    pub decided_by: Option<String>,
    /// The steps that were begun, the present one last.
    pub steps: Vec<CanaryStep>,
}

impl Canary {
    /// Nothing is decided yet.
    pub fn is_running(&self) -> bool {
        self.outcome.is_none()
    }

    /// What the numbers of the present step say, in a sentence.
    pub fn sentence(&self) -> String {
        let Some(step) = self.steps.last() else { return String::new() };
        let Numbers { old, new, verdict } = &step.numbers;
        match verdict {
            Verdict::Waiting => {
                let min = u64::from(self.settings.min_requests);
                format!("Too few requests to compare: {} each are needed.", grouped(min))
            }
            Verdict::Fine => "No worse than the release before.".into(),
            Verdict::Worse => compare(&self.settings, old, new).unwrap_or_else(|| more_errors(old, new)),
        }
    }
}

#[cfg(test)]
#[path = "canary_tests.rs"]
mod tests;
