//! The list of members. Search, role, order and page live in the address; those who are ticked are changed together.
use crate::{
    kit::{
        Align, Cell, Column, EmptyState, Form, FormOf, Icon, LinkButton, Look, NameCell, Pagination, Row, Select, Status, SubmitButton,
        Table, Tag, Time, Tone, load, may,
    },
    orgs::{
        fns::{ChangeMembers, Members as Found, read_members},
        model::Member,
        ui::{
            OrgFrame, OrgTab,
            frame::{ListFilter, address, options},
        },
    },
    rights::Action,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

const BASE: &str = "/organization/members";

/// The members.
#[component]
pub fn Members() -> impl IntoView {
    let query = use_query_map().read_untracked();
    let given = |name: &str| query.get(name).filter(|text| !text.trim().is_empty());
    let (search, role, sort) = (given("search"), given("role"), given("sort"));
    let page = given("page").and_then(|text| text.parse().ok()).filter(|page| *page > 0);
    let asked = read_members(search.clone(), role.clone(), sort.clone(), page);
    load(asked, move |found| {
        let invite = || view! { <LinkButton href="/organization/members/invite" look=Look::Primary needs=Action::Members>{Icon::Plus.view()} "Invite"</LinkButton> };
        let href = address(BASE, vec![("search", search.clone()), ("role", role.clone()), ("sort", sort)]);
        let words = if found.total == 1 { "1 member".to_string() } else { format!("{} members", found.total) };
        let (page, pages) = (found.page, found.pages);
        let alone = found.total == 1 && search.is_none() && role.is_none();
        view! {
            <OrgFrame tab=OrgTab::Members actions=invite>
                <div class="flex flex-col gap-3">
                    <div class="flex flex-wrap items-center justify-between gap-3">
                        <ListFilter
                            base=BASE words="Search by name or address" search=search.unwrap_or_default() choice=("role", "Role", "Any role")
                            options=options(&found.roles) chosen=role.unwrap_or_default()
                        />
                        <span class="text-small text-muted max-sm:w-full" role="status">{words}</span>
                    </div>
                    <List found=found/>
                </div>
                <Pagination page=page pages=pages href=href/>
                {alone.then(|| view! {
                    <p class="text-muted">"You are alone here. Invite those you work with; each gets the role that you choose."</p>
                })}
            </OrgFrame>
        }
    })
}

#[component]
fn List(found: Found) -> impl IntoView {
    if found.members.is_empty() {
        return view! {
            <EmptyState icon=Icon::Search title="Nobody found" text="No member has this in the name or the address, with this role.">
                <LinkButton href=BASE>"Show all"</LinkButton>
            </EmptyState>
        }
        .into_any();
    }
    let changes = may(Action::Members).is_ok();
    let mut columns = vec![
        Column::new("Name"),
        Column::new("Role"),
        Column::new("Second factor").wide(),
        Column::new("Last seen").end().wide(),
        Column::new("Joined").end().wide(),
    ];
    if changes {
        columns.insert(0, Column::new(""));
    }
    let rows = found.members.into_iter().map(|member| view! { <MemberRow member=member changes=changes/> }).collect_view();
    let mut roles = vec![(String::new(), "Choose a role".to_string())];
    roles.extend(options(&found.givable));
    view! {
        <Form to=ChangeMembers::FORM class="flex flex-col gap-3">
            <Table caption="Members" columns=columns>{rows}</Table>
            {changes.then(|| view! {
                <fieldset class="flex flex-wrap items-end gap-3">
                    <legend class="sr-only">"Change those who are ticked"</legend>
                    <div class="w-56"><Select name="role" label="Those who are ticked" options=roles/></div>
                    <SubmitButton look=Look::Plain name="deed" value="role">"Give this role"</SubmitButton>
                    <SubmitButton look=Look::Danger name="deed" value="remove">"Remove"</SubmitButton>
                </fieldset>
            })}
        </Form>
    }
    .into_any()
}

#[component]
fn MemberRow(member: Member, changes: bool) -> impl IntoView {
    let (id, email, href) = (member.user_id.to_string(), member.email, format!("{BASE}/{}", member.user_id));
    let label = format!("Tick {}", member.name);
    let tick = changes.then(|| {
        view! {
            <Cell>
                <input type="checkbox" name=id value="true" class="relative z-10 block size-4" aria-label=label/>
            </Cell>
        }
    });
    let (tone, word) = if member.two_factor { (Tone::Good, "set up") } else { (Tone::Idle, "none") };
    view! {
        <Row>
            {tick}
            <NameCell href=href name=member.name below=move || view! { <span class="block truncate">{email}</span> }/>
            <Cell><span class="inline-flex flex-wrap gap-1"><Tag>{member.role_name}</Tag> {member.has_grants.then(|| view! { <Tag>"+ grants"</Tag> })}</span></Cell>
            <Cell wide=true><Status tone=tone word=word/></Cell>
            <Cell align=Align::End wide=true>
                <span class="text-muted">
                    {match member.last_seen_at {
                        Some(at) => view! { <Time at=at/> }.into_any(),
                        None => view! { "not yet" }.into_any(),
                    }}
                </span>
            </Cell>
            <Cell align=Align::End wide=true><span class="text-muted"><Time at=member.joined_at/></span></Cell>
        </Row>
    }
}
