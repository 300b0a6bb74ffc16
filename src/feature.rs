//! What a feature declares of itself: one constant value in its `mod.rs`, in which it names what it has and leaves out what it has not.
//! `features.rs` lists these values once, and whoever needs all of something (the router, the loops, the rate limits, the OpenAPI document,
//! the tests of rights and of layers) reads it from there. It is plain data that the compiler reads: nothing registers itself while the panel runs.
use crate::{
    error::Thing,
    kit::Flash,
    outbox::LetterKind,
    runtime::loops::Loop,
    store::EventKind,
    web::declared::{ApiTag, FunctionClass},
};
use axum::Router;
use utoipa_axum::router::OpenApiRouter;

/// A feature, as the rest of the panel knows it.
#[derive(Clone, Copy)]
pub struct Feature {
    /// The name of its folder.
    pub name: &'static str,
    /// Its part of the REST API.
    pub api: Option<fn() -> OpenApiRouter>,
    /// The parts of the API that its routes stand in.
    pub tags: &'static [ApiTag],
    /// Routes beside the API and the pages: what a provider's or a mail's links lead to.
    pub routes: Option<fn() -> Router>,
    /// Its server functions that change something, with what each costs.
    pub functions: &'static [FunctionClass],
    /// Its loops.
    pub loops: &'static [Loop],
    /// What its pages say once after something was done.
    pub flashes: &'static [Flash],
    /// What of it stands in the audit trail.
    pub events: &'static [EventKind],
    /// The letters that it sends.
    pub letters: &'static [LetterKind],
    /// The kinds of things of its own that can be asked for and not be there.
    pub things: &'static [Thing],
    /// Pages that somebody who is signed out may see. One that ends in `/` stands for all below it.
    pub open_pages: &'static [&'static str],
    /// Pages about a person herself, which stay open where her organization demands something of her first. Each stands for all that begin so.
    pub own_pages: &'static [&'static str],
}

impl Feature {
    /// A feature that has nothing yet.
    pub const fn new(name: &'static str) -> Self {
        Feature {
            name,
            api: None,
            tags: &[],
            routes: None,
            functions: &[],
            loops: &[],
            flashes: &[],
            events: &[],
            letters: &[],
            things: &[],
            open_pages: &[],
            own_pages: &[],
        }
    }

    /// Names its part of the REST API.
    pub const fn api(self, api: fn() -> OpenApiRouter) -> Self {
        Feature { api: Some(api), ..self }
    }

    /// Names the parts of the API that its routes stand in.
    pub const fn tags(self, tags: &'static [ApiTag]) -> Self {
        Feature { tags, ..self }
    }

    /// Names its routes beside the API and the pages.
    pub const fn routes(self, routes: fn() -> Router) -> Self {
        Feature { routes: Some(routes), ..self }
    }

    /// Names its server functions that change something.
    pub const fn functions(self, functions: &'static [FunctionClass]) -> Self {
        Feature { functions, ..self }
    }

    /// Names its loops.
    pub const fn loops(self, loops: &'static [Loop]) -> Self {
        Feature { loops, ..self }
    }

    /// Names what its pages say after something was done.
    pub const fn flashes(self, flashes: &'static [Flash]) -> Self {
        Feature { flashes, ..self }
    }

    /// Names what of it stands in the audit trail.
    pub const fn events(self, events: &'static [EventKind]) -> Self {
        Feature { events, ..self }
    }

    /// Names its letters.
    pub const fn letters(self, letters: &'static [LetterKind]) -> Self {
        Feature { letters, ..self }
    }

    /// Names its kinds of things.
    pub const fn things(self, things: &'static [Thing]) -> Self {
        Feature { things, ..self }
    }

    /// Names its pages that are open to whoever is signed out.
    pub const fn open_pages(self, open_pages: &'static [&'static str]) -> Self {
        Feature { open_pages, ..self }
    }

    /// Names its pages about a person herself.
    pub const fn own_pages(self, own_pages: &'static [&'static str]) -> Self {
        Feature { own_pages, ..self }
    }
}
