//! Keys of the API: what scripts call with. A key belongs to a person in one organization and may do what its scope says of what she may
//! do there at that moment. Its secret is shown once and stored as a hash; a rotation lets the old one live on for a while.
pub mod flashes;
pub mod fns;
pub mod model;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod server;

/// What the rest of the panel knows of this feature.
#[cfg(feature = "ssr")]
pub const FEATURE: crate::feature::Feature = crate::feature::Feature::new("keys")
    .api(server::api::router)
    .tags(&[crate::web::declared::ApiTag {
        place: 60,
        name: "API keys",
        about: "What scripts call with: scoped, expiring, rotated, revoked.",
    }])
    .functions(server::functions::FUNCTIONS)
    .flashes(flashes::ALL)
    .events(server::events::ALL)
    .things(model::THINGS);
