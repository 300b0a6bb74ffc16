//! The pages of organizations.
mod frame;
mod invitations;
mod join;
mod member;
mod members;
mod mine;
mod overview;
mod roles;
mod settings;

pub use frame::{OrgFrame, OrgTab};
pub use invitations::{Invitations, InviteMember};
pub use join::Join;
pub use member::MemberPage;
pub use members::Members;
pub use mine::{NewOrganization, Organizations};
pub use overview::OrganizationOverview;
pub use roles::{NewRole, RolePage, Roles};
pub use settings::OrganizationSettings;
