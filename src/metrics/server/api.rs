//! The API's door to numbers.
use crate::web::declared::Declare;
use crate::{
    error::{Result, Thing},
    id::AppId,
    metrics::{
        model::{AccessLine, Metrics, PlatformTraffic},
        server::{
            access, prometheus,
            query::{self, LinesQuery, MetricsQuery},
            service::{self, Span},
            watch,
        },
    },
    web::{
        api::{Answer, QueryParams, Refusal, Success, named, ok},
        ctx::{Ctx, Operator},
        sse,
    },
};
use axum::{
    extract::Path,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of numbers.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(metrics).streams())
        .routes(routes!(access_log).streams())
        .routes(routes!(traffic))
        .routes(routes!(exposition))
}

fn app_id(text: &str) -> Result<AppId> {
    named(text, Thing::APPLICATION)
}

/// What an application was asked and how that went: requests by status class, latency, bytes, retried and held requests, in points of time.
#[utoipa::path(get, path = "/api/paas/applications/{id}/metrics", tag = "Metrics", params(("id" = String, Path), MetricsQuery),
    responses((status = 200, description = "The numbers. A point without numbers is one that no edge told of", body = Success<Metrics>)))]
async fn metrics(ctx: Ctx, Path(id): Path<String>, QueryParams(asked): QueryParams<MetricsQuery>) -> Result<Response, Refusal> {
    let id = app_id(&id)?;
    let span = Span::parse(&asked, ctx.panel.now())?;
    if asked.follow {
        return Ok(sse::stream(&ctx.panel, watch::events(&ctx, &id).await?));
    }
    Ok(ok(service::metrics(&ctx, &id, &span).await?).into_response())
}

/// The newest lines of an application's access log, as JSON or, with `follow=true`, as server-sent events. It holds a sample of the
/// requests, as the application's settings say, for at most a week.
#[utoipa::path(get, path = "/api/paas/applications/{id}/access-log", tag = "Metrics", params(("id" = String, Path), LinesQuery),
    responses((status = 200, description = "Lines, the oldest first, or a stream of them", body = Success<Vec<AccessLine>>)))]
async fn access_log(
    ctx: Ctx,
    Path(id): Path<String>,
    QueryParams(lines): QueryParams<LinesQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let id = app_id(&id)?;
    let (filter, limit) = lines.parse()?;
    if lines.follow {
        let after = sse::last_seen(&headers, lines.last_event_id.as_deref()).map(|text| query::cursor(&text)).transpose()?;
        return Ok(sse::stream(&ctx.panel, access::follow(&ctx, &id, filter, limit, after).await?));
    }
    Ok(ok(access::newest(&ctx, &id, &filter, limit).await?.0).into_response())
}

/// What all edges were asked, for operators.
#[utoipa::path(get, path = "/api/admin/traffic", tag = "Admin",
    responses((status = 200, description = "Each edge lately, and the last day", body = Success<PlatformTraffic>)))]
async fn traffic(ctx: Operator) -> Answer<PlatformTraffic> {
    ok(service::platform(&ctx).await?)
}

/// What this process counts, in Prometheus's text form, for operators. A scraper without a session takes `/metrics`.
#[utoipa::path(get, path = "/api/admin/metrics", tag = "Admin",
    responses((status = 200, description = "Prometheus's text form, version 0.0.4", body = String, content_type = "text/plain")))]
async fn exposition(ctx: Operator) -> Result<Response, Refusal> {
    Ok(prometheus::answer(&ctx.panel))
}
