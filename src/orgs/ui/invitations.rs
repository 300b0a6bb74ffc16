//! Inviting, and the history of invitations.
use crate::{
    kit::{
        ActionsCell, Align, Ask, Card, Cell, Column, EmptyState, Field, Form, FormOf, Icon, LinkButton, Look, Page, PageTitle, Pagination,
        Row, Status, SubmitButton, Table, TextArea, Time, Tone, load,
    },
    orgs::{
        fns::invitations::{Invitations as Found, InviteMember, ResendInvitation, RevokeInvitation, read_givable_roles, read_invitations},
        model::{INVITATION_HOURS, Invitation, InvitationStatus},
        ui::{
            OrgFrame, OrgTab,
            frame::{ListFilter, address},
            member::RoleChoice,
        },
    },
    rights::Action,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

const BASE: &str = "/organization/invitations";

/// The form that invites somebody.
#[component]
pub fn InviteMember() -> impl IntoView {
    load(read_givable_roles(), |roles| {
        let above = vec![("Organization".into(), "/organization".into()), ("Members".into(), "/organization/members".into())];
        view! {
            <Page narrow=true>
                <PageTitle title="Invite a member" above=above/>
                <Card>
                    <Form to=InviteMember::FORM>
                        <Field name="email" label="Email" kind="email" autocomplete="off" autofocus=true hint="The link works for this address alone."/>
                        <RoleChoice roles=roles value="developer".to_string()/>
                        <TextArea name="message" label="Message" optional=true rows=4 placeholder="Welcome to the team."/>
                        <div class="max-w-xs">
                            <Field
                                name="expires_hours" label="Good for" kind="number" unit="hours" value=INVITATION_HOURS.to_string()
                                hint="1 to 720; a week is 168."
                            />
                        </div>
                        <div class="flex flex-wrap items-center gap-2">
                            <SubmitButton needs=Action::Members>"Send invitation"</SubmitButton>
                            <LinkButton href="/organization/members" look=Look::Quiet>"Cancel"</LinkButton>
                        </div>
                    </Form>
                </Card>
            </Page>
        }
    })
}

/// All invitations.
#[component]
pub fn Invitations() -> impl IntoView {
    let query = use_query_map().read_untracked();
    let given = |name: &str| query.get(name).filter(|text| !text.trim().is_empty());
    let (search, status) = (given("search"), given("status"));
    let page = given("page").and_then(|text| text.parse().ok()).filter(|page| *page > 0);
    let asked = read_invitations(search.clone(), status.clone(), page);
    load(asked, move |found| {
        let nothing = found.total == 0 && search.is_none() && status.is_none();
        let invite = move || (!nothing).then(|| view! { <Invite/> });
        let href = address(BASE, vec![("search", search.clone()), ("status", status.clone())]);
        let (page, pages) = (found.page, found.pages);
        let options = InvitationStatus::ALL.into_iter().map(|it| (it.name().to_string(), it.word().to_string())).collect();
        let list = match nothing {
            true => view! {
                <EmptyState icon=Icon::Mail title="No invitations yet" text="Name an address and a role; whoever reads its mail joins with one click.">
                    <Invite/>
                </EmptyState>
            }
            .into_any(),
            false => view! {
                <div class="flex flex-col gap-3">
                    <ListFilter
                        base=BASE words="Search by address" search=search.unwrap_or_default() choice=("status", "Status", "Any status")
                        options=options chosen=status.unwrap_or_default()
                    />
                    <List found=found/>
                </div>
                <Pagination page=page pages=pages href=href/>
            }
            .into_any(),
        };
        view! { <OrgFrame tab=OrgTab::Invitations actions=invite>{list}</OrgFrame> }
    })
}

#[component]
fn Invite() -> impl IntoView {
    view! { <LinkButton href="/organization/members/invite" look=Look::Primary needs=Action::Members>{Icon::Plus.view()} "Invite"</LinkButton> }
}

#[component]
fn List(found: Found) -> impl IntoView {
    if found.invitations.is_empty() {
        return view! {
            <EmptyState icon=Icon::Search title="Nothing found" text="No invitation has this in its address and stands like this.">
                <LinkButton href=BASE>"Show all"</LinkButton>
            </EmptyState>
        }
        .into_any();
    }
    let columns = vec![
        Column::new("Address"),
        Column::new("Status"),
        Column::new("Role").wide(),
        Column::new("Sent").end().wide(),
        Column::new("Ends").end().wide(),
        Column::new(""),
    ];
    let rows = found.invitations.into_iter().map(|it| view! { <InvitationRow it=it/> }).collect_view();
    view! { <Table caption="Invitations" columns=columns>{rows}</Table> }.into_any()
}

/// What a status means.
fn tone(status: InvitationStatus) -> Tone {
    match status {
        InvitationStatus::Pending => Tone::Busy,
        InvitationStatus::Accepted => Tone::Good,
        InvitationStatus::Declined | InvitationStatus::Expired => Tone::Warning,
        InvitationStatus::Revoked => Tone::Idle,
    }
}

#[component]
fn InvitationRow(it: Invitation) -> impl IntoView {
    let hidden = || vec![("id", it.id.to_string())];
    let can_resend = matches!(it.status, InvitationStatus::Pending | InvitationStatus::Expired) && it.ended_at.is_none();
    let again = can_resend.then(|| {
        view! {
            <Form to=ResendInvitation::FORM hidden=hidden() class="contents">
                <SubmitButton small=true look=Look::Plain needs=Action::Members>"Send again"</SubmitButton>
            </Form>
        }
    });
    let revoke = can_resend.then(|| {
        view! {
            <Ask
                to=RevokeInvitation::FORM words="Revoke" icon=Icon::Cross needs=Action::Members small=true look=Look::Danger hidden=hidden()
                text="The link in the mail stops working at once." button="Revoke invitation"
            />
        }
    });
    let sent = if it.sends == 1 { "sent once".to_string() } else { format!("sent {} times", it.sends) };
    view! {
        <Row>
            <Cell>
                <span class="block max-w-48 truncate font-medium sm:max-w-none">{it.email}</span>
                <span class="text-small text-muted">"by " {it.invited_by} ", " {sent}</span>
            </Cell>
            <Cell><Status tone=tone(it.status) word=it.status.word()/></Cell>
            <Cell wide=true>{it.role_name}</Cell>
            <Cell align=Align::End wide=true><span class="text-muted"><Time at=it.sent_at/></span></Cell>
            <Cell align=Align::End wide=true><span class="text-muted"><Time at=it.ended_at.unwrap_or(it.expires_at)/></span></Cell>
            <ActionsCell>{again} {revoke}</ActionsCell>
        </Row>
    }
}
