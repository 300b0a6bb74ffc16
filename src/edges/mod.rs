//! Edges that run elsewhere: who they are, what they are told, and what they report. An edge gets what is live as one content with a
//! version that all panels on the database agree on, and every change of it is made; it opens the stream itself, with a token that
//! opens nothing else, and goes on with what it has when no panel answers.
pub mod fns;
pub mod model;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod server;

/// What the rest of the panel knows of this feature.
#[cfg(feature = "ssr")]
pub const FEATURE: crate::feature::Feature = crate::feature::Feature::new("edges")
    .api(server::api::router)
    .tags(&[crate::web::declared::ApiTag {
        place: 190,
        name: "Edges",
        about: "Edges that run elsewhere: the operator’s list of them, and what they call themselves.",
    }])
    .functions(server::functions::FUNCTIONS)
    .loops(&[server::task::LOOP])
    .events(server::events::ALL)
    .things(model::THINGS);
