//! Clusters on the server.
pub mod observe;
pub mod service;
pub mod task;
pub mod walls;

use crate::runtime::wakes::Wake;

/// The swarm may look different now.
pub const SWARMS: Wake = Wake::new("swarms");
