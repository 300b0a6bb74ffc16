//! One deployment: how it stands, how long each phase took, what was printed, and, where it failed, why.
use crate::{
    apps::{fns::read_application, model::Application},
    deployments::{
        fns::{CancelDeployment, DeployApplication, read_deployment, read_deployment_log},
        model::{Deployment, Kind, LogLine, Phase},
        ui::{
            canary::CanaryCard,
            dossier::{Evidence, Reason},
            progress::{DeploymentStatus, DeploymentWarning, FollowDeployment, LIST, Phases, row},
            short, subject,
            table::RollBack,
        },
    },
    error::{Error, Result, Thing},
    id::DeploymentId,
    kit::{
        Ask, Card, Copyable, Fact, Form, FormOf, Icon, KeyValue, Look, Notice, Now, OnApp, Page, PageTitle, SubmitButton, Tag, TextLink,
        Time, Tone, load,
        log::{LogRow, LogView},
    },
    rights::Action,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

fn param() -> Result<DeploymentId> {
    let id = use_params_map().read_untracked().get("id").unwrap_or_default();
    id.parse().map_err(|_| Error::NotFound(Thing::DEPLOYMENT))
}

async fn read() -> Result<(Deployment, Option<Application>, Vec<LogLine>)> {
    let id = param()?;
    // The log first: what is written meanwhile comes by the stream, and nothing twice.
    let lines = read_deployment_log(id.clone()).await?;
    let deployment = read_deployment(id).await?;
    let app = match read_application(deployment.application_id.clone()).await {
        Ok(app) => Some(app),
        // The history of a deleted application can still be read.
        Err(Error::NotFound(_)) => None,
        Err(why) => return Err(why),
    };
    Ok((deployment, app, lines))
}

/// The page.
#[component]
pub fn DeploymentPage() -> impl IntoView {
    load(read(), |(deployment, app, lines)| {
        let last = lines.last().map_or(0, |line| line.seq);
        let is_final = deployment.phase.is_final();
        let url = if is_final { String::new() } else { format!("/api/paas/deployments/{}/logs?follow=true&after={last}", deployment.id) };
        let dossier = deployment.dossier.clone().unwrap_or_default();
        let serving = app.as_ref().is_some_and(|app| app.live_deployment_id.is_some());
        let failure = deployment.failure.clone();
        let warning = lines.iter().fold(None, |before, line| line.warning_after(before));
        let waiting = (!is_final).then(|| view! { <DeploymentWarning url=url.clone() warning=warning/> });
        view! {
            <OnApp id=deployment.application_id.clone()>
            <Page>
                <Head deployment=deployment.clone() app=app.clone() url=url.clone()/>
                {failure.map(|failure| view! { <Reason failure=failure still_serving=serving/> })}
                {waiting}
                <CanaryCard deployment=deployment.clone() url=url.clone()/>
                // On a phone: the phases, the log, the details.
                <div class="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_280px] lg:grid-rows-[auto_1fr]">
                    <div class="flex min-w-0 flex-col gap-6 lg:col-start-2"><Progress deployment=deployment.clone() url=url.clone() app=app/></div>
                    <div class="flex min-w-0 flex-col gap-6 lg:col-start-1 lg:row-span-2 lg:row-start-1">
                        <Evidence dossier=dossier/>
                        <LogCard lines=lines url=url/>
                    </div>
                    <div class="min-w-0 lg:col-start-2"><Details deployment=deployment/></div>
                </div>
            </Page>
            </OnApp>
        }
    })
}

#[component]
fn Head(deployment: Deployment, app: Option<Application>, url: String) -> impl IntoView {
    let mut above = vec![("Applications".to_string(), "/applications".to_string())];
    let app_name = app.as_ref().map_or_else(|| "deleted application".to_string(), |app| app.name.to_string());
    if let Some(app) = &app {
        above.push((app.name.to_string(), format!("/applications/{}", app.id)));
        above.push(("Deployments".into(), format!("/applications/{}/deployments", app.id)));
    }
    let title = format!("#{} {}", deployment.number, subject(&deployment));
    let document = format!("Deployment #{} · {app_name}", deployment.number);
    let (phase, is_live, cancelling) = (deployment.phase, deployment.is_live, deployment.cancelling);
    let status = move || view! { <DeploymentStatus url=url phase=phase is_live=is_live cancelling=cancelling/> };
    let it = deployment.clone();
    let below = move || {
        view! {
            <p class="flex flex-wrap items-center gap-x-2 gap-y-1 text-muted">
                {(it.kind != Kind::Deploy).then(|| view! { <Tag>{it.kind.word()}</Tag> })}
                {it.branch.map(|branch| view! { <span class="inline-flex items-center gap-1 font-mono text-small">{Icon::Branch.view()} {branch}</span> })}
                {it.commit_hash.map(|hash| view! { <span class="inline-flex items-center gap-1 font-mono text-small" title=hash.clone()>{Icon::Commit.view()} {short(&hash)}</span> })}
                <span>"by " {it.created_by} ", " <Time at=it.created_at/></span>
            </p>
        }
    };
    let actions = move || app.is_some().then(|| view! { <Actions deployment=deployment/> });
    view! { <PageTitle title=title document=document above=above status=status below=below actions=actions/> }
}

#[component]
fn Actions(deployment: Deployment) -> impl IntoView {
    let (id, app_id) = (deployment.id.to_string(), deployment.application_id.to_string());
    // What can be decided about a canary stands beside its numbers.
    if deployment.phase == Phase::Canary {
        return ().into_any();
    }
    if deployment.phase.can_cancel() {
        return (!deployment.cancelling)
            .then(|| {
                view! {
                    <Ask
                        to=CancelDeployment::FORM words="Cancel" icon=Icon::Cross needs=Action::Deploy hidden=vec![("id", id)] look=Look::Danger
                        text="The deployment ends, and what visitors see stays as it is." button="Cancel deployment"
                    />
                }
            })
            .into_any();
    }
    let again = matches!(deployment.phase, Phase::Failed | Phase::Cancelled).then(|| {
        view! {
            <Form to=DeployApplication::FORM hidden=vec![("id", app_id)] class="contents">
                <SubmitButton needs=Action::Deploy>"Deploy again"</SubmitButton>
            </Form>
        }
    });
    let back = deployment.can_roll_back.then(|| view! { <RollBack deployment=deployment.clone()/> });
    view! { {back} {again} }.into_any()
}

#[component]
fn LogCard(lines: Vec<LogLine>, url: String) -> impl IntoView {
    let cut = lines.first().is_some_and(|line| line.seq > 1);
    let none = lines.is_empty() && url.is_empty();
    let rows = lines.into_iter().map(|line| view! { <LogRow line=row(line)/> }).collect_view();
    let follow = move || (!url.is_empty()).then(|| view! { <FollowDeployment url=url/> });
    view! {
        <Card title="Log" flush=true actions=follow>
            <div class="border-t border-line">
                {cut.then(|| view! { <p class="border-b border-line px-5 py-2 text-small text-muted">"Earlier lines are left out here."</p> })}
                {none.then(|| view! { <p class="px-5 py-4 text-muted">"Nothing was written."</p> })}
                <LogView label="Log of the deployment" id=LIST height="max(320px, calc(100dvh - 340px))">{rows}</LogView>
            </div>
        </Card>
    }
}

#[component]
fn Progress(deployment: Deployment, url: String, app: Option<Application>) -> impl IntoView {
    let now = use_context::<Now>().map(|now| now.0).unwrap_or_default();
    let address = app.filter(|_| deployment.is_live).map(|app| app.url);
    view! {
        {address.map(|url| view! {
            <Notice tone=Tone::Good>
                <p class="font-medium">"Visitors see this release"</p>
                <p class="break-all"><TextLink href=url.clone() outside=true>{url.clone()}</TextLink></p>
            </Notice>
        })}
        <Card title="Phases"><Phases url=url deployment=slim(deployment) now=now/></Card>
    }
}

#[component]
fn Details(deployment: Deployment) -> impl IntoView {
    let it = deployment;
    view! {
        <Card title="Details">
            <KeyValue>
                <Fact name="Kind">{it.kind.word()}</Fact>
                {it.release_number.map(|release| view! { <Fact name="Release">{release}</Fact> })}
                {it.commit_hash.map(|hash| view! { <Fact name="Commit"><span class="text-small"><Copyable text=hash/></span></Fact> })}
                <Fact name="Asked for"><Time at=it.created_at/></Fact>
                {it.finished_at.map(|at| view! { <Fact name="Ended"><Time at=at/></Fact> })}
            </KeyValue>
        </Card>
    }
}

/// A deployment without its evidence: what the island needs to begin.
fn slim(deployment: Deployment) -> Deployment {
    Deployment { dossier: None, failure: None, canary: None, ..deployment }
}
