//! The API's door to routing.
use crate::web::{declared::Declare, rate_limits::Class};
use crate::{
    error::{Result, Thing},
    id::{AppId, PathId},
    routing::{
        model::{CreatePath, PathRoute, Routing, UpdateRouting},
        server::service::{self, paths},
    },
    web::{
        api::{Answer, Done, Input, List, Paging, QueryParams, Refusal, Success, created, named, ok},
        ctx::Ctx,
        etag::{if_match, versioned},
    },
};
use axum::{Json, extract::Path, http::HeaderMap, response::Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of routing.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(get, update).limit(Class::Usual).versioned())
        .routes(routes!(create_path, list_paths).limit(Class::Usual))
        .routes(routes!(delete_path).limit(Class::Usual))
}

fn app_id(text: &str) -> Result<AppId> {
    named(text, Thing::APPLICATION)
}

/// What an application asks of the edge: maintenance, HTTPS, passwords (without them), headers, limits, error pages, balancing.
#[utoipa::path(get, path = "/api/paas/applications/{id}/routing", tag = "Routing", params(("id" = String, Path)),
    responses((status = 200, description = "The routing; its version is the `ETag`", body = Success<Routing>)))]
async fn get(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Refusal> {
    let routing = service::get(&ctx, &app_id(&id)?).await?;
    Ok(versioned(routing.version, routing))
}

/// Changes what is given; it holds at once, without a deployment. `If-Match` keeps two editors from overwriting each other.
#[utoipa::path(patch, path = "/api/paas/applications/{id}/routing", tag = "Routing", params(("id" = String, Path)), request_body = UpdateRouting,
    responses((status = 200, description = "The routing", body = Success<Routing>)))]
async fn update(ctx: Ctx, Path(id): Path<String>, headers: HeaderMap, Input(form): Input<UpdateRouting>) -> Result<Response, Refusal> {
    let routing = service::update(&ctx, &app_id(&id)?, &form, if_match(&headers)?).await?;
    Ok(versioned(routing.version, routing))
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Page {
    page: Option<u64>,
    limit: Option<u64>,
}

/// The paths under hosts of the organization that lead to an application.
#[utoipa::path(get, path = "/api/paas/applications/{id}/paths", tag = "Routing", params(("id" = String, Path), Page),
    responses((status = 200, description = "A page of paths", body = List<PathRoute>)))]
async fn list_paths(ctx: Ctx, Path(id): Path<String>, QueryParams(asked): QueryParams<Page>) -> Result<Json<List<PathRoute>>, Refusal> {
    let paging = Paging::parse(asked.page, asked.limit)?;
    let (data, pagination) = paths::list(&ctx, &app_id(&id)?, paging).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// Gives an application a path under a host of the organization's: 409 where it leads elsewhere already.
#[utoipa::path(post, path = "/api/paas/applications/{id}/paths", tag = "Routing", params(("id" = String, Path)), request_body = CreatePath,
    responses((status = 201, description = "The path", body = Success<PathRoute>)))]
async fn create_path(ctx: Ctx, Path(id): Path<String>, Input(form): Input<CreatePath>) -> Result<Response, Refusal> {
    let made = paths::add(&ctx, &app_id(&id)?, &form).await?;
    created(&format!("/api/paas/applications/{}/paths", made.application_id), made)
}

/// Takes a path away from an application.
#[utoipa::path(delete, path = "/api/paas/applications/{id}/paths/{path_id}", tag = "Routing", params(("id" = String, Path), ("path_id" = String, Path)),
    responses((status = 200, description = "It is removed", body = Success<Done>)))]
async fn delete_path(ctx: Ctx, Path((id, path)): Path<(String, String)>) -> Answer<Done> {
    paths::remove(&ctx, &app_id(&id)?, &named::<PathId>(&path, Thing::PATH)?).await?;
    ok(Done)
}
