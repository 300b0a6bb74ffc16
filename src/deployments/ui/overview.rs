//! An application at a glance: how many replicas run, what was deployed last, what it is made of, and the switches.
use crate::{
    apps::{
        fns::{ScaleApplication, StartApplication, StopApplication, read_state},
        model::{AppState, AppStatus, Application, Source},
        ui::{AppFrame, KeepFresh, NeedsDeploy, ReplicaTable, Tab, app_param, events_url},
    },
    deployments::{
        fns::{RestartApplication, read_deployment, read_deployments},
        model::{Deployment, MAX_LOG_LINES, Strategy},
        ui::{canary::CanaryCard, table::Deployments},
    },
    id::DeploymentId,
    kit::{Ask, Card, Fact, Field, Form, FormOf, Icon, KeyValue, LinkButton, Look, Notice, Now, SubmitButton, TextLink, Time, Tone, load},
    rights::Action,
    routing::{fns::read_maintenance, ui::InMaintenance},
};
use leptos::{children::ViewFnOnce, prelude::*};

/// The page.
#[component]
pub fn Overview(
    /// What later features say of the application, below its replicas.
    #[prop(optional, into)]
    more: ViewFnOnce,
) -> impl IntoView {
    let both = async move {
        let id = app_param()?;
        let (state, deployments) = (read_state(id.clone()).await?, read_deployments(id.clone(), 1, 5).await?.0);
        let active = state.application.active_deployment_id.as_ref();
        let canary = match deployments.iter().find(|it| Some(&it.id) == active && it.strategy == Strategy::Canary) {
            Some(it) => Some(read_deployment(it.id.clone()).await?),
            None => None,
        };
        Ok((state, deployments, canary, read_maintenance(id).await?))
    };
    load(both, move |(state, deployments, canary, in_maintenance)| {
        let app = state.application.clone();
        let (url, live, active) = (events_url(&app.id), app.live_deployment_id.clone(), app.active_deployment_id.clone());
        let (switched, facts) = (app.clone(), app.clone());
        let actions = move || view! { <Switches app=switched/> };
        view! {
            <AppFrame app=app.clone() tab=Tab::Overview actions=actions>
                <KeepFresh url=url live=live active=active.clone()/>
                <UnderWay active=active/>
                <InMaintenance id=facts.id.clone() is_on=in_maintenance/>
                {canary.map(|it| {
                    let url = stream_without_lines(&it.id);
                    view! { <CanaryCard deployment=it url=url/> }
                })}
                <NeedsDeploy app=app.clone()/>
                <div class="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_320px]">
                    <div class="flex min-w-0 flex-col gap-6">
                        <Running state=state/>
                        {more.run()}
                        <Latest app=app deployments=deployments/>
                    </div>
                    <Facts app=facts/>
                </div>
            </AppFrame>
        }
    })
}

/// The stream of a deployment, past every line that its log can have.
fn stream_without_lines(id: &DeploymentId) -> String {
    format!("/api/paas/deployments/{id}/logs?follow=true&after={MAX_LOG_LINES}")
}

#[component]
fn UnderWay(active: Option<DeploymentId>) -> impl IntoView {
    active.map(|id| {
        view! {
            <Notice tone=Tone::Busy>
                "A deployment is under way. " <a href=format!("/deployments/{id}") class="font-medium underline underline-offset-4">"Watch it"</a>
            </Notice>
        }
    })
}

/// Restart, stop, start: only where there is something to.
#[component]
fn Switches(app: Application) -> impl IntoView {
    let hidden = || vec![("id", app.id.to_string())];
    let name = app.name.to_string();
    if app.live_deployment_id.is_none() {
        return ().into_any();
    }
    if app.status == AppStatus::Stopped {
        return view! {
            <Form to=StartApplication::FORM hidden=hidden() class="contents">
                <SubmitButton look=Look::Plain needs=Action::Scale>{Icon::Play.view()} "Start"</SubmitButton>
            </Form>
        }
        .into_any();
    }
    view! {
        <Ask
            to=RestartApplication::FORM words="Restart" icon=Icon::Restart needs=Action::Deploy hidden=hidden() button="Restart"
            text="The live release starts again in fresh containers. The old ones serve until the new ones do."
        />
        <Ask
            to=StopApplication::FORM words="Stop" icon=Icon::Stop needs=Action::Scale hidden=hidden() button="Stop" look=Look::Danger
            text=format!("All replicas of {name} end, and its address says that it is stopped. The release is kept; start it again at any time.")
        />
    }
    .into_any()
}

#[component]
fn Running(state: AppState) -> impl IntoView {
    let AppState { application: app, replicas } = state;
    let now = use_context::<Now>().map(|now| now.0).unwrap_or_default();
    let wanted = app.replicas.wanted.max(1).to_string();
    let scale = (app.status != AppStatus::Stopped).then(|| view! { <Scale id=app.id.to_string() wanted=wanted/> });
    view! {
        <Card title="Replicas" flush=true>
            <ReplicaTable url=events_url(&app.id) status=app.status count=app.replicas replicas=replicas now=now/>
            {scale}
        </Card>
    }
}

#[component]
fn Scale(id: String, wanted: String) -> impl IntoView {
    view! {
        <div class="border-t border-line px-5 py-4">
            <Form to=ScaleApplication::FORM hidden=vec![("id", id)] class="flex items-end gap-2">
                <div class="w-28"><Field name="replicas" label="Replicas" kind="number" value=wanted/></div>
                <SubmitButton look=Look::Plain needs=Action::Scale>"Scale"</SubmitButton>
            </Form>
        </div>
    }
}

#[component]
fn Latest(app: Application, deployments: Vec<Deployment>) -> impl IntoView {
    let all = format!("/applications/{}/deployments", app.id);
    match deployments.is_empty() {
        true => view! {
            <Card title="Latest deployments">
                <p class="text-muted">"Nothing was deployed yet. Deploy builds the source, tries the result out, and puts it online."</p>
            </Card>
        }
        .into_any(),
        false => view! {
            <Card title="Latest deployments" flush=true actions=move || view! { <LinkButton href=all small=true look=Look::Quiet>"Show all"</LinkButton> }>
                <div class="border-t border-line"><Deployments deployments=deployments brief=true/></div>
            </Card>
        }
        .into_any(),
    }
}

#[component]
fn Facts(app: Application) -> impl IntoView {
    let settings = app.settings;
    let source = match settings.source {
        Source::Git { repository_url, branch, dockerfile_path, .. } => {
            let address = repository_url.to_string();
            view! {
                <Fact name="Repository"><span class="font-mono text-small break-all"><TextLink href=address.clone() outside=true>{address.clone()}</TextLink></span></Fact>
                <Fact name="Branch"><span class="font-mono text-small">{branch.to_string()}</span></Fact>
                <Fact name="Dockerfile"><span class="font-mono text-small">{dockerfile_path.to_string()}</span></Fact>
            }
            .into_any()
        }
        Source::Image { reference } => {
            view! { <Fact name="Image"><span class="font-mono text-small break-all">{reference.to_string()}</span></Fact> }.into_any()
        }
    };
    let mono = |text: String| view! { <span class="font-mono text-small break-all">{text}</span> };
    view! {
        <Card title="Configuration">
            <KeyValue>
                {source}
                <Fact name="Port">{settings.port.map_or_else(|| "as the image exposes".to_string(), |port| port.to_string())}</Fact>
                {settings.start_command.map(|it| view! { <Fact name="Command">{mono(it.to_string())}</Fact> })}
                <Fact name="Health check">{settings.health_check_path.map_or_else(|| "any answer to /".to_string(), |path| path.to_string())}</Fact>
                <Fact name="Each replica">{format!("{} · {}", settings.limits.cpu_millis, settings.limits.memory_bytes)}</Fact>
                <Fact name="Created"><Time at=app.created_at/></Fact>
            </KeyValue>
        </Card>
    }
}
