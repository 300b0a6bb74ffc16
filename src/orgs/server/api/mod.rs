//! The API's door to organizations.
pub mod grants;
pub mod invitations;
pub mod members;
pub mod roles;

use crate::web::{declared::Declare, rate_limits::Class};
use crate::{
    error::{Error, Result, Thing},
    id::OrgId,
    orgs::{
        model::{CreateOrganization, MyOrganization, OrganizationDetails, Transfer, UpdateOrganization},
        server::service,
    },
    web::{
        api::{Answer, Done, Input, List, Paging, QueryParams, Refusal, Success, named, ok},
        ctx::Ctx,
        etag::if_match,
    },
};
use axum::{
    Json,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of organizations, their members, roles and invitations.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(create).limit(Class::Usual).in_person())
        .routes(routes!(list))
        .routes(routes!(get, update, delete).limit(Class::Usual).versioned())
        .routes(routes!(switch).limit(Class::Usual).in_person())
        .routes(routes!(leave).limit(Class::Usual).in_person())
        .routes(routes!(transfer).limit(Class::Usual))
        .merge(members::router())
        .merge(roles::router())
        .merge(grants::router())
        .merge(invitations::router())
}

/// The caller in the organization that a path names, whether or not she works in it just now.
pub async fn within(ctx: &Ctx, id: &str) -> Result<Ctx> {
    let id: OrgId = named(id, Thing::ORGANIZATION)?;
    ctx.in_org(&id).await
}

/// An answer with its version as `ETag`.
pub fn tagged<T: Serialize>(status: StatusCode, version: i64, data: T) -> Response {
    let mut response = (status, Json(Success { success: true, data })).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Names where something that was made can be found.
pub fn at(mut response: Response, location: &str) -> Response {
    if let Ok(place) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

fn shown(status: StatusCode, organization: OrganizationDetails) -> Response {
    tagged(status, organization.version, organization)
}

/// Makes an organization that the caller owns.
#[utoipa::path(post, path = "/api/organizations", tag = "Organizations", request_body = CreateOrganization,
    responses((status = 201, description = "The organization; its version is the `ETag`", body = Success<OrganizationDetails>)))]
async fn create(ctx: Ctx, Input(form): Input<CreateOrganization>) -> Result<Response, Refusal> {
    let made = service::create(&ctx, &form).await?;
    let place = format!("/api/organizations/{}", made.id);
    Ok(at(shown(StatusCode::CREATED, made), &place))
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichPage {
    #[param(minimum = 1, example = 1)]
    pub page: Option<u64>,
    #[param(minimum = 1, maximum = 200, example = 50)]
    pub limit: Option<u64>,
}

/// The caller's organizations, by name.
#[utoipa::path(get, path = "/api/organizations", tag = "Organizations", params(WhichPage),
    responses((status = 200, description = "A page of organizations", body = List<MyOrganization>)))]
async fn list(ctx: Ctx, QueryParams(asked): QueryParams<WhichPage>) -> Result<Json<List<MyOrganization>>, Refusal> {
    let (data, pagination) = service::list(&ctx, Paging::parse(asked.page, asked.limit)?).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// An organization and its settings.
#[utoipa::path(get, path = "/api/organizations/{id}", tag = "Organizations", params(("id" = String, Path)),
    responses((status = 200, description = "The organization; its version is the `ETag`", body = Success<OrganizationDetails>)))]
async fn get(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Refusal> {
    Ok(shown(StatusCode::OK, service::get(&within(&ctx, &id).await?).await?))
}

/// Changes the settings; what is left out stays. `If-Match` keeps two editors from overwriting each other.
#[utoipa::path(put, path = "/api/organizations/{id}", tag = "Organizations", params(("id" = String, Path)), request_body = UpdateOrganization,
    responses((status = 200, description = "The organization; its version is the `ETag`", body = Success<OrganizationDetails>)))]
async fn update(ctx: Ctx, Path(id): Path<String>, headers: HeaderMap, Input(form): Input<UpdateOrganization>) -> Result<Response, Refusal> {
    let ctx = within(&ctx, &id).await?;
    Ok(shown(StatusCode::OK, service::update(&ctx, &form, if_match(&headers)?).await?))
}

/// What becomes of the applications.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WithApplications {
    /// `refuse` (as without it) where there are any, or `delete` to delete them with it.
    #[param(example = "delete")]
    applications: Option<String>,
}

impl WithApplications {
    fn parse(&self) -> Result<bool> {
        match self.applications.as_deref() {
            None | Some("refuse") => Ok(false),
            Some("delete") => Ok(true),
            Some(_) => Err(Error::invalid("applications", "Say refuse or delete.")),
        }
    }
}

/// Deletes an organization for good; its history stays.
#[utoipa::path(delete, path = "/api/organizations/{id}", tag = "Organizations", params(("id" = String, Path), WithApplications),
    responses((status = 200, description = "It is deleted", body = Success<Done>)))]
async fn delete(ctx: Ctx, Path(id): Path<String>, QueryParams(asked): QueryParams<WithApplications>) -> Answer<Done> {
    service::delete(&within(&ctx, &id).await?, asked.parse()?, None).await?;
    ok(Done)
}

/// Works in this organization from now on: the session remembers it.
#[utoipa::path(post, path = "/api/organizations/{id}/switch", tag = "Organizations", params(("id" = String, Path)),
    responses((status = 200, description = "The organization", body = Success<MyOrganization>)))]
async fn switch(ctx: Ctx, Path(id): Path<String>) -> Answer<MyOrganization> {
    ok(service::switch(&within(&ctx, &id).await?).await?)
}

/// Leaves an organization; its last owner can't.
#[utoipa::path(post, path = "/api/organizations/{id}/leave", tag = "Organizations", params(("id" = String, Path)),
    responses((status = 200, description = "The caller is no member any more", body = Success<Done>)))]
async fn leave(ctx: Ctx, Path(id): Path<String>) -> Answer<Done> {
    service::leave(&within(&ctx, &id).await?).await?;
    ok(Done)
}

/// Makes a member an owner, and the caller an admin.
#[utoipa::path(post, path = "/api/organizations/{id}/transfer", tag = "Organizations", params(("id" = String, Path)), request_body = Transfer,
    responses((status = 200, description = "The organization, as its admin sees it", body = Success<OrganizationDetails>)))]
async fn transfer(ctx: Ctx, Path(id): Path<String>, Input(form): Input<Transfer>) -> Answer<OrganizationDetails> {
    ok(service::transfer(&within(&ctx, &id).await?, &form.user_id, None).await?)
}
