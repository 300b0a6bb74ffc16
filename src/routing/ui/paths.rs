//! Paths under addresses of the organization that lead to an application.
use crate::{
    apps::{fns::read_application, ui::app_param},
    id::AppId,
    kit::{Card, Checkbox, Field, Form, FormOf, Look, SubmitButton, Tag, TextLink, load},
    rights::Action,
    routing::{
        fns::{AddPath, RemovePath, read_paths},
        model::{PathRoute, PathsPage},
        ui::{Part, RoutingFrame},
    },
};
use leptos::prelude::*;

/// The part.
#[component]
pub fn RoutingPaths() -> impl IntoView {
    let all = async move {
        let id = app_param()?;
        Ok((read_application(id.clone()).await?, read_paths(id).await?))
    };
    load(all, |(app, page)| {
        let id = app.id.clone();
        let PathsPage { routes, taken, host, others } = page;
        view! {
            <RoutingFrame app=app part=Part::Paths>
                <Routes id=id.clone() routes=routes/>
                <Add id=id host=host others=others/>
                <Taken taken=taken/>
            </RoutingFrame>
        }
    })
}

#[component]
fn Routes(id: AppId, routes: Vec<PathRoute>) -> impl IntoView {
    if routes.is_empty() {
        return view! {
            <Card title="Paths">
                <p class="text-muted">"None. With a path, a part of another address leads here: shop.example.com/api to this application, the rest to another."</p>
            </Card>
        }
        .into_any();
    }
    let row = |route: PathRoute| {
        let place = format!("{}{}", route.host, route.path);
        view! {
            <li class="flex items-center justify-between gap-4 px-5 py-3 hover:bg-hover">
                <div class="flex min-w-0 flex-col items-start gap-1">
                    <span class="font-mono font-medium break-all">{place.clone()}</span>
                    <span class="flex flex-wrap gap-2">
                        {route.strip_path.then(|| view! { <Tag>"path taken off"</Tag> })}
                        {(!route.active).then(|| view! { <Tag>"waits: the address is not yours now"</Tag> })}
                    </span>
                </div>
                <Form to=RemovePath::FORM hidden=vec![("id", id.to_string()), ("path_id", route.id.to_string())] class="contents">
                    <SubmitButton look=Look::Quiet small=true needs=Action::Domains label=format!("Remove {place}")>"Remove"</SubmitButton>
                </Form>
            </li>
        }
    };
    let rows = routes.into_iter().map(row).collect_view();
    view! { <Card title="Paths" text="They lead here." flush=true><ul class="divide-y divide-line border-t border-line">{rows}</ul></Card> }
        .into_any()
}

#[component]
fn Add(id: AppId, host: String, others: Vec<String>) -> impl IntoView {
    let proposals = others.into_iter().map(|name| view! { <option value=name></option> }).collect_view();
    view! {
        <Card title="Take a path" text="The rules of this application hold there: its passwords, headers and limits.">
            <Form to=AddPath::FORM hidden=vec![("id", id.to_string())]>
                <Field
                    name="host" label="Address" value=host mono=true list=Some("hosts") autocomplete="off"
                    hint="A domain that your organization has proven, or the own address of one of its applications."
                />
                <datalist id="hosts">{proposals}</datalist>
                <Field name="path" label="Path" mono=true placeholder="/api" autocomplete="off" hint="It and all below it."/>
                <Checkbox name="strip_path" label="Take the path off" hint="/api/users reaches the application as /users."/>
                <div><SubmitButton look=Look::Plain needs=Action::Domains>"Take path"</SubmitButton></div>
            </Form>
        </Card>
    }
}

#[component]
fn Taken(taken: Vec<(PathRoute, String)>) -> impl IntoView {
    let row = |(route, name): (PathRoute, String)| {
        view! {
            <li class="flex items-center justify-between gap-4 px-5 py-3">
                <span class="min-w-0 font-mono break-all">{route.path}</span>
                <TextLink href=format!("/applications/{}/routing/paths", route.application_id)>{name}</TextLink>
            </li>
        }
    };
    (!taken.is_empty()).then(|| {
        let rows = taken.into_iter().map(row).collect_view();
        view! { <Card title="Led elsewhere" text="Paths of this application’s address that other applications took." flush=true><ul class="divide-y divide-line border-t border-line">{rows}</ul></Card> }
    })
}
