//! The walls of a machine: what its packet filter keeps apart.
use serde::{Deserialize, Serialize};

/// What the rules of this machine depend on beside what its engine tells.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WallsConfig {
    /// Whether `skypanel serve` keeps the walls of its own machine. Where it is false, `skypanel agent` does.
    pub keep: bool,
    /// Whether a manager whose walls can't be put up takes no new tasks until they can.
    pub strict: bool,
    /// Machines of the swarm, and edges outside of it, that the engine does not tell of: a worker knows itself and the managers only.
    pub nodes: Vec<ipnet::IpNet>,
    /// Networks that no container reaches, such as the operator's own.
    pub closed: Vec<ipnet::IpNet>,
}

impl Default for WallsConfig {
    fn default() -> Self {
        WallsConfig { keep: true, strict: true, nodes: Vec::new(), closed: Vec::new() }
    }
}
