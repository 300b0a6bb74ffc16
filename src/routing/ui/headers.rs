//! Header fields that the edge sets or removes.
use crate::{
    id::AppId,
    kit::{Card, Checkbox, Field, Form, FormOf, Look, Select, SubmitButton, Tag, load},
    rights::Action,
    routing::{
        fns::{RemoveHeader, SetHeader},
        model::Header,
        ui::{Part, RoutingFrame, both},
    },
};
use leptos::prelude::*;

/// The part.
#[component]
pub fn RoutingHeaders() -> impl IntoView {
    load(both(), |(app, routing)| {
        let id = app.id.clone();
        view! {
            <RoutingFrame app=app part=Part::Headers>
                <List id=id.clone() direction="response" title="Of answers" headers=routing.rules.response_headers/>
                <List id=id.clone() direction="request" title="Of requests" headers=routing.rules.request_headers/>
                <Set id=id/>
            </RoutingFrame>
        }
    })
}

#[component]
fn List(id: AppId, direction: &'static str, title: &'static str, headers: Vec<Header>) -> impl IntoView {
    let empty = match direction {
        "response" => "As the application makes them.",
        _ => "As visitors send them, and what the edge says of visitors.",
    };
    if headers.is_empty() {
        return view! { <Card title=title><p class="text-muted">{empty}</p></Card> }.into_any();
    }
    let row = |header: Header| {
        let name = header.name;
        let what = match header.value {
            Some(value) => view! { <span class="wrap-anywhere text-muted">{value}</span> }.into_any(),
            None => view! { <Tag>"removed"</Tag> }.into_any(),
        };
        let hidden = vec![("id", id.to_string()), ("direction", direction.to_string()), ("name", name.clone())];
        view! {
            <li class="flex items-start justify-between gap-4 px-5 py-3 hover:bg-hover">
                <div class="flex min-w-0 flex-col items-start gap-0.5 font-mono"><span class="font-medium break-all">{name.clone()}</span> <span class="text-small">{what}</span></div>
                <Form to=RemoveHeader::FORM hidden=hidden class="contents">
                    <SubmitButton look=Look::Quiet small=true needs=Action::Configure label=format!("Leave {name} as it is")>"Remove rule"</SubmitButton>
                </Form>
            </li>
        }
    };
    let rows = headers.into_iter().map(row).collect_view();
    view! { <Card title=title flush=true><ul class="divide-y divide-line border-t border-line">{rows}</ul></Card> }.into_any()
}

#[component]
fn Set(id: AppId) -> impl IntoView {
    let directions =
        vec![("response".to_string(), "Answers to visitors".to_string()), ("request".to_string(), "Requests to replicas".to_string())];
    view! {
        <Card title="Set a header" text="In the place of the rule for it that is there. Everybody in the organization can read it: it is no place for secrets.">
            <Form to=SetHeader::FORM hidden=vec![("id", id.to_string())]>
                <Select name="direction" label="Of" options=directions value="response"/>
                <Field name="name" label="Name" mono=true autocomplete="off" placeholder="X-Frame-Options"/>
                <Field name="value" label="Value" mono=true optional=true autocomplete="off" placeholder="DENY"/>
                <Checkbox name="take_away" label="Remove it instead" hint="Whoever sends it, it does not pass."/>
                <div><SubmitButton look=Look::Plain needs=Action::Configure>"Save header"</SubmitButton></div>
            </Form>
        </Card>
    }
}
