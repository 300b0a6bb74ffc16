//! The server functions that change something, with what each costs.
use crate::orgs::fns::grants::{GiveGrant, TakeGrant};
use crate::orgs::fns::invitations::{
    AcceptInvitation, AcceptOwnInvitation, DeclineInvitation, DeclineOwnInvitation, InviteMember, JoinByInvitation, LookAtInvitation,
    ResendInvitation, RevokeInvitation, SignOutForInvitation,
};
use crate::orgs::fns::{
    ChangeMembers, CreateOrganization, CreateRole, DeleteOrganization, DeleteRole, LeaveOrganization, RemoveMember, SetMemberRole,
    SwitchOrganization, TransferOrganization, UpdateOrganization, UpdateRole,
};
use crate::web::{
    declared::{FunctionClass, function},
    rate_limits::Class,
};

/// Every function of this feature that does more than read.
pub const FUNCTIONS: &[FunctionClass] = &[
    function::<GiveGrant>(Class::Usual),
    function::<TakeGrant>(Class::Usual),
    function::<InviteMember>(Class::Mail),
    function::<ResendInvitation>(Class::Mail),
    function::<RevokeInvitation>(Class::Usual),
    function::<LookAtInvitation>(Class::Usual),
    function::<AcceptInvitation>(Class::Usual),
    function::<AcceptOwnInvitation>(Class::Usual),
    function::<DeclineInvitation>(Class::Usual),
    function::<DeclineOwnInvitation>(Class::Usual),
    function::<JoinByInvitation>(Class::SignIn),
    function::<SignOutForInvitation>(Class::Usual),
    function::<CreateOrganization>(Class::Usual),
    function::<SwitchOrganization>(Class::Usual),
    function::<UpdateOrganization>(Class::Usual),
    function::<LeaveOrganization>(Class::Usual),
    function::<TransferOrganization>(Class::Usual),
    function::<DeleteOrganization>(Class::Usual),
    function::<SetMemberRole>(Class::Usual),
    function::<RemoveMember>(Class::Usual),
    function::<ChangeMembers>(Class::Usual),
    function::<CreateRole>(Class::Usual),
    function::<UpdateRole>(Class::Usual),
    function::<DeleteRole>(Class::Usual),
];
