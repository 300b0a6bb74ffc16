//! What of this feature stands in the audit trail.
use crate::store::EventKind;

/// An invitation was accepted.
pub const INVITATION_ACCEPTED: EventKind = EventKind::new("invitation.accepted", "An invitation was accepted");
/// An invitation was declined.
pub const INVITATION_DECLINED: EventKind = EventKind::new("invitation.declined", "An invitation was declined");
/// An invitation was sent.
pub const INVITATION_SENT: EventKind = EventKind::new("invitation.sent", "An invitation was sent");
/// An invitation was sent again.
pub const INVITATION_RESENT: EventKind = EventKind::new("invitation.resent", "An invitation was sent again");
/// An invitation was taken back.
pub const INVITATION_REVOKED: EventKind = EventKind::new("invitation.revoked", "An invitation was taken back");
/// A role on an application was given.
pub const GRANT_GIVEN: EventKind = EventKind::new("grant.given", "A role on an application was given");
/// A role on an application was taken away.
pub const GRANT_TAKEN: EventKind = EventKind::new("grant.taken", "A role on an application was taken away");
/// A member’s role was changed.
pub const MEMBER_ROLE_CHANGED: EventKind = EventKind::new("member.role_changed", "A member’s role was changed");
/// A member was removed.
pub const MEMBER_REMOVED: EventKind = EventKind::new("member.removed", "A member was removed");
/// A member left.
pub const MEMBER_LEFT: EventKind = EventKind::new("member.left", "A member left");
/// An organization was created.
pub const ORGANIZATION_CREATED: EventKind = EventKind::new("organization.created", "An organization was created");
/// An organization’s settings were changed.
pub const ORGANIZATION_CONFIGURED: EventKind = EventKind::new("organization.configured", "An organization’s settings were changed");
/// An organization was handed over.
pub const ORGANIZATION_TRANSFERRED: EventKind = EventKind::new("organization.transferred", "An organization was handed over");
/// An organization was deleted.
pub const ORGANIZATION_DELETED: EventKind = EventKind::new("organization.deleted", "An organization was deleted");
/// A role was created.
pub const ROLE_CREATED: EventKind = EventKind::new("role.created", "A role was created");
/// A role was changed.
pub const ROLE_CHANGED: EventKind = EventKind::new("role.changed", "A role was changed");
/// A role was deleted.
pub const ROLE_DELETED: EventKind = EventKind::new("role.deleted", "A role was deleted");

/// All of them.
pub const ALL: &[EventKind] = &[
    INVITATION_ACCEPTED,
    INVITATION_DECLINED,
    INVITATION_SENT,
    INVITATION_RESENT,
    INVITATION_REVOKED,
    GRANT_GIVEN,
    GRANT_TAKEN,
    MEMBER_ROLE_CHANGED,
    MEMBER_REMOVED,
    MEMBER_LEFT,
    ORGANIZATION_CREATED,
    ORGANIZATION_CONFIGURED,
    ORGANIZATION_TRANSFERRED,
    ORGANIZATION_DELETED,
    ROLE_CREATED,
    ROLE_CHANGED,
    ROLE_DELETED,
];
