//! The organization's settings, and its ends: handing it over, leaving it, deleting it.
use crate::{
    id::OrgId,
    kit::{
        Ask, Card, Checkbox, ConfirmByName, DangerZone, Field, Form, FormOf, Icon, Look, Select, SubmitButton, TextArea, TextLink, load,
        may,
    },
    orgs::{
        fns::{DeleteOrganization, LeaveOrganization, TransferOrganization, UpdateOrganization, read_members, read_organization},
        model::{Member, OrganizationDetails},
        ui::{OrgFrame, OrgTab},
    },
    rights::{Action, Role},
    units::MAX_REPLICAS,
};
use leptos::prelude::*;

/// The page.
#[component]
pub fn OrganizationSettings() -> impl IntoView {
    let both = async {
        let org = read_organization().await?;
        // Only an owner hands over.
        let members = match org.permissions.may(Action::Ownership) {
            true => read_members(None, None, None, None).await?.members.into_iter().filter(|it| it.role != Role::Owner.name()).collect(),
            false => Vec::new(),
        };
        Ok((org, members))
    };
    load(both, |(org, members)| {
        view! {
            <OrgFrame tab=OrgTab::Settings>
                <div class="flex max-w-[720px] flex-col gap-6">
                    {may(Action::Settings).err().map(|why| view! { <p class="flex items-center gap-2 text-muted">{Icon::Lock.view()} {why}</p> })}
                    <Change org=org.clone()/>
                    <End org=org members=members/>
                </div>
            </OrgFrame>
        }
    })
}

#[component]
fn Change(org: OrganizationDetails) -> impl IntoView {
    let defaults = org.defaults;
    let number = |it: Option<String>| it.unwrap_or_default();
    let replicas = number(defaults.replicas.map(|it| it.to_string()));
    let memory = number(defaults.memory_bytes.map(|it| it.as_mib().to_string()));
    let cpu = number(defaults.cpu_millis.map(|it| (f64::from(it.0) / 1000.0).to_string()));
    let branch = number(defaults.branch.map(|it| it.to_string()));
    let billing = org.billing_address.zip(org.tax_id).map(|(address, tax)| {
        view! {
            <Card title="Billing" text="Stands on invoices.">
                <div class="flex flex-col gap-4">
                    <TextArea name="billing_address" label="Address" value=address optional=true rows=4/>
                    <div class="max-w-xs"><Field name="tax_id" label="Tax id" value=tax optional=true autocomplete="off" placeholder="DE123456789"/></div>
                </div>
            </Card>
        }
    });
    view! {
        <Form to=UpdateOrganization::FORM hidden=vec![("version", org.version.to_string())] class="flex flex-col gap-6">
            <Card title="Organization">
                <div class="flex flex-col gap-4">
                    <Field name="name" label="Name" value=org.name autocomplete="organization"/>
                    <div class="grid gap-4 sm:grid-cols-2">
                        <Field name="slug" label="Name in addresses" value=org.slug mono=true autocomplete="off"/>
                        <Field name="contact_email" label="Contact" kind="email" value=org.contact_email optional=true autocomplete="email"/>
                    </div>
                </div>
            </Card>
            {billing}
            <Card title="New applications" text="What they begin with where their maker does not say.">
                <div class="grid gap-4 sm:grid-cols-2">
                    <Field name="replicas" label="Replicas" kind="number" value=replicas optional=true placeholder="1" hint=format!("1 to {MAX_REPLICAS}.")/>
                    <Field name="branch" label="Branch" value=branch optional=true mono=true placeholder="main" autocomplete="off"/>
                    <Field name="memory_mib" label="Memory" kind="number" unit="MiB" value=memory optional=true placeholder="256"/>
                    <Field name="cpu" label="CPU" kind="number" unit="cores" value=cpu optional=true placeholder="0.5"/>
                </div>
            </Card>
            <Card title="Security">
                <Checkbox
                    name="requires_two_factor" label="Ask every member for a second factor" checked=org.requires_two_factor
                    hint="Whoever has none can do nothing here until one is set up. You need one yourself first."
                />
            </Card>
            <div><SubmitButton needs=Action::Settings>"Save settings"</SubmitButton></div>
        </Form>
    }
}

#[component]
fn End(org: OrganizationDetails, members: Vec<Member>) -> impl IntoView {
    view! {
        <DangerZone>
            <Transfer name=org.name.clone() members=members/>
            <Leave id=org.id/>
            <Delete name=org.name/>
        </DangerZone>
    }
}

/// Another member becomes the owner. Whoever is not offered here can be made an owner on the page of the member.
#[component]
fn Transfer(name: String, members: Vec<Member>) -> impl IntoView {
    let options: Vec<(String, String)> =
        members.into_iter().map(|it| (it.user_id.to_string(), format!("{} ({})", it.name, it.email))).collect();
    let alone = options.is_empty();
    let more = move || view! { <Select name="user_id" label="New owner" options=options/> };
    match alone {
        true => view! {
            <div class="flex flex-col gap-0.5 px-5 py-4">
                <span class="font-medium">"Hand this organization over"</span>
                <span class="text-muted">"There is no other member yet. " <TextLink href="/organization/members/invite">"Invite one"</TextLink></span>
            </div>
        }
        .into_any(),
        false => view! {
            <ConfirmByName
                to=TransferOrganization::FORM name=name title="Hand this organization over" needs=Action::Ownership more=more
                text="The member becomes an owner and you become an admin. Only an owner can give you that back." button="Hand over"
            />
        }
        .into_any(),
    }
}

#[component]
fn Leave(id: OrgId) -> impl IntoView {
    view! {
        <div class="flex flex-col items-start justify-between gap-3 px-5 py-4 sm:flex-row sm:gap-4">
            <span class="flex flex-col gap-0.5">
                <span class="font-medium">"Leave this organization"</span>
                <span class="text-muted">"You lose access at once. Its last owner can’t leave."</span>
            </span>
            <LeaveButton id=id/>
        </div>
    }
}

/// Asks, and leaves.
#[component]
pub fn LeaveButton(
    id: OrgId,
    /// For table rows.
    #[prop(optional)]
    small: bool,
) -> impl IntoView {
    view! {
        <Ask
            to=LeaveOrganization::FORM words="Leave" icon=Icon::SignOut hidden=vec![("organization", id.to_string())] look=Look::Danger small=small
            text="You lose access at once. If you are in no other organization, you get an empty one of your own." button="Leave organization"
        />
    }
}

#[component]
fn Delete(name: String) -> impl IntoView {
    let more = || {
        view! {
            <Checkbox
                name="applications" label="Delete its applications, too"
                hint="Their replicas stop at once; images, variables and addresses go. Without this, nothing is deleted while there are any."
            />
        }
    };
    view! {
        <ConfirmByName
            to=DeleteOrganization::FORM name=name title="Delete this organization" needs=Action::Ownership more=more
            text="Members lose access at once; invoices and the activity stay on record. This can’t be undone." button="Delete organization"
        />
    }
}
