//! What the pages say once, after something was done.
use crate::kit::Flash;

/// An organization was made.
pub const FOUNDED: Flash = Flash::new("orgs.founded", "The organization was created, and you work in it now.");
/// An organization was left.
pub const LEFT: Flash = Flash::new("orgs.left", "You left the organization.");
/// An organization was handed over.
pub const TRANSFERRED: Flash = Flash::new("orgs.transferred", "The organization has a new owner. You are an admin now.");
/// An organization was deleted.
pub const DELETED: Flash = Flash::new("orgs.deleted", "The organization was deleted.");
/// Members were changed.
pub const ROLES_CHANGED: Flash = Flash::new("orgs.roles_changed", "The roles were changed.");
/// Members were removed.
pub const MEMBERS_REMOVED: Flash = Flash::new("orgs.members_removed", "They are no members any more.");
/// A role was made or changed.
pub const ROLE_SAVED: Flash = Flash::new("orgs.role_saved", "The role was saved.");
/// A role was deleted.
pub const ROLE_DELETED: Flash = Flash::new("orgs.role_deleted", "The role was deleted.");
/// An invitation is on its way.
pub const INVITATION_SENT: Flash = Flash::new("orgs.invitation_sent", "The invitation is on its way.");
/// An invitation was made, and no mail can be sent.
pub const INVITATION_NOT_MAILED: Flash = Flash::new(
    "orgs.invitation_not_mailed",
    "The invitation stands, but no mail was sent: earlier mail to this address came back. Check the address, or ask the operator.",
);
/// An invitation was taken back.
pub const INVITATION_REVOKED: Flash = Flash::new("orgs.invitation_revoked", "The invitation was taken back; its link no longer works.");
/// An invitation was declined.
pub const INVITATION_DECLINED: Flash = Flash::new("orgs.invitation_declined", "You declined the invitation.");
/// Somebody joined an organization.
pub const JOINED: Flash = Flash::new("orgs.joined", "Welcome. You are a member now.");
/// Grants were changed.
pub const GRANTS_CHANGED: Flash = Flash::new("orgs.grants_changed", "What the member may do with single applications was changed.");

/// All of them.
pub const ALL: &[Flash] = &[
    FOUNDED,
    LEFT,
    TRANSFERRED,
    DELETED,
    ROLES_CHANGED,
    MEMBERS_REMOVED,
    ROLE_SAVED,
    ROLE_DELETED,
    INVITATION_SENT,
    INVITATION_NOT_MAILED,
    INVITATION_REVOKED,
    INVITATION_DECLINED,
    JOINED,
    GRANTS_CHANGED,
];
