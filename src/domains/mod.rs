//! Domains: names of the customers' own that lead to their applications, and the certificates of these names. A name is claimed, proven by
//! a record in its zone, checked again every day, and served as long as the proof stands.
pub mod flashes;
pub mod fns;
pub mod model;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod server;

/// What the rest of the panel knows of this feature.
#[cfg(feature = "ssr")]
pub const FEATURE: crate::feature::Feature = crate::feature::Feature::new("domains")
    .api(server::api::router)
    .tags(&[crate::web::declared::ApiTag {
        place: 150,
        name: "Domains",
        about: "Names of customers, their proof, and their certificates.",
    }])
    .functions(server::functions::FUNCTIONS)
    .loops(server::task::LOOPS)
    .flashes(flashes::ALL)
    .events(server::events::ALL)
    .letters(server::letters::LETTERS)
    .things(model::THINGS);
