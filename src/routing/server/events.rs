//! What of this feature stands in the audit trail.
use crate::store::EventKind;

/// A path under a host was added.
pub const APPLICATION_PATH_ADDED: EventKind = EventKind::new("application.path_added", "A path under a host was added");
/// A path under a host was removed.
pub const APPLICATION_PATH_REMOVED: EventKind = EventKind::new("application.path_removed", "A path under a host was removed");
/// Maintenance was begun.
pub const APPLICATION_MAINTENANCE_BEGUN: EventKind = EventKind::new("application.maintenance_begun", "Maintenance was begun");
/// Maintenance was ended.
pub const APPLICATION_MAINTENANCE_ENDED: EventKind = EventKind::new("application.maintenance_ended", "Maintenance was ended");
/// Routing was changed.
pub const APPLICATION_ROUTING_CHANGED: EventKind = EventKind::new("application.routing_changed", "Routing was changed");

/// All of them.
pub const ALL: &[EventKind] = &[
    APPLICATION_PATH_ADDED,
    APPLICATION_PATH_REMOVED,
    APPLICATION_MAINTENANCE_BEGUN,
    APPLICATION_MAINTENANCE_ENDED,
    APPLICATION_ROUTING_CHANGED,
];
