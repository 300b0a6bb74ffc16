//! What the pages say once, after something was done.
use crate::kit::Flash;

/// A key of the API was revoked.
pub const KEY_REVOKED: Flash = Flash::new("keys.key_revoked", "The key was revoked. Whatever uses it is refused from now on.");

/// All of them.
pub const ALL: &[Flash] = &[KEY_REVOKED];
