//! The API's door to domains.
use crate::web::{declared::Declare, rate_limits::Class};
use crate::{
    domains::{
        model::{ChangeCertificate, CreateDomain, Domain, OwnCertificate, UpdateDomain},
        server::service,
    },
    error::{Result, Thing},
    id::DomainId,
    web::{
        api::{Answer, Done, Input, List, Paging, QueryParams, Refusal, Success, accepted, created, named, ok},
        ctx::{Ctx, Operator},
    },
};
use axum::{Json, extract::Path, response::Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of domains.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(create, list).limit(Class::Usual))
        .routes(routes!(list_of_application))
        .routes(routes!(get, update, delete).limit(Class::Usual))
        .routes(routes!(verify).limit(Class::Usual))
        .routes(routes!(certify, uncertify).limit(Class::Usual))
        .routes(routes!(own_certificates))
}

fn domain_id(text: &str) -> Result<DomainId> {
    named(text, Thing::DOMAIN)
}

/// Claims a domain for an application; answers with the exact records that prove it and lead visitors here.
#[utoipa::path(post, path = "/api/paas/domains", tag = "Domains", request_body = CreateDomain,
    responses((status = 201, description = "The domain, with the records to set", body = Success<Domain>)))]
async fn create(ctx: Ctx, Input(form): Input<CreateDomain>) -> Result<Response, Refusal> {
    let made = service::add(&ctx, &form).await?;
    created(&format!("/api/paas/domains/{}", made.id), made)
}

/// Which domains.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    page: Option<u64>,
    limit: Option<u64>,
    /// A part of the name.
    search: Option<String>,
}

/// The organization's domains.
#[utoipa::path(get, path = "/api/paas/domains", tag = "Domains", params(Which),
    responses((status = 200, description = "A page of domains", body = List<Domain>)))]
async fn list(ctx: Ctx, QueryParams(asked): QueryParams<Which>) -> Result<Json<List<Domain>>, Refusal> {
    let paging = Paging::parse(asked.page, asked.limit)?;
    let (data, pagination) = service::list(&ctx, asked.search.as_deref(), paging).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Page {
    page: Option<u64>,
    limit: Option<u64>,
}

/// The domains of an application.
#[utoipa::path(get, path = "/api/paas/applications/{id}/domains", tag = "Domains", params(("id" = String, Path), Page),
    responses((status = 200, description = "A page of domains", body = List<Domain>)))]
async fn list_of_application(
    ctx: Ctx,
    Path(id): Path<String>,
    QueryParams(asked): QueryParams<Page>,
) -> Result<Json<List<Domain>>, Refusal> {
    let paging = Paging::parse(asked.page, asked.limit)?;
    let (data, pagination) = service::of_application(&ctx, &named(&id, Thing::APPLICATION)?, paging).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// Certificates of the panel's address and of applications' own names, those with a problem first. For operators.
#[utoipa::path(get, path = "/api/admin/certificates", tag = "Domains", params(Page),
    responses((status = 200, description = "A page of certificates", body = List<OwnCertificate>)))]
async fn own_certificates(ctx: Operator, QueryParams(asked): QueryParams<Page>) -> Result<Json<List<OwnCertificate>>, Refusal> {
    let paging = Paging::parse(asked.page, asked.limit)?;
    let (data, pagination) = service::own_certificates(&ctx, paging).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// One domain: its records, what was found when it was looked at last, and its certificate.
#[utoipa::path(get, path = "/api/paas/domains/{id}", tag = "Domains", params(("id" = String, Path)),
    responses((status = 200, description = "The domain", body = Success<Domain>)))]
async fn get(ctx: Ctx, Path(id): Path<String>) -> Answer<Domain> {
    ok(service::get(&ctx, &domain_id(&id)?).await?)
}

/// Changes which application it leads to, whether it is the primary one or redirects there, and how it is validated.
#[utoipa::path(put, path = "/api/paas/domains/{id}", tag = "Domains", params(("id" = String, Path)), request_body = UpdateDomain,
    responses((status = 200, description = "The domain", body = Success<Domain>)))]
async fn update(ctx: Ctx, Path(id): Path<String>, Input(form): Input<UpdateDomain>) -> Answer<Domain> {
    ok(service::update(&ctx, &domain_id(&id)?, &form).await?)
}

/// Removes a domain and its certificate.
#[utoipa::path(delete, path = "/api/paas/domains/{id}", tag = "Domains", params(("id" = String, Path)),
    responses((status = 200, description = "It is removed", body = Success<Done>)))]
async fn delete(ctx: Ctx, Path(id): Path<String>) -> Answer<Done> {
    service::remove(&ctx, &domain_id(&id)?, None).await?;
    ok(Done)
}

/// Looks at a domain now: ownership, address, certificate authority, reachability.
#[utoipa::path(post, path = "/api/paas/domains/{id}/verify", tag = "Domains", params(("id" = String, Path)),
    responses((status = 200, description = "The domain, with what was found", body = Success<Domain>)))]
async fn verify(ctx: Ctx, Path(id): Path<String>) -> Answer<Domain> {
    ok(service::verify(&ctx, &domain_id(&id)?).await?)
}

/// Orders a certificate, again with `force_renew`, by another method with `method`; or takes one of your own.
#[utoipa::path(post, path = "/api/paas/domains/{id}/ssl", tag = "Domains", params(("id" = String, Path)), request_body = ChangeCertificate,
    responses((status = 202, description = "The domain; its certificate can be followed there", body = Success<Domain>)))]
async fn certify(ctx: Ctx, Path(id): Path<String>, Input(form): Input<ChangeCertificate>) -> Result<Response, Refusal> {
    let domain = service::certify(&ctx, &domain_id(&id)?, &form).await?;
    accepted(&format!("/api/paas/domains/{}", domain.id), domain)
}

/// Removes a domain's certificate.
#[utoipa::path(delete, path = "/api/paas/domains/{id}/ssl", tag = "Domains", params(("id" = String, Path)),
    responses((status = 200, description = "The domain", body = Success<Domain>)))]
async fn uncertify(ctx: Ctx, Path(id): Path<String>) -> Answer<Domain> {
    ok(service::uncertify(&ctx, &domain_id(&id)?).await?)
}
