//! The OpenAPI document as it is served. It is rendered once in a process, on a thread of its own: the tree that it is made of takes
//! 17 MiB in 34 000 pieces, and the allocator gives pages back whole only where nothing that stays lies between them. What is kept is
//! the document and the page for people, compressed, and what each route takes in its query.
use crate::web::{docs, gzipped::Gzipped, openapi};
use serde_json::Value;
use std::sync::{Arc, OnceLock};

/// What is kept of the document.
#[derive(Debug, Clone)]
pub struct PublishedApi {
    /// The document as JSON.
    pub document: Gzipped,
    /// The page for people.
    pub page: Gzipped,
    /// What each route takes in its query.
    pub queries: Arc<openapi::RouteQueries>,
}

static PUBLISHED: OnceLock<PublishedApi> = OnceLock::new();

/// The document that `make` gives. Every call after the first gets what the first one made.
pub fn published(make: fn() -> Value) -> &'static PublishedApi {
    PUBLISHED.get_or_init(|| {
        let rendering = std::thread::Builder::new().name("openapi".into()).spawn(move || render(&make()));
        let rendered = rendering.map(|thread| thread.join()).expect("a process that starts has room for a thread");
        // A copy of this thread's own, so that nothing stays in the memory of the thread that ended.
        rendered.expect("rendering fails for no document that compiles").clone_deeply()
    })
}

fn render(document: &Value) -> PublishedApi {
    let page = Gzipped::of(docs::page(document).as_bytes());
    let queries = Arc::new(openapi::queries(document));
    PublishedApi { document: Gzipped::of(document.to_string().as_bytes()), page, queries }
}

impl PublishedApi {
    fn clone_deeply(&self) -> Self {
        PublishedApi { document: self.document.copied(), page: self.page.copied(), queries: Arc::new((*self.queries).clone()) }
    }
}
