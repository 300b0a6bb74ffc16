//! A deployment: one attempt to put a release in front of visitors, and the truth about how it went. It claims a row with a
//! lease, walks the phases, and ends in a state that is final. A release is an image digest with a configuration, frozen.
pub mod flashes;
pub mod fns;
pub mod model;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod server;

/// What the rest of the panel knows of this feature.
#[cfg(feature = "ssr")]
pub const FEATURE: crate::feature::Feature = crate::feature::Feature::new("deployments")
    .api(server::api::router)
    .tags(&[crate::web::declared::ApiTag {
        place: 140,
        name: "Deployments",
        about: "Putting a release in front of visitors, and going back.",
    }])
    .functions(server::functions::FUNCTIONS)
    .loops(&[server::task::LOOP, server::task::converge::LOOP, server::task::routes::LOOP, server::task::garbage::LOOP])
    .flashes(flashes::ALL)
    .events(server::events::ALL)
    .things(model::THINGS);
