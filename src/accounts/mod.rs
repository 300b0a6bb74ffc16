//! People: signing up, in and out. A password is stored as argon2id, a session as the hash of its token; guessing is throttled
//! per address and per account.
pub mod flashes;
pub mod fns;
pub mod model;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod server;

/// What the rest of the panel knows of this feature.
#[cfg(feature = "ssr")]
pub const FEATURE: crate::feature::Feature = crate::feature::Feature::new("accounts")
    .api(server::api::router)
    .tags(&[crate::web::declared::ApiTag { place: 10, name: "Account", about: "Signing up, in and out, and who is signed in." }])
    .functions(server::functions::FUNCTIONS)
    .routes(server::provider_routes::router)
    .loops(&[server::task::LOOP])
    .open_pages(&["/sign-in", "/sign-in/second-factor", "/sign-up", "/setup/", "/forgot-password", "/reset-password/", "/verify-email/"])
    .own_pages(&["/account"])
    .flashes(flashes::ALL)
    .events(server::events::ALL)
    .letters(server::letters::LETTERS)
    .things(model::THINGS);
