//! One organization: who is in it, what runs in it, what happened lately, and suspending it.
use super::{RecentActivity, list::AccountStatus};
use crate::{
    admin::{
        fns::{ResumeOrganization, SuspendOrganization, read_admin_organization},
        model::{AdminApplication, AdminMembership, AdminOrganizationDetail},
    },
    error::{Error, Result, Thing},
    id::OrgId,
    kit::{
        AdminTabs, Align, Card, Cell, Checkbox, Column, DangerZone, Fact, Form, FormOf, Icon, KeyValue, Look, NameCell, Notice, Page,
        PageTitle, Row, Status, SubmitButton, Table, TextArea, Time, Tone, is_posted, load,
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

fn id_param() -> Result<OrgId> {
    let id = use_params_map().read_untracked().get("id").unwrap_or_default();
    id.parse().map_err(|_| Error::NotFound(Thing::ORGANIZATION))
}

/// One organization.
#[component]
pub fn AdminOrganizationPage() -> impl IntoView {
    let found = async move { read_admin_organization(id_param()?).await };
    load(found, |it: AdminOrganizationDetail| {
        let org = it.organization.clone();
        let (suspended, deleted) = (org.suspended_at.is_some(), org.deleted_at.is_some());
        let above = vec![("Admin".into(), "/admin".into()), ("Organizations".into(), "/admin/organizations".into())];
        let status = move || match deleted {
            true => view! { <Status tone=Tone::Idle word="Deleted"/> }.into_any(),
            false => view! { <AccountStatus suspended=suspended/> }.into_any(),
        };
        let id = org.id.clone();
        let contact = if it.contact_email.is_empty() { "none".to_string() } else { it.contact_email.clone() };
        view! {
            <Page>
                <PageTitle title=org.name.clone() above=above status=status/>
                <AdminTabs current="/admin/organizations"/>
                {org.suspended_reason.clone().map(|why| view! { <Notice tone=Tone::Bad icon=Icon::Lock>"Suspended: " {why}</Notice> })}
                <Card title="Organization">
                    <KeyValue across=true>
                        <Fact name="Id"><span class="font-mono text-small">{org.id.to_string()}</span></Fact>
                        <Fact name="Slug"><span class="font-mono">{org.slug.clone()}</span></Fact>
                        <Fact name="Contact">{contact}</Fact>
                        <Fact name="Members">{org.members}</Fact>
                        <Fact name="Applications">{org.applications}</Fact>
                        <Fact name="Since"><Time at=org.created_at/></Fact>
                    </KeyValue>
                </Card>
                <Members all=it.members/>
                <Apps all=it.applications/>
                <RecentActivity activity=it.activity/>
                {(!deleted).then(|| view! { <Deeds id=id suspended=suspended/> })}
            </Page>
        }
    })
}

#[component]
fn Members(all: Vec<AdminMembership>) -> impl IntoView {
    if all.is_empty() {
        return view! { <Card title="Members"><p class="text-muted">"Nobody is in it."</p></Card> }.into_any();
    }
    let rows = all.into_iter().map(|it| {
        let email = it.user_email;
        view! {
            <Row>
                <NameCell href=format!("/admin/users/{}", it.user_id) name=it.user_name below=move || view! { <span class="break-all">{email}</span> }/>
                <Cell>{it.role}</Cell>
                <Cell wide=true><span class="text-muted"><Time at=it.since/></span></Cell>
            </Row>
        }
    });
    view! {
        <Card title="Members" flush=true>
            <Table caption="Members" columns=vec![Column::new("Name"), Column::new("Role"), Column::new("Since").wide()] bare=true>{rows.collect_view()}</Table>
        </Card>
    }
    .into_any()
}

#[component]
fn Apps(all: Vec<AdminApplication>) -> impl IntoView {
    if all.is_empty() {
        return view! { <Card title="Applications"><p class="text-muted">"None."</p></Card> }.into_any();
    }
    let rows = all.into_iter().map(|it| {
        view! {
            <Row>
                <Cell><div class="font-medium">{it.name}</div> <div class="font-mono text-small text-muted">{it.id.to_string()}</div></Cell>
                <Cell>{it.wanted}</Cell>
                <Cell align=Align::End wide=true>{it.replicas}</Cell>
                <Cell align=Align::End wide=true><span class="text-muted"><Time at=it.created_at/></span></Cell>
            </Row>
        }
    });
    let columns = vec![Column::new("Name"), Column::new("Wanted"), Column::new("Replicas").end().wide(), Column::new("Since").end().wide()];
    view! { <Card title="Applications" flush=true><Table caption="Applications" columns=columns bare=true>{rows.collect_view()}</Table></Card> }
        .into_any()
}

#[component]
fn Deeds(id: OrgId, suspended: bool) -> impl IntoView {
    let hidden = vec![("id", id.to_string())];
    let form = match suspended {
        true => view! {
            <div class="px-5 py-4">
                <Form to=ResumeOrganization::FORM hidden=hidden class="flex flex-wrap items-center justify-between gap-3">
                    <span>"Nothing in it can be changed. What was stopped with it starts again when it is resumed."</span>
                    <SubmitButton look=Look::Plain>"Resume"</SubmitButton>
                </Form>
            </div>
        }
        .into_any(),
        false => view! {
            <details class="px-5 py-4" open=is_posted(SuspendOrganization::FORM)>
                <summary class="font-medium">"Suspend…"</summary>
                <Form to=SuspendOrganization::FORM hidden=hidden class="flex max-w-xl flex-col gap-4 pt-4">
                    <p class="text-muted">"Members see everything and change nothing until it is resumed. What is being deployed is cancelled."</p>
                    <TextArea name="reason" label="Reason" rows=2 hint="The members are told."/>
                    <Checkbox name="stop_applications" label="Stop the applications, too" hint="Without it what runs goes on serving."/>
                    <div><SubmitButton look=Look::Danger>"Suspend"</SubmitButton></div>
                </Form>
            </details>
        }
        .into_any(),
    };
    view! { <DangerZone>{form}</DangerZone> }
}
