//! Deployments on the server: the queue and its leases ([`task`]), the walk of a run through the phases (`task/drive.rs` and, one
//! for each part, `steps`, `start`, `canary`), and the loops that keep what is live as it should be (`converge`, `routes`, `garbage`).
pub mod api;
pub mod canary_forms;
pub mod canary_numbers;
pub mod canary_share;
pub mod canary_view;
pub mod dossier;
pub mod events;
pub mod failure;
pub mod functions;
pub mod redact;
pub mod service;
pub mod spec;
pub mod task;
pub mod view;
pub mod watch;

use crate::runtime::wakes::Wake;

/// There may be images that nobody needs.
pub const IMAGES: Wake = Wake::new("images");
