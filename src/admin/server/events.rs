//! What of this feature stands in the audit trail.
use crate::store::EventKind;

/// An announcement was made.
pub const ANNOUNCEMENT_CREATED: EventKind = EventKind::new("announcement.created", "An announcement was made");
/// An announcement was changed.
pub const ANNOUNCEMENT_CHANGED: EventKind = EventKind::new("announcement.changed", "An announcement was changed");
/// An announcement was deleted.
pub const ANNOUNCEMENT_DELETED: EventKind = EventKind::new("announcement.deleted", "An announcement was deleted");
/// An organization was suspended.
pub const ORGANIZATION_SUSPENDED: EventKind = EventKind::new("organization.suspended", "An organization was suspended");
/// An organization was resumed.
pub const ORGANIZATION_RESUMED: EventKind = EventKind::new("organization.resumed", "An organization was resumed");
/// An operator began to act in somebody’s name.
pub const IMPERSONATION_BEGUN: EventKind = EventKind::new("impersonation.begun", "An operator began to act in somebody’s name");
/// An operator stopped acting in somebody’s name.
pub const IMPERSONATION_ENDED: EventKind = EventKind::new("impersonation.ended", "An operator stopped acting in somebody’s name");
/// A feature flag was changed.
pub const FLAG_CHANGED: EventKind = EventKind::new("flag.changed", "A feature flag was changed");
/// A person was suspended.
pub const USER_SUSPENDED: EventKind = EventKind::new("user.suspended", "A person was suspended");
/// A person was resumed.
pub const USER_RESUMED: EventKind = EventKind::new("user.resumed", "A person was resumed");
/// An operator was made or unmade.
pub const USER_OPERATOR_CHANGED: EventKind = EventKind::new("user.operator_changed", "An operator was made or unmade");

/// All of them.
pub const ALL: &[EventKind] = &[
    ANNOUNCEMENT_CREATED,
    ANNOUNCEMENT_CHANGED,
    ANNOUNCEMENT_DELETED,
    ORGANIZATION_SUSPENDED,
    ORGANIZATION_RESUMED,
    IMPERSONATION_BEGUN,
    IMPERSONATION_ENDED,
    FLAG_CHANGED,
    USER_SUSPENDED,
    USER_RESUMED,
    USER_OPERATOR_CHANGED,
];
