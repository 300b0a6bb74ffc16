//! The pages of the trail: what happened, and where it is sent.
mod lines;
mod streams;

pub use lines::Lines;
pub use streams::AuditStreams;

use crate::{
    audit::{
        fns::{read_activity, read_activity_events},
        model::{ActivityQuery, KnownEvent},
    },
    kit::{EmptyState, Icon, LinkButton, Page, PageTitle, Tabs, load},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

const TABS: [(&str, &str); 2] = [("Activity", "/organization/activity"), ("Streams", "/organization/activity/streams")];

fn tabs() -> Vec<(&'static str, String)> {
    TABS.map(|(name, href)| (name, href.to_string())).to_vec()
}

/// What the address asks for.
fn asked() -> ActivityQuery {
    let query = use_query_map().read_untracked();
    let given = |name: &str| query.get(name).map(|text| text.trim().to_string()).filter(|text| !text.is_empty());
    ActivityQuery {
        person: given("person"),
        event: given("event"),
        target: given("target"),
        credential: given("credential"),
        from: given("from"),
        until: given("until"),
        search: given("search"),
        cursor: given("cursor").and_then(|text| text.parse().ok()),
        limit: None,
    }
}

/// What happened in the organization. Filters and place live in the address.
#[component]
pub fn ActivityPage() -> impl IntoView {
    let query = asked();
    let both = {
        let query = query.clone();
        async move { Ok((read_activity(query).await?, read_activity_events().await?)) }
    };
    load(both, move |(page, (events, export))| {
        let filtered = query != ActivityQuery::default();
        let next = page.next.map(|cursor| format!("/organization/activity?{}", query.address(Some(cursor))));
        let newest = query.cursor.map(|_| format!("/organization/activity?{}", query.address(None)));
        let file = |format: &str| format!("{export}?{}&format={format}", query.address(None)).replace("?&", "?");
        let (csv, jsonl) = (file("csv"), file("jsonl"));
        let actions = move || {
            view! {
                <LinkButton href=csv download=true>{Icon::Download.view()} "CSV"</LinkButton>
                <LinkButton href=jsonl download=true>{Icon::Download.view()} "JSON lines"</LinkButton>
            }
        };
        let list = match page.activities.is_empty() {
            true => view! {
                <EmptyState
                    icon=Icon::Logs title=if filtered { "Nothing found" } else { "Nothing happened yet" }
                    text="Whatever somebody does here stands in this list, with who, when, from where and what changed."
                >
                    {filtered.then(|| view! { <LinkButton href="/organization/activity">"Show all"</LinkButton> })}
                </EmptyState>
            }
            .into_any(),
            false => view! { <Lines lines=page.activities/> }.into_any(),
        };
        view! {
            <Page>
                <PageTitle title="Activity" above=vec![("Organization".into(), "/organization".into())] actions=actions/>
                <Tabs tabs=tabs() current="/organization/activity"/>
                <Filter query=query events=events/>
                {list}
                <nav aria-label="Pages" class="flex items-center justify-between gap-4">
                    <span>{newest.map(|href| view! { <LinkButton href=href>"Newest"</LinkButton> })}</span>
                    <span>{next.map(|href| view! { <LinkButton href=href>"Older"</LinkButton> })}</span>
                </nav>
            </Page>
        }
    })
}

#[component]
fn Filter(query: ActivityQuery, events: Vec<KnownEvent>) -> impl IntoView {
    const FIELD: &str = "h-8 w-full min-w-0 rounded-control border border-edge bg-surface px-3 shadow-control hover:border-faint";
    let chosen = query.event.clone().unwrap_or_default();
    let options = events
        .into_iter()
        .map(|KnownEvent { name, words }| {
            let selected = name == chosen;
            view! { <option value=name selected=selected>{words}</option> }
        })
        .collect_view();
    let text = |name: &'static str, label: &'static str, kind: &'static str, value: Option<String>| {
        view! {
            <label class="flex min-w-0 flex-col gap-1">
                <span class="text-small text-muted">{label}</span>
                <input name=name type=kind value=value.unwrap_or_default() class=FIELD autocapitalize="off" spellcheck="false" data-control/>
            </label>
        }
    };
    view! {
        <form method="get" action="/organization/activity" role="search" class="grid grid-cols-2 items-end gap-3 md:grid-cols-4">
            {text("search", "Words", "search", query.search)}
            <label class="flex min-w-0 flex-col gap-1">
                <span class="text-small text-muted">"Event"</span>
                <select name="event" class=FIELD data-control><option value="">"Any"</option>{options}</select>
            </label>
            {text("from", "From (UTC)", "date", query.from)}
            {text("until", "Until (UTC)", "date", query.until)}
            {text("person", "Person’s id", "text", query.person)}
            {text("target", "Target’s id", "text", query.target)}
            {text("credential", "Credential’s id", "text", query.credential)}
            <button class="h-8 rounded-control border border-edge bg-surface px-3 font-medium shadow-control hover:bg-hover" data-control>"Filter"</button>
        </form>
    }
}
