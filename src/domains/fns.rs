//! The browser's door to domains.
use crate::{
    domains::model::{Domain, OwnCertificate},
    error::Error,
    id::{AppId, DomainId},
};
use leptos::prelude::*;

/// Claims a domain for an application and shows what to do next.
#[server]
pub async fn add_domain(
    id: AppId,
    #[server(default)] domain: String,
    #[server(default)] validation_method: String,
    #[server(default)] with_counterpart: Option<String>,
    #[server(default)] primary_domain: Option<String>,
) -> Result<(), Error> {
    use super::{model::CreateDomain, server::service};
    use crate::web::ctx::ctx;
    let form = CreateDomain {
        application_id: id.to_string(),
        domain,
        validation_method: Some(validation_method).filter(|text| !text.is_empty()),
        primary_domain: primary_domain.is_some(),
        with_counterpart: with_counterpart.is_some(),
    };
    let made = service::add(&ctx()?, &form).await?;
    leptos_axum::redirect(&format!("/domains/{}", made.id));
    Ok(())
}

/// Looks at a domain now.
#[server]
pub async fn verify_domain(id: DomainId) -> Result<(), Error> {
    use super::server::service;
    use crate::{kit::side, web::ctx::ctx};
    service::verify(&ctx()?, &id).await?;
    side::remember(crate::domains::flashes::DOMAIN_CHECKED);
    Ok(())
}

/// Changes what a domain does: `serve` the application, be its `primary` domain, or `redirect` there.
#[server]
pub async fn change_domain(
    id: DomainId,
    #[server(default)] role: String,
    #[server(default)] validation_method: String,
) -> Result<(), Error> {
    use super::{model::UpdateDomain, server::service};
    use crate::{
        kit::{Flash, side},
        web::ctx::ctx,
    };
    let (primary, redirect) = match role.as_str() {
        "primary" => (Some(true), Some(false)),
        "redirect" => (Some(false), Some(true)),
        "serve" => (Some(false), Some(false)),
        "" => (None, None),
        _ => return Err(Error::invalid("role", "A domain serves, is the primary one, or redirects to it.")),
    };
    let form = UpdateDomain {
        validation_method: Some(validation_method).filter(|text| !text.is_empty()),
        primary_domain: primary,
        redirect_to_primary: redirect,
        application_id: None,
    };
    service::update(&ctx()?, &id, &form).await?;
    side::remember(Flash::SAVED);
    Ok(())
}

/// Removes a domain, once its name was typed.
#[server]
pub async fn remove_domain(id: DomainId, #[server(default)] confirm: String) -> Result<(), Error> {
    use super::server::service;
    use crate::{kit::side, web::ctx::ctx};
    let app = service::remove(&ctx()?, &id, Some(&confirm)).await?;
    side::remember(crate::domains::flashes::DOMAIN_REMOVED);
    leptos_axum::redirect(&format!("/applications/{app}/domains"));
    Ok(())
}

/// Orders a certificate now.
#[server]
pub async fn order_certificate(id: DomainId) -> Result<(), Error> {
    use super::{model::ChangeCertificate, server::service};
    use crate::{kit::side, web::ctx::ctx};
    service::certify(&ctx()?, &id, &ChangeCertificate { force_renew: true, ..Default::default() }).await?;
    side::remember(crate::domains::flashes::CERTIFICATE_ORDERED);
    Ok(())
}

/// Takes a customer's own certificate.
#[server]
pub async fn upload_certificate(
    id: DomainId,
    #[server(default)] certificate_chain: String,
    #[server(default)] private_key: String,
) -> Result<(), Error> {
    use super::{model::ChangeCertificate, server::service};
    use crate::{
        kit::{Flash, side},
        web::ctx::ctx,
    };
    let form = ChangeCertificate { certificate_chain: Some(certificate_chain), private_key: Some(private_key), ..Default::default() };
    service::certify(&ctx()?, &id, &form).await?;
    side::remember(Flash::SAVED);
    Ok(())
}

/// Removes a certificate.
#[server]
pub async fn remove_certificate(id: DomainId) -> Result<(), Error> {
    use super::server::service;
    use crate::{
        kit::{Flash, side},
        web::ctx::ctx,
    };
    service::uncertify(&ctx()?, &id).await?;
    side::remember(Flash::SAVED);
    Ok(())
}

/// A page of the organization's domains, and how many pages there are.
#[server]
pub async fn read_domains(#[server(default)] search: Option<String>, page: u64) -> Result<(Vec<Domain>, u64), Error> {
    use super::server::service;
    use crate::web::{api::Paging, ctx::ctx};
    let (all, at) = service::list(&ctx()?, search.as_deref(), Paging::parse(Some(page), Some(50))?).await?;
    Ok((all, at.total_pages))
}

/// A page of an application's domains, and how many pages there are.
#[server]
pub async fn read_domains_of(id: AppId, page: u64) -> Result<(Vec<Domain>, u64), Error> {
    use super::server::service;
    use crate::web::{api::Paging, ctx::ctx};
    let (all, at) = service::of_application(&ctx()?, &id, Paging::parse(Some(page), Some(50))?).await?;
    Ok((all, at.total_pages))
}

/// A page of the platform's own certificates, and how many pages there are.
#[server]
pub async fn read_own_certificates(page: u64) -> Result<(Vec<OwnCertificate>, u64), Error> {
    use super::server::service;
    use crate::web::{api::Paging, ctx::ctx};
    let (all, at) = service::own_certificates(&ctx()?.operator()?, Paging::parse(Some(page), Some(50))?).await?;
    Ok((all, at.total_pages))
}

/// One domain.
#[server]
pub async fn read_domain(id: DomainId) -> Result<Domain, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::get(&ctx()?, &id).await
}
