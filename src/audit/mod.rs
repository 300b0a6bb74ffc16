//! The audit trail: who did what, on what, from where, by which credential. A line is written in the transaction of the deed, so that
//! there is never one without the other, and is chained to the line before it, so that one that was altered or removed is found.
pub mod flashes;
pub mod fns;
pub mod model;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod server;

/// What the rest of the panel knows of this feature.
#[cfg(feature = "ssr")]
pub const FEATURE: crate::feature::Feature = crate::feature::Feature::new("audit")
    .api(server::api::router)
    .tags(&[crate::web::declared::ApiTag { place: 120, name: "Activity", about: "Who did what." }])
    .functions(server::functions::FUNCTIONS)
    .loops(&[server::task::LOOP])
    .flashes(flashes::ALL)
    .events(server::events::ALL)
    .things(model::THINGS);
