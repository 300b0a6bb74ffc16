//! Who may come in: names and passwords in front of the whole application.
use crate::{
    id::AppId,
    kit::{Card, Checkbox, Field, Form, FormOf, Look, SubmitButton, load},
    rights::Action,
    routing::{
        fns::{RemoveLogin, SaveLoginExceptions, SetLogin},
        model::{BasicAuthExceptions, BasicLogin, MAX_LOGINS},
        ui::{Part, RoutingFrame, both, hidden},
    },
};
use leptos::prelude::*;

/// The part.
#[component]
pub fn RoutingAccess() -> impl IntoView {
    load(both(), |(app, routing)| {
        let id = app.id.clone();
        let fields = hidden(&routing);
        let exceptions = routing.rules.basic_auth_exceptions;
        view! {
            <RoutingFrame app=app part=Part::Access>
                <Logins id=id.clone() logins=routing.basic_auth/>
                <SetLogin id=id/>
                <Exceptions fields=fields exceptions=exceptions/>
            </RoutingFrame>
        }
    })
}

#[component]
fn Logins(id: AppId, logins: Vec<BasicLogin>) -> impl IntoView {
    if logins.is_empty() {
        return view! {
            <Card title="Password protection">
                <p class="text-muted">"Off: everybody comes in. Add a name and a password, and browsers ask every visitor for them."</p>
            </Card>
        }
        .into_any();
    }
    let row = |login: BasicLogin| {
        let name = login.username;
        view! {
            <li class="flex items-center justify-between gap-4 px-5 py-3 hover:bg-hover">
                <span class="min-w-0 font-mono font-medium break-all">{name.clone()}</span>
                <Form to=RemoveLogin::FORM hidden=vec![("id", id.to_string()), ("username", name.clone())] class="contents">
                    <SubmitButton look=Look::Quiet small=true needs=Action::Configure label=format!("Remove {name}")>"Remove"</SubmitButton>
                </Form>
            </li>
        }
    };
    let rows = logins.into_iter().map(row).collect_view();
    view! {
        <Card title="Password protection" text="On: these come in. Without the last one, everybody does." flush=true>
            <ul class="divide-y divide-line border-t border-line">{rows}</ul>
        </Card>
    }
    .into_any()
}

#[component]
fn SetLogin(id: AppId) -> impl IntoView {
    view! {
        <Card title="Add a name" text="Or give one that is there another password.">
            <Form to=SetLogin::FORM hidden=vec![("id", id.to_string())]>
                <div class="grid gap-4 sm:grid-cols-2">
                    <Field name="username" label="Name" mono=true autocomplete="off" placeholder="ada"/>
                    <Field name="password" label="Password" kind="password" autocomplete="new-password" hint="At least 8 characters. It is not shown again."/>
                </div>
                <div class="flex flex-wrap items-center gap-3">
                    <SubmitButton look=Look::Plain needs=Action::Configure>"Save name"</SubmitButton>
                    <span class="text-small text-muted">{format!("At most {MAX_LOGINS}. Use it with HTTPS: passwords are sent with every request.")}</span>
                </div>
            </Form>
        </Card>
    }
}

#[component]
fn Exceptions(fields: Vec<(&'static str, String)>, exceptions: BasicAuthExceptions) -> impl IntoView {
    view! {
        <Card title="What passes without a password" text="Requests that reach the application all the same. It has to judge them by itself.">
            <Form to=SaveLoginExceptions::FORM hidden=fields>
                <Checkbox
                    name="preflights" label="CORS preflights" checked=exceptions.preflights
                    hint="OPTIONS requests by which a browser asks whether another site may call this one. Browsers never send passwords with them."
                />
                <Checkbox
                    name="bearer_tokens" label="The application’s own bearer tokens" checked=exceptions.bearer_tokens
                    hint="Requests with “Authorization: Bearer …”, whatever the token is. The edge can’t check it; the application must."
                />
                <div><SubmitButton look=Look::Plain needs=Action::Configure>"Save exceptions"</SubmitButton></div>
            </Form>
        </Card>
    }
}
