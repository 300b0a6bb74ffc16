//! Error reports: what stands behind the reference that a customer was shown. Faults of one kind are counted together; of each kind the
//! newest are kept with what is known of their requests. For the operators of the platform.
pub mod fns;
pub mod model;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod server;

/// What the rest of the panel knows of this feature.
#[cfg(feature = "ssr")]
pub const FEATURE: crate::feature::Feature = crate::feature::Feature::new("reports")
    .api(server::api::router)
    .tags(&[crate::web::declared::ApiTag {
        place: 210,
        name: "Error reports",
        about: "Faults by their reference, for the operators of the platform.",
    }])
    .loops(&[server::task::LOOP])
    .things(model::THINGS);
