//! What the pages say once, after something was done.
use crate::kit::Flash;

/// It was made.
pub const CREATED: Flash = Flash::new("apps.created", "The application was created. Deploy it to put it online.");
/// It was deleted.
pub const DELETED: Flash = Flash::new("apps.deleted", "The application was deleted.");
/// The number of replicas was changed.
pub const SCALED: Flash = Flash::new("apps.scaled", "The number of replicas was changed.");
/// It was stopped.
pub const STOPPED: Flash = Flash::new("apps.stopped", "The application is being stopped.");
/// It was started.
pub const STARTED: Flash = Flash::new("apps.started", "The application is being started.");
/// A variable was set or removed.
pub const VARIABLES_SAVED: Flash = Flash::new("apps.variables_saved", "The variables were saved.");

/// All of them.
pub const ALL: &[Flash] = &[CREATED, DELETED, SCALED, STOPPED, STARTED, VARIABLES_SAVED];
