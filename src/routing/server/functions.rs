//! The server functions that change something, with what each costs.
use crate::routing::fns::{
    AddPath, BeginMaintenance, EndMaintenance, RemoveErrorPage, RemoveHeader, RemoveLogin, RemovePath, SaveAccessLog, SaveBalancing,
    SaveHttps, SaveLimits, SaveLoginExceptions, SaveMaintenance, SetErrorPage, SetHeader, SetLogin,
};
use crate::web::{
    declared::{FunctionClass, function},
    rate_limits::Class,
};

/// Every function of this feature that does more than read.
pub const FUNCTIONS: &[FunctionClass] = &[
    function::<BeginMaintenance>(Class::Usual),
    function::<EndMaintenance>(Class::Usual),
    function::<SaveMaintenance>(Class::Usual),
    function::<SaveHttps>(Class::Usual),
    function::<SetLogin>(Class::Usual),
    function::<RemoveLogin>(Class::Usual),
    function::<SaveLoginExceptions>(Class::Usual),
    function::<SetHeader>(Class::Usual),
    function::<RemoveHeader>(Class::Usual),
    function::<SaveLimits>(Class::Usual),
    function::<SetErrorPage>(Class::Usual),
    function::<RemoveErrorPage>(Class::Usual),
    function::<SaveBalancing>(Class::Usual),
    function::<SaveAccessLog>(Class::Usual),
    function::<AddPath>(Class::Usual),
    function::<RemovePath>(Class::Usual),
];
