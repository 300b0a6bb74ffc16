//! What both sides know of a deployment: its phases and which may follow which, the ways it can fail and the sentence of each,
//! and the dossier that is kept when it does.
use crate::{
    error::Thing,
    id::{AppId, DeploymentId, ReleaseId},
    units::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};

mod canary;
mod forms;
mod rollout;
pub use canary::*;
pub use forms::*;
pub use rollout::*;

/// What a release is called where there is none.
pub const RELEASE: Thing = Thing::new("RELEASE", "release");
/// The kinds of things of this feature.
pub const THINGS: &[Thing] = &[RELEASE];

/// Lines of log that a deployment keeps at most; what comes after is counted, not kept.
pub const MAX_LOG_LINES: u64 = 20_000;

/// Where a deployment stands. The last four are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Queued,
    Preparing,
    Building,
    Pushing,
    Releasing,
    Starting,
    Probing,
    /// A share of the visitors sees it beside the release before.
    Canary,
    Switching,
    Draining,
    Live,
    Failed,
    Cancelled,
    Superseded,
}

impl Phase {
    /// All of them, in order.
    pub const ALL: [Phase; 14] = [
        Phase::Queued,
        Phase::Preparing,
        Phase::Building,
        Phase::Pushing,
        Phase::Releasing,
        Phase::Starting,
        Phase::Probing,
        Phase::Canary,
        Phase::Switching,
        Phase::Draining,
        Phase::Live,
        Phase::Failed,
        Phase::Cancelled,
        Phase::Superseded,
    ];

    /// Nothing follows.
    pub fn is_final(self) -> bool {
        self >= Phase::Live
    }

    /// A panel holds it and works on it.
    pub fn is_active(self) -> bool {
        self > Phase::Queued && !self.is_final()
    }

    /// Cancelling is possible: the release before still serves.
    pub fn can_cancel(self) -> bool {
        self < Phase::Switching
    }

    /// Whether `next` may follow. A way back does not exist: what is taken over goes on from the phase it was in.
    pub fn may_become(self, next: Phase) -> bool {
        match next {
            _ if self.is_final() => false,
            // A newer deployment ends a canary: who asks for it wants neither the old release nor this one.
            Phase::Superseded => matches!(self, Phase::Queued | Phase::Canary),
            Phase::Cancelled => self.can_cancel(),
            Phase::Failed => self.is_active() && self < Phase::Draining,
            Phase::Live => self == Phase::Draining,
            next => next > self,
        }
    }

    /// How long the phase may take; a canary as long as its settings say.
    pub fn deadline(self) -> Duration {
        Duration::from_secs(match self {
            Phase::Preparing => 300,
            Phase::Building => 1_800,
            Phase::Pushing => 900,
            Phase::Starting => 300,
            Phase::Probing => 300,
            Phase::Draining => 60,
            _ => 60,
        })
    }

    /// The word on the wire and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Queued => "queued",
            Phase::Preparing => "preparing",
            Phase::Building => "building",
            Phase::Pushing => "pushing",
            Phase::Releasing => "releasing",
            Phase::Starting => "starting",
            Phase::Probing => "probing",
            Phase::Canary => "canary",
            Phase::Switching => "switching",
            Phase::Draining => "draining",
            Phase::Live => "live",
            Phase::Failed => "failed",
            Phase::Cancelled => "cancelled",
            Phase::Superseded => "superseded",
        }
    }

    /// The word on the page.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Queued => "Queued",
            Phase::Preparing => "Preparing",
            Phase::Building => "Building",
            Phase::Pushing => "Pushing",
            Phase::Releasing => "Releasing",
            Phase::Starting => "Starting",
            Phase::Probing => "Probing",
            Phase::Canary => "Canary",
            Phase::Switching => "Switching",
            Phase::Draining => "Draining",
            Phase::Live => "Live",
            Phase::Failed => "Failed",
            Phase::Cancelled => "Cancelled",
            Phase::Superseded => "Superseded",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Phase {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Phase::ALL.into_iter().find(|phase| phase.name() == text).ok_or_else(|| format!("“{text}” is no phase of a deployment."))
    }
}

/// Why a deployment was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Source to release.
    Deploy,
    /// An old release again.
    Rollback,
    /// The image that is live, with the configuration that is wanted now.
    Configure,
    /// The live release again, in fresh containers.
    Restart,
}

impl Kind {
    /// The word on the wire and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Deploy => "deploy",
            Kind::Rollback => "rollback",
            Kind::Configure => "configure",
            Kind::Restart => "restart",
        }
    }

    /// The word on the page.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Deploy => "Deploy",
            Kind::Rollback => "Rollback",
            Kind::Configure => "Configuration",
            Kind::Restart => "Restart",
        }
    }
}

impl FromStr for Kind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Kind::Deploy, Kind::Rollback, Kind::Configure, Kind::Restart]
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| format!("“{text}” is no kind of deployment."))
    }
}

/// What a line of the log begins with that tells, while the deployment waits, what keeps it from going on.
pub const WARNING: &str = "Warning: ";
/// What the line begins with that takes a warning back.
pub const ALL_ANSWER: &str = "All replicas answer";

/// Why a deployment failed: a stable code and one sentence that tells the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Failure {
    /// The phase it failed in.
    pub phase: Phase,
    /// Stable: `no_dockerfile`, `exited`, `port_not_answering`, …
    pub code: String,
    /// One sentence for the customer.
    pub sentence: String,
}

/// How one task of the failed release stood, in the swarm's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TaskReport {
    pub id: String,
    pub slot: u32,
    pub node: Option<String>,
    pub state: String,
    pub message: String,
    pub exit_code: Option<i64>,
    pub out_of_memory: bool,
    pub at: Timestamp,
}

/// One probe's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProbeReport {
    /// The task's short id.
    pub task: String,
    pub at: Timestamp,
    pub answer: String,
    pub healthy: bool,
}

/// A line of the failed release's own log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TaskLine {
    pub task: String,
    pub at: Timestamp,
    pub text: String,
}

/// What was known when a deployment failed, saved before the containers went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Dossier {
    pub tasks: Vec<TaskReport>,
    pub probes: Vec<ProbeReport>,
    /// At most 200.
    pub logs: Vec<TaskLine>,
}

/// A phase and when it was entered and left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PhaseTime {
    pub phase: Phase,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// A deployment as members see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Deployment {
    pub id: DeploymentId,
    pub application_id: AppId,
    /// Counts from 1 within the application.
    pub number: i64,
    pub kind: Kind,
    pub strategy: Strategy,
    pub phase: Phase,
    pub branch: Option<String>,
    pub commit_hash: Option<String>,
    pub commit_subject: Option<String>,
    pub release_id: Option<ReleaseId>,
    pub release_number: Option<i64>,
    pub failure: Option<Failure>,
    /// Cancelling was asked for and is under way.
    pub cancelling: bool,
    /// Visitors see this one.
    pub is_live: bool,
    /// It has a release whose image is still kept.
    pub can_roll_back: bool,
    pub created_by: String,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// Present where one deployment is asked for, empty in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<PhaseTime>,
    /// Present where one deployment is asked for that runs or ran as a canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// Present on failure where one deployment is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dossier: Option<Dossier>,
}

/// A line of a deployment's log. `seq` counts from 1 without a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LogLine {
    pub seq: i64,
    pub at: Timestamp,
    pub phase: Phase,
    pub text: String,
}

impl LogLine {
    /// The warning that stands after this line, where `before` stood before it. A warning is one of the probes, and ends with them.
    pub fn warning_after(&self, before: Option<String>) -> Option<String> {
        match self.text.strip_prefix(WARNING) {
            _ if self.phase != Phase::Probing || self.text.starts_with(ALL_ANSWER) => None,
            Some(warning) => Some(warning.to_string()),
            None => before,
        }
    }
}

/// The body of `POST /api/paas/applications/:id/deploy`; all of it may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "branch": "main" }))]
pub struct DeployRequest {
    /// Builds this commit instead of the branch's head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_hash: Option<String>,
    /// Builds this branch, this time only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Builds without the layer cache.
    #[serde(default)]
    pub force_rebuild: bool,
    /// `blue_green` or `canary`, this time only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
}

/// A commit's full hash: 40 (SHA-1) or 64 (SHA-256) hexadecimal digits.
pub fn check_commit(text: &str) -> Result<String, &'static str> {
    let hex = text.bytes().all(|b| b.is_ascii_hexdigit());
    if hex && matches!(text.len(), 40 | 64) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("Give the commit's full hash: 40 hexadecimal digits.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_phases_are_final_and_there_is_no_way_back() {
        for from in Phase::ALL {
            for to in Phase::ALL {
                let may = from.may_become(to);
                assert!(!(from.is_final() && may), "{from} to {to}");
                assert!(!(to.is_active() && to <= from && may), "{from} back to {to}");
            }
            assert_eq!(from.name().parse::<Phase>(), Ok(from));
        }
    }

    #[test]
    fn what_visitors_see_can_neither_fail_nor_be_cancelled() {
        assert!(!Phase::Draining.may_become(Phase::Failed));
        assert!(!Phase::Switching.may_become(Phase::Cancelled));
        assert!(Phase::Probing.may_become(Phase::Cancelled));
        assert!(Phase::Canary.may_become(Phase::Cancelled) && Phase::Canary.may_become(Phase::Superseded));
        assert!(!Phase::Switching.may_become(Phase::Superseded) && !Phase::Canary.may_become(Phase::Live));
        assert!(Phase::Draining.may_become(Phase::Live));
        assert!(!Phase::Probing.may_become(Phase::Live));
    }
}
