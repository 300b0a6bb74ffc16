//! The pages of applications. What needs deployments (an application's overview and history) stands with them.
mod create;
mod environment;
mod fields;
mod frame;
mod list;
mod live;
mod logs;
mod settings;

pub use create::NewApplication;
pub use environment::{Environment, NeedsDeploy};
pub use frame::{AppFrame, Tab, app_param};
pub use list::Applications;
pub use live::{KeepFresh, ReplicaTable};
pub use logs::{LogSources, Logs};
pub use settings::Settings;

use crate::{
    apps::model::AppStatus,
    id::AppId,
    kit::{FormTarget, Tone},
};

/// The forms on the pages of applications that call deployments, a higher feature: whoever serves the pages puts them into the context.
/// Without them (in a test of a component) these forms are left out.
#[derive(Debug, Clone, Copy)]
pub struct DeploymentForms {
    /// Makes an application.
    pub create: FormTarget,
    /// Deploys what its branch says now.
    pub deploy: FormTarget,
    /// Deploys the live release once more, with the settings of now.
    pub configure: FormTarget,
}

/// What a status means.
pub fn tone(status: AppStatus) -> Tone {
    match status {
        AppStatus::Running => Tone::Good,
        AppStatus::Deploying | AppStatus::Deleting => Tone::Busy,
        AppStatus::Degraded | AppStatus::Unknown => Tone::Warning,
        AppStatus::Down => Tone::Bad,
        AppStatus::New | AppStatus::Stopped => Tone::Idle,
    }
}

/// Where an application's state is heard.
pub fn events_url(id: &AppId) -> String {
    format!("/api/paas/applications/{id}/events?follow=true")
}
