//! The server functions that change something, with what each costs.
use crate::deployments::fns::{
    CancelDeployment, ChangeRollout, ConfigureApplication, CreateApplication, DeployApplication, PromoteCanary, RestartApplication,
    RollBack, TakeBackCanary,
};
use crate::web::{
    declared::{FunctionClass, function},
    rate_limits::Class,
};

/// Every function of this feature that does more than read.
pub const FUNCTIONS: &[FunctionClass] = &[
    function::<CreateApplication>(Class::Usual),
    function::<DeployApplication>(Class::Deploy),
    function::<ConfigureApplication>(Class::Deploy),
    function::<RestartApplication>(Class::Deploy),
    function::<RollBack>(Class::Deploy),
    function::<CancelDeployment>(Class::Usual),
    function::<ChangeRollout>(Class::Usual),
    function::<PromoteCanary>(Class::Usual),
    function::<TakeBackCanary>(Class::Usual),
];
