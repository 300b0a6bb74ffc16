//! The list of applications. Search, status and page live in the address.
use crate::{
    apps::{
        fns::{Applications as Found, read_applications},
        model::{AppStatus, Application, Source},
        ui::tone,
    },
    kit::{
        Align, Cell, Column, EmptyState, Icon, LinkButton, Look, NameCell, Page, PageTitle, Pagination, Row, Status, Table, TextLink, Time,
        load,
    },
    rights::Action,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

const STATUSES: [(&str, AppStatus); 7] = [
    ("running", AppStatus::Running),
    ("deploying", AppStatus::Deploying),
    ("degraded", AppStatus::Degraded),
    ("down", AppStatus::Down),
    ("stopped", AppStatus::Stopped),
    ("new", AppStatus::New),
    ("unknown", AppStatus::Unknown),
];

/// The organization's applications.
#[component]
pub fn Applications() -> impl IntoView {
    let query = use_query_map().read_untracked();
    let given = |name: &str| query.get(name).filter(|text| !text.trim().is_empty());
    let (search, status) = (given("search"), given("status"));
    let page = given("page").and_then(|text| text.parse().ok()).filter(|page| *page > 0);
    let asked = read_applications(search.clone(), status.clone(), page);
    load(asked, move |found| {
        let nothing = found.total == 0 && search.is_none() && status.is_none();
        view! {
            <Page>
                <PageTitle title="Applications" actions=move || (!nothing).then(|| view! { <NewButton/> })/>
                {if nothing { view! { <First/> }.into_any() } else { view! { <Listing found=found search=search status=status/> }.into_any() }}
            </Page>
        }
    })
}

#[component]
fn NewButton() -> impl IntoView {
    view! { <LinkButton href="/applications/new" look=Look::Primary needs=Action::Create>{Icon::Plus.view()} "New application"</LinkButton> }
}

#[component]
fn First() -> impl IntoView {
    view! {
        <EmptyState
            icon=Icon::Rocket title="No applications yet"
            text="Name a git repository with a Dockerfile, or an image. A minute later it answers at an address of its own."
        >
            <NewButton/>
        </EmptyState>
    }
}

#[component]
fn Listing(found: Found, search: Option<String>, status: Option<String>) -> impl IntoView {
    let (page, pages, total) = (found.page, found.pages, found.total);
    let href = address(search.clone(), status.clone());
    let words = if total == 1 { "1 application".to_string() } else { format!("{total} applications") };
    let list = if found.applications.is_empty() {
        view! {
            <EmptyState icon=Icon::Search title="Nothing found" text="No application has this in its name and stands like this.">
                <LinkButton href="/applications">"Show all"</LinkButton>
            </EmptyState>
        }
        .into_any()
    } else {
        view! {
            <Table
                caption="Applications"
                columns=vec![
                    Column::new("Name"), Column::new("Status"), Column::new("Address").wide(), Column::new("Replicas").end(), Column::new("Updated").end().wide(),
                ]
            >
                {found.applications.into_iter().map(|app| view! { <AppRow app=app/> }).collect_view()}
            </Table>
        }
        .into_any()
    };
    view! {
        <div class="flex flex-col gap-3">
            <div class="flex flex-wrap items-center justify-between gap-3">
                <Filter search=search.unwrap_or_default() status=status.unwrap_or_default()/>
                <span class="text-small text-muted max-sm:w-full" role="status">{words}</span>
            </div>
            {list}
        </div>
        <Pagination page=page pages=pages href=href/>
    }
}

/// The address of a page of the same list.
fn address(search: Option<String>, status: Option<String>) -> Callback<u64, String> {
    Callback::new(move |page: u64| {
        let mut params = leptos_router::params::ParamsMap::new();
        for (name, value) in [("search", search.clone()), ("status", status.clone()), ("page", (page > 1).then(|| page.to_string()))] {
            if let Some(value) = value {
                params.insert(name, value);
            }
        }
        format!("/applications{}", params.to_query_string())
    })
}

#[component]
fn Filter(search: String, status: String) -> impl IntoView {
    let options =
        STATUSES.into_iter().map(|(word, it)| view! { <option value=word selected=word == status>{it.word()}</option> }).collect_view();
    let field = "h-8 rounded-control border border-edge bg-surface shadow-control hover:border-faint";
    view! {
        <form method="get" action="/applications" role="search" class="flex min-w-0 flex-1 flex-wrap items-center gap-2">
            <div class="relative w-full sm:w-64">
                <span class="pointer-events-none absolute inset-y-0 left-2.5 flex items-center text-faint">{Icon::Search.view()}</span>
                <input
                    type="search" name="search" value=search placeholder="Search by name" aria-label="Search by name"
                    class=format!("{field} w-full pr-3 pl-8") autocapitalize="off" spellcheck="false" data-control
                />
            </div>
            <div class="relative flex-1 sm:flex-none">
                <select name="status" aria-label="Status" class=format!("{field} w-full appearance-none pr-8 pl-3") data-control>
                    <option value="">"Any status"</option>
                    {options}
                </select>
                <span class="pointer-events-none absolute inset-y-0 right-2.5 flex items-center text-muted">{Icon::Updown.view()}</span>
            </div>
            <button class="h-8 rounded-control border border-edge bg-surface px-3 font-medium shadow-control hover:bg-hover" data-control>"Filter"</button>
        </form>
    }
}

#[component]
fn AppRow(app: Application) -> impl IntoView {
    let icon = match app.settings.source {
        Source::Git { .. } => Icon::Branch,
        Source::Image { .. } => Icon::Image,
    };
    let summary = app.settings.source.summary();
    let below =
        move || view! { <span class="flex min-w-0 items-center gap-1">{icon.view()} <span class="truncate">{summary}</span></span> };
    let host = app.url.trim_start_matches("http://").trim_start_matches("https://").to_string();
    let (running, wanted) = (app.replicas.running, app.replicas.wanted);
    view! {
        <Row>
            <NameCell href=format!("/applications/{}", app.id) name=app.name.to_string() below=below/>
            <Cell><Status tone=tone(app.status) word=app.status.word()/></Cell>
            <Cell wide=true>
                <span class="relative z-10 font-mono text-small">
                    {match app.live_deployment_id.is_some() {
                        true => view! { <TextLink href=app.url outside=true>{host}</TextLink> }.into_any(),
                        false => view! { <span class="text-faint">{host}</span> }.into_any(),
                    }}
                </span>
            </Cell>
            <Cell align=Align::End>{format!("{running} / {wanted}")}</Cell>
            <Cell align=Align::End wide=true><span class="text-muted"><Time at=app.updated_at/></span></Cell>
        </Row>
    }
}
