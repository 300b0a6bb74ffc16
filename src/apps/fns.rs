//! The browser's door to applications.
use crate::{
    apps::model::{AppState, Application, CreateForm, EnvVar, LogPage, RepositoryLook},
    error::{Error, Result},
    id::AppId,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// A page of applications.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Applications {
    pub applications: Vec<Application>,
    pub page: u64,
    pub pages: u64,
    pub total: u64,
}

/// The organization's applications.
#[server]
pub async fn read_applications(search: Option<String>, status: Option<String>, page: Option<u64>) -> Result<Applications, Error> {
    use super::server::{forms, service};
    use crate::web::{api::Paging, ctx::ctx};
    let filter = service::Filter { search, status: forms::status(status.as_deref())?, ..Default::default() };
    let (applications, at) = service::list(&ctx()?, &filter, Paging::parse(page, Some(50))?).await?;
    Ok(Applications { applications, page: at.page, pages: at.total_pages, total: at.total })
}

/// One application.
#[server]
pub async fn read_application(id: AppId) -> Result<Application, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::get(&ctx()?, &id).await
}

/// An application with its replicas.
#[server]
pub async fn read_state(id: AppId) -> Result<AppState, Error> {
    use super::server::watch;
    use crate::web::ctx::ctx;
    watch::state(&ctx()?, &id).await
}

/// The variables of an application; secrets without their values.
#[server]
pub async fn read_environment(id: AppId) -> Result<Vec<EnvVar>, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::environment(&ctx()?, &id).await
}

/// Looks at a repository, to tell before anything is made whether it can be read.
#[server(input = leptos::server_fn::codec::GetUrl)]
pub async fn check_repository(repository_url: String, branch: Option<String>) -> Result<RepositoryLook, Error> {
    use super::server::forms;
    use crate::web::ctx::ctx;
    match forms::check_repository(&ctx()?, &repository_url, branch.as_deref()).await {
        Ok(found) => Ok(RepositoryLook::Found(found)),
        Err(why @ Error::Invalid(_)) => Ok(RepositoryLook::Refused(why.to_string())),
        Err(why) => Err(why),
    }
}

/// Changes the settings.
#[server]
pub async fn update_application(id: AppId, version: i64, #[server(flatten)] form: CreateForm) -> Result<(), Error> {
    use super::server::{forms, service};
    use crate::web::ctx::ctx;
    service::update(&ctx()?, &id, &forms::change(&form)?, Some(version)).await?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}

/// Asks for so many replicas.
#[server]
pub async fn scale_application(id: AppId, replicas: String) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    let to = replicas.parse().map_err(|why: String| Error::invalid("replicas", why))?;
    service::scale(&ctx()?, &id, to).await?;
    crate::kit::side::remember(crate::apps::flashes::SCALED);
    Ok(())
}

/// Stops all replicas.
#[server]
pub async fn stop_application(id: AppId) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::stop(&ctx()?, &id).await?;
    crate::kit::side::remember(crate::apps::flashes::STOPPED);
    Ok(())
}

/// Starts the live release again.
#[server]
pub async fn start_application(id: AppId) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::start(&ctx()?, &id).await?;
    crate::kit::side::remember(crate::apps::flashes::STARTED);
    Ok(())
}

/// Deletes an application for good.
#[server]
pub async fn delete_application(id: AppId, confirm: String) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::delete(&ctx()?, &id, Some(&confirm)).await?;
    crate::kit::side::remember(crate::apps::flashes::DELETED);
    leptos_axum::redirect("/applications");
    Ok(())
}

/// Sets one variable.
#[server]
pub async fn set_variable(id: AppId, name: String, value: Option<String>, secret: Option<String>) -> Result<(), Error> {
    use super::server::{forms, service};
    use crate::web::ctx::ctx;
    service::patch_environment(&ctx()?, &id, &forms::variable(&name, value, secret.is_some())).await.map_err(forms::beside_the_fields)?;
    crate::kit::side::remember(crate::apps::flashes::VARIABLES_SAVED);
    Ok(())
}

/// Removes one variable.
#[server]
pub async fn remove_variable(id: AppId, name: String) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::patch_environment(&ctx()?, &id, &[(name, None)].into()).await?;
    crate::kit::side::remember(crate::apps::flashes::VARIABLES_SAVED);
    Ok(())
}

/// Sets many variables from `KEY=value` lines.
#[server]
pub async fn import_variables(id: AppId, environment: String) -> Result<(), Error> {
    use super::server::{forms, service};
    use crate::web::ctx::ctx;
    service::patch_environment(&ctx()?, &id, &forms::lines(&environment)?).await.map_err(forms::beside_the_lines)?;
    crate::kit::side::remember(crate::apps::flashes::VARIABLES_SAVED);
    Ok(())
}

/// The last lines of all replicas.
#[server]
pub async fn read_application_logs(id: AppId, search: Option<String>, replica: Option<String>) -> Result<LogPage, Error> {
    use super::server::{forms, logs};
    use crate::{rights::Action, web::ctx::ctx};
    let ctx = ctx()?;
    let app = ctx.app(&id).to(Action::View).await?;
    let query = logs::Query { search, replica, limit: 200, ..Default::default() };
    logs::tail(&ctx, &app, &query).await.map(forms::log_page)
}
