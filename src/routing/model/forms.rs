//! What the pages' forms send, as it was typed.
use serde::{Deserialize, Serialize};

/// The fields of the maintenance page's form, as they are typed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MaintenanceForm {
    pub page: String,
    pub retry_after_minutes: String,
    pub bypass: String,
}

/// The fields of HTTPS and HSTS.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpsForm {
    pub https: String,
    pub hsts: Option<String>,
    pub hsts_days: String,
    pub include_subdomains: Option<String>,
    pub preload: Option<String>,
}

/// The fields of limits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitsForm {
    pub body_mib: String,
    pub rate_per_second: String,
    pub rate_burst: String,
    pub body_timeout_seconds: String,
    pub response_timeout_seconds: String,
}

/// The fields of balancing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BalancingForm {
    pub sticky: String,
    pub slow_start_seconds: String,
    pub protocol: String,
    pub probe: String,
    pub probe_path: String,
    pub probe_interval_seconds: String,
}
