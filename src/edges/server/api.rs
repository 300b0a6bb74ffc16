//! The API's door to edges: the operator's, and the edges' own.
use crate::web::{declared::Declare, rate_limits::Class};
use crate::{
    edge::remote::{EdgeReport, ReportReply},
    edges::{
        model::{EDGE, Edge, EdgeForm, NewEdge},
        server::{
            service,
            stream::{self, Has},
        },
    },
    error::{Error, Result},
    id::EdgeId,
    web::{
        api::{Answer, Done, Input, List, Paging, QueryParams, Refusal, Success, created, named, ok},
        ctx::{Operator, Visitor},
        http::bearer_of,
    },
};
use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_edges, create_edge).limit(Class::Usual))
        .routes(routes!(get_edge, rename_edge, remove_edge).limit(Class::Usual))
        .routes(routes!(rotate_edge).limit(Class::Usual))
        .routes(routes!(revoke_edge).limit(Class::Usual))
        .routes(routes!(follow))
        .routes(routes!(report).limit(Class::Usual))
}

fn edge_id(text: &str) -> Result<EdgeId> {
    named(text, EDGE)
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    page: Option<u64>,
    limit: Option<u64>,
}

/// Edges that run elsewhere, by name.
#[utoipa::path(get, path = "/api/admin/edges", tag = "Edges", params(Which), responses((status = 200, description = "A page of edges", body = List<Edge>)))]
async fn list_edges(ctx: Operator, QueryParams(which): QueryParams<Which>) -> Result<Json<List<Edge>>, Refusal> {
    let (data, pagination) = service::list(&ctx, Paging::parse(which.page, which.limit)?).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// Adds an edge. Its token is in the answer and can’t be shown again.
#[utoipa::path(post, path = "/api/admin/edges", tag = "Edges", request_body = EdgeForm, responses((status = 201, description = "The edge and its token", body = Success<NewEdge>)))]
async fn create_edge(ctx: Operator, Input(form): Input<EdgeForm>) -> Result<Response, Refusal> {
    let made = service::create(&ctx, &form).await?;
    created(&format!("/api/admin/edges/{}", made.edge.id), made)
}

/// One edge.
#[utoipa::path(get, path = "/api/admin/edges/{id}", tag = "Edges", responses((status = 200, description = "The edge", body = Success<Edge>)))]
async fn get_edge(ctx: Operator, Path(id): Path<String>) -> Answer<Edge> {
    ok(service::get(&ctx, &edge_id(&id)?).await?)
}

/// Gives an edge another name.
#[utoipa::path(put, path = "/api/admin/edges/{id}", tag = "Edges", request_body = EdgeForm, responses((status = 200, description = "The edge", body = Success<Edge>)))]
async fn rename_edge(ctx: Operator, Path(id): Path<String>, Input(form): Input<EdgeForm>) -> Answer<Edge> {
    ok(service::rename(&ctx, &edge_id(&id)?, &form).await?)
}

/// Removes an edge. Its token is good no longer; what it measured stays.
#[utoipa::path(delete, path = "/api/admin/edges/{id}", tag = "Edges", responses((status = 200, description = "It is removed", body = Success<Done>)))]
async fn remove_edge(ctx: Operator, Path(id): Path<String>) -> Answer<()> {
    ok(service::remove(&ctx, &edge_id(&id)?).await?)
}

/// Gives an edge a new token. The old one is good no longer, and an edge that was revoked may come again.
#[utoipa::path(post, path = "/api/admin/edges/{id}/rotate", tag = "Edges", responses((status = 200, description = "The edge and its token", body = Success<NewEdge>)))]
async fn rotate_edge(ctx: Operator, Path(id): Path<String>) -> Answer<NewEdge> {
    ok(service::rotate(&ctx, &edge_id(&id)?).await?)
}

/// Cuts an edge off from news and reports. It serves on with what it has until it is stopped.
#[utoipa::path(post, path = "/api/admin/edges/{id}/revoke", tag = "Edges", responses((status = 200, description = "The edge", body = Success<Edge>)))]
async fn revoke_edge(ctx: Operator, Path(id): Path<String>) -> Answer<Edge> {
    ok(service::revoke(&ctx, &edge_id(&id)?).await?)
}

/// What an edge has.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Having {
    /// The version of the routes that it has.
    #[param(maximum = 9007199254740992_u64)]
    version: Option<u64>,
    /// Their digest, 64 hex digits.
    digest: Option<String>,
}

/// For `skypanel edge`, with its own token: routes and certificates, and every change of them, a JSON document a line, until either
/// side ends it.
#[utoipa::path(get, path = "/api/edge/stream", tag = "Edges", params(Having), security(("edge" = [])),
    responses((status = 200, description = "Lines that go on", content_type = "application/x-ndjson", body = String)))]
async fn follow(visitor: Visitor, headers: HeaderMap, request: Request) -> Result<Response, Refusal> {
    let edge = service::by_token(&visitor.panel, bearer_of(&headers)).await?;
    let (mut parts, _) = request.into_parts();
    let QueryParams(having) = QueryParams::<Having>::from_request_parts(&mut parts, &()).await?;
    let digest = having.digest.unwrap_or_default();
    if digest.len() > 64 || !digest.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Error::invalid("digest", "A digest has 64 hex digits.").into());
    }
    let version = having.version.unwrap_or(0);
    if version > 1 << 53 {
        return Err(Error::invalid("version", "A version that a panel gave.").into());
    }
    Ok(stream::open(&visitor.panel, &edge, Has { version, digest }))
}

/// For `skypanel edge`, with its own token: how it is and what it measured. A report that comes twice is counted once.
#[utoipa::path(post, path = "/api/edge/report", tag = "Edges", request_body = serde_json::Value, security(("edge" = [])),
    responses((status = 200, description = "Whether its measures were news, and the newest version", body = Success<serde_json::Value>)))]
async fn report(visitor: Visitor, headers: HeaderMap, request: Request) -> Answer<ReportReply> {
    let edge = service::by_token(&visitor.panel, bearer_of(&headers)).await?;
    let Input(said) = Input::<EdgeReport>::from_request(request, &()).await?;
    ok(service::report(&visitor.panel, &edge, &visitor.origin.address, said).await?)
}
