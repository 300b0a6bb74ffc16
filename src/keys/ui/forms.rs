//! The forms that make, change and rotate a key.
use crate::{
    keys::{
        fns::{CreateApiKey, RotateApiKey, UpdateApiKey},
        model::ApiKey,
    },
    kit::{Card, Field, Form, FormOf, FormTarget, Icon, Look, Select, SubmitButton, TextLink, posted},
    rights::{Action, Permissions},
};
use leptos::prelude::*;

fn options(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(value, words)| ((*value).to_string(), (*words).to_string())).collect()
}

/// A form for another key.
#[component]
pub(super) fn NewKey(mine: Permissions) -> impl IntoView {
    let ends = [("", "Never"), ("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year"), ("date", "On the day below")];
    view! {
        <Card title="Make a key">
            <Form to=CreateApiKey::FORM>
                <Field name="name" label="Name" placeholder="Continuous integration" hint="Where it will be used." autocomplete="off"/>
                <Ticks to=CreateApiKey::FORM shown=Permissions::ALL open=mine ticked=Permissions::NONE locked="You don’t have this permission yourself here."/>
                <Select name="expires" label="Ends" options=options(&ends) value="90"/>
                <Field name="expires_on" label="Day" kind="date" optional=true hint="Only with “On the day below”; to the end of that day, UTC."/>
                <div><SubmitButton>"Make key"</SubmitButton></div>
            </Form>
        </Card>
    }
}

/// What can be changed of a key, and its rotation.
#[component]
pub(super) fn ChangeKey(key: ApiKey) -> impl IntoView {
    let ends = key.expires_at.map(|at| at.to_string().chars().take(10).collect::<String>()).unwrap_or_default();
    let (id, same) = (key.id.to_string(), key.id.to_string());
    let grace = [("0", "At once"), ("1", "In 1 hour"), ("4", "In 4 hours"), ("12", "In 12 hours"), ("24", "In 24 hours")];
    view! {
        <div class="flex flex-col gap-6">
            <Card title=format!("Change {}", key.name)>
                <Form to=UpdateApiKey::FORM hidden=vec![("id", id), ("version", key.version.to_string())]>
                    <Field name="name" label="Name" value=key.name.clone() autocomplete="off"/>
                    <Ticks
                        to=UpdateApiKey::FORM shown=key.permissions open=key.permissions ticked=key.permissions
                        locked="A key never gets more than it was made with."
                    />
                    <Field name="expires_on" label="Ends on" kind="date" value=ends optional=true hint="Empty for never; to the end of that day, UTC."/>
                    <div class="flex items-center gap-4">
                        <SubmitButton look=Look::Plain>"Save"</SubmitButton>
                        <TextLink href=super::HERE>"Make another key instead"</TextLink>
                    </div>
                </Form>
            </Card>
            <Card title="Rotate" text="A new secret for the same key.">
                <Form to=RotateApiKey::FORM hidden=vec![("id", same)]>
                    <Select name="grace_hours" label="The old secret ends" options=options(&grace) value="1"/>
                    <div><SubmitButton look=Look::Plain>{Icon::Restart.view()} "Rotate secret"</SubmitButton></div>
                </Form>
            </Card>
        </div>
    }
}

/// Permissions to tick; those that can't be given are locked and say why.
#[component]
fn Ticks(to: FormTarget, shown: Permissions, open: Permissions, ticked: Permissions, locked: &'static str) -> impl IntoView {
    let posted = posted(to);
    let error = posted.as_ref().and_then(|posted| posted.error.for_field("permissions")).map(str::to_string);
    let is_ticked = |it: Action| match &posted {
        Some(posted) => posted.value(&format!("permissions[{it}]")).is_some(),
        None => ticked.may(it),
    };
    let boxes = shown
        .iter()
        .map(|it| {
            let id = to.field_id(&format!("permissions-{it}"));
            let lock = !open.may(it);
            view! {
                <li class="flex items-start gap-2" title=lock.then_some(locked)>
                    <input
                        type="checkbox" id=id.clone() name=format!("permissions[{it}]") value="true" checked=is_ticked(it) && !lock disabled=lock
                        class="mt-0.5 size-4"
                    />
                    <label for=id class=if lock { "text-faint" } else { "" }>
                        <span class="font-medium">{it.name()}</span>
                        <span class="block text-small text-muted">{it.words()}</span>
                    </label>
                    {lock.then(|| view! { <span class="ml-auto text-faint">{Icon::Lock.view()} <span class="sr-only">{locked}</span></span> })}
                </li>
            }
        })
        .collect_view();
    view! {
        <fieldset class="flex flex-col gap-1.5" id=to.field_id("permissions")>
            <legend class="mb-1.5 font-medium">"May"</legend>
            {error.map(|error| view! { <p class="text-bad-text">{error}</p> })}
            <ul class="flex max-h-80 flex-col gap-2.5 overflow-y-auto rounded-control border border-line p-3">{boxes}</ul>
        </fieldset>
    }
}
