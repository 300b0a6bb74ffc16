//! What both sides know of an application: the fields and their rules, the forms, and how it stands. Rules are parsed here and
//! nowhere else; past the door there are only parsed values.
use crate::{
    id::{AppId, ClusterId, DeploymentId, OrgId},
    units::{Bytes, MilliCpu, Timestamp},
};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

mod fields;
mod forms;
mod input;
mod or_null;
pub use crate::git::{Branch, GitUrl};
pub use fields::*;
pub use forms::*;
pub use input::*;

/// Where an application's image comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A repository that is built with its Dockerfile.
    Git {
        repository_url: GitUrl,
        branch: Branch,
        /// Relative to the repository.
        dockerfile_path: RepoPath,
        /// Relative to the repository; `.` is all of it.
        build_context_path: RepoPath,
    },
    /// An image that somebody else built.
    Image { reference: ImageReference },
}

impl Source {
    /// One line for a list.
    pub fn summary(&self) -> String {
        match self {
            Source::Git { repository_url, branch, .. } => format!("{} ({branch})", repository_url.repository()),
            Source::Image { reference } => reference.to_string(),
        }
    }
}

/// CPU and memory that one replica may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Limits {
    /// Thousandths of a core.
    pub cpu_millis: MilliCpu,
    /// Bytes.
    pub memory_bytes: Bytes,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { cpu_millis: MilliCpu(500), memory_bytes: Bytes::mib(256) }
    }
}

/// Everything of an application that a release freezes, the environment and the image aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Settings {
    pub source: Source,
    /// The container's port; none where it shall be read off the image.
    pub port: Option<Port>,
    /// Replaces the image's command.
    pub start_command: Option<Command>,
    pub limits: Limits,
    /// Where given, a GET of it must answer 200 to 399; else any answer to a GET of `/` counts.
    pub health_check_path: Option<HealthPath>,
}

/// One variable of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EnvVar {
    pub name: EnvName,
    /// None where it is secret: secrets are written, never read back.
    pub value: Option<String>,
    pub secret: bool,
}

/// One variable as somebody sends it. A secret without a value keeps the one that is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EnvInput {
    pub name: EnvName,
    pub value: Option<EnvValue>,
    pub secret: bool,
}

/// What the owner wants of an application now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    Running,
    Stopped,
    Deleted,
}

impl Wanted {
    /// The word on the wire and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Wanted::Running => "running",
            Wanted::Stopped => "stopped",
            Wanted::Deleted => "deleted",
        }
    }
}

impl FromStr for Wanted {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Wanted::Running, Wanted::Stopped, Wanted::Deleted];
        all.into_iter().find(|it| it.name() == text).ok_or("An application is wanted running, stopped or deleted.")
    }
}

/// How an application stands, told from what is wanted and what was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AppStatus {
    /// Never deployed.
    New,
    /// A first deployment is under way.
    Deploying,
    /// All wanted replicas run.
    Running,
    /// Some run, not all.
    Degraded,
    /// It should run, and nothing does.
    Down,
    Stopped,
    /// The swarm does not answer; what runs there goes on.
    Unknown,
    /// It is being removed.
    Deleting,
}

impl AppStatus {
    /// The word on the page.
    pub fn word(self) -> &'static str {
        match self {
            AppStatus::New => "Not deployed",
            AppStatus::Deploying => "Deploying",
            AppStatus::Running => "Running",
            AppStatus::Degraded => "Degraded",
            AppStatus::Down => "Down",
            AppStatus::Stopped => "Stopped",
            AppStatus::Unknown => "Unknown",
            AppStatus::Deleting => "Deleting",
        }
    }

    /// Tells the status from the facts. `live` says whether a release was ever put live, `seen` whether the swarm answers.
    pub fn tell(wanted: Wanted, live: bool, deploying: bool, seen: bool, replicas: u32, running: u32) -> Self {
        match (wanted, live) {
            (Wanted::Deleted, _) => AppStatus::Deleting,
            (_, false) if deploying => AppStatus::Deploying,
            (_, false) => AppStatus::New,
            (Wanted::Stopped, _) => AppStatus::Stopped,
            _ if !seen => AppStatus::Unknown,
            _ if running >= replicas => AppStatus::Running,
            _ if running > 0 => AppStatus::Degraded,
            _ => AppStatus::Down,
        }
    }
}

/// How many replicas there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReplicaCount {
    pub wanted: u32,
    pub running: u32,
}

/// An application as its members see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Application {
    pub id: AppId,
    pub organization_id: OrgId,
    pub cluster_id: ClusterId,
    pub name: AppName,
    pub url: String,
    pub status: AppStatus,
    pub settings: Settings,
    pub replicas: ReplicaCount,
    /// The deployment that visitors see.
    pub live_deployment_id: Option<DeploymentId>,
    /// The deployment that is under way, the queued ones included.
    pub active_deployment_id: Option<DeploymentId>,
    /// What is configured differs from what the live release was made with.
    pub needs_deploy: bool,
    /// Grows with every change of the settings; for `If-Match`.
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// One replica, for the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Replica {
    /// The task's short id, also the name of the replica in logs.
    pub id: String,
    pub slot: u32,
    pub running: bool,
    pub state: String,
    pub node: String,
    pub since: Timestamp,
}

/// An application and its replicas: what its page keeps fresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AppState {
    pub application: Application,
    pub replicas: Vec<Replica>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn git(name: &str, url: &str) -> CreateApplication {
        CreateApplication {
            name: name.into(),
            source: SourceInput { git: Some(GitInput { repository_url: url.into(), branch: None }), image: None },
            ..Default::default()
        }
    }

    #[test]
    fn all_wrong_fields_are_told_at_once() {
        let mut form = git("No Spaces", "ftp://x");
        form.port = Some(0);
        form.replicas = Some(1000);
        form.environment_variables.insert("1X".into(), EnvInputValue::Plain("a".into()));
        let Err(Error::Invalid(fields)) = form.parse() else { panic!("it was taken") };
        let names: Vec<_> = fields.iter().map(|f| f.field.as_str()).collect();
        assert_eq!(names, ["name", "source.git.repository_url", "port", "replicas", "environment_variables.1X"]);
    }

    #[test]
    fn what_an_update_leaves_out_stays_and_null_clears() {
        let mut form = git("web", "https://example.com/a.git");
        form.port = Some(3000);
        form.start_command = Some("node server.js".into());
        let now = form.parse().unwrap().settings;
        let update: UpdateApplication = serde_json::from_str(r#"{"port": null}"#).unwrap();
        let (_, next) = update.parse(&now).unwrap();
        assert_eq!(next.port, None);
        assert_eq!(next.start_command, now.start_command);
        assert_eq!(next.source, now.source);
    }

    #[test]
    fn a_status_is_told_from_facts() {
        use AppStatus as S;
        assert_eq!(S::tell(Wanted::Running, false, true, true, 1, 0), S::Deploying);
        assert_eq!(S::tell(Wanted::Running, true, true, true, 3, 2), S::Degraded);
        assert_eq!(S::tell(Wanted::Running, true, false, false, 3, 0), S::Unknown);
        assert_eq!(S::tell(Wanted::Stopped, true, false, true, 3, 0), S::Stopped);
    }
}
