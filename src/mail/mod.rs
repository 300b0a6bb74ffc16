//! The operator's side of mail: it is sent from the outbox, what comes back is read, and pages show what became of each message. Other
//! features put messages into the outbox with `platform::mail::queue`.
pub mod flashes;
pub mod fns;
pub mod model;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod server;

/// What the rest of the panel knows of this feature.
#[cfg(feature = "ssr")]
pub const FEATURE: crate::feature::Feature = crate::feature::Feature::new("mail")
    .api(server::api::router)
    .tags(&[crate::web::declared::ApiTag { place: 180, name: "Mail", about: "What was sent, and what came back." }])
    .functions(server::functions::FUNCTIONS)
    .routes(server::tracking::router)
    .loops(&[server::task::LOOP, server::bounces::LOOP])
    .flashes(flashes::ALL)
    .events(server::events::ALL)
    .letters(server::letters::LETTERS)
    .things(model::THINGS);
