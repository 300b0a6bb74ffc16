//! The browser's door to organizations, members and roles. Each acts on the organization that the browser works in. Invitations and
//! grants have files of their own.
use crate::{
    error::{Error, Result},
    id::{OrgId, RoleId, UserId},
    orgs::model::{
        Defaults, Member, MemberPage, MyOrganization, OrganizationDetails, OrganizationOverview, OrganizationRole, SettingsForm, Ticked,
        Welcome,
    },
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

pub mod grants;
pub mod invitations;

/// A page of the members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Members {
    pub members: Vec<Member>,
    pub page: u64,
    pub pages: u64,
    pub total: u64,
    /// The roles to filter by.
    pub roles: Vec<OrganizationRole>,
    /// Those that the caller may give.
    pub givable: Vec<OrganizationRole>,
}

/// The caller's organizations, and those that she is asked into.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MyOrganizations {
    pub organizations: Vec<MyOrganization>,
    pub invitations: Vec<Welcome>,
    pub page: u64,
    pub pages: u64,
}

/// The caller's organizations.
#[server]
pub async fn read_my_organizations(page: Option<u64>) -> Result<MyOrganizations, Error> {
    use super::server::service::{self, answers};
    use crate::web::{api::Paging, ctx::ctx};
    let ctx = ctx()?;
    let (organizations, at) = service::list(&ctx, Paging::parse(page, Some(50))?).await?;
    let invitations = answers::mine(&ctx).await?;
    Ok(MyOrganizations { organizations, invitations, page: at.page, pages: at.total_pages })
}

/// What new applications begin with.
#[server]
pub async fn read_defaults() -> Result<Defaults, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::defaults(&ctx()?).await
}

/// The organization and its settings.
#[server]
pub async fn read_organization() -> Result<OrganizationDetails, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::get(&ctx()?).await
}

/// The dashboard of the organization.
#[server]
pub async fn read_organization_overview() -> Result<OrganizationOverview, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::overview(&ctx()?).await
}

/// Makes an organization and works in it.
#[server]
pub async fn create_organization(name: String, slug: Option<String>) -> Result<(), Error> {
    use super::{model::CreateOrganization, server::service};
    use crate::web::ctx::ctx;
    let ctx = ctx()?;
    let made = service::create(&ctx, &CreateOrganization { name, slug }).await?;
    service::switch(&ctx.in_org(&made.id).await?).await?;
    crate::kit::side::remember(crate::orgs::flashes::FOUNDED);
    leptos_axum::redirect("/organization");
    Ok(())
}

/// Works in another organization from now on.
#[server]
pub async fn switch_organization(organization: OrgId) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::switch(&ctx()?.in_org(&organization).await?).await?;
    leptos_axum::redirect("/applications");
    Ok(())
}

/// Changes the settings.
#[server]
pub async fn update_organization(version: i64, #[server(flatten)] form: SettingsForm) -> Result<(), Error> {
    use super::server::{forms, service};
    use crate::web::ctx::ctx;
    let ctx = ctx()?;
    ctx.may(crate::rights::Action::Settings)?;
    service::update(&ctx, &forms::settings(&form)?, Some(version)).await.map_err(forms::beside_the_fields)?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}

/// Leaves an organization.
#[server]
pub async fn leave_organization(organization: OrgId) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::leave(&ctx()?.in_org(&organization).await?).await?;
    crate::kit::side::remember(crate::orgs::flashes::LEFT);
    leptos_axum::redirect("/organizations");
    Ok(())
}

/// Hands the organization over to a member.
#[server]
pub async fn transfer_organization(user_id: UserId, confirm: String) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::transfer(&ctx()?, &user_id, Some(&confirm)).await?;
    crate::kit::side::remember(crate::orgs::flashes::TRANSFERRED);
    Ok(())
}

/// Deletes the organization, by name, for good.
#[server]
pub async fn delete_organization(confirm: String, applications: Option<String>) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::delete(&ctx()?, applications.is_some(), Some(&confirm)).await?;
    crate::kit::side::remember(crate::orgs::flashes::DELETED);
    leptos_axum::redirect("/organizations");
    Ok(())
}

/// A page of the members.
#[server]
pub async fn read_members(search: Option<String>, role: Option<String>, sort: Option<String>, page: Option<u64>) -> Result<Members, Error> {
    use super::server::{
        service::{members, roles},
        view::WhichMembers,
    };
    use crate::web::{api::Paging, ctx::ctx};
    let ctx = ctx()?;
    let which = WhichMembers { search, role, sort };
    let (members, at) = members::list(&ctx, &which, Paging::parse(page, Some(50))?).await?;
    let (roles, _) = roles::list(&ctx, Paging { page: 1, limit: 200 }).await?;
    let givable = roles.iter().filter(|role| role.permissions.without(ctx.who.permissions).is_empty()).cloned().collect();
    Ok(Members { members, page: at.page, pages: at.total_pages, total: at.total, roles, givable })
}

/// One member.
#[server]
pub async fn read_member(id: UserId) -> Result<MemberPage, Error> {
    use super::server::service::members;
    use crate::web::ctx::ctx;
    members::page(&ctx()?, &id).await
}

/// Gives a member another role.
#[server]
pub async fn set_member_role(id: UserId, role: String) -> Result<(), Error> {
    use super::server::service::members;
    use crate::web::ctx::ctx;
    members::change_role(&ctx()?, &id, &role).await?;
    crate::kit::side::remember(crate::orgs::flashes::ROLES_CHANGED);
    Ok(())
}

/// Removes a member.
#[server]
pub async fn remove_member(id: UserId) -> Result<(), Error> {
    use super::server::service::members;
    use crate::web::ctx::ctx;
    members::remove(&ctx()?, &id).await?;
    crate::kit::side::remember(crate::orgs::flashes::MEMBERS_REMOVED);
    leptos_axum::redirect("/organization/members");
    Ok(())
}

/// Gives those who are ticked a role, or removes them.
#[server]
pub async fn change_members(deed: String, role: Option<String>, #[server(flatten)] ticked: Ticked) -> Result<(), Error> {
    use super::server::{forms, service::members};
    use crate::web::ctx::ctx;
    let ctx = ctx()?;
    ctx.may(crate::rights::Action::Members)?;
    let (users, deed) = forms::members(&deed, role, &ticked)?;
    let said = if deed == super::model::Deed::Remove { crate::orgs::flashes::MEMBERS_REMOVED } else { crate::orgs::flashes::ROLES_CHANGED };
    members::change(&ctx, &users, &deed).await?;
    crate::kit::side::remember(said);
    Ok(())
}

/// All roles.
#[server]
pub async fn read_roles() -> Result<Vec<OrganizationRole>, Error> {
    use super::server::service::roles;
    use crate::web::{api::Paging, ctx::ctx};
    Ok(roles::list(&ctx()?, Paging { page: 1, limit: 200 }).await?.0)
}

/// One role, by its name or id.
#[server]
pub async fn read_role(id: String) -> Result<OrganizationRole, Error> {
    use super::server::service::roles;
    use crate::web::ctx::ctx;
    roles::get(&ctx()?, &id).await
}

/// Makes a role.
#[server]
pub async fn create_role(name: String, description: String, #[server(flatten)] ticked: Ticked) -> Result<(), Error> {
    use super::server::{forms, service::roles};
    use crate::web::ctx::ctx;
    roles::create(&ctx()?, &forms::role(name, description, &ticked)).await?;
    crate::kit::side::remember(crate::orgs::flashes::ROLE_SAVED);
    leptos_axum::redirect("/organization/roles");
    Ok(())
}

/// Changes a role.
#[server]
pub async fn update_role(
    id: RoleId,
    version: i64,
    name: String,
    description: String,
    #[server(flatten)] ticked: Ticked,
) -> Result<(), Error> {
    use super::server::{forms, service::roles};
    use crate::web::ctx::ctx;
    roles::update(&ctx()?, &id, &forms::role(name, description, &ticked), Some(version)).await?;
    crate::kit::side::remember(crate::orgs::flashes::ROLE_SAVED);
    leptos_axum::redirect("/organization/roles");
    Ok(())
}

/// Deletes a role that nobody has.
#[server]
pub async fn delete_role(id: RoleId) -> Result<(), Error> {
    use super::server::service::roles;
    use crate::web::ctx::ctx;
    roles::delete(&ctx()?, &id).await?;
    crate::kit::side::remember(crate::orgs::flashes::ROLE_DELETED);
    leptos_axum::redirect("/organization/roles");
    Ok(())
}
