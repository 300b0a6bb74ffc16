//! The API's door to roles.
use crate::web::{declared::Declare, rate_limits::Class};
use crate::{
    error::Result,
    id::RoleId,
    orgs::{
        model::{OrganizationRole, ROLE, RoleInput},
        server::{
            api::{WhichPage, at, tagged, within},
            service::roles,
        },
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
    http::{HeaderMap, StatusCode},
    response::Response,
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of roles.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create).limit(Class::Usual))
        .routes(routes!(get, update, delete).limit(Class::Usual).versioned())
}

/// The roles of an organization: the five that all have, and its own.
#[utoipa::path(get, path = "/api/organizations/{id}/roles", tag = "Organizations", params(("id" = String, Path), WhichPage),
    responses((status = 200, description = "A page of roles", body = List<OrganizationRole>)))]
async fn list(
    ctx: Ctx,
    Path(id): Path<String>,
    QueryParams(asked): QueryParams<WhichPage>,
) -> Result<Json<List<OrganizationRole>>, Refusal> {
    let (data, pagination) = roles::list(&within(&ctx, &id).await?, Paging::parse(asked.page, asked.limit)?).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// Makes a role. It includes at most what its maker has, and never ownership.
#[utoipa::path(post, path = "/api/organizations/{id}/roles", tag = "Organizations", params(("id" = String, Path)), request_body = RoleInput,
    responses((status = 201, description = "The role; its version is the `ETag`", body = Success<OrganizationRole>)))]
async fn create(ctx: Ctx, Path(id): Path<String>, Input(form): Input<RoleInput>) -> Result<Response, Refusal> {
    let made = roles::create(&within(&ctx, &id).await?, &form).await?;
    let place = format!("/api/organizations/{id}/roles/{}", made.id);
    Ok(at(tagged(StatusCode::CREATED, made.version, made), &place))
}

/// One role, by a given role's name or the id of one of the organization's own.
#[utoipa::path(get, path = "/api/organizations/{id}/roles/{role_id}", tag = "Organizations",
    params(("id" = String, Path), ("role_id" = String, Path)),
    responses((status = 200, description = "The role; its version is the `ETag`", body = Success<OrganizationRole>)))]
async fn get(ctx: Ctx, Path((id, role)): Path<(String, String)>) -> Result<Response, Refusal> {
    let found = roles::get(&within(&ctx, &id).await?, &role).await?;
    Ok(tagged(StatusCode::OK, found.version, found))
}

fn own(text: &str) -> Result<RoleId> {
    named(text, ROLE)
}

/// Replaces what a role of the organization's own includes.
#[utoipa::path(put, path = "/api/organizations/{id}/roles/{role_id}", tag = "Organizations",
    params(("id" = String, Path), ("role_id" = String, Path)), request_body = RoleInput,
    responses((status = 200, description = "The role; its version is the `ETag`", body = Success<OrganizationRole>)))]
async fn update(
    ctx: Ctx,
    Path((id, role)): Path<(String, String)>,
    headers: HeaderMap,
    Input(form): Input<RoleInput>,
) -> Result<Response, Refusal> {
    let ctx = within(&ctx, &id).await?;
    let changed = roles::update(&ctx, &own(&role)?, &form, if_match(&headers)?).await?;
    Ok(tagged(StatusCode::OK, changed.version, changed))
}

/// Deletes a role that nobody has.
#[utoipa::path(delete, path = "/api/organizations/{id}/roles/{role_id}", tag = "Organizations",
    params(("id" = String, Path), ("role_id" = String, Path)),
    responses((status = 200, description = "It is deleted", body = Success<Done>)))]
async fn delete(ctx: Ctx, Path((id, role)): Path<(String, String)>) -> Answer<Done> {
    roles::delete(&within(&ctx, &id).await?, &own(&role)?).await?;
    ok(Done)
}
