//! Accounts on the server.
pub mod api;
mod breached;
pub mod challenges;
pub mod codes;
pub mod cookies;
pub mod devices;
pub mod events;
pub mod functions;
pub mod letters;
pub mod oidc;
pub mod passwords;
pub mod provider_routes;
pub mod second_factor;
pub mod service;
pub mod task;
pub mod tokens;

use crate::runtime::wakes::Wake;

/// There may be an organization without a cluster.
pub const CLUSTERS: Wake = Wake::new("clusters");
