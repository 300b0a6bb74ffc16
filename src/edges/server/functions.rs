//! The server functions that change something, with what each costs.
use crate::edges::fns::{AddEdge, RemoveEdge, RenameEdge, RevokeEdge, RotateEdge};
use crate::web::{
    declared::{FunctionClass, function},
    rate_limits::Class,
};

/// Every function of this feature that does more than read.
pub const FUNCTIONS: &[FunctionClass] = &[
    function::<AddEdge>(Class::Usual),
    function::<RenameEdge>(Class::Usual),
    function::<RotateEdge>(Class::Usual),
    function::<RevokeEdge>(Class::Usual),
    function::<RemoveEdge>(Class::Usual),
];
