//! What the operator of the platform does: people and organizations of every tenant, acting in somebody's name, notes to users, how far
//! a feature is rolled out; and the same from the command line.
pub mod flashes;
pub mod fns;
pub mod model;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod server;

/// What the rest of the panel knows of this feature.
#[cfg(feature = "ssr")]
pub const FEATURE: crate::feature::Feature = crate::feature::Feature::new("admin")
    .api(server::api::router)
    .tags(&[crate::web::declared::ApiTag { place: 200, name: "Admin", about: "For the operators of the platform." }])
    .functions(server::functions::FUNCTIONS)
    .flashes(flashes::ALL)
    .events(server::events::ALL)
    .things(model::THINGS);
