//! The server functions that change something, with what each costs.
use crate::apps::fns::{
    CheckRepository, DeleteApplication, ImportVariables, RemoveVariable, ScaleApplication, SetVariable, StartApplication, StopApplication,
    UpdateApplication,
};
use crate::web::{
    declared::{FunctionClass, function},
    rate_limits::Class,
};

/// Every function of this feature that does more than read.
pub const FUNCTIONS: &[FunctionClass] = &[
    function::<CheckRepository>(Class::Usual),
    function::<UpdateApplication>(Class::Usual),
    function::<ScaleApplication>(Class::Usual),
    function::<StopApplication>(Class::Usual),
    function::<StartApplication>(Class::Usual),
    function::<DeleteApplication>(Class::Usual),
    function::<SetVariable>(Class::Usual),
    function::<RemoveVariable>(Class::Usual),
    function::<ImportVariables>(Class::Usual),
];
