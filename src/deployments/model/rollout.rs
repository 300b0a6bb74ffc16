//! How a new release comes before visitors: all at once, or as a canary, by steps. What an application says of it, how it is typed, and
//! the rules for both.
use crate::error::{Fields, Result};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};

/// Steps that a canary may have.
pub const MAX_STEPS: usize = 10;
/// The longest that a step may be set to, in seconds: a day.
pub const LONGEST_STEP: u32 = 86_400;
/// How much longer than its steps a canary may be held before somebody must have decided.
pub const PATIENCE: Duration = Duration::from_secs(86_400);

/// How a new release takes the place of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// All visitors at once, when every replica answers.
    #[default]
    BlueGreen,
    /// A growing share of them, as long as it does no worse than the release before.
    Canary,
}

impl Strategy {
    /// The word on the wire and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Strategy::BlueGreen => "blue_green",
            Strategy::Canary => "canary",
        }
    }

    /// The word on the page.
    pub fn word(self) -> &'static str {
        match self {
            Strategy::BlueGreen => "All at once",
            Strategy::Canary => "Canary",
        }
    }
}

impl FromStr for Strategy {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let known = [Strategy::BlueGreen, Strategy::Canary].into_iter().find(|it| it.name() == text.trim());
        known.ok_or("A strategy is blue_green (all visitors at once) or canary (a growing share of them).")
    }
}

/// What is done with a step that saw too few requests for a judgement in its longest time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TooLittle {
    /// No news is good news: the next step.
    #[default]
    Promote,
    /// It stays until there are enough, or somebody decides.
    Hold,
    /// What is not proven is taken back.
    RollBack,
}

impl TooLittle {
    /// All of them, the usual one first.
    pub const ALL: [TooLittle; 3] = [TooLittle::Promote, TooLittle::Hold, TooLittle::RollBack];

    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            TooLittle::Promote => "promote",
            TooLittle::Hold => "hold",
            TooLittle::RollBack => "roll_back",
        }
    }

    /// The words on the page.
    pub fn words(self) -> &'static str {
        match self {
            TooLittle::Promote => "Go on to the next step",
            TooLittle::Hold => "Wait until there are enough, or somebody decides",
            TooLittle::RollBack => "Roll back",
        }
    }
}

impl FromStr for TooLittle {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let known = Self::ALL.into_iter().find(|it| it.name() == text.trim());
        known.ok_or("With too few requests a canary can promote, hold or roll_back.")
    }
}

/// One step: a share of the requests, for at least some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Of the requests, 1 to 99.
    pub percent: u32,
    /// At least so long, 10 seconds to a day.
    pub seconds: u32,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            s if s % 3_600 == 0 => write!(f, "{} % for {} h", self.percent, s / 3_600),
            s if s % 60 == 0 => write!(f, "{} % for {} min", self.percent, s / 60),
            s => write!(f, "{} % for {s} s", self.percent),
        }
    }
}

impl FromStr for Step {
    type Err = String;
    /// `5 % for 10 min`: the words may be left out, and minutes are meant where no unit stands.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("“{}” is no step. Write a share and a time, like “5 % for 10 min”.", text.trim());
        let spread: String = text.chars().flat_map(|c| if c == '%' { vec![' '] } else { vec![c] }).collect();
        let mut numbers = Vec::new();
        let mut unit = 60;
        for word in spread.split_whitespace() {
            let digits: String = word.chars().take_while(char::is_ascii_digit).collect();
            if !digits.is_empty() {
                numbers.push(digits.parse::<u32>().map_err(|_| wrong())?);
            }
            match &word[digits.len()..] {
                "" if !digits.is_empty() => {}
                "for" if digits.is_empty() => {}
                "s" | "sec" | "seconds" => unit = 1,
                "m" | "min" | "minutes" | "minute" => unit = 60,
                "h" | "hours" | "hour" => unit = 3_600,
                _ => return Err(wrong()),
            }
        }
        let [percent, time] = numbers[..] else { return Err(wrong()) };
        Ok(Step { percent, seconds: time.checked_mul(unit).ok_or_else(wrong)? })
    }
}

/// How a canary goes and what it is measured by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CanarySettings {
    /// The shares, growing; after the last one everybody gets the release.
    pub steps: Vec<Step>,
    /// How long a step waits for enough requests at most.
    pub longest_seconds: u32,
    /// Requests that each of the two releases must have had in a step before they are compared.
    pub min_requests: u32,
    /// How much larger the share of failed answers (5xx) may be than the old release's, in tenths of a percentage point.
    pub error_margin_permille: u32,
    /// How much slower the release may be: its p95 in percent of the old release's.
    pub p95_factor_percent: u32,
    /// A p95 that is slower by less than this is never worse; milliseconds.
    pub p95_floor_millis: u32,
    pub too_little: TooLittle,
    /// A visitor stays with the release that she met first, by a cookie. Shares are then shares of visitors.
    pub sticky: bool,
}

impl Default for CanarySettings {
    fn default() -> Self {
        CanarySettings {
            steps: [5, 25, 50].into_iter().map(|percent| Step { percent, seconds: 300 }).collect(),
            longest_seconds: 1_800,
            min_requests: 100,
            error_margin_permille: 10,
            p95_factor_percent: 150,
            p95_floor_millis: 100,
            too_little: TooLittle::Promote,
            sticky: false,
        }
    }
}

impl CanarySettings {
    /// How long all of it may take.
    pub fn deadline(&self) -> Duration {
        let steps = Duration::from_secs(u64::from(self.longest_seconds) * self.steps.len() as u64);
        let held = if self.too_little == TooLittle::Hold { PATIENCE } else { Duration::ZERO };
        steps + held + Duration::from_secs(600)
    }

    /// The steps as they are typed, one a line.
    pub fn typed_steps(&self) -> String {
        self.steps.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    fn check(&self, fields: &mut Fields) {
        if self.steps.is_empty() || self.steps.len() > MAX_STEPS {
            fields.refuse("canary.steps", format!("1 to {MAX_STEPS} steps."));
        }
        if self.steps.iter().any(|step| !(1..=99).contains(&step.percent)) {
            fields.refuse("canary.steps", "A step’s share is 1 to 99 %. After the last one everybody gets the release.");
        } else if self.steps.windows(2).any(|pair| pair[0].percent >= pair[1].percent) {
            fields.refuse("canary.steps", "Each step’s share is larger than the one before.");
        }
        if self.steps.iter().any(|step| !(10..=LONGEST_STEP).contains(&step.seconds)) {
            fields.refuse("canary.steps", "A step takes 10 seconds to 24 hours.");
        }
        let shortest = self.steps.iter().map(|step| step.seconds).max().unwrap_or_default();
        if !(10..=LONGEST_STEP).contains(&self.longest_seconds) {
            fields.refuse("canary.longest_seconds", "The longest time is 10 seconds to 24 hours.");
        } else if self.longest_seconds < shortest {
            fields.refuse("canary.longest_seconds", "The longest time is not shorter than any step.");
        }
        if !(10..=1_000_000).contains(&self.min_requests) {
            fields.refuse("canary.min_requests", "10 to 1 000 000 requests. Fewer than 10 tell nothing.");
        }
        if !(1..=1_000).contains(&self.error_margin_permille) {
            fields.refuse("canary.error_margin_permille", "0.1 to 100 percentage points (1 to 1000 tenths of one).");
        }
        if !(110..=1_000).contains(&self.p95_factor_percent) {
            fields.refuse("canary.p95_factor_percent", "110 to 1000 %. Times are measured to a tenth.");
        }
        if self.p95_floor_millis > 60_000 {
            fields.refuse("canary.p95_floor_millis", "0 to 60 000 milliseconds.");
        }
    }
}

/// What an application says of its new releases.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Rollout {
    pub strategy: Strategy,
    /// Holds where the strategy, or a deployment's own wish, is a canary.
    pub canary: CanarySettings,
}

/// The body of `PUT /api/paas/applications/:id/rollout`: what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "strategy": "canary", "canary": { "steps": [{ "percent": 5, "seconds": 300 }, { "percent": 50, "seconds": 600 }], "min_requests": 200 } }))]
pub struct RolloutInput {
    /// `blue_green` or `canary`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryInput>,
}

/// Settings of a canary; see [`CanarySettings`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CanaryInput {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<Step>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_seconds: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_requests: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_margin_permille: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_factor_percent: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_floor_millis: Option<u32>,
    /// `promote`, `hold` or `roll_back`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub too_little: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<bool>,
}

impl RolloutInput {
    /// Lays what is given over what is there; every wrong field is told at once.
    pub fn parse(&self, now: &Rollout) -> Result<Rollout> {
        let mut fields = Fields::default();
        let strategy = self.strategy.as_ref().and_then(|text| fields.take("strategy", text.parse()));
        let mut next = Rollout { strategy: strategy.unwrap_or(now.strategy), canary: now.canary.clone() };
        if let Some(input) = &self.canary {
            let base = &now.canary;
            let too_little = input.too_little.as_ref().and_then(|text| fields.take("canary.too_little", text.parse()));
            next.canary = CanarySettings {
                steps: input.steps.clone().unwrap_or_else(|| base.steps.clone()),
                longest_seconds: input.longest_seconds.unwrap_or(base.longest_seconds),
                min_requests: input.min_requests.unwrap_or(base.min_requests),
                error_margin_permille: input.error_margin_permille.unwrap_or(base.error_margin_permille),
                p95_factor_percent: input.p95_factor_percent.unwrap_or(base.p95_factor_percent),
                p95_floor_millis: input.p95_floor_millis.unwrap_or(base.p95_floor_millis),
                too_little: too_little.unwrap_or(base.too_little),
                sticky: input.sticky.unwrap_or(base.sticky),
            };
            next.canary.check(&mut fields);
        }
        fields.done()?;
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn steps_are_read_as_people_write_them() {
        for (text, percent, seconds) in
            [("5 % for 10 min", 5, 600), ("5% 10", 5, 600), ("25 % for 90 s", 25, 90), ("50 2h", 50, 7_200), (" 1%  for 1 hour ", 1, 3_600)]
        {
            assert_eq!(text.parse(), Ok(Step { percent, seconds }), "{text}");
        }
        for wrong in ["", "5", "5 % 10 20", "five", "5 % for ever", "-5 10", "5 % for 99999999999 min", "5 % for 4294967295 h"] {
            assert!(wrong.parse::<Step>().is_err(), "{wrong}");
        }
        for step in CanarySettings::default().steps {
            assert_eq!(step.to_string().parse(), Ok(step));
        }
    }

    #[test]
    fn what_is_left_out_stays_and_all_wrong_fields_are_told_at_once() {
        let now = Rollout::default();
        assert_eq!(RolloutInput::default().parse(&now), Ok(now.clone()));
        let input = RolloutInput {
            strategy: Some("canary".into()),
            canary: Some(CanaryInput { min_requests: Some(500), ..CanaryInput::default() }),
        };
        let next = input.parse(&now).unwrap();
        assert_eq!((next.strategy, next.canary.min_requests), (Strategy::Canary, 500));
        assert_eq!(next.canary.steps, now.canary.steps);
        let wrong = RolloutInput {
            strategy: Some("rainbow".into()),
            canary: Some(CanaryInput {
                steps: Some(vec![Step { percent: 50, seconds: 60 }, Step { percent: 50, seconds: 1 }]),
                longest_seconds: Some(20),
                min_requests: Some(1),
                error_margin_permille: Some(0),
                p95_factor_percent: Some(100),
                p95_floor_millis: Some(70_000),
                too_little: Some("panic".into()),
                sticky: None,
            }),
        };
        let Err(Error::Invalid(fields)) = wrong.parse(&now) else { panic!("it was taken") };
        let names: std::collections::BTreeSet<_> = fields.iter().map(|it| it.field.as_str()).collect();
        let expected = [
            "canary.error_margin_permille",
            "canary.longest_seconds",
            "canary.min_requests",
            "canary.p95_factor_percent",
            "canary.p95_floor_millis",
            "canary.steps",
            "canary.too_little",
            "strategy",
        ];
        assert_eq!(names.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_usual_is_allowed() {
        let mut fields = Fields::default();
        CanarySettings::default().check(&mut fields);
        assert_eq!(fields.done(), Ok(()));
    }
}
