//! The walls of a machine: what its packet filter keeps apart.
use crate::agent::WallSettings;
use crate::runtime::config::Config;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, net::SocketAddr};

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

impl Config {
    /// What the configuration asks of this machine's walls. The ports of the edge stay open on its public addresses.
    pub fn wall_settings(&self) -> WallSettings {
        let (walls, edge) = (&self.walls, &self.edge);
        let ports: BTreeSet<u16> = edge.listen.iter().chain(&edge.listen_tls).map(SocketAddr::port).collect();
        let doors = edge.public_addresses.iter().flat_map(|address| ports.iter().map(|port| SocketAddr::new(*address, *port)));
        WallSettings { nodes: walls.nodes.clone(), closed: walls.closed.clone(), doors: doors.collect(), strict: walls.strict }
    }
}
