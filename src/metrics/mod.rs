//! What an application was asked and how that went: charts on its pages, the same through the API, its access log, and everything for the
//! operator's Prometheus. The numbers are kept by [`crate::platform::traffic`].
pub mod fns;
pub mod model;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod server;

/// What the rest of the panel knows of this feature.
#[cfg(feature = "ssr")]
pub const FEATURE: crate::feature::Feature = crate::feature::Feature::new("metrics")
    .api(server::api::router)
    .tags(&[crate::web::declared::ApiTag { place: 170, name: "Metrics", about: "What applications were asked, and how that went." }])
    .loops(server::task::LOOPS);
