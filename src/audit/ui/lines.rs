//! Lines of the trail: who did what when, and behind each the whole of it.
use crate::{
    audit::model::{Activity, Actor},
    kit::{Fact, KeyValue, Tag, TextLink, Time},
};
use leptos::prelude::*;
use serde_json::Value;

/// A list of lines, the newest first.
#[component]
pub fn Lines(
    /// The lines.
    lines: Vec<Activity>,
    /// Stands in a box already, and leads nowhere.
    #[prop(optional)]
    bare: bool,
) -> impl IntoView {
    let class =
        if bare { "divide-y divide-line border-t border-line" } else { "divide-y divide-line rounded-card border border-line bg-surface" };
    view! { <ul class=class>{lines.into_iter().map(|line| view! { <Line line=line links=!bare/> }).collect_view()}</ul> }
}

fn name(actor: &Option<Actor>) -> String {
    match actor {
        Some(actor) if !actor.name.is_empty() => actor.name.clone(),
        Some(actor) => actor.id.clone(),
        None => "The panel, or somebody who was not signed in".into(),
    }
}

#[component]
fn Line(line: Activity, links: bool) -> impl IntoView {
    let who = name(&line.actor);
    let operator = line.impersonator.clone().map(|it| format!("by {}", it.name));
    view! {
        <li>
            <details class="group">
                <summary class="flex flex-wrap items-center gap-x-3 gap-y-1 px-5 py-3 hover:bg-hover">
                    <span class="font-medium">{who}</span>
                    {operator.map(|words| view! { <Tag>{words}</Tag> })}
                    <span class="font-mono text-small">{line.event.clone()}</span>
                    <span class="min-w-0 truncate font-mono text-small text-muted">{line.target.clone()}</span>
                    <span class="ml-auto text-small text-muted"><Time at=line.at/></span>
                </summary>
                <Whole line=line links=links/>
            </details>
        </li>
    }
}

#[component]
fn Whole(line: Activity, links: bool) -> impl IntoView {
    let only = move |field: &str, value: &str| {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(field, value).finish();
        links.then(|| view! { <span class="ml-2 text-small"><TextLink href=format!("/organization/activity?{query}")>"only these"</TextLink></span> })
    };
    let mono = |text: String| view! { <span class="font-mono text-small wrap-anywhere">{text}</span> };
    let person = line.actor.clone().map(|it| view! { <Fact name="Person">{mono(it.id.clone())} {only("person", &it.id)}</Fact> });
    let operator = line.impersonator.clone().map(|it| view! { <Fact name="In her name acted">{it.name} " " {mono(it.id)}</Fact> });
    let target = (!line.target.is_empty()).then(
        || view! { <Fact name=format!("Target ({})", line.target_kind)>{mono(line.target.clone())} {only("target", &line.target)}</Fact> },
    );
    let credential = (!line.credential.is_empty()).then(|| {
        view! { <Fact name=format!("Credential ({})", line.credential_kind)>{mono(line.credential.clone())} {only("credential", &line.credential)}</Fact> }
    });
    view! {
        <div class="flex flex-col gap-4 px-5 pb-4">
            <KeyValue across=true>
                <Fact name="When">{line.at.plain()}</Fact>
                {person} {operator} {target} {credential}
                <Fact name="From">{mono(line.address)}</Fact>
                <Fact name="With">{mono(line.agent)}</Fact>
                <Fact name="Request">{mono(line.request_id)}</Fact>
                <Fact name="Line">{mono(format!("{} · {}", line.seq, line.id))}</Fact>
            </KeyValue>
            <Detail detail=line.detail/>
        </div>
    }
}

fn pretty(of: &Value) -> String {
    serde_json::to_string_pretty(of).unwrap_or_default()
}

/// What was changed: before and after beside each other, and whatever else is told.
#[component]
fn Detail(detail: Value) -> impl IntoView {
    let block = |title: &'static str, of: Value| {
        view! {
            <div class="min-w-0 flex-1">
                <p class="text-small text-muted">{title}</p>
                <pre class="overflow-x-auto rounded-control bg-sunken p-3 font-mono text-small whitespace-pre-wrap wrap-anywhere">{pretty(&of)}</pre>
            </div>
        }
    };
    let Value::Object(mut all) = detail else { return ().into_any() };
    let (before, after) = (all.remove("before"), all.remove("after"));
    let rest = (!all.is_empty()).then(|| block("Detail", Value::Object(all)));
    view! {
        <div class="flex flex-col gap-3">
            <div class="flex flex-col gap-3 md:flex-row">{before.map(|it| block("Before", it))} {after.map(|it| block("After", it))}</div>
            {rest}
        </div>
    }
    .into_any()
}
