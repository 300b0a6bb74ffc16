//! The API's door to its own keys.
use crate::web::{declared::Declare, rate_limits::Class};
use crate::{
    keys::{
        model::{API_KEY, ApiKey, CreateApiKey, NewApiKey, RotateApiKey, UpdateApiKey},
        server::service,
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

/// The routes of keys.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create).limit(Class::Usual))
        .routes(routes!(get, update, revoke).limit(Class::Usual).versioned())
        .routes(routes!(rotate).limit(Class::Usual))
}

/// Which keys.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    page: Option<u64>,
    limit: Option<u64>,
    /// Those of all members; takes the permission `members`.
    #[serde(default)]
    all: bool,
}

/// The caller's keys in this organization, the newest first.
#[utoipa::path(get, path = "/api/api-keys", tag = "API keys", params(Which),
    responses((status = 200, description = "A page of keys", body = List<ApiKey>)))]
async fn list(ctx: Ctx, QueryParams(asked): QueryParams<Which>) -> Result<Json<List<ApiKey>>, Refusal> {
    let paging = Paging::parse(asked.page, asked.limit)?;
    let (data, pagination) = service::list(&ctx, asked.all, paging).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// Makes a key. The secret is in this answer and can't be shown again.
#[utoipa::path(post, path = "/api/api-keys", tag = "API keys", request_body = CreateApiKey,
    responses((status = 201, description = "The key and its secret", body = Success<NewApiKey>)))]
async fn create(ctx: Ctx, Input(form): Input<CreateApiKey>) -> Result<Response, Refusal> {
    let made = service::create(&ctx, &form).await?;
    created(&format!("/api/api-keys/{}", made.key.id), made)
}

/// One key.
#[utoipa::path(get, path = "/api/api-keys/{id}", tag = "API keys", params(("id" = String, Path)),
    responses((status = 200, description = "The key; its version is the `ETag`", body = Success<ApiKey>)))]
async fn get(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Refusal> {
    let key = service::get(&ctx, &named(&id, API_KEY)?).await?;
    Ok(versioned(key.version, key))
}

/// Changes the name and the end, and narrows what the key may do.
#[utoipa::path(put, path = "/api/api-keys/{id}", tag = "API keys", params(("id" = String, Path)), request_body = UpdateApiKey,
    responses((status = 200, description = "The key", body = Success<ApiKey>)))]
async fn update(ctx: Ctx, Path(id): Path<String>, headers: HeaderMap, Input(form): Input<UpdateApiKey>) -> Result<Response, Refusal> {
    let key = service::update(&ctx, &named(&id, API_KEY)?, &form, if_match(&headers)?).await?;
    Ok(versioned(key.version, key))
}

/// Revokes a key at once. Whoever has the permission `members` revokes anybody's.
#[utoipa::path(delete, path = "/api/api-keys/{id}", tag = "API keys", params(("id" = String, Path)),
    responses((status = 200, description = "It is revoked", body = Success<Done>)))]
async fn revoke(ctx: Ctx, Path(id): Path<String>) -> Answer<Done> {
    service::revoke(&ctx, &named(&id, API_KEY)?).await?;
    ok(Done)
}

/// Gives a key a new secret; the old one may be taken for a few hours more.
#[utoipa::path(post, path = "/api/api-keys/{id}/rotate", tag = "API keys", params(("id" = String, Path)), request_body = RotateApiKey,
    responses((status = 200, description = "The key and its new secret", body = Success<NewApiKey>)))]
async fn rotate(ctx: Ctx, Path(id): Path<String>, Input(form): Input<RotateApiKey>) -> Answer<NewApiKey> {
    ok(service::rotate(&ctx, &named(&id, API_KEY)?, &form).await?)
}
