//! How much is taken of one caller.
use serde::{Deserialize, Serialize};

/// How many requests a minute are taken. 0 is no limit.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Whether there are limits at all.
    pub enabled: bool,
    /// Of one address, whoever asks.
    pub address: u32,
    /// Of one session or key.
    pub credential: u32,
    /// Of all that work in one organization.
    pub organization: u32,
    /// Attempts of one address to sign in, to make an account or to set a password.
    pub sign_in: u32,
    /// Deployments that one organization asks for.
    pub deploy: u32,
    /// Mails that one organization has sent, or an address where nobody is signed in.
    pub mail: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        LimitsConfig { enabled: true, address: 6_000, credential: 3_000, organization: 12_000, sign_in: 60, deploy: 120, mail: 60 }
    }
}
