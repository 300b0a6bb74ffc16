//! What the pages' forms send, as it was typed.
use serde::{Deserialize, Serialize};

/// How new releases come before visitors, as it is typed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RolloutForm {
    /// `blue_green` or `canary`.
    pub strategy: String,
    /// One a line: `5 % for 10 min`.
    pub steps: String,
    pub longest_minutes: String,
    pub min_requests: String,
    /// Percentage points, with a decimal.
    pub error_points: String,
    pub p95_factor: String,
    pub p95_floor: String,
    pub too_little: String,
    pub sticky: Option<String>,
}
