//! How the operator's monitoring is let in.
use serde::{Deserialize, Serialize};

/// What the operator's monitoring may read.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// The token with which `/metrics` can be read (`Authorization: Bearer …`), at least 16 characters; without one it is closed.
    pub token: Option<String>,
}

impl std::fmt::Debug for MetricsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetricsConfig").finish_non_exhaustive()
    }
}

impl MetricsConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        match &self.token {
            Some(token) if token.len() < 16 || !token.bytes().all(|b| (b' '..=b'~').contains(&b)) => {
                Err("metrics.token: at least 16 printable characters of ASCII.".into())
            }
            _ => Ok(()),
        }
    }
}
