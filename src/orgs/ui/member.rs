//! One member: the role, what more she may do with single applications, and the end of her membership.
use crate::{
    error::{Error, Result},
    id::UserId,
    kit::{
        ActionsCell, Ask, Card, Cell, Column, Fact, Form, FormOf, Icon, KeyValue, Look, Notice, Page, PageTitle, Row, Select, Status,
        SubmitButton, Table, Tag, Time, Tone, load, may,
    },
    orgs::{
        fns::{
            RemoveMember, SetMemberRole,
            grants::{GiveGrant, TakeGrant},
            read_member,
        },
        model::{Grant, MEMBER, MemberPage as Found, OrganizationRole},
        ui::frame::options,
    },
    rights::{Action, Role},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

fn param() -> Result<UserId> {
    let id = use_params_map().read_untracked().get("id").unwrap_or_default();
    id.parse().map_err(|_| Error::NotFound(MEMBER))
}

/// The page.
#[component]
pub fn MemberPage() -> impl IntoView {
    load(async move { read_member(param()?).await }, |found| {
        let (name, email) = (found.member.name.clone(), found.member.email.clone());
        let above = vec![("Organization".into(), "/organization".into()), ("Members".into(), "/organization/members".into())];
        let you = found.is_me;
        view! {
            <Page>
                <PageTitle
                    title=name above=above status=move || you.then(|| view! { <Tag>"you"</Tag> })
                    below=move || view! { <p class="text-muted">{email}</p> }
                />
                <div class="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_320px]">
                    <div class="flex min-w-0 flex-col gap-6"><MemberRoleSelector found=found.clone()/> <Grants found=found.clone()/></div>
                    <Facts found=found/>
                </div>
            </Page>
        }
    })
}

/// The role, and which others can be given.
#[component]
pub fn MemberRoleSelector(found: Found) -> impl IntoView {
    let member = found.member;
    let locked = may(Action::Members).err();
    let above =
        (locked.is_none() && found.is_above).then_some("The role includes what yours does not: somebody who has that can change it.");
    let hint = locked.clone().or(above.map(str::to_string));
    let form = hint.is_none().then(|| {
        view! {
            <Form to=SetMemberRole::FORM hidden=vec![("id", member.user_id.to_string())] class="flex flex-col gap-4">
                <RoleChoice roles=found.givable value=member.role.clone()/>
                <div><SubmitButton needs=Action::Members>"Change role"</SubmitButton></div>
            </Form>
        }
    });
    view! {
        <Card title="Role" text=format!("{} in the whole organization.", member.role_name)>
            {form}
            {hint.map(|why| view! { <p class="flex items-center gap-2 text-muted">{Icon::Lock.view()} {why}</p> })}
        </Card>
    }
}

/// The roles that may be given, each with what it is for.
#[component]
pub fn RoleChoice(
    roles: Vec<OrganizationRole>,
    /// The one at first.
    value: String,
) -> impl IntoView {
    let words: Vec<String> = roles.iter().map(|role| format!("{}: {}", role.name, about(role))).collect();
    view! {
        <div class="max-w-xs"><Select name="role" label="Role" options=options(&roles) value=value/></div>
        <details class="text-small text-muted">
            <summary class="w-fit cursor-pointer underline-offset-4 hover:underline">"What the roles include"</summary>
            <ul class="mt-2 flex flex-col gap-1">{words.into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}</ul>
        </details>
    }
}

fn about(role: &OrganizationRole) -> String {
    match (role.is_given, role.permissions.is_empty()) {
        (true, _) => role.description.clone(),
        (false, true) => "nothing by itself; use it with grants on applications.".into(),
        (false, false) => format!("{}.", role.permissions),
    }
}

#[component]
fn Facts(found: Found) -> impl IntoView {
    let member = found.member;
    let (tone, word) = if member.two_factor { (Tone::Good, "set up") } else { (Tone::Idle, "none") };
    let (text, words, button) = (
        "The person loses access at once. Invitations that she sent are taken back; whoever is in no other organization gets an empty one.",
        "Remove",
        "Remove member",
    );
    view! {
        <Card title="About">
            <KeyValue>
                <Fact name="Role">{member.role_name}</Fact>
                <Fact name="Second factor"><Status tone=tone word=word/></Fact>
                <Fact name="Last seen">
                    {match member.last_seen_at {
                        Some(at) => view! { <Time at=at/> }.into_any(),
                        None => view! { "not yet" }.into_any(),
                    }}
                </Fact>
                <Fact name="Joined"><Time at=member.joined_at/></Fact>
            </KeyValue>
            <div class="mt-4">
                {(!found.is_me && !found.is_above).then(|| view! {
                    <Ask
                        to=RemoveMember::FORM words=words icon=Icon::Cross needs=Action::Members look=Look::Danger
                        hidden=vec![("id", member.user_id.to_string())] text=text button=button
                    />
                })}
                {found.is_me.then(|| view! { <p class="text-small text-muted">"To leave, go to Settings."</p> })}
            </div>
        </Card>
    }
}

#[component]
fn Grants(found: Found) -> impl IntoView {
    let user = found.member.user_id.clone();
    let has = !found.grants.is_empty();
    let rows = found.grants.into_iter().map(|grant| view! { <GrantRow grant=grant user=user.clone()/> }).collect_view();
    let roles: Vec<OrganizationRole> = found.givable.into_iter().filter(|role| role.id != Role::Owner.name()).collect();
    let locked = may(Action::Members).err();
    let form = match (locked, found.apps.is_empty()) {
        (Some(why), _) => view! { <p class="flex items-center gap-2 text-muted">{Icon::Lock.view()} {why}</p> }.into_any(),
        (None, true) => view! { <p class="text-muted">"There are no applications yet."</p> }.into_any(),
        (None, false) => view! {
            <Form to=GiveGrant::FORM hidden=vec![("id", user.to_string())] class="flex flex-wrap items-end gap-3">
                <div class="w-full sm:w-56"><Select name="application_id" label="Application" options=found.apps/></div>
                <div class="w-full sm:w-44"><Select name="role" label="Role" options=options(&roles) value="developer"/></div>
                <SubmitButton look=Look::Plain needs=Action::Members>"Grant"</SubmitButton>
            </Form>
        }
        .into_any(),
    };
    view! {
        <Card title="Single applications" text="A role on one application adds to the role in the organization." flush=true>
            {has.then(|| view! {
                <div class="border-y border-line">
                    <Table caption="Grants" bare=true columns=vec![Column::new("Application"), Column::new("Role"), Column::new("")]>{rows}</Table>
                </div>
            })}
            <div class="px-5 py-4">{form}</div>
        </Card>
        {(!has).then(|| view! {
            <Notice tone=Tone::Idle icon=Icon::Lock>"To let somebody see one application only, give a custom role without permissions, and grant a role on that application."</Notice>
        })}
    }
}

#[component]
fn GrantRow(grant: Grant, user: UserId) -> impl IntoView {
    let hidden = vec![("application_id", grant.application_id.to_string()), ("id", user.to_string())];
    let includes = grant.permissions.to_string();
    view! {
        <Row>
            <Cell><a href=format!("/applications/{}", grant.application_id) class="font-medium hover:underline">{grant.application_name}</a></Cell>
            <Cell><span title=includes><Tag>{grant.role_name}</Tag></span></Cell>
            <ActionsCell>
                <Form to=TakeGrant::FORM hidden=hidden class="contents">
                    <SubmitButton small=true look=Look::Plain needs=Action::Members>"Take"</SubmitButton>
                </Form>
            </ActionsCell>
        </Row>
    }
}
