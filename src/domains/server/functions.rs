//! The server functions that change something, with what each costs.
use crate::domains::fns::{AddDomain, ChangeDomain, OrderCertificate, RemoveCertificate, RemoveDomain, UploadCertificate, VerifyDomain};
use crate::web::{
    declared::{FunctionClass, function},
    rate_limits::Class,
};

/// Every function of this feature that does more than read.
pub const FUNCTIONS: &[FunctionClass] = &[
    function::<AddDomain>(Class::Usual),
    function::<VerifyDomain>(Class::Usual),
    function::<ChangeDomain>(Class::Usual),
    function::<RemoveDomain>(Class::Usual),
    function::<OrderCertificate>(Class::Usual),
    function::<UploadCertificate>(Class::Usual),
    function::<RemoveCertificate>(Class::Usual),
];
