//! One person: who she is, where she is a member, what can be done about her.
use super::{RecentActivity, list::AccountStatus};
use crate::{
    accounts::model::USER,
    admin::{
        fns::{ImpersonateUser, ResumeUser, SetOperator, SuspendUser, read_user},
        model::{AdminMembership, AdminUserDetail},
    },
    error::{Error, Result},
    id::UserId,
    kit::{
        AdminTabs, Card, Cell, Column, DangerZone, Fact, Form, FormOf, Icon, KeyValue, Look, MaybeTime, NameCell, Notice, Page, PageTitle,
        Row, Select, SubmitButton, Table, Tag, TextArea, Time, Tone, is_posted, load,
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

fn id_param() -> Result<UserId> {
    let id = use_params_map().read_untracked().get("id").unwrap_or_default();
    id.parse().map_err(|_| Error::NotFound(USER))
}

/// One person.
#[component]
pub fn AdminUserPage() -> impl IntoView {
    let found = async move { read_user(id_param()?).await };
    load(found, |it: AdminUserDetail| {
        let user = it.user.clone();
        let (suspended, operator) = (user.suspended_at.is_some(), user.is_operator);
        let above = vec![("Admin".into(), "/admin".into()), ("Users".into(), "/admin/users".into())];
        let status = move || view! { <AccountStatus suspended=suspended/> {operator.then(|| view! { <Tag>"operator"</Tag> })} };
        let email = user.email.clone();
        let (id, acting) = (user.id.clone(), user.id.clone());
        let below = move || view! { <p class="text-small break-all text-muted">{email}</p> };
        view! {
            <Page>
                <PageTitle title=user.name.clone() above=above status=status below=below/>
                <AdminTabs current="/admin/users"/>
                {user.suspended_reason.clone().map(|why| view! { <Notice tone=Tone::Bad icon=Icon::Lock>"Suspended: " {why}</Notice> })}
                <Card title="Account">
                    <KeyValue across=true>
                        <Fact name="Id"><span class="font-mono text-small">{user.id.to_string()}</span></Fact>
                        <Fact name="Address verified"><MaybeTime at=user.email_verified_at none="not yet"/></Fact>
                        <Fact name="Second factor">{if user.has_second_factor { "yes" } else { "no" }}</Fact>
                        <Fact name="Last seen"><MaybeTime at=user.last_seen_at/></Fact>
                        <Fact name="Sessions">{it.sessions}</Fact>
                        <Fact name="Since"><Time at=user.created_at/></Fact>
                    </KeyValue>
                </Card>
                <Memberships all=it.memberships.clone()/>
                <RecentActivity activity=it.activity.clone()/>
                {(!suspended && !operator).then(|| view! { <Acting id=acting memberships=it.memberships/> })}
                <Deeds id=id suspended=suspended operator=operator/>
            </Page>
        }
    })
}

#[component]
fn Memberships(all: Vec<AdminMembership>) -> impl IntoView {
    if all.is_empty() {
        return view! { <Card title="Organizations"><p class="text-muted">"She is in none."</p></Card> }.into_any();
    }
    let rows = all.into_iter().map(|it| {
        view! {
            <Row>
                <NameCell href=format!("/admin/organizations/{}", it.organization_id) name=it.organization_name/>
                <Cell>{it.role}</Cell>
                <Cell wide=true><span class="text-muted"><Time at=it.since/></span></Cell>
            </Row>
        }
    });
    view! {
        <Card title="Organizations" flush=true>
            <Table caption="Organizations" columns=vec![Column::new("Name"), Column::new("Role"), Column::new("Since").wide()] bare=true>
                {rows.collect_view()}
            </Table>
        </Card>
    }
    .into_any()
}

#[component]
fn Acting(id: UserId, memberships: Vec<AdminMembership>) -> impl IntoView {
    let options: Vec<(String, String)> =
        memberships.into_iter().map(|it| (it.organization_id.to_string(), format!("{} ({})", it.organization_name, it.role))).collect();
    if options.is_empty() {
        return ().into_any();
    }
    view! {
        <Card
            title="Act in her name"
            text="For an hour, without her secrets and credentials. Both names stand in every line of the audit trail; her organization sees the reason."
        >
            <Form to=ImpersonateUser::FORM hidden=vec![("id", id.to_string())] class="flex max-w-xl flex-col gap-4">
                <Select name="organization" label="Organization" options=options/>
                <TextArea name="reason" label="Reason" rows=2 placeholder="Ticket 4711: a deployment does not start."/>
                <div><SubmitButton look=Look::Plain>"Begin"</SubmitButton></div>
            </Form>
        </Card>
    }
    .into_any()
}

#[component]
fn Deeds(id: UserId, suspended: bool, operator: bool) -> impl IntoView {
    let hidden = move |more: Option<(&'static str, &'static str)>| {
        let mut all = vec![("id", id.to_string())];
        all.extend(more.map(|(name, value)| (name, value.to_string())));
        all
    };
    let (promote, word) = if operator { ("false", "Take the operator’s rights away") } else { ("true", "Make an operator") };
    view! {
        <DangerZone>
            {match (suspended, operator) {
                (true, _) => view! {
                    <div class="px-5 py-4">
                        <Form to=ResumeUser::FORM hidden=hidden(None) class="flex flex-wrap items-center justify-between gap-3">
                            <span>"She can’t sign in. Resume her to let her in again."</span> <SubmitButton look=Look::Plain>"Resume"</SubmitButton>
                        </Form>
                    </div>
                }.into_any(),
                (false, true) => view! { <p class="px-5 py-4 text-muted">"An operator can’t be suspended."</p> }.into_any(),
                (false, false) => view! {
                    <details class="px-5 py-4" open=is_posted(SuspendUser::FORM)>
                        <summary class="font-medium">"Suspend…"</summary>
                        <Form to=SuspendUser::FORM hidden=hidden(None) class="flex max-w-xl flex-col gap-4 pt-4">
                            <p class="text-muted">"Her sessions end at once, and she can’t sign in until she is resumed. Her organizations go on."</p>
                            <TextArea name="reason" label="Reason" rows=2 hint="She is told when she tries to sign in."/>
                            <div><SubmitButton look=Look::Danger>"Suspend"</SubmitButton></div>
                        </Form>
                    </details>
                }.into_any(),
            }}
            <div class="px-5 py-4">
                <Form to=SetOperator::FORM hidden=hidden(Some(("is_operator", promote))) class="flex flex-wrap items-center justify-between gap-3">
                    <span class="text-muted">"Operators see and change everything on this platform."</span>
                    <SubmitButton look=Look::Plain>{word}</SubmitButton>
                </Form>
            </div>
        </DangerZone>
    }
}
