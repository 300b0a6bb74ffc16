//! What the edges counted: taken in, written down by hour and minute, and kept for a while. The pages and the API over it are `metrics`.
pub mod server;

/// What the rest of the panel knows of this feature.
pub const FEATURE: crate::feature::Feature = crate::feature::Feature::new("traffic");
