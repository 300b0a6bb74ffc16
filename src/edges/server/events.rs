//! What of this feature stands in the audit trail.
use crate::store::EventKind;

/// An edge was added.
pub const EDGE_ADDED: EventKind = EventKind::new("edge.added", "An edge was added");
/// An edge was renamed.
pub const EDGE_RENAMED: EventKind = EventKind::new("edge.renamed", "An edge was renamed");
/// An edge got a new token.
pub const EDGE_ROTATED: EventKind = EventKind::new("edge.rotated", "An edge got a new token");
/// An edge was revoked.
pub const EDGE_REVOKED: EventKind = EventKind::new("edge.revoked", "An edge was revoked");
/// An edge was removed.
pub const EDGE_REMOVED: EventKind = EventKind::new("edge.removed", "An edge was removed");

/// All of them.
pub const ALL: &[EventKind] = &[EDGE_ADDED, EDGE_RENAMED, EDGE_ROTATED, EDGE_REVOKED, EDGE_REMOVED];
