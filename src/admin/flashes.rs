//! What the pages say once, after something was done.
use crate::kit::Flash;

/// Somebody or something was suspended.
pub const SUSPENDED: Flash = Flash::new("admin.suspended", "Suspended.");
/// It was resumed.
pub const RESUMED: Flash = Flash::new("admin.resumed", "Resumed.");

/// All of them.
pub const ALL: &[Flash] = &[SUSPENDED, RESUMED];
