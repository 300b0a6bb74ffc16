//! The organization at a glance.
use crate::{
    kit::{Card, Fact, Icon, KeyValue, LinkButton, Look, Notice, Status, Tag, TextLink, Time, Tone, load},
    orgs::{
        fns::read_organization_overview,
        model::{Member, OrganizationOverview as Overview},
        ui::{OrgFrame, OrgTab},
    },
    rights::Action,
};
use leptos::prelude::*;

/// The page.
#[component]
pub fn OrganizationOverview() -> impl IntoView {
    load(read_organization_overview(), |it| {
        let actions = || view! { <LinkButton href="/organization/members/invite" look=Look::Primary needs=Action::Members>{Icon::Plus.view()} "Invite"</LinkButton> };
        view! {
            <OrgFrame tab=OrgTab::Overview actions=actions>
                {it.organization.is_suspended.then(|| view! {
                    <Notice tone=Tone::Warning>"The operator suspended this organization: it can be seen, but nothing in it can be changed."</Notice>
                })}
                <div class="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_320px]">
                    <div class="flex min-w-0 flex-col gap-6"><Applications it=it.clone()/> <People it=it.clone()/></div>
                    <About it=it/>
                </div>
            </OrgFrame>
        }
    })
}

#[component]
fn Applications(it: Overview) -> impl IntoView {
    let counts = it.apps;
    let total = counts.total();
    let words = if total == 0 { "None yet: deploy the first one.".to_string() } else { String::new() };
    let actions = || view! { <TextLink href="/applications">"All applications"</TextLink> };
    view! {
        <Card title="Applications" text=words actions=actions>
            <KeyValue across=true>
                <Fact name="All"><span class="text-title font-semibold tabular-nums">{total}</span></Fact>
                <Fact name="Switched on"><Status tone=Tone::Good word=counts.running.to_string()/></Fact>
                <Fact name="Stopped"><Status tone=Tone::Idle word=counts.stopped.to_string()/></Fact>
                <Fact name="Never deployed"><Status tone=Tone::Idle word=counts.new.to_string()/></Fact>
            </KeyValue>
        </Card>
    }
}

#[component]
fn People(it: Overview) -> impl IntoView {
    let rows = it.recent.into_iter().map(|member| view! { <Person member=member/> }).collect_view();
    let actions = || view! { <TextLink href="/organization/members">"All members"</TextLink> };
    view! {
        <Card title="Seen last" actions=actions flush=true>
            <ul class="divide-y divide-line border-t border-line">{rows}</ul>
        </Card>
    }
}

#[component]
fn Person(member: Member) -> impl IntoView {
    view! {
        <li class="flex items-center justify-between gap-4 px-5 py-3">
            <span class="flex min-w-0 flex-col">
                <a href=format!("/organization/members/{}", member.user_id) class="truncate font-medium hover:underline">{member.name}</a>
                <span class="truncate text-small text-muted">{member.email}</span>
            </span>
            <span class="flex items-center gap-3 text-small text-muted">
                <Tag>{member.role_name}</Tag>
                {match member.last_seen_at {
                    Some(at) => view! { <Time at=at/> }.into_any(),
                    None => view! { "not seen yet" }.into_any(),
                }}
            </span>
        </li>
    }
}

#[component]
fn About(it: Overview) -> impl IntoView {
    let org = it.organization;
    let plan = if it.plan.is_empty() { "being set up".to_string() } else { it.plan };
    let two_factor = format!("{} of {}", it.with_two_factor, it.members);
    view! {
        <Card title="About">
            <KeyValue>
                <Fact name="Plan">{plan}</Fact>
                <Fact name="Your role">{org.role_name}</Fact>
                <Fact name="Members"><TextLink href="/organization/members">{it.members.to_string()}</TextLink></Fact>
                <Fact name="With a second factor">
                    {two_factor} {org.requires_two_factor.then(|| view! { <span class="ml-2"><Tag>"required"</Tag></span> })}
                </Fact>
                {it.invitations.map(|open| view! {
                    <Fact name="Open invitations"><TextLink href="/organization/invitations?status=pending">{open.to_string()}</TextLink></Fact>
                })}
                <Fact name="Name in addresses"><span class="font-mono text-small">{org.slug}</span></Fact>
                <Fact name="Since"><Time at=org.created_at/></Fact>
            </KeyValue>
        </Card>
    }
}
