//! The exact records to set, each ready to be copied.
use crate::{
    domains::model::{Claim, Domain, Purpose, Record},
    kit::{Card, Copyable, Tag},
};
use leptos::prelude::*;

/// The records of a domain.
#[component]
pub fn DnsInstructions(
    /// The domain.
    domain: Domain,
) -> impl IntoView {
    let text = match domain.claim {
        Claim::Verified => "They are needed as long as the domain is used here.",
        _ => "Set them where the domain’s DNS is managed. Then press “Check now”, or wait: it is looked at by itself.",
    };
    let rows = domain.records.into_iter().map(|record| view! { <Line record=record/> }).collect_view();
    view! {
        <Card title="DNS records" text=text flush=true>
            <ul class="divide-y divide-line border-t border-line">{rows}</ul>
        </Card>
    }
}

#[component]
fn Line(record: Record) -> impl IntoView {
    let instead = record.purpose == Purpose::AddressInstead;
    view! {
        <li class="grid gap-x-6 gap-y-1 px-5 py-3 md:grid-cols-[64px_minmax(0,1fr)_minmax(0,1fr)]">
            <span><Tag>{record.kind}</Tag></span>
            <div class="flex min-w-0 flex-col gap-0.5">
                <span class="text-small text-muted">"Name"</span> <Copyable text=record.name/>
            </div>
            <div class="flex min-w-0 flex-col gap-0.5">
                <span class="text-small text-muted">"Value"</span> <Copyable text=record.value/>
            </div>
            <p class="text-small text-muted md:col-span-2 md:col-start-2">
                {instead.then_some("Alternative. ")} {record.purpose.words()}
            </p>
        </li>
    }
}
