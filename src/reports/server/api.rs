//! The API's door to error reports.
use crate::{
    reports::{
        model::{ErrorDetail, ErrorGroup},
        server::service,
    },
    web::{
        api::{Answer, List, Paging, QueryParams, Refusal, Success, ok},
        ctx::Operator,
    },
};
use axum::{Json, extract::Path};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of error reports.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// Which kinds of fault.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    page: Option<u64>,
    limit: Option<u64>,
    /// A reference, or words of what was done or why it failed.
    search: Option<String>,
}

/// Kinds of fault, what happened last first. For operators.
#[utoipa::path(get, path = "/api/admin/errors", tag = "Error reports", params(Which),
    responses((status = 200, description = "A page of kinds of fault", body = List<ErrorGroup>)))]
async fn list(ctx: Operator, QueryParams(asked): QueryParams<Which>) -> Result<Json<List<ErrorGroup>>, Refusal> {
    let paging = Paging::parse(asked.page, asked.limit)?;
    let (data, pagination) = service::list(&ctx, asked.search.as_deref(), paging).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// A kind of fault by the reference that a customer was shown, or by its fingerprint. For operators.
#[utoipa::path(get, path = "/api/admin/errors/{id}", tag = "Error reports", params(("id" = String, Path)),
    responses((status = 200, description = "The kind, and the newest of it", body = Success<ErrorDetail>)))]
async fn get(ctx: Operator, Path(id): Path<String>) -> Answer<ErrorDetail> {
    ok(service::get(&ctx, &id).await?)
}
