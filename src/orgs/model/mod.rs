//! What both sides know of organizations, members, roles, grants and invitations, and the rule of each field.
use crate::{
    error::Thing,
    git::Branch,
    id::{AppId, InvitationId, OrgId, UserId},
    rights::Permissions,
    units::{Bytes, MilliCpu, Timestamp},
};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

mod fields;
mod forms;
mod input;
pub use fields::*;
pub use forms::*;
pub use input::*;

/// What a role is called where there is none.
pub const ROLE: Thing = Thing::new("ROLE", "role");
/// What a member is called where there is none.
pub const MEMBER: Thing = Thing::new("MEMBER", "member");
/// What an invitation is called where there is none.
pub const INVITATION: Thing = Thing::new("INVITATION", "invitation");
/// The kinds of things of this feature.
pub const THINGS: &[Thing] = &[ROLE, MEMBER, INVITATION];

/// One of the caller's organizations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({ "id": "org_01jd0000000000000000000000", "name": "Acme", "slug": "acme", "role": "owner", "role_name": "Owner", "is_active": true, "is_suspended": false, "joined_at": "2026-01-02T03:04:05Z" }))]
pub struct MyOrganization {
    pub id: OrgId,
    pub name: String,
    pub slug: String,
    /// The caller's role there: a given one's name, or the id of one that the organization made.
    pub role: String,
    pub role_name: String,
    /// Whether the request acts in it.
    pub is_active: bool,
    /// The operator stopped it.
    pub is_suspended: bool,
    pub joined_at: Timestamp,
}

/// An organization and its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({ "id": "org_01jd0000000000000000000000", "name": "Acme", "slug": "acme", "contact_email": "it@acme.example", "billing_address": "1 Road\nTown", "tax_id": "DE123456789", "defaults": { "replicas": 2 }, "requires_two_factor": false, "is_suspended": false, "role": "viewer", "role_name": "Viewer", "permissions": ["view"], "version": 3, "created_at": "2026-01-02T03:04:05Z" }))]
pub struct OrganizationDetails {
    pub id: OrgId,
    pub name: String,
    /// Its name in addresses.
    pub slug: String,
    pub contact_email: String,
    /// Shown to those who may see billing or change the settings.
    pub billing_address: Option<String>,
    /// Shown to those who may see billing or change the settings.
    pub tax_id: Option<String>,
    pub defaults: Defaults,
    /// Members without a second factor can do nothing here until they set one up.
    pub requires_two_factor: bool,
    /// The operator stopped it.
    pub is_suspended: bool,
    /// The caller's role.
    pub role: String,
    pub role_name: String,
    /// What the caller may do everywhere in it.
    pub permissions: Permissions,
    /// Counts changes of the settings; the `ETag`.
    pub version: i64,
    pub created_at: Timestamp,
}

/// What new applications begin with where their maker does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(example = json!({ "replicas": 2, "cpu_millis": 500, "memory_bytes": 268_435_456, "branch": "main" }))]
pub struct Defaults {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>)]
    pub cpu_millis: Option<MilliCpu>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub memory_bytes: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub branch: Option<Branch>,
}

/// How many applications there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppCounts {
    /// Those that are meant to run and have a release.
    pub running: u64,
    pub stopped: u64,
    /// Never deployed.
    pub new: u64,
}

impl AppCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.running + self.stopped + self.new
    }
}

/// The dashboard of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationOverview {
    pub organization: OrganizationDetails,
    pub plan: String,
    pub apps: AppCounts,
    pub members: u64,
    /// Members who have set up a second factor.
    pub with_two_factor: u64,
    /// Those who were seen last.
    pub recent: Vec<Member>,
    /// Open invitations, for those who may see them.
    pub invitations: Option<u64>,
}

/// A person in an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({ "user_id": "usr_01jd0000000000000000000000", "name": "Grace Hopper", "email": "grace@example.com", "role": "developer", "role_name": "Developer", "two_factor": true, "has_grants": false, "joined_at": "2026-01-02T03:04:05Z", "last_seen_at": "2026-02-03T04:05:06Z" }))]
pub struct Member {
    pub user_id: UserId,
    pub name: String,
    pub email: String,
    /// A given role's name, or the id of one that the organization made.
    pub role: String,
    pub role_name: String,
    /// Whether the person has set up a second factor.
    pub two_factor: bool,
    /// Whether the person may do more with single applications.
    pub has_grants: bool,
    pub joined_at: Timestamp,
    /// To within a few minutes.
    pub last_seen_at: Option<Timestamp>,
}

/// A role: one of the five given ones, or one that the organization made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({ "id": "rol_01jd0000000000000000000000", "name": "Release manager", "description": "Deploys and scales.", "permissions": ["view", "deploy", "scale"], "is_given": false, "members": 2, "version": 1 }))]
pub struct OrganizationRole {
    /// What members and invitations name: `viewer`, or `rol_…`.
    pub id: String,
    pub name: String,
    pub description: String,
    pub permissions: Permissions,
    /// Every organization has it; it can't be changed.
    pub is_given: bool,
    /// How many members have it.
    pub members: u64,
    /// Counts changes; the `ETag`.
    pub version: i64,
}

/// What a member may do with one application, beside what the role in the organization includes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({ "application_id": "app_01jd0000000000000000000000", "application_name": "shop", "role": "viewer", "role_name": "Viewer", "permissions": ["view"], "created_at": "2026-01-02T03:04:05Z" }))]
pub struct Grant {
    pub application_id: AppId,
    pub application_name: String,
    pub role: String,
    pub role_name: String,
    pub permissions: Permissions,
    pub created_at: Timestamp,
}

/// How an invitation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvitationStatus {
    Pending,
    Accepted,
    Declined,
    Revoked,
    Expired,
}

impl InvitationStatus {
    /// Every one.
    pub const ALL: [InvitationStatus; 5] = [
        InvitationStatus::Pending,
        InvitationStatus::Accepted,
        InvitationStatus::Declined,
        InvitationStatus::Revoked,
        InvitationStatus::Expired,
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            InvitationStatus::Pending => "pending",
            InvitationStatus::Accepted => "accepted",
            InvitationStatus::Declined => "declined",
            InvitationStatus::Revoked => "revoked",
            InvitationStatus::Expired => "expired",
        }
    }

    /// Its word for people.
    pub fn word(self) -> &'static str {
        match self {
            InvitationStatus::Pending => "Open",
            InvitationStatus::Accepted => "Accepted",
            InvitationStatus::Declined => "Declined",
            InvitationStatus::Revoked => "Revoked",
            InvitationStatus::Expired => "Expired",
        }
    }
}

impl FromStr for InvitationStatus {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = InvitationStatus::ALL.into_iter().find(|it| it.name() == text);
        found.ok_or("A status is pending, accepted, declined, revoked or expired.")
    }
}

/// What became of the mail when it was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmailStatus {
    /// It waits to be sent.
    Queued,
    /// Earlier mail to the address bounced, so none is sent.
    Suppressed,
}

/// An invitation, as the organization sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({ "id": "inv_01jd0000000000000000000000", "email": "grace@example.com", "role": "developer", "role_name": "Developer", "message": "Join us.", "status": "pending", "invited_by": "Ada Lovelace", "sends": 1, "created_at": "2026-01-02T03:04:05Z", "sent_at": "2026-01-02T03:04:05Z", "expires_at": "2026-01-09T03:04:05Z", "ended_at": null }))]
pub struct Invitation {
    pub id: InvitationId,
    pub email: String,
    pub role: String,
    pub role_name: String,
    pub message: String,
    pub status: InvitationStatus,
    /// Who sent it, by name.
    pub invited_by: String,
    /// How often it was sent.
    pub sends: u32,
    pub created_at: Timestamp,
    pub sent_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

/// An invitation that was just sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SentInvitation {
    #[serde(flatten)]
    pub invitation: Invitation,
    pub email_status: EmailStatus,
}

/// An open invitation, as the person who is invited sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Welcome {
    pub id: InvitationId,
    pub organization_id: OrgId,
    pub organization: String,
    pub inviter: String,
    pub role_name: String,
    pub message: String,
    pub email: String,
    pub expires_at: Timestamp,
}

/// Who looks at an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reader {
    /// Signed in as the invited address.
    Invited,
    /// Signed in as somebody else, by this address.
    Another(String),
    /// Signed out; the address has an account.
    SignedOut,
    /// Signed out; the address has no account.
    Newcomer,
}

/// What the link of an invitation leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum InvitationLook {
    Open(Welcome, Reader),
    /// Its organization's name, and how it ended.
    Ended(String, InvitationStatus),
    /// The invited address is in the organization already.
    Member(String),
    Unknown,
}
