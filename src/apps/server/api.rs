//! The API's door to applications.
use crate::web::{declared::Declare, rate_limits::Class};
use crate::{
    apps::{
        model::{AppState, Application, CreateApplication, EnvInputValue, EnvVar, Replicas, UpdateApplication},
        server::{
            forms,
            logs::{self, Cursors, Line},
            service, watch,
        },
    },
    error::{Error, Fields, Result, Thing},
    id::AppId,
    rights::Action,
    units::Timestamp,
    web::{
        api::{Answer, Done, Input, List, Paging, QueryParams, Refusal, Success, created, named, ok},
        ctx::Ctx,
        etag::{if_match, versioned},
        sse,
    },
};
use axum::{
    Json,
    extract::Path,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of applications.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(create, list).limit(Class::Usual))
        .routes(routes!(get, update, delete).limit(Class::Usual).versioned())
        .routes(routes!(scale).limit(Class::Usual))
        .routes(routes!(stop).limit(Class::Usual))
        .routes(routes!(start).limit(Class::Usual))
        .routes(routes!(environment, put_environment, patch_environment).limit(Class::Usual))
        .routes(routes!(read_logs).streams().also_text())
        .routes(routes!(events).streams())
}

fn app_id(text: &str) -> Result<AppId> {
    named(text, Thing::APPLICATION)
}

/// One application, with its version as `ETag`.
fn tagged(app: Application) -> Response {
    versioned(app.version, app)
}

/// Makes an application; nothing runs before it is deployed.
#[utoipa::path(post, path = "/api/paas/applications", tag = "Applications", request_body = CreateApplication,
    responses((status = 201, description = "The application", body = Success<Application>)))]
async fn create(ctx: Ctx, Input(form): Input<CreateApplication>) -> Result<Response, Refusal> {
    let made = service::create(&ctx, &form).await?;
    created(&format!("/api/paas/applications/{}", made.id), made)
}

/// Which applications.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    page: Option<u64>,
    limit: Option<u64>,
    /// A part of the name.
    search: Option<String>,
    /// `name`, `created_at` or `updated_at`, with a minus in front to turn it round.
    sort: Option<String>,
    status: Option<String>,
    cluster_id: Option<String>,
}

/// The organization's applications.
#[utoipa::path(get, path = "/api/paas/applications", tag = "Applications", params(Which),
    responses((status = 200, description = "A page of applications", body = List<Application>)))]
async fn list(ctx: Ctx, QueryParams(asked): QueryParams<Which>) -> Result<Json<List<Application>>, Refusal> {
    let paging = Paging::parse(asked.page, asked.limit)?;
    let cluster = asked.cluster_id.as_deref().map(|id| named(id, Thing::CLUSTER)).transpose()?;
    let filter = service::Filter { search: asked.search, status: forms::status(asked.status.as_deref())?, cluster, sort: asked.sort };
    let (data, pagination) = service::list(&ctx, &filter, paging).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// One application.
#[utoipa::path(get, path = "/api/paas/applications/{id}", tag = "Applications", params(("id" = String, Path)),
    responses((status = 200, description = "The application; its version is the `ETag`", body = Success<Application>)))]
async fn get(ctx: Ctx, Path(id): Path<String>) -> Result<Response, Refusal> {
    Ok(tagged(service::get(&ctx, &app_id(&id)?).await?))
}

/// Changes the settings; they apply with the next deployment. `If-Match` keeps two editors from overwriting each other.
#[utoipa::path(put, path = "/api/paas/applications/{id}", tag = "Applications", params(("id" = String, Path)), request_body = UpdateApplication,
    responses((status = 200, description = "The application", body = Success<Application>)))]
async fn update(ctx: Ctx, Path(id): Path<String>, headers: HeaderMap, Input(form): Input<UpdateApplication>) -> Result<Response, Refusal> {
    Ok(tagged(service::update(&ctx, &app_id(&id)?, &form, if_match(&headers)?).await?))
}

/// Deletes an application for good: its containers, its images and its address. Its history stays.
#[utoipa::path(delete, path = "/api/paas/applications/{id}", tag = "Applications", params(("id" = String, Path)),
    responses((status = 200, description = "It is deleted", body = Success<Done>)))]
async fn delete(ctx: Ctx, Path(id): Path<String>) -> Answer<Done> {
    service::delete(&ctx, &app_id(&id)?, None).await?;
    ok(Done)
}

/// How many replicas are wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "replicas": 3 }))]
struct Scale {
    replicas: u32,
}

/// How many replicas are wanted now, and were before.
#[derive(Debug, Serialize, ToSchema)]
struct Scaled {
    previous_replicas: u32,
    application: Application,
}

/// Asks for so many replicas.
#[utoipa::path(post, path = "/api/paas/applications/{id}/scale", tag = "Applications", params(("id" = String, Path)), request_body = Scale,
    responses((status = 200, description = "How many there were and how many are wanted", body = Success<Scaled>)))]
async fn scale(ctx: Ctx, Path(id): Path<String>, Input(form): Input<Scale>) -> Answer<Scaled> {
    let to = Replicas::try_from(form.replicas).map_err(|why| Error::invalid("replicas", why))?;
    let scaled = service::scale(&ctx, &app_id(&id)?, to).await?;
    ok(Scaled { previous_replicas: scaled.previous_replicas, application: scaled.application })
}

/// Stops all replicas; the release stays.
#[utoipa::path(post, path = "/api/paas/applications/{id}/stop", tag = "Applications", params(("id" = String, Path)),
    responses((status = 200, description = "The application", body = Success<Application>)))]
async fn stop(ctx: Ctx, Path(id): Path<String>) -> Answer<Application> {
    ok(service::stop(&ctx, &app_id(&id)?).await?)
}

/// Starts the live release again.
#[utoipa::path(post, path = "/api/paas/applications/{id}/start", tag = "Applications", params(("id" = String, Path)),
    responses((status = 200, description = "The application", body = Success<Application>)))]
async fn start(ctx: Ctx, Path(id): Path<String>) -> Answer<Application> {
    ok(service::start(&ctx, &app_id(&id)?).await?)
}

/// The variables that are wanted now; secrets without their values.
#[utoipa::path(get, path = "/api/paas/applications/{id}/env", tag = "Applications", params(("id" = String, Path)),
    responses((status = 200, description = "The variables by name", body = Success<Vec<EnvVar>>)))]
async fn environment(ctx: Ctx, Path(id): Path<String>) -> Answer<Vec<EnvVar>> {
    ok(service::environment(&ctx, &app_id(&id)?).await?)
}

/// Variables by name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "environment_variables": { "COLOUR": "red", "TOKEN": { "value": "…", "secret": true } } }))]
struct PutEnvironment {
    environment_variables: BTreeMap<String, EnvInputValue>,
}

/// Variables by name; `null` removes one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "environment_variables": { "COLOUR": "blue", "OLD": null } }))]
struct PatchEnvironment {
    #[schema(schema_with = values_or_null)]
    environment_variables: BTreeMap<String, Option<EnvInputValue>>,
}

/// An object whose values are variables or `null`, which the derivation can't say.
fn values_or_null() -> utoipa::openapi::schema::Object {
    use utoipa::openapi::{Ref, schema};
    let null = schema::ObjectBuilder::new().schema_type(schema::Type::Null);
    let value = schema::OneOfBuilder::new().item(Ref::from_schema_name("EnvInputValue")).item(null).build();
    schema::ObjectBuilder::new().schema_type(schema::Type::Object).additional_properties(Some(schema::Schema::OneOf(value))).build()
}

/// Replaces all variables; they apply with the next deployment.
#[utoipa::path(put, path = "/api/paas/applications/{id}/env", tag = "Applications", params(("id" = String, Path)), request_body = PutEnvironment,
    responses((status = 200, description = "The variables by name", body = Success<Vec<EnvVar>>)))]
async fn put_environment(ctx: Ctx, Path(id): Path<String>, Input(form): Input<PutEnvironment>) -> Answer<Vec<EnvVar>> {
    ok(service::put_environment(&ctx, &app_id(&id)?, &form.environment_variables).await?)
}

/// Sets some variables and removes others.
#[utoipa::path(patch, path = "/api/paas/applications/{id}/env", tag = "Applications", params(("id" = String, Path)), request_body = PatchEnvironment,
    responses((status = 200, description = "The variables by name", body = Success<Vec<EnvVar>>)))]
async fn patch_environment(ctx: Ctx, Path(id): Path<String>, Input(form): Input<PatchEnvironment>) -> Answer<Vec<EnvVar>> {
    ok(service::patch_environment(&ctx, &app_id(&id)?, &form.environment_variables).await?)
}

/// Which lines of an application's log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WhichLines {
    /// RFC 3339.
    since: Option<String>,
    /// RFC 3339.
    until: Option<String>,
    /// 1 to 5000, 200 where it is left out.
    limit: Option<usize>,
    /// A part of the line.
    search: Option<String>,
    /// `out` or `err`.
    level: Option<String>,
    /// A replica's short id or number.
    replica: Option<String>,
    /// Server-sent events that go on; resumed by `Last-Event-ID`.
    #[serde(default)]
    follow: bool,
    /// As `Last-Event-ID`, where a page connects for the first time.
    last_event_id: Option<String>,
    /// `json`, or `text` for a file with a line each.
    format: Option<String>,
}

impl WhichLines {
    fn query(&self) -> Result<logs::Query> {
        let mut fields = Fields::default();
        let moment =
            |text: &String| serde_json::from_value::<Timestamp>(text.as_str().into()).map_err(|_| "A time like 2026-01-31T12:00:00Z.");
        let since = self.since.as_ref().and_then(|text| fields.take("since", moment(text)));
        let until = self.until.as_ref().and_then(|text| fields.take("until", moment(text)));
        let limit = self.limit.unwrap_or(200);
        if !(1..=5000).contains(&limit) {
            fields.refuse("limit", "1 to 5000 lines.");
        }
        if self.format.as_deref().is_some_and(|format| !matches!(format, "json" | "text")) {
            fields.refuse("format", "A format is json or text.");
        }
        if self.level.as_deref().is_some_and(|level| !matches!(level, "out" | "err")) {
            fields.refuse("level", "A level is out or err.");
        }
        fields.done()?;
        let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Ok(logs::Query { since, until, search: some(&self.search), level: self.level.clone(), replica: some(&self.replica), limit })
    }
}

/// Whether to go on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Follow {
    /// Server-sent events that go on: `state` at once and whenever something changes.
    #[serde(default)]
    follow: bool,
    /// Taken and not needed: the first event is the whole state.
    #[serde(rename = "last_event_id")]
    _last_event_id: Option<String>,
}

/// How an application stands and its replicas, as JSON or, with `follow=true`, as server-sent events.
#[utoipa::path(get, path = "/api/paas/applications/{id}/events", tag = "Applications", params(("id" = String, Path), Follow),
    responses((status = 200, description = "The state, or a stream of states", body = Success<AppState>)))]
async fn events(ctx: Ctx, Path(id): Path<String>, QueryParams(asked): QueryParams<Follow>) -> Result<Response, Refusal> {
    let id = app_id(&id)?;
    if asked.follow {
        return Ok(sse::stream(&ctx.panel, watch::events(&ctx, &id).await?));
    }
    Ok(ok(watch::state(&ctx, &id).await?).into_response())
}

/// Lines as a file that a browser saves.
fn file(name: &str, lines: &[Line]) -> Response {
    let text: String = lines.iter().map(|line| format!("{} {} {} {}\n", line.at, line.replica, line.stream, line.text)).collect();
    let mut response = text.into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}.log\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// The logs of all replicas, as JSON, as a text file or, with `follow=true`, as server-sent events.
#[utoipa::path(get, path = "/api/paas/applications/{id}/logs", tag = "Applications", params(("id" = String, Path), WhichLines),
    responses((status = 200, description = "Lines of all replicas, oldest first, or a stream of them", body = Success<Vec<Line>>)))]
async fn read_logs(
    ctx: Ctx,
    Path(id): Path<String>,
    QueryParams(asked): QueryParams<WhichLines>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let app = ctx.app(&app_id(&id)?).to(Action::View).await?;
    let query = asked.query()?;
    if asked.follow {
        let resume = sse::last_seen(&headers, asked.last_event_id.as_deref()).map(|text| Cursors::parse(&text)).transpose()?;
        return Ok(sse::stream(&ctx.panel, logs::follow(&ctx, &app, query, resume).await?));
    }
    let (lines, _, _) = logs::tail(&ctx, &app, &query).await?;
    if asked.format.as_deref() == Some("text") {
        return Ok(file(&app.name, &lines));
    }
    Ok(ok(lines).into_response())
}
