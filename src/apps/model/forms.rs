//! What the pages' forms send, as it was typed, and what the pages about applications are given.
use serde::{Deserialize, Serialize};

/// The fields of the form that creates an application, as they are typed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateForm {
    pub name: String,
    /// `git` or `image`.
    pub source: String,
    pub repository_url: String,
    pub branch: String,
    pub dockerfile_path: String,
    pub build_context_path: String,
    pub reference: String,
    pub port: String,
    pub start_command: String,
    pub health_check_path: String,
    pub replicas: String,
    pub memory_mib: String,
    pub cpu: String,
    /// `KEY=value` lines.
    pub environment: String,
    /// Whether to deploy at once.
    pub deploy: Option<String>,
}

/// What a look at a repository found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryCheck {
    pub branches: Vec<String>,
    pub default_branch: Option<String>,
    /// The newest commit of the branch, shortened.
    pub head: String,
    /// A name for the application.
    pub name: String,
}

/// What a look at a repository came to. That it can't be read is an answer, too: the form says so while it is still being filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RepositoryLook {
    Found(RepositoryCheck),
    /// One sentence that tells the remedy.
    Refused(String),
}

/// One line of an application's log, for the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    pub replica: String,
    pub slot: u32,
    pub at: crate::units::Timestamp,
    pub is_error: bool,
    pub text: String,
    pub nanos: String,
}

/// The last lines, where to go on, and the replicas whose machines are away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    pub lines: Vec<LogEntry>,
    pub cursor: String,
    pub away: Vec<String>,
}
