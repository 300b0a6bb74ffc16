//! What of this feature stands in the audit trail.
use crate::store::EventKind;

/// A canary was promoted.
pub const DEPLOYMENT_CANARY_PROMOTED: EventKind = EventKind::new("deployment.canary_promoted", "A canary was promoted");
/// A canary was rolled back.
pub const DEPLOYMENT_CANARY_ROLLED_BACK: EventKind = EventKind::new("deployment.canary_rolled_back", "A canary was rolled back");
/// The way of new releases was changed.
pub const APPLICATION_ROLLOUT_CHANGED: EventKind = EventKind::new("application.rollout_changed", "The way of new releases was changed");
/// A canary was promoted by hand.
pub const DEPLOYMENT_PROMOTED: EventKind = EventKind::new("deployment.promoted", "A canary was promoted by hand");
/// A canary was taken back by hand.
pub const DEPLOYMENT_TAKEN_BACK: EventKind = EventKind::new("deployment.taken_back", "A canary was taken back by hand");
/// A deployment was requested.
pub const DEPLOYMENT_REQUESTED: EventKind = EventKind::new("deployment.requested", "A deployment was requested");
/// A deployment was cancelled.
pub const DEPLOYMENT_CANCELLED: EventKind = EventKind::new("deployment.cancelled", "A deployment was cancelled");

/// All of them.
pub const ALL: &[EventKind] = &[
    DEPLOYMENT_CANARY_PROMOTED,
    DEPLOYMENT_CANARY_ROLLED_BACK,
    APPLICATION_ROLLOUT_CHANGED,
    DEPLOYMENT_PROMOTED,
    DEPLOYMENT_TAKEN_BACK,
    DEPLOYMENT_REQUESTED,
    DEPLOYMENT_CANCELLED,
];
