//! What the pages say once, after something was done.
use crate::kit::Flash;

/// It was sent to try whether it arrives.
pub const TEST_ARRIVED: Flash = Flash::new("audit.test_arrived", "The test arrived.");

/// All of them.
pub const ALL: &[Flash] = &[TEST_ARRIVED];
