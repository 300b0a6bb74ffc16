//! What of this feature stands in the audit trail.
use crate::store::EventKind;

/// An application was created.
pub const APPLICATION_CREATED: EventKind = EventKind::new("application.created", "An application was created");
/// An application’s settings were changed.
pub const APPLICATION_CONFIGURED: EventKind = EventKind::new("application.configured", "An application’s settings were changed");
/// An application was scaled.
pub const APPLICATION_SCALED: EventKind = EventKind::new("application.scaled", "An application was scaled");
/// An application was stopped.
pub const APPLICATION_STOPPED: EventKind = EventKind::new("application.stopped", "An application was stopped");
/// An application was started.
pub const APPLICATION_STARTED: EventKind = EventKind::new("application.started", "An application was started");
/// An application was deleted.
pub const APPLICATION_DELETED: EventKind = EventKind::new("application.deleted", "An application was deleted");
/// An application’s variables were changed.
pub const APPLICATION_ENVIRONMENT_CHANGED: EventKind =
    EventKind::new("application.environment_changed", "An application’s variables were changed");

/// All of them.
pub const ALL: &[EventKind] = &[
    APPLICATION_CREATED,
    APPLICATION_CONFIGURED,
    APPLICATION_SCALED,
    APPLICATION_STOPPED,
    APPLICATION_STARTED,
    APPLICATION_DELETED,
    APPLICATION_ENVIRONMENT_CHANGED,
];
