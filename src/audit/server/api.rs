//! The API's door to the audit trail of an organization.
use crate::web::{declared::Declare, rate_limits::Class};
use crate::{
    audit::{
        model::{Activity, ActivityQuery, AuditStream, CreateStream, ExportFormat, STREAM, UpdateStream, file_name},
        server::{
            export,
            service::{self, streams},
        },
    },
    error::{Error, Result, Thing},
    id::{OrgId, StreamId},
    web::{
        api::{Answer, Done, Input, QueryParams, Refusal, Success, created, named, ok},
        ctx::Ctx,
    },
};
use axum::{
    Json,
    body::Body,
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of the audit trail.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(activity))
        .routes(routes!(export_activity).also_text())
        .routes(routes!(list_streams, create_stream).limit(Class::Usual))
        .routes(routes!(get_stream, update_stream, delete_stream).limit(Class::Usual))
        .routes(routes!(test_stream).limit(Class::Usual))
}

fn org_id(text: &str) -> Result<OrgId> {
    named(text, Thing::ORGANIZATION)
}

fn stream_id(text: &str) -> Result<StreamId> {
    named(text, STREAM)
}

/// `{ "success": true, "data": […], "pagination": … }`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ActivityList {
    pub success: bool,
    pub data: Vec<Activity>,
    pub pagination: CursorPagination,
}

/// Where a page of a trail goes on.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CursorPagination {
    pub limit: u64,
    /// For `?cursor=`; null where these are the last lines.
    pub next_cursor: Option<i64>,
}

/// What happened in an organization, the newest first.
#[utoipa::path(get, path = "/api/organizations/{id}/activity", tag = "Activity", params(ActivityQuery),
    responses((status = 200, description = "A page of the trail", body = ActivityList)))]
async fn activity(ctx: Ctx, Path(id): Path<String>, QueryParams(query): QueryParams<ActivityQuery>) -> Result<Json<ActivityList>, Refusal> {
    let limit = query.limit.unwrap_or(50);
    let page = service::activity(&ctx, Some(&org_id(&id)?), query).await?;
    Ok(Json(ActivityList { success: true, data: page.activities, pagination: CursorPagination { limit, next_cursor: page.next } }))
}

/// The trail, or what a query leaves of it, as a file; the oldest line first. `format` is `csv` or `jsonl`; the other parameters are
/// those of the list, without `cursor` and `limit`.
#[utoipa::path(get, path = "/api/organizations/{id}/activity/export", tag = "Activity",
    params(
        ("format" = Option<String>, Query, description = "`csv` (where it is left out) or `jsonl`"),
        ("person" = Option<String>, Query), ("event" = Option<String>, Query), ("target" = Option<String>, Query),
        ("credential" = Option<String>, Query), ("from" = Option<String>, Query), ("until" = Option<String>, Query),
        ("search" = Option<String>, Query)
    ),
    responses((status = 200, description = "The file", content((String = "text/csv", example = "seq,at,id"), (String = "application/x-ndjson", example = "{}")))))]
async fn export_activity(ctx: Ctx, Path(id): Path<String>, QueryParams(query): QueryParams<ExportQuery>) -> Result<Response, Refusal> {
    let (format, query) = query.parse()?;
    let (org, filter) = service::export(&ctx, Some(&org_id(&id)?), query, format).await?;
    let kind = match format {
        ExportFormat::Csv => "text/csv; charset=utf-8",
        ExportFormat::Jsonl => "application/x-ndjson",
    };
    let name = format!("attachment; filename=\"{}\"", file_name(&org, format));
    // The answer has begun: what goes wrong now can only break it off.
    let pieces = export::pieces(ctx.panel.clone(), org, filter, format).map_err(|why| std::io::Error::other(why.to_string()));
    Ok(([(header::CONTENT_TYPE, kind.to_string()), (header::CONTENT_DISPOSITION, name)], Body::from_stream(pieces)).into_response())
}

/// What is taken along, and how.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ExportQuery {
    format: Option<String>,
    person: Option<String>,
    event: Option<String>,
    target: Option<String>,
    credential: Option<String>,
    from: Option<String>,
    until: Option<String>,
    search: Option<String>,
}

impl ExportQuery {
    fn parse(self) -> Result<(ExportFormat, ActivityQuery)> {
        let format = match self.format.as_deref().unwrap_or("csv") {
            "csv" => ExportFormat::Csv,
            "jsonl" => ExportFormat::Jsonl,
            _ => return Err(Error::invalid("format", "A format is csv or jsonl.")),
        };
        let ExportQuery { person, event, target, credential, from, until, search, .. } = self;
        Ok((format, ActivityQuery { person, event, target, credential, from, until, search, cursor: None, limit: None }))
    }
}

/// Where the organization’s trail is sent.
#[utoipa::path(get, path = "/api/organizations/{id}/audit-streams", tag = "Activity", responses((status = 200, description = "Every stream", body = Success<Vec<AuditStream>>)))]
async fn list_streams(ctx: Ctx, Path(id): Path<String>) -> Answer<Vec<AuditStream>> {
    ok(streams::list(&ctx, Some(&org_id(&id)?)).await?)
}

/// Sends the trail somewhere: what is written from now on.
#[utoipa::path(post, path = "/api/organizations/{id}/audit-streams", tag = "Activity", request_body = CreateStream, responses((status = 201, description = "The stream", body = Success<AuditStream>)))]
async fn create_stream(ctx: Ctx, Path(id): Path<String>, Input(form): Input<CreateStream>) -> Result<Response, Refusal> {
    let made = streams::create(&ctx, Some(&org_id(&id)?), &form).await?;
    created(&format!("/api/organizations/{id}/audit-streams/{}", made.id), made)
}

/// One stream.
#[utoipa::path(get, path = "/api/organizations/{id}/audit-streams/{stream_id}", tag = "Activity", responses((status = 200, description = "The stream", body = Success<AuditStream>)))]
async fn get_stream(ctx: Ctx, Path((id, stream)): Path<(String, String)>) -> Answer<AuditStream> {
    ok(streams::get(&ctx, Some(&org_id(&id)?), &stream_id(&stream)?).await?)
}

/// Changes a stream; it goes on after the last line that arrived.
#[utoipa::path(put, path = "/api/organizations/{id}/audit-streams/{stream_id}", tag = "Activity", request_body = UpdateStream, responses((status = 200, description = "The stream", body = Success<AuditStream>)))]
async fn update_stream(ctx: Ctx, Path((id, stream)): Path<(String, String)>, Input(form): Input<UpdateStream>) -> Answer<AuditStream> {
    ok(streams::update(&ctx, Some(&org_id(&id)?), &stream_id(&stream)?, &form).await?)
}

/// Sends nothing there any more.
#[utoipa::path(delete, path = "/api/organizations/{id}/audit-streams/{stream_id}", tag = "Activity", responses((status = 200, description = "It is gone", body = Success<Done>)))]
async fn delete_stream(ctx: Ctx, Path((id, stream)): Path<(String, String)>) -> Answer<Done> {
    streams::delete(&ctx, Some(&org_id(&id)?), &stream_id(&stream)?).await?;
    ok(Done)
}

/// Sends one line that says that it is a test; 409 tells why it did not arrive.
#[utoipa::path(post, path = "/api/organizations/{id}/audit-streams/{stream_id}/test", tag = "Activity", responses((status = 200, description = "It arrived", body = Success<Done>)))]
async fn test_stream(ctx: Ctx, Path((id, stream)): Path<(String, String)>) -> Answer<Done> {
    streams::test(&ctx, Some(&org_id(&id)?), &stream_id(&stream)?).await?;
    ok(Done)
}
