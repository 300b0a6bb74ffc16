//! The server functions that change something, with what each costs.
use crate::keys::fns::{CreateApiKey, RevokeApiKey, RotateApiKey, UpdateApiKey};
use crate::web::{
    declared::{FunctionClass, function},
    rate_limits::Class,
};

/// Every function of this feature that does more than read.
pub const FUNCTIONS: &[FunctionClass] = &[
    function::<CreateApiKey>(Class::Usual),
    function::<UpdateApiKey>(Class::Usual),
    function::<RotateApiKey>(Class::Usual),
    function::<RevokeApiKey>(Class::Usual),
];
