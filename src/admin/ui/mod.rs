//! The operator's pages: figures, people, organizations, announcements, features.
mod announcements;
mod features;
mod list;
mod organization;
mod user;

pub use announcements::{AdminAnnouncement, AdminAnnouncements};
pub use features::AdminFeatures;
pub use list::{AdminOrganizations, AdminUsers};
pub use organization::AdminOrganizationPage;
pub use user::AdminUserPage;

use crate::{
    admin::fns::read_overview,
    audit::{model::Activity, ui::Lines},
    kit::{AdminTabs, Card, Fact, KeyValue, Notice, Page, PageTitle, TextLink, Tone, load},
};
use leptos::prelude::*;

/// The platform in figures.
#[component]
pub fn AdminOverview() -> impl IntoView {
    load(read_overview(), |it| {
        let figure = |count: u64| view! { <span class="text-title font-semibold tabular-nums">{count}</span> };
        view! {
            <Page>
                <PageTitle title="Admin"/>
                <AdminTabs current="/admin"/>
                {it.walls.map(|why| view! {
                    <Notice tone=Tone::Bad>
                        "The walls of this machine are down: containers may reach it and each other, and it takes no new ones until they stand. "
                        {why} " `skypanel admin doctor` says more."
                    </Notice>
                })}
                <Card title="Now">
                    <KeyValue across=true>
                        <Fact name="Users">
                            <TextLink href="/admin/users">{figure(it.users)}</TextLink>
                            <div class="text-small text-muted">{it.suspended_users} " suspended"</div>
                        </Fact>
                        <Fact name="Organizations">
                            <TextLink href="/admin/organizations">{figure(it.organizations)}</TextLink>
                            <div class="text-small text-muted">{it.suspended_organizations} " suspended"</div>
                        </Fact>
                        <Fact name="Applications">{figure(it.applications)}</Fact>
                        <Fact name="Deployments today">
                            {figure(it.deployments_today)} <div class="text-small text-muted">{it.failed_deployments_today} " failed"</div>
                        </Fact>
                        <Fact name="Mail waiting"><TextLink href="/admin/mail">{figure(it.mails_waiting)}</TextLink></Fact>
                    </KeyValue>
                </Card>
            </Page>
        }
    })
}

/// What happened lately, in a card.
#[component]
fn RecentActivity(activity: Vec<Activity>) -> impl IntoView {
    let none = activity.is_empty();
    view! {
        <Card title="Lately" flush=!none>
            {if none { view! { <p class="text-muted">"Nothing yet."</p> }.into_any() } else { view! { <Lines lines=activity bare=true/> }.into_any() }}
        </Card>
    }
}
