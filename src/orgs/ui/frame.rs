//! What every page of the organization begins with: its name, what can be done, and the tabs.
use crate::kit::{Page, PageTitle, Tabs, Viewer};
use leptos::{children::ViewFnOnce, prelude::*};

/// A view of the organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrgTab {
    Overview,
    Members,
    Invitations,
    Roles,
    Activity,
    Settings,
}

const TABS: [(OrgTab, &str, &str); 6] = [
    (OrgTab::Overview, "Overview", "/organization"),
    (OrgTab::Members, "Members", "/organization/members"),
    (OrgTab::Invitations, "Invitations", "/organization/invitations"),
    (OrgTab::Roles, "Roles", "/organization/roles"),
    (OrgTab::Activity, "Activity", "/organization/activity"),
    (OrgTab::Settings, "Settings", "/organization/settings"),
];

/// The frame around a view of the organization.
#[component]
pub fn OrgFrame(
    /// Which view it is.
    tab: OrgTab,
    /// What can be done, at the title's right.
    #[prop(optional, into)]
    actions: ViewFnOnce,
    children: Children,
) -> impl IntoView {
    let name = use_context::<Viewer>().map_or_else(|| "Organization".to_string(), |viewer| viewer.organization);
    let (_, word, current) = TABS.into_iter().find(|(it, ..)| *it == tab).unwrap_or(TABS[0]);
    let document = format!("{word} · {name}");
    let tabs = TABS.into_iter().map(|(_, word, href)| (word, href.to_string())).collect();
    view! {
        <Page>
            <PageTitle title=name document=document actions=actions/>
            <Tabs tabs=tabs current=current/>
            {children()}
        </Page>
    }
}

/// What a role's select offers: value and words.
pub fn options(roles: &[crate::orgs::model::OrganizationRole]) -> Vec<(String, String)> {
    roles.iter().map(|role| (role.id.clone(), role.name.clone())).collect()
}

/// The address of a page of a list, with what it is filtered by.
pub fn address(base: &'static str, filter: Vec<(&'static str, Option<String>)>) -> Callback<u64, String> {
    Callback::new(move |page: u64| {
        let mut params = leptos_router::params::ParamsMap::new();
        let page = ("page", (page > 1).then(|| page.to_string()));
        for (name, value) in filter.iter().cloned().chain([page]) {
            if let Some(value) = value {
                params.insert(name, value);
            }
        }
        format!("{base}{}", params.to_query_string())
    })
}

/// A search and a choice above a list; both live in the address.
#[component]
pub fn ListFilter(
    /// The list's address.
    base: &'static str,
    /// What is searched by: “Search by name or address”.
    words: &'static str,
    search: String,
    /// The field's name, its words, and what stands for all.
    choice: (&'static str, &'static str, &'static str),
    options: Vec<(String, String)>,
    chosen: String,
) -> impl IntoView {
    let field = "h-8 rounded-control border border-edge bg-surface shadow-control hover:border-faint";
    let (name, label, all) = choice;
    let options = options
        .into_iter()
        .map(|(value, words)| view! { <option value=value.clone() selected=value == chosen>{words}</option> })
        .collect_view();
    view! {
        <form method="get" action=base role="search" class="flex min-w-0 flex-1 flex-wrap items-center gap-2">
            <div class="relative w-full sm:w-64">
                <span class="pointer-events-none absolute inset-y-0 left-2.5 flex items-center text-faint">{crate::kit::Icon::Search.view()}</span>
                <input
                    type="search" name="search" value=search placeholder=words aria-label=words class=format!("{field} w-full pr-3 pl-8")
                    autocapitalize="off" spellcheck="false" data-control
                />
            </div>
            <div class="relative flex-1 sm:flex-none">
                <select name=name aria-label=label class=format!("{field} w-full appearance-none pr-8 pl-3") data-control>
                    <option value="">{all}</option>
                    {options}
                </select>
                <span class="pointer-events-none absolute inset-y-0 right-2.5 flex items-center text-muted">{crate::kit::Icon::Updown.view()}</span>
            </div>
            <button class="h-8 rounded-control border border-edge bg-surface px-3 font-medium shadow-control hover:bg-hover" data-control>"Filter"</button>
        </form>
    }
}
