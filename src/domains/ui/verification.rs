//! What was found when the domain was looked at last, and what was expected.
use crate::{
    domains::{
        model::{Check, Domain},
        ui::verdict_tone,
    },
    kit::{Card, Status},
};
use leptos::prelude::*;

/// The checks of a domain.
#[component]
pub fn DomainVerification(
    /// The domain.
    domain: Domain,
) -> impl IntoView {
    if domain.checks.is_empty() {
        return view! {
            <Card title="Checks"><p class="text-muted">"Not looked at yet. Press “Check now”."</p></Card>
        }
        .into_any();
    }
    let rows = domain.checks.into_iter().map(|check| view! { <Line check=check/> }).collect_view();
    view! { <Card title="Checks" flush=true><ul class="divide-y divide-line border-t border-line">{rows}</ul></Card> }.into_any()
}

#[component]
fn Line(check: Check) -> impl IntoView {
    let list = |name: &'static str, all: Vec<String>| {
        (!all.is_empty()).then(|| {
            let lines = all.into_iter().map(|line| view! { <li class="font-mono wrap-anywhere">{line}</li> }).collect_view();
            view! { <div class="text-small"><span class="text-muted">{name}</span> <ul>{lines}</ul></div> }
        })
    };
    view! {
        <li class="flex flex-col gap-1.5 px-5 py-3">
            <div class="flex flex-wrap items-center justify-between gap-x-4 gap-y-1">
                <span class="font-medium">{check.kind.words()}</span> <Status tone=verdict_tone(check.verdict) word=check.verdict.words()/>
            </div>
            <p class="text-muted">{check.words}</p>
            {list("Found", check.found)}
            {list("Expected", check.expected)}
        </li>
    }
}
