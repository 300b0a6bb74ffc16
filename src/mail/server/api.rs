//! The API's door to mail: the operator's, and the provider's webhook.
use crate::web::{declared::Declare, rate_limits::Class};
use crate::{
    error::Result,
    mail::{
        model::{MailOverview, MailStatus, Message, MessageDetail, Suppression, TemplatePreview},
        server::{
            hook::{self, HookEvents, HookResult},
            service,
        },
    },
    web::{
        api::{Answer, Done, Input, List, Paging, QueryParams, Refusal, Success, accepted, created, ok},
        ctx::{Operator, Visitor},
    },
};
use axum::{Json, extract::Path, http::HeaderMap, response::Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of mail.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(figures))
        .routes(routes!(suppressions, suppress).limit(Class::Usual))
        .routes(routes!(lift).limit(Class::Usual))
        .routes(routes!(preview))
        .routes(routes!(test).limit(Class::Mail))
        .routes(routes!(get))
        .routes(routes!(retry).limit(Class::Usual))
        .routes(routes!(cancel).limit(Class::Usual))
        .routes(routes!(webhook).limit(Class::Usual))
}

/// Which messages.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    page: Option<u64>,
    limit: Option<u64>,
    /// `queued`, `sent`, `bounced` …
    status: Option<String>,
    /// `invitation`, `reset_password` …
    template: Option<String>,
    /// A whole address, or a message's id.
    search: Option<String>,
}

/// Messages, the newest first. For operators.
#[utoipa::path(get, path = "/api/admin/mail", tag = "Mail", params(Which),
    responses((status = 200, description = "A page of messages", body = List<Message>)))]
async fn list(ctx: Operator, QueryParams(asked): QueryParams<Which>) -> Result<Json<List<Message>>, Refusal> {
    let paging = Paging::parse(asked.page, asked.limit)?;
    let status = asked.status.as_deref().filter(|text| !text.is_empty()).map(MailStatus::parse).transpose()?;
    let filter = service::Filter { status, template: asked.template, search: asked.search };
    let (data, pagination) = service::list(&ctx, &filter, paging).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// How mail is doing. For operators.
#[utoipa::path(get, path = "/api/admin/mail/figures", tag = "Mail",
    responses((status = 200, description = "The queue, and what happened in a day and in seven", body = Success<MailOverview>)))]
async fn figures(ctx: Operator) -> Answer<MailOverview> {
    ok(service::overview(&ctx).await?)
}

/// One message with what happened to it. For operators.
#[utoipa::path(get, path = "/api/admin/mail/messages/{id}", tag = "Mail", params(("id" = String, Path)),
    responses((status = 200, description = "The message", body = Success<MessageDetail>)))]
async fn get(ctx: Operator, Path(id): Path<String>) -> Answer<MessageDetail> {
    ok(service::get(&ctx, &service::mail_id(&id)?).await?)
}

/// Sends a message that was not delivered once more. For operators.
#[utoipa::path(post, path = "/api/admin/mail/messages/{id}/retry", tag = "Mail", params(("id" = String, Path)),
    responses((status = 200, description = "The message", body = Success<MessageDetail>)))]
async fn retry(ctx: Operator, Path(id): Path<String>) -> Answer<MessageDetail> {
    ok(service::retry(&ctx, &service::mail_id(&id)?).await?)
}

/// Ends a message that waits. For operators.
#[utoipa::path(post, path = "/api/admin/mail/messages/{id}/cancel", tag = "Mail", params(("id" = String, Path)),
    responses((status = 200, description = "The message", body = Success<MessageDetail>)))]
async fn cancel(ctx: Operator, Path(id): Path<String>) -> Answer<MessageDetail> {
    ok(service::cancel(&ctx, &service::mail_id(&id)?).await?)
}

/// Which addresses.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WhichAddresses {
    page: Option<u64>,
    limit: Option<u64>,
    /// A part of the address.
    search: Option<String>,
}

/// Addresses that get no mail any more. For operators.
#[utoipa::path(get, path = "/api/admin/mail/suppressions", tag = "Mail", params(WhichAddresses),
    responses((status = 200, description = "A page of addresses", body = List<Suppression>)))]
async fn suppressions(ctx: Operator, QueryParams(asked): QueryParams<WhichAddresses>) -> Result<Json<List<Suppression>>, Refusal> {
    let paging = Paging::parse(asked.page, asked.limit)?;
    let (data, pagination) = service::suppressions(&ctx, asked.search.as_deref(), paging).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// An address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "address": "gone@example.org" }))]
struct Suppress {
    address: String,
}

/// Lets an address get no mail any more. For operators.
#[utoipa::path(post, path = "/api/admin/mail/suppressions", tag = "Mail", request_body = Suppress,
    responses((status = 201, description = "The address", body = Success<Suppression>)))]
async fn suppress(ctx: Operator, Input(form): Input<Suppress>) -> Result<Response, Refusal> {
    let made = service::suppress_address(&ctx, &form.address).await?;
    created("/api/admin/mail/suppressions", made)
}

/// Lets an address get mail again. For operators.
#[utoipa::path(delete, path = "/api/admin/mail/suppressions/{address}", tag = "Mail", params(("address" = String, Path)),
    responses((status = 200, description = "It gets mail again", body = Success<Done>)))]
async fn lift(ctx: Operator, Path(address): Path<String>) -> Answer<Done> {
    service::lift(&ctx, &address).await?;
    ok(Done)
}

/// How a kind of message looks, with made-up content. For operators.
#[utoipa::path(get, path = "/api/admin/mail/templates/{kind}", tag = "Mail", params(("kind" = String, Path)),
    responses((status = 200, description = "Its subject and both forms", body = Success<TemplatePreview>)))]
async fn preview(ctx: Operator, Path(kind): Path<String>) -> Answer<TemplatePreview> {
    ok(service::preview(&ctx, &kind)?)
}

/// A kind of message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "template": "test" }))]
struct Test {
    /// `test` where it is left out.
    template: Option<String>,
}

/// Sends a message with made-up content to whoever asks. For operators.
#[utoipa::path(post, path = "/api/admin/mail/test", tag = "Mail", request_body = Test,
    responses((status = 202, description = "The message, which waits to be sent", body = Success<MessageDetail>)))]
async fn test(ctx: Operator, Input(form): Input<Test>) -> Result<Response, Refusal> {
    let made = service::send_test(&ctx, form.template.as_deref().unwrap_or("test")).await?;
    accepted(&format!("/api/admin/mail/messages/{}", made.message.id), made)
}

/// What a mail provider tells about messages. There is one where `mail.webhook_secret_file` is set; its secret stands in `X-Webhook-Secret`.
#[utoipa::path(post, path = "/api/hooks/mail", tag = "Mail", request_body = HookEvents, security(()),
    params(("X-Webhook-Secret" = Option<String>, Header, description = "The webhook's secret")),
    responses((status = 200, description = "How many events were news", body = Success<HookResult>)))]
async fn webhook(visitor: Visitor, headers: HeaderMap, request: axum::extract::Request) -> Answer<HookResult> {
    // Before the body is read: a stranger gets no further.
    hook::admit(&visitor.panel, headers.get("x-webhook-secret").and_then(|value| value.to_str().ok()))?;
    let Input(events) = <Input<HookEvents> as axum::extract::FromRequest<()>>::from_request(request, &()).await?;
    ok(hook::take(&visitor.panel, &events).await?)
}
