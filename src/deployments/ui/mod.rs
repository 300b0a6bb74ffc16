//! The pages of deployments, and those of an application that tell of its deployments.
mod canary;
mod deployment;
mod dossier;
mod history;
mod overview;
mod progress;
mod rollout;
mod table;

pub use deployment::DeploymentPage;
pub use history::History;
pub use overview::Overview;
pub use rollout::SettingsPage;

use crate::{
    deployments::model::{Deployment, Phase},
    kit::Tone,
};

/// What a deployment's phase means, and the word for it. Live is only what visitors see now.
pub fn standing(phase: Phase, is_live: bool, cancelling: bool) -> (Tone, &'static str) {
    match phase {
        _ if cancelling && !phase.is_final() => (Tone::Busy, "Cancelling"),
        Phase::Live if is_live => (Tone::Good, "Live"),
        Phase::Live => (Tone::Idle, "Replaced"),
        Phase::Failed => (Tone::Bad, "Failed"),
        Phase::Cancelled | Phase::Superseded => (Tone::Idle, phase.word()),
        Phase::Queued => (Tone::Idle, phase.word()),
        _ => (Tone::Busy, phase.word()),
    }
}

/// The same for a whole deployment.
pub fn standing_of(deployment: &Deployment) -> (Tone, &'static str) {
    standing(deployment.phase, deployment.is_live, deployment.cancelling)
}

/// A commit's hash as people write it.
pub fn short(commit: &str) -> String {
    commit.chars().take(7).collect()
}

/// What was deployed, in a line: the commit's subject, else what kind of deployment it is.
pub fn subject(deployment: &Deployment) -> String {
    match (&deployment.commit_subject, deployment.release_number) {
        (Some(subject), _) => subject.clone(),
        (None, Some(release)) => format!("Release {release}"),
        (None, None) => deployment.kind.word().to_string(),
    }
}
