//! An application's last hour, for its overview.
use super::{address, p95, per_minute, percent};
use crate::{
    apps::ui::app_param,
    kit::{Card, Fact, KeyValue, LinkButton, Look, load},
    metrics::{fns::read_metrics, model::Range},
};
use leptos::prelude::*;

/// Requests, errors and the time to answer. The overview does not fail for want of them.
#[component]
pub fn TrafficSummary() -> impl IntoView {
    let hour = async move {
        let id = app_param()?;
        Ok((id.clone(), read_metrics(id, Some(Range::Hour.name().into()), None).await.ok()))
    };
    load(hour, |(id, metrics)| {
        let all = address(&id, Range::Day.name(), None);
        metrics.map(|metrics| {
            let total = metrics.total;
            let big = "text-title font-semibold tabular-nums";
            view! {
                <Card title="The last hour" actions=move || view! { <LinkButton href=all small=true look=Look::Quiet>"Show metrics"</LinkButton> }>
                    <KeyValue across=true>
                        <Fact name="Requests a minute"><span class=big>{per_minute(total.requests, Range::Hour.seconds())}</span></Fact>
                        <Fact name="Server errors"><span class=big>{percent(total.error_share())}</span></Fact>
                        <Fact name="p95"><span class=big>{p95(&total)}</span></Fact>
                    </KeyValue>
                </Card>
            }
        })
    })
}
