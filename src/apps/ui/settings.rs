//! Everything of an application that can be changed, and its end.
use crate::{
    apps::{
        fns::{DeleteApplication, UpdateApplication, read_application},
        model::Application,
        ui::{
            AppFrame, Tab, app_param,
            environment::NeedsDeploy,
            fields::{BuildFields, NameFields, RunFields, SourceFields, Typed},
        },
    },
    kit::{Card, ConfirmByName, DangerZone, Form, FormOf, SubmitButton, load},
    rights::Action,
};
use leptos::{children::ViewFnOnce, prelude::*};

/// The settings. Features above this one bring their own sections.
#[component]
pub fn Settings(
    /// What stands between the settings and the end.
    #[prop(optional, into)]
    more: ViewFnOnce,
) -> impl IntoView {
    load(async move { read_application(app_param()?).await }, move |app| {
        view! {
            <AppFrame app=app.clone() tab=Tab::Settings>
                <NeedsDeploy app=app.clone()/>
                <div class="flex max-w-[720px] flex-col gap-6"><Change app=app.clone()/> {more.run()} <End app=app/></div>
            </AppFrame>
        }
    })
}

#[component]
fn Change(app: Application) -> impl IntoView {
    let [source, build, name, run] = std::array::from_fn(|_| Typed::from(&app));
    view! {
        <Form to=UpdateApplication::FORM hidden=vec![("id", app.id.to_string()), ("version", app.version.to_string())] class="flex flex-col gap-6">
            <Card title="Where it comes from"><div class="flex flex-col gap-4"><SourceFields typed=source/> <BuildFields typed=build/></div></Card>
            <Card title="How it runs"><div class="flex flex-col gap-4"><NameFields typed=name/> <RunFields typed=run/></div></Card>
            <div class="flex flex-wrap items-center gap-3">
                <SubmitButton needs=Action::Configure>"Save settings"</SubmitButton>
                <span class="text-small text-muted">"They apply with the next deployment."</span>
            </div>
        </Form>
    }
}

#[component]
fn End(app: Application) -> impl IntoView {
    view! {
        <DangerZone>
            <ConfirmByName
                to=DeleteApplication::FORM name=app.name.to_string() hidden=vec![("id", app.id.to_string())] title="Delete this application" needs=Action::Delete
                text="Its replicas stop at once; its images, variables and address go. This can’t be undone." button="Delete application"
            />
        </DangerZone>
    }
}
