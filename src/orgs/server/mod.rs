//! Organizations on the server.
pub mod api;
pub mod events;
pub mod forms;
pub mod functions;
pub mod hold;
pub mod letters;
pub mod service;
pub mod view;

use crate::runtime::wakes::Wake;

/// There may be a deployment to claim, or one to cancel.
pub const DEPLOYMENTS: Wake = Wake::new("deployments");
/// What is wanted of an application changed.
pub const APPLICATIONS: Wake = Wake::new("applications");
/// Routes may have changed.
pub const ROUTES: Wake = Wake::new("routes");
/// An organization may have been deleted.
pub const ORGANIZATIONS: Wake = Wake::new("organizations");
