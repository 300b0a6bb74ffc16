//! What of this feature stands in the audit trail.
use crate::store::EventKind;

/// An API key was made.
pub const API_KEY_CREATED: EventKind = EventKind::new("api_key.created", "An API key was made");
/// An API key was changed.
pub const API_KEY_CHANGED: EventKind = EventKind::new("api_key.changed", "An API key was changed");
/// An API key was rotated.
pub const API_KEY_ROTATED: EventKind = EventKind::new("api_key.rotated", "An API key was rotated");
/// An API key was revoked.
pub const API_KEY_REVOKED: EventKind = EventKind::new("api_key.revoked", "An API key was revoked");

/// All of them.
pub const ALL: &[EventKind] = &[API_KEY_CREATED, API_KEY_CHANGED, API_KEY_ROTATED, API_KEY_REVOKED];
