//! Clusters: an organization's slice of a swarm. It has an overlay of its own, from our own ledger of subnets, and lives on a
//! provider that the registry picked by region and room.
#[cfg(feature = "ssr")]
pub mod server;
