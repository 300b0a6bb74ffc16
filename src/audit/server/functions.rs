//! The server functions that change something, with what each costs.
use crate::audit::fns::{CreateAuditStream, DeleteAuditStream, SwitchAuditStream, TestAuditStream};
use crate::web::{
    declared::{FunctionClass, function},
    rate_limits::Class,
};

/// Every function of this feature that does more than read.
pub const FUNCTIONS: &[FunctionClass] = &[
    function::<CreateAuditStream>(Class::Usual),
    function::<SwitchAuditStream>(Class::Usual),
    function::<TestAuditStream>(Class::Usual),
    function::<DeleteAuditStream>(Class::Usual),
];
