//! The API's door to deployments.
use crate::web::{declared::Declare, rate_limits::Class};
use crate::{
    deployments::{
        model::{DeployRequest, Deployment, LogLine, Rollout, RolloutInput},
        server::{
            service::{self, canary as canaries},
            watch,
        },
    },
    error::{Error, Thing},
    id::{AppId, DeploymentId},
    rights::Action,
    web::{
        api::{Answer, Input, List, Paging, QueryParams, Refusal, Success, accepted, named, ok, waiting},
        ctx::Ctx,
        sse,
    },
};
use axum::{
    Json,
    extract::Path,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of deployments.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(deploy).limit(Class::Deploy))
        .routes(routes!(restart).limit(Class::Deploy))
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(logs).streams())
        .routes(routes!(rollback).limit(Class::Deploy))
        .routes(routes!(cancel).limit(Class::Usual))
        .routes(routes!(promote).limit(Class::Usual))
        .routes(routes!(rollback_now).limit(Class::Usual))
        .routes(routes!(rollout, set_rollout).limit(Class::Usual))
}

/// Whether to hold the answer.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wait {
    /// Seconds to hold the answer until the deployment is final, at most 300.
    wait: Option<u64>,
}

/// Answers with a deployment that was asked for, at once or when it is final.
async fn follow(ctx: &Ctx, made: Deployment, wait: Option<u64>) -> Result<Response, Refusal> {
    let location = format!("/api/paas/deployments/{}", made.id);
    match waiting(wait)? {
        Some(at_most) => accepted(&location, service::wait(ctx, &made.id, at_most).await?),
        None => accepted(&location, made),
    }
}

/// Refuses to wait where the end could not be looked at, before anything is asked for.
async fn may_wait_for(ctx: &Ctx, app: &AppId, wait: Option<u64>) -> Result<(), Refusal> {
    if waiting(wait)?.is_some() {
        ctx.app(app).to(Action::View).await?;
    }
    Ok(())
}

/// The same by a deployment of the application.
async fn may_wait_beside(ctx: &Ctx, deployment: &DeploymentId, wait: Option<u64>) -> Result<(), Refusal> {
    if waiting(wait)?.is_some() {
        ctx.deployment(deployment).to(Action::View).await?;
    }
    Ok(())
}

/// Deploys the source as it is now, or a given commit or branch of it.
#[utoipa::path(post, path = "/api/paas/applications/{id}/deploy", tag = "Deployments", params(("id" = String, Path), Wait),
    request_body = DeployRequest, responses((status = 202, description = "The deployment, to be followed", body = Success<Deployment>)))]
async fn deploy(
    ctx: Ctx,
    Path(id): Path<String>,
    QueryParams(asked): QueryParams<Wait>,
    Input(request): Input<DeployRequest>,
) -> Result<Response, Refusal> {
    let id = named(&id, Thing::APPLICATION)?;
    may_wait_for(&ctx, &id, asked.wait).await?;
    let made = service::deploy(&ctx, &id, &request).await?;
    follow(&ctx, made, asked.wait).await
}

/// Restarts the live release in fresh containers, the old ones serving until the new ones do.
#[utoipa::path(post, path = "/api/paas/applications/{id}/restart", tag = "Deployments", params(("id" = String, Path), Wait),
    responses((status = 202, description = "The deployment, to be followed", body = Success<Deployment>)))]
async fn restart(ctx: Ctx, Path(id): Path<String>, QueryParams(asked): QueryParams<Wait>) -> Result<Response, Refusal> {
    let id = named(&id, Thing::APPLICATION)?;
    may_wait_for(&ctx, &id, asked.wait).await?;
    let made = service::restart(&ctx, &id).await?;
    follow(&ctx, made, asked.wait).await
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Page {
    page: Option<u64>,
    limit: Option<u64>,
}

/// Deployments of an application, the newest first.
#[utoipa::path(get, path = "/api/paas/applications/{id}/deployments", tag = "Deployments", params(("id" = String, Path), Page),
    responses((status = 200, description = "A page of deployments", body = List<Deployment>)))]
async fn list(ctx: Ctx, Path(id): Path<String>, QueryParams(asked): QueryParams<Page>) -> Result<Json<List<Deployment>>, Refusal> {
    let paging = Paging::parse(asked.page, asked.limit)?;
    let (data, pagination) = service::list(&ctx, &named(&id, Thing::APPLICATION)?, paging).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// One deployment with its phases and, where it failed, its dossier.
#[utoipa::path(get, path = "/api/paas/deployments/{id}", tag = "Deployments", params(("id" = String, Path), Wait),
    responses((status = 200, description = "The deployment", body = Success<Deployment>)))]
async fn get(ctx: Ctx, Path(id): Path<String>, QueryParams(asked): QueryParams<Wait>) -> Answer<Deployment> {
    let id = named(&id, Thing::DEPLOYMENT)?;
    match waiting(asked.wait)? {
        Some(at_most) => ok(service::wait(&ctx, &id, at_most).await?),
        None => ok(service::get(&ctx, &id).await?),
    }
}

/// Which lines of a deployment's log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Lines {
    /// Only lines after this number.
    after: Option<String>,
    /// At most so many, 1 to 1000.
    limit: Option<u64>,
    /// Server-sent events that go on until the deployment is final; resumed by `Last-Event-ID`.
    #[serde(default)]
    follow: bool,
    /// As `after`, where a browser's page reconnects by itself.
    last_event_id: Option<String>,
}

/// The log of a deployment, as JSON or, with `follow=true`, as server-sent events.
#[utoipa::path(get, path = "/api/paas/deployments/{id}/logs", tag = "Deployments", params(("id" = String, Path), Lines),
    responses((status = 200, description = "Lines in order, or a stream of them", body = Success<Vec<LogLine>>)))]
async fn logs(ctx: Ctx, Path(id): Path<String>, QueryParams(asked): QueryParams<Lines>, headers: HeaderMap) -> Result<Response, Refusal> {
    let id = named(&id, Thing::DEPLOYMENT)?;
    let after = asked.last_event_id.as_deref().or(asked.after.as_deref());
    let after = match sse::last_seen(&headers, after) {
        Some(text) => {
            text.parse::<i64>().ok().filter(|n| *n >= 0).ok_or_else(|| Error::invalid("after", "The number of a line, from 0."))?
        }
        None => 0,
    };
    if asked.follow {
        return Ok(sse::stream(&ctx.panel, watch::events(&ctx, &id, after).await?));
    }
    let limit = asked.limit.unwrap_or(500);
    if !(1..=1000).contains(&limit) {
        return Err(Error::invalid("limit", "1 to 1000 lines.").into());
    }
    Ok(ok(service::log(&ctx, &id, after, limit).await?).into_response())
}

/// Deploys the release of this deployment again: its image, configuration and environment.
#[utoipa::path(post, path = "/api/paas/deployments/{id}/rollback", tag = "Deployments", params(("id" = String, Path), Wait),
    responses((status = 202, description = "The new deployment, to be followed", body = Success<Deployment>)))]
async fn rollback(ctx: Ctx, Path(id): Path<String>, QueryParams(asked): QueryParams<Wait>) -> Result<Response, Refusal> {
    let id = named(&id, Thing::DEPLOYMENT)?;
    may_wait_beside(&ctx, &id, asked.wait).await?;
    let made = service::rollback(&ctx, &id).await?;
    follow(&ctx, made, asked.wait).await
}

/// Ends a deployment; what visitors see stays as it is.
#[utoipa::path(post, path = "/api/paas/deployments/{id}/cancel", tag = "Deployments", params(("id" = String, Path), Wait),
    responses((status = 202, description = "The deployment, to be followed", body = Success<Deployment>)))]
async fn cancel(ctx: Ctx, Path(id): Path<String>, QueryParams(asked): QueryParams<Wait>) -> Result<Response, Refusal> {
    let id = named(&id, Thing::DEPLOYMENT)?;
    may_wait_beside(&ctx, &id, asked.wait).await?;
    let ended = service::cancel(&ctx, &id).await?;
    follow(&ctx, ended, asked.wait).await
}

/// Ends a canary well: all visitors get the new release now, whatever its numbers say.
#[utoipa::path(post, path = "/api/paas/deployments/{id}/promote", tag = "Deployments", params(("id" = String, Path), Wait),
    responses((status = 202, description = "The deployment, to be followed", body = Success<Deployment>)))]
async fn promote(ctx: Ctx, Path(id): Path<String>, QueryParams(asked): QueryParams<Wait>) -> Result<Response, Refusal> {
    let id = named(&id, Thing::DEPLOYMENT)?;
    may_wait_beside(&ctx, &id, asked.wait).await?;
    let decided = canaries::promote(&ctx, &id).await?;
    follow(&ctx, decided, asked.wait).await
}

/// Ends a canary at once: all visitors get the release before again, and the deployment fails.
#[utoipa::path(post, path = "/api/paas/deployments/{id}/rollback-now", tag = "Deployments", params(("id" = String, Path), Wait),
    responses((status = 202, description = "The deployment, to be followed", body = Success<Deployment>)))]
async fn rollback_now(ctx: Ctx, Path(id): Path<String>, QueryParams(asked): QueryParams<Wait>) -> Result<Response, Refusal> {
    let id = named(&id, Thing::DEPLOYMENT)?;
    may_wait_beside(&ctx, &id, asked.wait).await?;
    let decided = canaries::roll_back_now(&ctx, &id).await?;
    follow(&ctx, decided, asked.wait).await
}

/// How new releases of an application come before visitors.
#[utoipa::path(get, path = "/api/paas/applications/{id}/rollout", tag = "Deployments", params(("id" = String, Path)),
    responses((status = 200, description = "The strategy and the settings of canaries", body = Success<Rollout>)))]
async fn rollout(ctx: Ctx, Path(id): Path<String>) -> Answer<Rollout> {
    ok(canaries::rollout(&ctx, &named(&id, Thing::APPLICATION)?).await?)
}

/// Changes how new releases come before visitors, from the next deployment on. What is left out stays.
#[utoipa::path(put, path = "/api/paas/applications/{id}/rollout", tag = "Deployments", params(("id" = String, Path)),
    request_body = RolloutInput, responses((status = 200, description = "The strategy and the settings as they are now", body = Success<Rollout>)))]
async fn set_rollout(ctx: Ctx, Path(id): Path<String>, Input(input): Input<RolloutInput>) -> Answer<Rollout> {
    ok(canaries::set_rollout(&ctx, &named(&id, Thing::APPLICATION)?, &input).await?)
}
