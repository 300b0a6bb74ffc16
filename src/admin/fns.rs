//! The browser's door to what the operator does.
use crate::{
    admin::model::{
        AdminOrganization, AdminOrganizationDetail, AdminUser, AdminUserDetail, Announcement, AnnouncementFields, FeatureFlag, Overview,
    },
    error::{Error, Result},
    id::{AnnouncementId, OrgId, UserId},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// A page of a list, and where it stands in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Paged<T> {
    pub entries: Vec<T>,
    pub page: u64,
    pub pages: u64,
    pub total: u64,
}

/// The platform in figures.
#[server]
pub async fn read_overview() -> Result<Overview, Error> {
    use super::server::overview;
    use crate::web::ctx::ctx;
    overview::overview(&ctx()?.operator()?).await
}

/// A page of people.
#[server]
pub async fn read_users(search: Option<String>, status: Option<String>, page: Option<u64>) -> Result<Paged<AdminUser>, Error> {
    use crate::admin::server::service::people;
    use crate::web::ctx::ctx;
    let (entries, at) = people::list(&ctx()?.operator()?, &crate::admin::model::AdminQuery { search, status, page, limit: None }).await?;
    Ok(Paged { entries, page: at.page, pages: at.total_pages, total: at.total })
}

/// A person.
#[server]
pub async fn read_user(id: UserId) -> Result<AdminUserDetail, Error> {
    use crate::admin::server::service::people;
    use crate::web::ctx::ctx;
    people::get(&ctx()?.operator()?, &id).await
}

/// Ends a person's sessions and lets her in no more.
#[server]
pub async fn suspend_user(id: UserId, reason: String) -> Result<(), Error> {
    use crate::admin::server::service::people;
    use crate::{kit::side::remember, web::ctx::ctx};
    people::suspend(&ctx()?.operator()?, &id, &reason).await?;
    remember(crate::admin::flashes::SUSPENDED);
    Ok(())
}

/// Lets a person in again.
#[server]
pub async fn resume_user(id: UserId) -> Result<(), Error> {
    use crate::admin::server::service::people;
    use crate::{kit::side::remember, web::ctx::ctx};
    people::resume(&ctx()?.operator()?, &id).await?;
    remember(crate::admin::flashes::RESUMED);
    Ok(())
}

/// Makes somebody an operator, or no longer one.
#[server]
pub async fn set_operator(id: UserId, is_operator: bool) -> Result<(), Error> {
    use crate::admin::server::service::people;
    use crate::{
        kit::{Flash, side::remember},
        web::ctx::ctx,
    };
    people::set_operator(&ctx()?.operator()?, &id, is_operator).await?;
    remember(Flash::SAVED);
    Ok(())
}

/// Begins to act in a person's name, in this browser.
#[server]
pub async fn impersonate_user(id: UserId, reason: String, organization: Option<String>) -> Result<(), Error> {
    use crate::admin::server::{cookies, service::impersonation};
    use crate::{admin::model::Impersonate, auth::session::Via, web::ctx::ctx};
    let ctx = ctx()?.operator()?;
    let organization_id = match organization.filter(|id| !id.is_empty()).map(|id| id.parse()) {
        None => None,
        Some(Ok(id)) => Some(id),
        Some(Err(_)) => return Err(Error::invalid("organization", "Choose one of her organizations.")),
    };
    let (opened, _) = impersonation::begin(&ctx, &id, &Impersonate { reason, organization_id }, Via::Cookie).await?;
    cookies::go_on(&opened, "/applications")
}

/// Ends it, and gives the operator her own session back.
#[server]
pub async fn end_impersonation() -> Result<(), Error> {
    use crate::admin::server::{cookies, service::impersonation};
    use crate::web::ctx::ctx;
    let (back, person) = impersonation::end(&ctx()?).await?;
    match back {
        Some(own) => cookies::go_on(&own, &format!("/admin/users/{person}")),
        None => cookies::sign_in_again(),
    }
}

/// A page of organizations.
#[server]
pub async fn read_organizations(
    search: Option<String>,
    status: Option<String>,
    page: Option<u64>,
) -> Result<Paged<AdminOrganization>, Error> {
    use crate::admin::server::service::organizations;
    use crate::web::ctx::ctx;
    let (entries, at) =
        organizations::list(&ctx()?.operator()?, &crate::admin::model::AdminQuery { search, status, page, limit: None }).await?;
    Ok(Paged { entries, page: at.page, pages: at.total_pages, total: at.total })
}

/// An organization.
#[server]
pub async fn read_admin_organization(id: OrgId) -> Result<AdminOrganizationDetail, Error> {
    use crate::admin::server::service::organizations;
    use crate::web::ctx::ctx;
    organizations::get(&ctx()?.operator()?, &id).await
}

/// Refuses every change in an organization.
#[server]
pub async fn suspend_organization(id: OrgId, reason: String, stop_applications: Option<String>) -> Result<(), Error> {
    use crate::admin::server::service::organizations;
    use crate::{admin::model::SuspendOrganization, kit::side::remember, web::ctx::ctx};
    let form = SuspendOrganization { reason, stop_applications: stop_applications.is_some() };
    organizations::suspend(&ctx()?.operator()?, &id, &form).await?;
    remember(crate::admin::flashes::SUSPENDED);
    Ok(())
}

/// Lets an organization go on.
#[server]
pub async fn resume_organization(id: OrgId) -> Result<(), Error> {
    use crate::admin::server::service::organizations;
    use crate::{kit::side::remember, web::ctx::ctx};
    organizations::resume(&ctx()?.operator()?, &id).await?;
    remember(crate::admin::flashes::RESUMED);
    Ok(())
}

/// A page of announcements.
#[server]
pub async fn read_announcements(page: Option<u64>) -> Result<Paged<Announcement>, Error> {
    use crate::admin::server::service::announcements;
    use crate::web::ctx::ctx;
    let (entries, at) = announcements::list(&ctx()?.operator()?, page, None).await?;
    Ok(Paged { entries, page: at.page, pages: at.total_pages, total: at.total })
}

/// One announcement.
#[server]
pub async fn read_announcement(id: AnnouncementId) -> Result<Announcement, Error> {
    use crate::admin::server::service::announcements;
    use crate::web::ctx::ctx;
    announcements::get(&ctx()?.operator()?, &id).await
}

/// Announces something.
#[server]
pub async fn create_announcement(#[server(flatten)] form: AnnouncementFields) -> Result<(), Error> {
    use super::server::forms;
    use crate::admin::server::service::announcements;
    use crate::{
        kit::{Flash, side::remember},
        web::ctx::ctx,
    };
    let ctx = ctx()?.operator()?;
    announcements::create(&ctx, &forms::announcement(&form)?).await?;
    remember(Flash::SAVED);
    Ok(())
}

/// Changes an announcement.
#[server]
pub async fn update_announcement(id: AnnouncementId, #[server(flatten)] form: AnnouncementFields) -> Result<(), Error> {
    use super::server::forms;
    use crate::admin::server::service::announcements;
    use crate::{
        kit::{Flash, side::remember},
        web::ctx::ctx,
    };
    let ctx = ctx()?.operator()?;
    announcements::update(&ctx, &id, &forms::announcement(&form)?).await?;
    remember(Flash::SAVED);
    Ok(())
}

/// Takes an announcement back.
#[server]
pub async fn delete_announcement(id: AnnouncementId) -> Result<(), Error> {
    use crate::admin::server::service::announcements;
    use crate::{
        kit::{Flash, side::remember},
        web::ctx::ctx,
    };
    announcements::delete(&ctx()?.operator()?, &id).await?;
    remember(Flash::REMOVED);
    leptos_axum::redirect("/admin/announcements");
    Ok(())
}

/// Puts an announcement away for whoever asks.
#[server]
pub async fn dismiss_announcement(id: AnnouncementId) -> Result<(), Error> {
    use crate::admin::server::service::announcements;
    use crate::web::ctx::ctx;
    announcements::dismiss(&ctx()?, &id).await
}

/// Every feature flag.
#[server]
pub async fn read_flags() -> Result<Vec<FeatureFlag>, Error> {
    use crate::admin::server::service::flags;
    use crate::web::ctx::ctx;
    flags::list(&ctx()?.operator()?).await
}

/// Sets how far a feature is rolled out; organizations are ids, one a line.
#[server]
pub async fn set_flag(name: String, percent: String, on: String, off: String) -> Result<(), Error> {
    use super::server::forms;
    use crate::admin::server::service::flags;
    use crate::{
        kit::{Flash, side::remember},
        web::ctx::ctx,
    };
    let ctx = ctx()?.operator()?;
    flags::set(&ctx, &name, &forms::flag(&percent, &on, &off)?).await?;
    remember(Flash::SAVED);
    Ok(())
}
