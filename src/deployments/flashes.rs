//! What the pages say once, after something was done.
use crate::kit::Flash;

/// A deployment will be ended.
pub const DEPLOYMENT_CANCELLED: Flash =
    Flash::new("deployments.deployment_cancelled", "The deployment is being cancelled. What visitors see stays as it is.");
/// All visitors get a canary.
pub const CANARY_PROMOTED: Flash = Flash::new("deployments.canary_promoted", "All visitors get the new release now.");
/// A canary is taken back.
pub const CANARY_TAKEN_BACK: Flash = Flash::new("deployments.canary_taken_back", "All visitors get the release before again.");

/// All of them.
pub const ALL: &[Flash] = &[DEPLOYMENT_CANCELLED, CANARY_PROMOTED, CANARY_TAKEN_BACK];
