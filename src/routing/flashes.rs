//! What the pages say once, after something was done.
use crate::kit::Flash;

/// Visitors get the maintenance page.
pub const MAINTENANCE_BEGUN: Flash = Flash::new("routing.maintenance_begun", "Visitors see the maintenance page now.");
/// Visitors get the application again.
pub const MAINTENANCE_ENDED: Flash = Flash::new("routing.maintenance_ended", "Maintenance is over. Visitors reach the application again.");

/// All of them.
pub const ALL: &[Flash] = &[MAINTENANCE_BEGUN, MAINTENANCE_ENDED];
