//! The server functions that change something, with what each costs.
use crate::admin::fns::{
    CreateAnnouncement, DeleteAnnouncement, DismissAnnouncement, EndImpersonation, ImpersonateUser, ResumeOrganization, ResumeUser,
    SetFlag, SetOperator, SuspendOrganization, SuspendUser, UpdateAnnouncement,
};
use crate::web::{
    declared::{FunctionClass, function},
    rate_limits::Class,
};

/// Every function of this feature that does more than read.
pub const FUNCTIONS: &[FunctionClass] = &[
    function::<SuspendUser>(Class::Usual),
    function::<ResumeUser>(Class::Usual),
    function::<SetOperator>(Class::Usual),
    function::<ImpersonateUser>(Class::Usual),
    function::<EndImpersonation>(Class::Usual),
    function::<SuspendOrganization>(Class::Usual),
    function::<ResumeOrganization>(Class::Usual),
    function::<CreateAnnouncement>(Class::Usual),
    function::<UpdateAnnouncement>(Class::Usual),
    function::<DeleteAnnouncement>(Class::Usual),
    function::<DismissAnnouncement>(Class::Usual),
    function::<SetFlag>(Class::Usual),
];
