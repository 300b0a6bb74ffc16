//! Roles: what each includes, how many have it, and the editor of the organization's own.
use crate::{
    kit::{
        Align, Ask, Card, Cell, Checkbox, Column, Field, Form, FormOf, Icon, LinkButton, Look, NameCell, Notice, Page, PageTitle, Rights,
        Row, SubmitButton, Table, Tag, Tone, load,
    },
    orgs::{
        fns::{CreateRole, DeleteRole, UpdateRole, read_role, read_roles},
        model::OrganizationRole,
        ui::{OrgFrame, OrgTab},
    },
    rights::{Action, Permissions},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

const BASE: &str = "/organization/roles";

/// The list.
#[component]
pub fn Roles() -> impl IntoView {
    load(read_roles(), |roles| {
        let new = || view! { <LinkButton href="/organization/roles/new" look=Look::Primary needs=Action::Roles>{Icon::Plus.view()} "New role"</LinkButton> };
        let own = roles.iter().any(|role| !role.is_given);
        let columns = vec![Column::new("Role"), Column::new("Includes").wide(), Column::new("Members").end()];
        let rows = roles.into_iter().map(|role| view! { <RoleRow role=role/> }).collect_view();
        view! {
            <OrgFrame tab=OrgTab::Roles actions=new>
                <Table caption="Roles" columns=columns>{rows}</Table>
                {(!own).then(|| view! {
                    <p class="text-muted">"Every organization has these five. Make a role of your own where none of them fits."</p>
                })}
            </OrgFrame>
        }
    })
}

#[component]
fn RoleRow(role: OrganizationRole) -> impl IntoView {
    let below = role.description.clone();
    let includes = if role.permissions == Permissions::ALL { "everything".to_string() } else { role.permissions.to_string() };
    let includes = if includes.is_empty() { "nothing by itself".to_string() } else { includes };
    view! {
        <Row>
            <NameCell href=format!("{BASE}/{}", role.id) name=role.name below=move || below/>
            <Cell wide=true><span class="text-small text-muted">{includes}</span></Cell>
            <Cell align=Align::End><span class="tabular-nums">{role.members}</span></Cell>
        </Row>
    }
}

/// The editor of a new role.
#[component]
pub fn NewRole() -> impl IntoView {
    view! {
        <Page narrow=true>
            <PageTitle title="New role" above=above()/>
            <Form to=CreateRole::FORM class="flex flex-col gap-6">
                <Editor name=String::new() description=String::new() has=Permissions::of(&[Action::View])/>
                <div class="flex flex-wrap items-center gap-2">
                    <SubmitButton needs=Action::Roles>"Create role"</SubmitButton>
                    <LinkButton href=BASE look=Look::Quiet>"Cancel"</LinkButton>
                </div>
            </Form>
        </Page>
    }
}

fn above() -> Vec<(String, String)> {
    vec![("Organization".into(), "/organization".into()), ("Roles".into(), BASE.into())]
}

/// One role: the editor where it is the organization's own, else what it includes.
#[component]
pub fn RolePage() -> impl IntoView {
    let id = use_params_map().read_untracked().get("id").unwrap_or_default();
    load(read_role(id), |role| {
        let members = if role.members == 1 { "1 member has it".to_string() } else { format!("{} members have it", role.members) };
        let given = role.is_given;
        let status = move || view! { <span class="flex gap-2">{given.then(|| view! { <Tag>"given"</Tag> })} <Tag>{members}</Tag></span> };
        view! {
            <Page narrow=true>
                <PageTitle title=role.name.clone() document=format!("{} · Roles", role.name) above=above() status=status/>
                {match given {
                    true => view! { <Given role=role/> }.into_any(),
                    false => view! { <Own role=role/> }.into_any(),
                }}
            </Page>
        }
    })
}

#[component]
fn Given(role: OrganizationRole) -> impl IntoView {
    let lines = role.permissions.iter().map(|action| view! { <Line action=action/> }).collect_view();
    view! {
        <Notice tone=Tone::Idle icon=Icon::Lock>"Every organization has this role; it can’t be changed. Make a role of your own where it does not fit."</Notice>
        <Card title="Includes" text=role.description><ul class="flex flex-col gap-2">{lines}</ul></Card>
    }
}

#[component]
fn Line(action: Action) -> impl IntoView {
    view! { <li class="flex gap-3"><code class="w-24 shrink-0 font-mono text-small">{action.name()}</code> <span class="text-muted">{action.words()}</span></li> }
}

#[component]
fn Own(role: OrganizationRole) -> impl IntoView {
    let hidden = vec![("id", role.id.clone()), ("version", role.version.to_string())];
    let delete = vec![("id", role.id.clone())];
    view! {
        <Form to=UpdateRole::FORM hidden=hidden class="flex flex-col gap-6">
            <Editor name=role.name description=role.description has=role.permissions/>
            <div class="flex flex-wrap items-center gap-2">
                <SubmitButton needs=Action::Roles>"Save role"</SubmitButton>
                <LinkButton href=BASE look=Look::Quiet>"Cancel"</LinkButton>
            </div>
        </Form>
        <div>
            <Ask
                to=DeleteRole::FORM words="Delete" icon=Icon::Cross needs=Action::Roles look=Look::Danger hidden=delete
                text="Only a role that nobody has can be deleted." button="Delete role"
            />
        </div>
    }
}

/// Name, description, and a box for each permission. What whoever edits does not have can’t be ticked.
#[component]
fn Editor(name: String, description: String, has: Permissions) -> impl IntoView {
    let mine = use_context::<Rights>().map_or(Permissions::ALL, |rights| rights.permissions);
    let boxes = Action::ALL.iter().copied().filter(|action| *action != Action::Ownership).map(move |action| {
        let locked = !mine.may(action) && !has.may(action);
        match locked {
            true => view! {
                <p class="flex items-start gap-2 text-muted" title="You can’t give what you do not have.">
                    <span class="pt-0.5">{Icon::Lock.view()}</span>
                    <span class="flex flex-col gap-0.5"><span>{action.name()}</span> <span class="text-small">{action.words()} " You don’t have it, so you can’t give it."</span></span>
                </p>
            }
            .into_any(),
            false => view! { <Checkbox name=action.name() label=action.name() hint=action.words() checked=has.may(action)/> }.into_any(),
        }
    });
    view! {
        <Card title="Role">
            <div class="flex flex-col gap-4">
                <Field name="name" label="Name" value=name autocomplete="off" placeholder="Release manager"/>
                <Field name="description" label="Description" value=description optional=true autocomplete="off" placeholder="Deploys and scales, and changes nothing else."/>
            </div>
        </Card>
        <Card title="Includes" text="Without any, whoever has the role sees only applications that are granted one by one.">
            <div class="grid gap-4 sm:grid-cols-2">{boxes.collect_view()}</div>
        </Card>
    }
}
