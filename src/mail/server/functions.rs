//! The server functions that change something, with what each costs.
use crate::mail::fns::{CancelMail, LiftSuppression, RetryMail, SendTestMail, SuppressAddress};
use crate::web::{
    declared::{FunctionClass, function},
    rate_limits::Class,
};

/// Every function of this feature that does more than read.
pub const FUNCTIONS: &[FunctionClass] = &[
    function::<RetryMail>(Class::Usual),
    function::<CancelMail>(Class::Usual),
    function::<SuppressAddress>(Class::Usual),
    function::<LiftSuppression>(Class::Usual),
    function::<SendTestMail>(Class::Mail),
];
