//! An application: a git repository or an image that a customer wants served. What is wanted stands in the row; the loops of
//! [`crate::deployments`] make it so. An application is created, deployed (a release goes live beside the old one), scaled, stopped and
//! started, and at last deleted, by name, for good.
pub mod flashes;
pub mod fns;
pub mod model;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod server;

/// What the rest of the panel knows of this feature.
#[cfg(feature = "ssr")]
pub const FEATURE: crate::feature::Feature = crate::feature::Feature::new("apps")
    .api(server::api::router)
    .tags(&[crate::web::declared::ApiTag {
        place: 130,
        name: "Applications",
        about: "What is served: sources, settings, variables, replicas, logs.",
    }])
    .functions(server::functions::FUNCTIONS)
    .loops(&[server::task::LOOP])
    .flashes(flashes::ALL)
    .events(server::events::ALL);
