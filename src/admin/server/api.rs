//! The API's door to what the operator does.
use crate::web::{declared::Declare, rate_limits::Class};
use crate::{
    accounts::model::USER,
    admin::{
        model::{
            ANNOUNCEMENT, AdminOrganization, AdminOrganizationDetail, AdminQuery, AdminUser, AdminUserDetail, Announcement,
            AnnouncementForm, FeatureFlag, Impersonate, ImpersonationToken, Overview, SetFlag, SetOperator, SuspendOrganization,
            SuspendUser,
        },
        server::{
            overview,
            service::{announcements, flags, impersonation, organizations, people},
        },
    },
    error::{Result, Thing},
    id::{AnnouncementId, OrgId, UserId},
    web::{
        api::{Answer, Done, Input, List, QueryParams, Refusal, Success, created, named, ok},
        ctx::Operator,
    },
};
use axum::{Json, extract::Path, response::Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of the operator.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(figures))
        .routes(routes!(list_users))
        .routes(routes!(get_user))
        .routes(routes!(suspend_user).limit(Class::Usual))
        .routes(routes!(resume_user).limit(Class::Usual))
        .routes(routes!(impersonate).limit(Class::Usual))
        .routes(routes!(set_operator).limit(Class::Usual))
        .routes(routes!(list_organizations))
        .routes(routes!(get_organization))
        .routes(routes!(suspend_organization).limit(Class::Usual))
        .routes(routes!(resume_organization).limit(Class::Usual))
        .routes(routes!(list_announcements, create_announcement).limit(Class::Usual))
        .routes(routes!(get_announcement, update_announcement, delete_announcement).limit(Class::Usual))
        .routes(routes!(list_flags))
        .routes(routes!(set_flag).limit(Class::Usual))
}

fn user_id(text: &str) -> Result<UserId> {
    named(text, USER)
}

fn org_id(text: &str) -> Result<OrgId> {
    named(text, Thing::ORGANIZATION)
}

fn announcement_id(text: &str) -> Result<AnnouncementId> {
    named(text, ANNOUNCEMENT)
}

/// The platform in figures.
#[utoipa::path(get, path = "/api/admin/overview", tag = "Admin", responses((status = 200, description = "The figures", body = Success<Overview>)))]
async fn figures(ctx: Operator) -> Answer<Overview> {
    ok(overview::overview(&ctx).await?)
}

/// People, the newest first.
#[utoipa::path(get, path = "/api/admin/users", tag = "Admin", params(AdminQuery), responses((status = 200, description = "A page of people", body = List<AdminUser>)))]
async fn list_users(ctx: Operator, QueryParams(query): QueryParams<AdminQuery>) -> Result<Json<List<AdminUser>>, Refusal> {
    let (data, pagination) = people::list(&ctx, &query).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// A person, where she is a member and what she did lately.
#[utoipa::path(get, path = "/api/admin/users/{id}", tag = "Admin", responses((status = 200, description = "The person", body = Success<AdminUserDetail>)))]
async fn get_user(ctx: Operator, Path(id): Path<String>) -> Answer<AdminUserDetail> {
    ok(people::get(&ctx, &user_id(&id)?).await?)
}

/// Ends a person’s sessions and lets her in no more.
#[utoipa::path(post, path = "/api/admin/users/{id}/suspend", tag = "Admin", request_body = SuspendUser, responses((status = 200, description = "The person", body = Success<AdminUserDetail>)))]
async fn suspend_user(ctx: Operator, Path(id): Path<String>, Input(form): Input<SuspendUser>) -> Answer<AdminUserDetail> {
    ok(people::suspend(&ctx, &user_id(&id)?, &form.reason).await?)
}

/// Lets a person in again.
#[utoipa::path(post, path = "/api/admin/users/{id}/resume", tag = "Admin", responses((status = 200, description = "The person", body = Success<AdminUserDetail>)))]
async fn resume_user(ctx: Operator, Path(id): Path<String>) -> Answer<AdminUserDetail> {
    ok(people::resume(&ctx, &user_id(&id)?).await?)
}

/// Gives a bearer token to act in a person’s name for an hour, without her secrets and credentials. Both names stand in every line of
/// the audit trail. Sign out with it to end it.
#[utoipa::path(post, path = "/api/admin/users/{id}/impersonate", tag = "Admin", request_body = Impersonate, responses((status = 200, description = "The token", body = Success<ImpersonationToken>)))]
async fn impersonate(ctx: Operator, Path(id): Path<String>, Input(form): Input<Impersonate>) -> Answer<ImpersonationToken> {
    ok(impersonation::begin_by_token(&ctx, &user_id(&id)?, &form).await?)
}

/// Makes somebody an operator, or no longer one; never the last one.
#[utoipa::path(put, path = "/api/admin/users/{id}/operator", tag = "Admin", request_body = SetOperator, responses((status = 200, description = "The person", body = Success<AdminUserDetail>)))]
async fn set_operator(ctx: Operator, Path(id): Path<String>, Input(form): Input<SetOperator>) -> Answer<AdminUserDetail> {
    ok(people::set_operator(&ctx, &user_id(&id)?, form.is_operator).await?)
}

/// Organizations, the newest first.
#[utoipa::path(get, path = "/api/admin/organizations", tag = "Admin", params(AdminQuery), responses((status = 200, description = "A page of organizations", body = List<AdminOrganization>)))]
async fn list_organizations(ctx: Operator, QueryParams(query): QueryParams<AdminQuery>) -> Result<Json<List<AdminOrganization>>, Refusal> {
    let (data, pagination) = organizations::list(&ctx, &query).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// An organization with its members, applications and what happened lately.
#[utoipa::path(get, path = "/api/admin/organizations/{id}", tag = "Admin", responses((status = 200, description = "The organization", body = Success<AdminOrganizationDetail>)))]
async fn get_organization(ctx: Operator, Path(id): Path<String>) -> Answer<AdminOrganizationDetail> {
    ok(organizations::get(&ctx, &org_id(&id)?).await?)
}

/// Refuses every change in an organization from now on.
#[utoipa::path(post, path = "/api/admin/organizations/{id}/suspend", tag = "Admin", request_body = SuspendOrganization, responses((status = 200, description = "The organization", body = Success<AdminOrganizationDetail>)))]
async fn suspend_organization(
    ctx: Operator,
    Path(id): Path<String>,
    Input(form): Input<SuspendOrganization>,
) -> Answer<AdminOrganizationDetail> {
    ok(organizations::suspend(&ctx, &org_id(&id)?, &form).await?)
}

/// Lets an organization go on. What was stopped when it was suspended starts again.
#[utoipa::path(post, path = "/api/admin/organizations/{id}/resume", tag = "Admin", responses((status = 200, description = "The organization", body = Success<AdminOrganizationDetail>)))]
async fn resume_organization(ctx: Operator, Path(id): Path<String>) -> Answer<AdminOrganizationDetail> {
    ok(organizations::resume(&ctx, &org_id(&id)?).await?)
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    page: Option<u64>,
    limit: Option<u64>,
}

/// Announcements, also those that are over; the newest first.
#[utoipa::path(get, path = "/api/admin/announcements", tag = "Admin", params(Which), responses((status = 200, description = "A page of announcements", body = List<Announcement>)))]
async fn list_announcements(ctx: Operator, QueryParams(which): QueryParams<Which>) -> Result<Json<List<Announcement>>, Refusal> {
    let (data, pagination) = announcements::list(&ctx, which.page, which.limit).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// Announces something to users: a banner on their pages.
#[utoipa::path(post, path = "/api/admin/announcements", tag = "Admin", request_body = AnnouncementForm, responses((status = 201, description = "The announcement", body = Success<Announcement>)))]
async fn create_announcement(ctx: Operator, Input(form): Input<AnnouncementForm>) -> Result<Response, Refusal> {
    let made = announcements::create(&ctx, &form).await?;
    created(&format!("/api/admin/announcements/{}", made.id), made)
}

/// One announcement.
#[utoipa::path(get, path = "/api/admin/announcements/{id}", tag = "Admin", responses((status = 200, description = "The announcement", body = Success<Announcement>)))]
async fn get_announcement(ctx: Operator, Path(id): Path<String>) -> Answer<Announcement> {
    ok(announcements::get(&ctx, &announcement_id(&id)?).await?)
}

/// Changes an announcement; whoever put it away sees it again.
#[utoipa::path(put, path = "/api/admin/announcements/{id}", tag = "Admin", request_body = AnnouncementForm, responses((status = 200, description = "The announcement", body = Success<Announcement>)))]
async fn update_announcement(ctx: Operator, Path(id): Path<String>, Input(form): Input<AnnouncementForm>) -> Answer<Announcement> {
    ok(announcements::update(&ctx, &announcement_id(&id)?, &form).await?)
}

/// Takes an announcement back.
#[utoipa::path(delete, path = "/api/admin/announcements/{id}", tag = "Admin", responses((status = 200, description = "It is gone", body = Success<Done>)))]
async fn delete_announcement(ctx: Operator, Path(id): Path<String>) -> Answer<Done> {
    announcements::delete(&ctx, &announcement_id(&id)?).await?;
    ok(Done)
}

/// Features that are rolled out in stages, and how far they are.
#[utoipa::path(get, path = "/api/admin/flags", tag = "Admin", responses((status = 200, description = "Every flag", body = Success<Vec<FeatureFlag>>)))]
async fn list_flags(ctx: Operator) -> Answer<Vec<FeatureFlag>> {
    ok(flags::list(&ctx).await?)
}

/// Sets how far a feature is rolled out. Every panel follows within seconds.
#[utoipa::path(put, path = "/api/admin/flags/{name}", tag = "Admin", request_body = SetFlag, responses((status = 200, description = "The flag", body = Success<FeatureFlag>)))]
async fn set_flag(ctx: Operator, Path(name): Path<String>, Input(form): Input<SetFlag>) -> Answer<FeatureFlag> {
    ok(flags::set(&ctx, &name, &form).await?)
}
