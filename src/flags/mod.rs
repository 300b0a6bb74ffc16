//! Feature flags and announcements, as every request needs them. The operator's pages that change them are in `admin`.
pub mod server;

/// What the rest of the panel knows of this feature.
pub const FEATURE: crate::feature::Feature = crate::feature::Feature::new("flags");
