//! Plans: what an organization may use. Prices come with billing.
pub mod model;

/// What the rest of the panel knows of this feature.
#[cfg(feature = "ssr")]
pub const FEATURE: crate::feature::Feature = crate::feature::Feature::new("plans").things(model::THINGS);
