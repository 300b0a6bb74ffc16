//! The variables of an application. Secrets are written, never read back; all of them apply with the next deployment.
use crate::{
    apps::{
        fns::{ImportVariables, RemoveVariable, SetVariable, read_application, read_environment},
        model::{Application, EnvVar},
        ui::{AppFrame, DeploymentForms, Tab, app_param},
    },
    id::AppId,
    kit::{Card, Checkbox, Field, Form, FormOf, Icon, Look, Notice, SubmitButton, Tag, TextArea, Tone, is_posted, load},
    rights::Action,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The variables, and the forms that change them.
#[component]
pub fn Environment() -> impl IntoView {
    let chosen = use_query_map().read_untracked().get("change").unwrap_or_default();
    let both = async move {
        let id = app_param()?;
        Ok((read_application(id.clone()).await?, read_environment(id).await?))
    };
    load(both, move |(app, variables)| {
        let id = app.id.clone();
        let changed = variables.iter().find(|it| it.name.as_str() == chosen).cloned();
        view! {
            <AppFrame app=app.clone() tab=Tab::Environment>
                <NeedsDeploy app=app/>
                <div class="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_380px]">
                    <Variables id=id.clone() variables=variables/>
                    <div class="flex flex-col gap-6"><SetVariable id=id.clone() changed=changed/> <Import id=id/></div>
                </div>
            </AppFrame>
        }
    })
}

/// Says that what is configured is not what runs, and offers to change that.
#[component]
pub fn NeedsDeploy(
    /// The application.
    app: Application,
) -> impl IntoView {
    app.needs_deploy.then(|| {
        view! {
            <Notice tone=Tone::Warning>
                <div class="flex flex-wrap items-center justify-between gap-x-6 gap-y-2">
                    <span>"Settings or variables were changed and do not apply yet. They do with the next deployment."</span>
                    {use_context::<DeploymentForms>().map(|forms| view! {
                        <Form to=forms.configure hidden=vec![("id", app.id.to_string())] class="contents">
                            <SubmitButton look=Look::Plain small=true needs=Action::Deploy>"Apply configuration"</SubmitButton>
                        </Form>
                    })}
                </div>
            </Notice>
        }
    })
}

#[component]
fn Variables(id: AppId, variables: Vec<EnvVar>) -> impl IntoView {
    if variables.is_empty() {
        return view! {
            <Card title="Variables">
                <p class="text-muted">"None yet. Set one here, or paste a whole .env file. PORT is set by the platform."</p>
            </Card>
        }
        .into_any();
    }
    let words = if variables.len() == 1 { "1 variable".to_string() } else { format!("{} variables", variables.len()) };
    let rows = variables.into_iter().map(|it| view! { <Variable id=id.clone() variable=it/> }).collect_view();
    view! {
        <Card title="Variables" text=words flush=true>
            <ul class="divide-y divide-line border-t border-line">{rows}</ul>
        </Card>
    }
    .into_any()
}

#[component]
fn Variable(id: AppId, variable: EnvVar) -> impl IntoView {
    let name = variable.name.to_string();
    let value = match variable.value.clone() {
        _ if variable.secret => view! { <span class="text-faint" aria-label="hidden">"••••••••"</span> }.into_any(),
        Some(value) if value.is_empty() => view! { <span class="text-faint">"empty"</span> }.into_any(),
        value => view! { <span class="wrap-anywhere text-muted">{value}</span> }.into_any(),
    };
    let quiet = "text-small text-muted underline-offset-4 hover:text-text hover:underline";
    view! {
        <li class="flex items-start justify-between gap-4 px-5 py-3 hover:bg-hover">
            <div class="flex min-w-0 flex-col gap-0.5 font-mono">
                <span class="flex flex-wrap items-center gap-2 font-medium break-all">{name.clone()} {variable.secret.then(|| view! { <Tag>"secret"</Tag> })}</span>
                <span class="text-small">{value}</span>
            </div>
            <div class="flex shrink-0 items-center gap-3">
                <a href=format!("?change={name}") class=quiet aria-label=format!("Change {name}")>"Change"</a>
                <Form to=RemoveVariable::FORM hidden=vec![("id", id.to_string()), ("name", name.clone())] class="contents">
                    <SubmitButton look=Look::Quiet small=true needs=Action::Secrets label=format!("Remove {name}")>"Remove"</SubmitButton>
                </Form>
            </div>
        </li>
    }
}

#[component]
fn SetVariable(id: AppId, changed: Option<EnvVar>) -> impl IntoView {
    let title = changed.as_ref().map_or_else(|| "Set a variable".to_string(), |it| format!("Change {}", it.name));
    let secret = changed.as_ref().is_some_and(|it| it.secret);
    let (name, value) = changed.map(|it| (it.name.to_string(), it.value.unwrap_or_default())).unwrap_or_default();
    let hint = if secret { "Stays as it is where nothing is typed." } else { "" };
    view! {
        <Card title=title>
            <Form to=SetVariable::FORM hidden=vec![("id", id.to_string())]>
                <Field name="name" label="Name" value=name mono=true placeholder="DATABASE_URL" autocomplete="off"/>
                <Field name="value" label="Value" value=value mono=true optional=true autocomplete="off" hint=hint/>
                <Checkbox name="secret" label="Secret" checked=secret hint="Stored encrypted and never shown again."/>
                <div><SubmitButton needs=Action::Secrets look=Look::Plain>"Save variable"</SubmitButton></div>
            </Form>
        </Card>
    }
}

#[component]
fn Import(id: AppId) -> impl IntoView {
    view! {
        <details class="group rounded-card border border-line bg-surface" open=is_posted(ImportVariables::FORM)>
            <summary class="flex items-center justify-between gap-4 px-5 py-4">
                <span class="text-lead font-semibold">"Import a .env file"</span>
                <span class="text-muted transition-transform duration-100 group-open:rotate-90">{Icon::Chevron.view()}</span>
            </summary>
            <div class="px-5 pb-5">
                <Form to=ImportVariables::FORM hidden=vec![("id", id.to_string())]>
                    <TextArea
                        name="environment" label="Lines" mono=true rows=8 placeholder="DATABASE_URL=postgres://…\nLOG_LEVEL=info"
                        hint="One NAME=value a line. Variables that are not named stay."
                    />
                    <div><SubmitButton needs=Action::Secrets look=Look::Plain>"Import"</SubmitButton></div>
                </Form>
            </div>
        </details>
    }
}
