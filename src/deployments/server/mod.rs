//! Deployments on the server: the queue and its leases ([`task`]), the walk through the phases ([`drive`], [`steps`],
//! [`canary`]), and the loops that
//! keep what is live as it should be ([`converge`], [`routes`], [`garbage`]).
pub mod api;
pub mod canary_forms;
pub mod canary_numbers;
pub mod canary_share;
pub mod canary_view;
pub mod dossier;
pub mod failure;
pub mod functions;
pub mod service;
pub mod spec;
pub mod task;
pub mod view;
pub mod watch;

use crate::runtime::wakes::Wake;

/// There may be images that nobody needs.
pub const IMAGES: Wake = Wake::new("images");
