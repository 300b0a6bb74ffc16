//! The pages of an application's routing: maintenance and HTTPS first, then who may come in, headers, limits, pages, balancing, paths.
mod access;
mod balancing;
mod general;
mod headers;
mod limits;
mod pages;
mod paths;

pub use access::RoutingAccess;
pub use balancing::RoutingBalancing;
pub use general::{InMaintenance, RoutingGeneral};
pub use headers::RoutingHeaders;
pub use limits::RoutingLimits;
pub use pages::RoutingPages;
pub use paths::RoutingPaths;

use crate::{
    apps::{
        fns::read_application,
        model::Application,
        ui::{AppFrame, Tab, app_param},
    },
    error::Result,
    id::AppId,
    routing::{fns::read_routing, model::Routing},
};
use leptos::prelude::*;

/// A part of an application's routing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    General,
    Access,
    Headers,
    Limits,
    Pages,
    Balancing,
    Paths,
}

const PARTS: [(Part, &str, &str); 7] = [
    (Part::General, "Maintenance and HTTPS", ""),
    (Part::Access, "Passwords", "/access"),
    (Part::Headers, "Headers", "/headers"),
    (Part::Limits, "Limits", "/limits"),
    (Part::Pages, "Error pages", "/pages"),
    (Part::Balancing, "Balancing", "/balancing"),
    (Part::Paths, "Paths", "/paths"),
];

/// The application that the address names, and its routing.
async fn both() -> Result<(Application, Routing)> {
    let id = app_param()?;
    Ok((read_application(id.clone()).await?, read_routing(id).await?))
}

/// What a form says whose it is by: the application, and the version that was seen.
fn hidden(routing: &Routing) -> Vec<(&'static str, String)> {
    vec![("id", routing.application_id.to_string()), ("version", routing.version.to_string())]
}

/// The frame around a part: the application's, and the other parts as links.
#[component]
fn RoutingFrame(
    /// The application.
    app: Application,
    /// Which part it is.
    part: Part,
    children: Children,
) -> impl IntoView {
    let links = links(app.id.clone(), part);
    view! {
        <AppFrame app=app tab=Tab::Routing>
            <nav aria-label="Routing" class="flex flex-wrap gap-1">{links}</nav>
            <div class="flex max-w-[720px] flex-col gap-6">{children()}</div>
        </AppFrame>
    }
}

fn links(id: AppId, part: Part) -> impl IntoView {
    let link = |(it, name, path): (Part, &'static str, &'static str)| {
        let here = (it == part).then_some("page");
        view! {
            <a
                href=format!("/applications/{id}/routing{path}") aria-current=here
                class="inline-flex h-8 items-center rounded-control px-3 whitespace-nowrap text-muted hover:bg-hover hover:text-text aria-[current]:bg-press aria-[current]:font-medium aria-[current]:text-text"
            >
                {name}
            </a>
        }
    };
    PARTS.into_iter().map(link).collect_view()
}
