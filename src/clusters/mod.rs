//! Clusters: an organization's slice of a swarm. It has an overlay of its own, from our own ledger of subnets, and lives on a
//! provider that the registry picked by region and room.
#[cfg(feature = "ssr")]
pub mod server;

/// What the rest of the panel knows of this feature.
#[cfg(feature = "ssr")]
pub const FEATURE: crate::feature::Feature = crate::feature::Feature::new("clusters").loops(&[
    server::observe::LISTEN,
    server::task::LOOP,
    server::observe::LOOP,
    server::walls::LOOP,
]);
