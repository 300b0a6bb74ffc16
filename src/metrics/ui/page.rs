//! An application's numbers.
use super::{
    address,
    live::Fresh,
    p95,
    parts::{ByRelease, Charts, NumbersTable},
    per_minute, percent,
};
use crate::{
    apps::{
        fns::read_application,
        model::Application,
        ui::{AppFrame, Tab, app_param},
    },
    kit::{Card, EmptyState, Fact, Icon, KeyValue, LinkButton, Look, TextLink, load},
    metrics::{
        fns::read_metrics,
        model::{EDGE, Metrics, Range},
    },
    units::Bytes,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// Deployments that are named above the charts.
const NAMED: usize = 12;

/// The page.
#[component]
pub fn MetricsPage() -> impl IntoView {
    let query = use_query_map().read_untracked();
    let given = |name: &str| query.get(name).filter(|text| !text.is_empty());
    let (range, release) = (given("range"), given("release"));
    // An address that somebody typed wrongly shows the usual range.
    let range: Range = range.and_then(|text| text.parse().ok()).unwrap_or_default();
    let asked = release.clone();
    let both = async move {
        let id = app_param()?;
        Ok((read_application(id.clone()).await?, read_metrics(id, Some(range.name().into()), asked).await?))
    };
    load(both, move |(app, metrics)| view! { <Shown app=app metrics=metrics range=range release=release/> })
}

#[component]
fn Shown(app: Application, metrics: Metrics, range: Range, release: Option<String>) -> impl IntoView {
    let id = app.id.clone();
    let none = metrics.total.requests == 0 && release.is_none() && range == Range::Day;
    let stream = format!("/api/paas/applications/{id}/metrics?follow=true");
    view! {
        <AppFrame app=app.clone() tab=Tab::Metrics>
            <div class="flex flex-wrap items-center justify-between gap-3">
                <Ranges app=app.clone() range=range release=release.clone()/>
                {(range == Range::Hour).then(|| view! { <Fresh url=stream/> })}
            </div>
            {match none {
                true => view! {
                    <EmptyState icon=Icon::Chart title="No requests yet" text="Requests to the application’s address are counted here: how many, how they ended, and how long they took.">
                        {app.live_deployment_id.is_some().then(|| view! { <LinkButton href=app.url.clone() look=Look::Plain>"Open the application"</LinkButton> })}
                    </EmptyState>
                }.into_any(),
                false => view! { <All metrics=metrics range=range release=release app=app.clone()/> }.into_any(),
            }}
        </AppFrame>
    }
}

#[component]
fn Ranges(app: Application, range: Range, release: Option<String>) -> impl IntoView {
    let links = Range::ALL.map(|one| {
        let here = (one == range).then_some("true");
        view! {
            <a
                href=address(&app.id, one.name(), release.as_deref()) aria-current=here
                class="inline-flex h-7 items-center rounded-control px-2.5 text-small text-muted hover:bg-hover hover:text-text aria-[current]:bg-press aria-[current]:font-medium aria-[current]:text-text"
                data-control
            >
                {one.words()}
            </a>
        }
    });
    view! { <nav aria-label="Range" class="flex flex-wrap gap-1 rounded-card border border-line bg-surface p-1">{links}</nav> }
}

#[component]
fn All(app: Application, metrics: Metrics, range: Range, release: Option<String>) -> impl IntoView {
    let (total, id) = (metrics.total, app.id.clone());
    let known = match &release {
        Some(edge) if edge == EDGE => Some("Only what the edge answered by itself.".to_string()),
        Some(id) => {
            let number = metrics.releases.iter().find(|one| one.deployment_id.as_ref().is_some_and(|it| it.to_string() == *id));
            let number = number.and_then(|one| one.deployment_number);
            Some(number.map_or_else(|| "Only one release.".to_string(), |number| format!("Only deployment {number}.")))
        }
        None => None,
    };
    let whole = address(&id, range.name(), None);
    let marks = metrics.deployments.clone();
    view! {
        {known.map(|words| view! { <p class="text-muted">{words} " " <TextLink href=whole>"Show all releases"</TextLink></p> })}
        <Card>
            <KeyValue across=true>
                <Fact name="Requests"><span class="text-title font-semibold tabular-nums">{total.requests}</span></Fact>
                <Fact name="A minute"><span class="text-title font-semibold tabular-nums">{per_minute(total.requests, range.seconds())}</span></Fact>
                <Fact name="Server errors"><span class="text-title font-semibold tabular-nums">{percent(total.error_share())}</span></Fact>
                <Fact name="p95"><span class="text-title font-semibold tabular-nums">{p95(&total)}</span></Fact>
                <Fact name="Sent"><span class="text-title font-semibold tabular-nums">{Bytes(total.bytes_out).to_string()}</span></Fact>
            </KeyValue>
        </Card>
        <Marks marks=marks/>
        <Charts metrics=metrics.clone()/>
        {(!metrics.releases.is_empty()).then(|| view! { <ByRelease id=id releases=metrics.releases.clone() range=range.name() chosen=release/> })}
        <NumbersTable metrics=metrics/>
    }
}

/// The deployments that the dashed lines in the charts stand for.
#[component]
fn Marks(marks: Vec<crate::metrics::model::Mark>) -> impl IntoView {
    if marks.is_empty() {
        return ().into_any();
    }
    let more = marks.len().saturating_sub(NAMED);
    let links = marks
        .into_iter()
        .rev()
        .take(NAMED)
        .map(|mark| {
            let href = format!("/deployments/{}", mark.deployment_id);
            view! { <li><a href=href title=mark.at.plain() class="text-accent-text underline-offset-4 hover:underline">{format!("#{}", mark.number)}</a></li> }
        })
        .collect_view();
    view! {
        <div class="flex flex-wrap items-center gap-x-3 gap-y-1 text-small text-muted">
            <span>"Went live in this time, dashed in the charts:"</span>
            <ul class="flex flex-wrap gap-x-2 tabular-nums">{links}</ul>
            {(more > 0).then(|| format!("and {more} more"))}
        </div>
    }
    .into_any()
}
