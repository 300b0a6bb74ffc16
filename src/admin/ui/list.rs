//! The lists of people and organizations. Search, status and page live in the address.
use crate::{
    admin::{
        fns::{read_organizations, read_users},
        model::{AdminOrganization, AdminUser},
    },
    kit::{
        AdminTabs, Align, Cell, Column, EmptyState, Icon, LinkButton, MaybeTime, NameCell, Page, PageTitle, Pagination, Row, Status, Table,
        Tag, Time, Tone, load,
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// What the address asks for.
fn asked() -> (Option<String>, Option<String>, Option<u64>) {
    let query = use_query_map().read_untracked();
    let given = |name: &str| query.get(name).filter(|text| !text.trim().is_empty());
    let page = given("page").and_then(|text| text.parse().ok()).filter(|page| *page > 0);
    (given("search"), given("status"), page)
}

/// The address of a page of the same list.
fn address(base: &'static str, search: Option<String>, status: Option<String>) -> Callback<u64, String> {
    Callback::new(move |page: u64| {
        let mut params = leptos_router::params::ParamsMap::new();
        for (name, value) in [("search", search.clone()), ("status", status.clone()), ("page", (page > 1).then(|| page.to_string()))] {
            if let Some(value) = value {
                params.insert(name, value);
            }
        }
        format!("{base}{}", params.to_query_string())
    })
}

#[component]
fn Filter(base: &'static str, search: String, status: String, statuses: Vec<(&'static str, &'static str)>, total: String) -> impl IntoView {
    let field = "h-8 rounded-control border border-edge bg-surface shadow-control hover:border-faint";
    let options =
        statuses.into_iter().map(|(value, word)| view! { <option value=value selected=value == status>{word}</option> }).collect_view();
    view! {
        <div class="flex flex-wrap items-center justify-between gap-3">
            <form method="get" action=base role="search" class="flex min-w-0 flex-1 flex-wrap items-center gap-2">
                <input
                    type="search" name="search" value=search placeholder="Search" aria-label="Search" class=format!("{field} w-full px-3 sm:w-72")
                    autocapitalize="off" spellcheck="false" data-control
                />
                <select name="status" aria-label="Status" class=format!("{field} px-3") data-control><option value="">"All"</option>{options}</select>
                <button class="h-8 rounded-control border border-edge bg-surface px-3 font-medium shadow-control hover:bg-hover" data-control>"Filter"</button>
            </form>
            <span class="text-small text-muted max-sm:w-full" role="status">{total}</span>
        </div>
    }
}

/// Everybody who has an account.
#[component]
pub fn AdminUsers() -> impl IntoView {
    let (search, status, page) = asked();
    load(read_users(search.clone(), status.clone(), page), move |found| {
        let href = address("/admin/users", search.clone(), status.clone());
        let list = match found.entries.is_empty() {
            true => view! {
                <EmptyState icon=Icon::Search title="Nobody found" text="Nobody has this in the name or the address and stands like this.">
                    <LinkButton href="/admin/users">"Show all"</LinkButton>
                </EmptyState>
            }
            .into_any(),
            false => view! {
                <Table
                    caption="Users"
                    columns=vec![
                        Column::new("Name"), Column::new("Status"), Column::new("Organizations").end().wide(), Column::new("Last seen").end().wide(),
                        Column::new("Since").end().wide(),
                    ]
                >
                    {found.entries.into_iter().map(|user| view! { <UserRow user=user/> }).collect_view()}
                </Table>
            }
            .into_any(),
        };
        view! {
            <Page>
                <PageTitle title="Users" above=vec![("Admin".into(), "/admin".into())]/>
                <AdminTabs current="/admin/users"/>
                <Filter
                    base="/admin/users" search=search.unwrap_or_default() status=status.unwrap_or_default()
                    statuses=vec![("active", "Active"), ("suspended", "Suspended"), ("operator", "Operators")]
                    total=format!("{} users", found.total)
                />
                {list} <Pagination page=found.page pages=found.pages href=href/>
            </Page>
        }
    })
}

/// How somebody or something stands with the operator.
#[component]
pub(super) fn AccountStatus(suspended: bool) -> impl IntoView {
    match suspended {
        true => view! { <Status tone=Tone::Bad word="Suspended"/> },
        false => view! { <Status tone=Tone::Good word="Active"/> },
    }
}

#[component]
fn UserRow(user: AdminUser) -> impl IntoView {
    let email = user.email.clone();
    view! {
        <Row>
            <NameCell href=format!("/admin/users/{}", user.id) name=user.name below=move || view! { <span class="break-all">{email}</span> }/>
            <Cell><span class="inline-flex items-center gap-2"><AccountStatus suspended=user.suspended_at.is_some()/> {user.is_operator.then(|| view! { <Tag>"operator"</Tag> })}</span></Cell>
            <Cell align=Align::End wide=true>{user.organizations}</Cell>
            <Cell align=Align::End wide=true><span class="text-muted"><MaybeTime at=user.last_seen_at/></span></Cell>
            <Cell align=Align::End wide=true><span class="text-muted"><Time at=user.created_at/></span></Cell>
        </Row>
    }
}

/// Every organization.
#[component]
pub fn AdminOrganizations() -> impl IntoView {
    let (search, status, page) = asked();
    load(read_organizations(search.clone(), status.clone(), page), move |found| {
        let href = address("/admin/organizations", search.clone(), status.clone());
        let list = match found.entries.is_empty() {
            true => view! {
                <EmptyState icon=Icon::Search title="Nothing found" text="No organization has this in its name and stands like this.">
                    <LinkButton href="/admin/organizations">"Show all"</LinkButton>
                </EmptyState>
            }
            .into_any(),
            false => view! {
                <Table
                    caption="Organizations"
                    columns=vec![
                        Column::new("Name"), Column::new("Status"), Column::new("Members").end().wide(), Column::new("Applications").end().wide(),
                        Column::new("Since").end().wide(),
                    ]
                >
                    {found.entries.into_iter().map(|org| view! { <OrganizationRow org=org/> }).collect_view()}
                </Table>
            }
            .into_any(),
        };
        view! {
            <Page>
                <PageTitle title="Organizations" above=vec![("Admin".into(), "/admin".into())]/>
                <AdminTabs current="/admin/organizations"/>
                <Filter
                    base="/admin/organizations" search=search.unwrap_or_default() status=status.unwrap_or_default()
                    statuses=vec![("active", "Active"), ("suspended", "Suspended")] total=format!("{} organizations", found.total)
                />
                {list} <Pagination page=found.page pages=found.pages href=href/>
            </Page>
        }
    })
}

#[component]
fn OrganizationRow(org: AdminOrganization) -> impl IntoView {
    let slug = org.slug.clone();
    view! {
        <Row>
            <NameCell href=format!("/admin/organizations/{}", org.id) name=org.name below=move || view! { <span class="font-mono">{slug}</span> }/>
            <Cell>
                {match org.deleted_at {
                    Some(_) => view! { <Status tone=Tone::Idle word="Deleted"/> }.into_any(),
                    None => view! { <AccountStatus suspended=org.suspended_at.is_some()/> }.into_any(),
                }}
            </Cell>
            <Cell align=Align::End wide=true>{org.members}</Cell>
            <Cell align=Align::End wide=true>{org.applications}</Cell>
            <Cell align=Align::End wide=true><span class="text-muted"><Time at=org.created_at/></span></Cell>
        </Row>
    }
}
