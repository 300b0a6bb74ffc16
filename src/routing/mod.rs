//! Routing: what an application asks of the edge beside being served. Maintenance, HTTPS, passwords, header fields, limits, error pages,
//! balancing, the share of requests that is logged, and paths under other hosts of the organization. It holds at once, without a deployment.
pub mod flashes;
pub mod fns;
pub mod model;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod server;

/// What the rest of the panel knows of this feature.
#[cfg(feature = "ssr")]
pub const FEATURE: crate::feature::Feature = crate::feature::Feature::new("routing")
    .api(server::api::router)
    .tags(&[crate::web::declared::ApiTag {
        place: 160,
        name: "Routing",
        about: "What an application asks of the edge: maintenance, HTTPS, passwords, headers, limits, paths.",
    }])
    .functions(server::functions::FUNCTIONS)
    .flashes(flashes::ALL)
    .events(server::events::ALL);
