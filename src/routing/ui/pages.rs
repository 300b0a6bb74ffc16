//! Pages for what the edge answers in an application's place.
use crate::{
    id::AppId,
    kit::{Card, Form, FormOf, Look, Select, SubmitButton, TextArea, load},
    rights::Action,
    routing::{
        fns::{RemoveErrorPage, SetErrorPage},
        model::{PAGE_STATUSES, Routing},
        ui::{Part, RoutingFrame, both},
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The part.
#[component]
pub fn RoutingPages() -> impl IntoView {
    let chosen = use_query_map().read_untracked().get("change").unwrap_or_default();
    load(both(), move |(app, routing)| {
        let id = app.id.clone();
        let page = routing.rules.error_pages.get(&chosen).cloned().unwrap_or_default();
        view! {
            <RoutingFrame app=app part=Part::Pages>
                <List id=id.clone() routing=routing/>
                <Set id=id chosen=chosen.clone() page=page/>
            </RoutingFrame>
        }
    })
}

#[component]
fn List(id: AppId, routing: Routing) -> impl IntoView {
    let pages = routing.rules.error_pages;
    let row = |(status, words): (u16, &'static str)| {
        let status = status.to_string();
        let (own, link) = (pages.contains_key(&status), format!("?change={status}"));
        let removed = status.clone();
        let remove = own.then(|| {
            let status = removed;
            view! {
                <Form to=RemoveErrorPage::FORM hidden=vec![("id", id.to_string()), ("status", status.clone())] class="contents">
                    <SubmitButton look=Look::Quiet small=true needs=Action::Configure label=format!("Remove the page for {status}")>"Remove"</SubmitButton>
                </Form>
            }
        });
        view! {
            <li class="flex items-center justify-between gap-4 px-5 py-3 hover:bg-hover">
                <div class="flex min-w-0 flex-col gap-0.5">
                    <span><span class="font-mono font-medium">{status.clone()}</span> " " <span class="text-muted">{words}</span></span>
                    <span class="text-small text-muted">{if own { "Your page" } else { "The platform’s page" }}</span>
                </div>
                <div class="flex shrink-0 items-center gap-3">
                    <a href=link class="text-small text-muted underline-offset-4 hover:text-text hover:underline" aria-label=format!("Change the page for {status}")>"Change"</a>
                    {remove}
                </div>
            </li>
        }
    };
    let rows = PAGE_STATUSES.into_iter().map(row).collect_view();
    view! {
        <Card title="Error pages" text="What visitors see when the edge answers itself. What the application answers stays as it is." flush=true>
            <ul class="divide-y divide-line border-t border-line">{rows}</ul>
        </Card>
    }
}

#[component]
fn Set(id: AppId, chosen: String, page: String) -> impl IntoView {
    let options = PAGE_STATUSES.into_iter().map(|(status, words)| (status.to_string(), format!("{status} · {words}"))).collect();
    let value = if chosen.is_empty() { "503".to_string() } else { chosen };
    view! {
        <Card title="Set a page">
            <Form to=SetErrorPage::FORM hidden=vec![("id", id.to_string())]>
                <Select name="status" label="For" options=options value=value/>
                <TextArea
                    name="page" label="Page" value=page mono=true rows=8 placeholder="<!doctype html>…"
                    hint="HTML, 64 KiB at most, and 256 KiB with all others. Programs that do not ask for HTML get a line of text or JSON as ever."
                />
                <div><SubmitButton look=Look::Plain needs=Action::Configure>"Save page"</SubmitButton></div>
            </Form>
        </Card>
    }
}
