//! Organizations: who is in them, with which role, and who is asked in. Nobody can give what they do not have, and an organization
//! always has an owner: whatever changes who may do what holds the organization's row first, so that of two such changes the second
//! sees what the first one did.
pub mod flashes;
pub mod fns;
pub mod model;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod server;

/// What the rest of the panel knows of this feature.
#[cfg(feature = "ssr")]
pub const FEATURE: crate::feature::Feature = crate::feature::Feature::new("orgs")
    .api(server::api::router)
    .tags(&[crate::web::declared::ApiTag { place: 70, name: "Organizations", about: "Organizations and their settings." }])
    .functions(server::functions::FUNCTIONS)
    .open_pages(&["/invitations/"])
    .own_pages(&["/organizations", "/invitations"])
    .flashes(flashes::ALL)
    .events(server::events::ALL)
    .letters(server::letters::LETTERS)
    .things(model::THINGS);
