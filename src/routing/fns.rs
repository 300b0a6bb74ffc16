//! The browser's door to routing.
use crate::{
    error::Error,
    id::{AppId, PathId},
    routing::model::{BalancingForm, HttpsForm, LimitsForm, MaintenanceForm, PathsPage, Routing},
};
use leptos::prelude::*;

/// What an application asks of the edge.
#[server]
pub async fn read_routing(id: AppId) -> Result<Routing, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::get(&ctx()?, &id).await
}

/// Whether visitors get the maintenance page.
#[server]
pub async fn read_maintenance(id: AppId) -> Result<bool, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::is_in_maintenance(&ctx()?, &id).await
}

/// The paths of an application.
#[server]
pub async fn read_paths(id: AppId) -> Result<PathsPage, Error> {
    use crate::routing::server::service::paths;
    use crate::web::ctx::ctx;
    paths::page(&ctx()?, &id).await
}

/// Puts the maintenance page up.
#[server]
pub async fn begin_maintenance(id: AppId) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::maintain(&ctx()?, &id, true).await?;
    crate::kit::side::remember(crate::routing::flashes::MAINTENANCE_BEGUN);
    Ok(())
}

/// Takes the maintenance page down.
#[server]
pub async fn end_maintenance(id: AppId) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::maintain(&ctx()?, &id, false).await?;
    crate::kit::side::remember(crate::routing::flashes::MAINTENANCE_ENDED);
    Ok(())
}

/// Changes what the maintenance page says and who passes it.
#[server]
pub async fn save_maintenance(id: AppId, version: i64, #[server(flatten)] form: MaintenanceForm) -> Result<(), Error> {
    use super::server::{forms, service};
    use crate::web::ctx::ctx;
    service::update(&ctx()?, &id, &forms::maintenance(&form)?, Some(version)).await.map_err(forms::typed)?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}

/// Changes HTTPS and HSTS.
#[server]
pub async fn save_https(id: AppId, version: i64, #[server(flatten)] form: HttpsForm) -> Result<(), Error> {
    use super::server::{forms, service};
    use crate::web::ctx::ctx;
    service::update(&ctx()?, &id, &forms::https(&form)?, Some(version)).await.map_err(forms::typed)?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}

/// Adds a name and a password, or another password for a name.
#[server]
pub async fn set_login(id: AppId, #[server(default)] username: String, #[server(default)] password: String) -> Result<(), Error> {
    use super::server::{forms, service};
    use crate::web::ctx::ctx;
    service::set_login(&ctx()?, &id, &username, &password).await.map_err(forms::typed)?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}

/// Removes a name.
#[server]
pub async fn remove_login(id: AppId, username: String) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::remove_login(&ctx()?, &id, &username).await?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}

/// Changes what passes without a name and a password.
#[server]
pub async fn save_login_exceptions(
    id: AppId,
    version: i64,
    #[server(default)] preflights: Option<String>,
    #[server(default)] bearer_tokens: Option<String>,
) -> Result<(), Error> {
    use super::server::{forms, service};
    use crate::web::ctx::ctx;
    let form = forms::login_exceptions(preflights.is_some(), bearer_tokens.is_some());
    service::update(&ctx()?, &id, &form, Some(version)).await.map_err(forms::typed)?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}

/// Sets a header of requests or answers, or says that it is removed.
#[server]
pub async fn set_header(
    id: AppId,
    #[server(default)] direction: String,
    #[server(default)] name: String,
    #[server(default)] value: String,
    #[server(default)] take_away: Option<String>,
) -> Result<(), Error> {
    use super::server::{forms, service};
    use crate::web::ctx::ctx;
    let direction = direction.parse().map_err(|why: String| Error::invalid("direction", why))?;
    let value = take_away.is_none().then_some(value.as_str());
    service::set_header(&ctx()?, &id, direction, &name, value).await.map_err(forms::typed)?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}

/// Takes a rule for a header away.
#[server]
pub async fn remove_header(id: AppId, #[server(default)] direction: String, #[server(default)] name: String) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    let direction = direction.parse().map_err(|why: String| Error::invalid("direction", why))?;
    service::remove_header(&ctx()?, &id, direction, &name).await?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}

/// Changes what a request and a client may take.
#[server]
pub async fn save_limits(id: AppId, version: i64, #[server(flatten)] form: LimitsForm) -> Result<(), Error> {
    use super::server::{forms, service};
    use crate::web::ctx::ctx;
    service::update(&ctx()?, &id, &forms::limits(&form)?, Some(version)).await.map_err(forms::typed)?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}

/// Sets the page for a status.
#[server]
pub async fn set_error_page(id: AppId, #[server(default)] status: String, #[server(default)] page: String) -> Result<(), Error> {
    use super::server::{forms, service};
    use crate::web::ctx::ctx;
    if page.trim().is_empty() {
        return Err(Error::invalid("page", "Give the page’s HTML. To have the platform’s page again, remove yours."));
    }
    service::update(&ctx()?, &id, &forms::error_page(&status, Some(page)), None).await.map_err(forms::typed)?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    leptos_axum::redirect(&format!("/applications/{id}/routing/pages"));
    Ok(())
}

/// Removes the page for a status.
#[server]
pub async fn remove_error_page(id: AppId, #[server(default)] status: String) -> Result<(), Error> {
    use super::server::{forms, service};
    use crate::web::ctx::ctx;
    service::update(&ctx()?, &id, &forms::error_page(&status, None), None).await.map_err(forms::typed)?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}

/// Changes how requests are spread over replicas.
#[server]
pub async fn save_balancing(id: AppId, version: i64, #[server(flatten)] form: BalancingForm) -> Result<(), Error> {
    use super::server::{forms, service};
    use crate::web::ctx::ctx;
    service::update(&ctx()?, &id, &forms::balancing(&form)?, Some(version)).await.map_err(forms::typed)?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}

/// Changes the share of requests that is logged.
#[server]
pub async fn save_access_log(id: AppId, version: i64, #[server(default)] percent: String) -> Result<(), Error> {
    use super::server::{forms, service};
    use crate::web::ctx::ctx;
    service::update(&ctx()?, &id, &forms::access_log(&percent)?, Some(version)).await.map_err(forms::typed)?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}

/// Gives an application a path under a host.
#[server]
pub async fn add_path(
    id: AppId,
    #[server(default)] host: String,
    #[server(default)] path: String,
    #[server(default)] strip_path: Option<String>,
) -> Result<(), Error> {
    use super::model::CreatePath;
    use crate::routing::server::service::paths;
    use crate::web::ctx::ctx;
    let form = CreatePath { host: Some(host), path, strip_path: strip_path.is_some() };
    paths::add(&ctx()?, &id, &form).await?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}

/// Takes a path away from an application.
#[server]
pub async fn remove_path(id: AppId, path_id: PathId) -> Result<(), Error> {
    use crate::routing::server::service::paths;
    use crate::web::ctx::ctx;
    paths::remove(&ctx()?, &id, &path_id).await?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}
