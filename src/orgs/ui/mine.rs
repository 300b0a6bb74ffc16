//! The organizations that one is in, those that one is asked into, and a new one.
use crate::{
    kit::{
        Align, Card, Cell, Column, Field, Form, FormOf, Icon, LinkButton, Look, Page, PageTitle, Pagination, Row, Status, SubmitButton,
        Table, Tag, Time, Tone, load,
    },
    orgs::{
        fns::{
            CreateOrganization, SwitchOrganization,
            invitations::{AcceptOwnInvitation, DeclineOwnInvitation},
            read_my_organizations,
        },
        model::{MyOrganization, Welcome},
        ui::{frame::address, settings::LeaveButton},
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The list.
#[component]
pub fn Organizations() -> impl IntoView {
    let page = use_query_map().read_untracked().get("page").and_then(|text| text.parse().ok()).filter(|page| *page > 0);
    load(read_my_organizations(page), |found| {
        let new = || view! { <LinkButton href="/organizations/new" look=Look::Primary>{Icon::Plus.view()} "New organization"</LinkButton> };
        let columns = vec![Column::new("Name"), Column::new("Your role"), Column::new("Since").end().wide(), Column::new("").end()];
        let (page, pages) = (found.page, found.pages);
        let asked = found.invitations.into_iter().map(|it| view! { <Asked it=it/> }).collect_view();
        let rows = found.organizations.into_iter().map(|it| view! { <OrgRow it=it/> }).collect_view();
        view! {
            <Page>
                <PageTitle title="Organizations" actions=new/>
                {asked}
                <Table caption="Your organizations" columns=columns>{rows}</Table>
                <Pagination page=page pages=pages href=address("/organizations", Vec::new())/>
            </Page>
        }
    })
}

#[component]
fn OrgRow(it: MyOrganization) -> impl IntoView {
    let hidden = vec![("organization", it.id.to_string())];
    let action = match it.is_active {
        true => view! { <Tag>"current"</Tag> }.into_any(),
        false => view! {
            <Form to=SwitchOrganization::FORM hidden=hidden class="contents"><SubmitButton small=true look=Look::Plain>"Switch"</SubmitButton></Form>
        }
        .into_any(),
    };
    view! {
        <Row>
            <Cell>
                <span class="block max-w-48 truncate font-medium sm:max-w-none">{it.name}</span>
                <span class="font-mono text-small text-muted">{it.slug}</span>
                {it.is_suspended.then(|| view! { <span class="ml-2"><Status tone=Tone::Warning word="suspended"/></span> })}
            </Cell>
            <Cell>{it.role_name}</Cell>
            <Cell align=Align::End wide=true><span class="text-muted"><Time at=it.joined_at/></span></Cell>
            <Cell align=Align::End><span class="inline-flex items-center gap-2">{action} <LeaveButton id=it.id small=true/></span></Cell>
        </Row>
    }
}

#[component]
fn Asked(it: Welcome) -> impl IntoView {
    let hidden = || vec![("organization", it.organization_id.to_string()), ("id", it.id.to_string())];
    view! {
        <section class="flex flex-wrap items-center justify-between gap-4 rounded-card border border-line bg-surface px-5 py-4">
            <div class="flex min-w-0 flex-col gap-0.5">
                <h2 class="font-medium">{format!("{} invites you to {}", it.inviter, it.organization)}</h2>
                <p class="text-muted">{format!("As {}. ", it.role_name)} {it.message.clone()}</p>
            </div>
            <div class="flex gap-2">
                <Form to=DeclineOwnInvitation::FORM hidden=hidden() class="contents"><SubmitButton look=Look::Plain>"Decline"</SubmitButton></Form>
                <Form to=AcceptOwnInvitation::FORM hidden=hidden() class="contents"><SubmitButton>"Accept"</SubmitButton></Form>
            </div>
        </section>
    }
}

/// The form that makes an organization.
#[component]
pub fn NewOrganization() -> impl IntoView {
    view! {
        <Page narrow=true>
            <PageTitle title="New organization" above=vec![("Organizations".into(), "/organizations".into())]/>
            <Card>
                <Form to=CreateOrganization::FORM>
                    <Field name="name" label="Name" autocomplete="organization" autofocus=true placeholder="Acme"/>
                    <Field
                        name="slug" label="Name in addresses" optional=true mono=true placeholder="acme" autocomplete="off"
                        hint="3 to 40 lower-case letters, digits and hyphens. Can be changed later."
                    />
                    <p class="text-muted">"You become its owner, and can invite others and make applications in it. Nothing is shared with your other organizations."</p>
                    <div class="flex flex-wrap items-center gap-2">
                        <SubmitButton>"Create organization"</SubmitButton>
                        <LinkButton href="/organizations" look=Look::Quiet>"Cancel"</LinkButton>
                    </div>
                </Form>
            </Card>
        </Page>
    }
}
