//! The browser's door to applications.
use crate::{
    apps::model::{AppState, Application, EnvVar},
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

/// The fields of the form that creates an application, as they are typed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateForm {
    pub name: String,
    /// `git` or `image`.
    pub source: String,
    pub repository_url: String,
    pub branch: String,
    pub dockerfile_path: String,
    pub build_context_path: String,
    pub reference: String,
    pub port: String,
    pub start_command: String,
    pub health_check_path: String,
    pub replicas: String,
    pub memory_mib: String,
    pub cpu: String,
    /// `KEY=value` lines.
    pub environment: String,
    /// Whether to deploy at once.
    pub deploy: Option<String>,
}

/// What a look at a repository found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryCheck {
    pub branches: Vec<String>,
    pub default_branch: Option<String>,
    /// The newest commit of the branch, shortened.
    pub head: String,
    /// A name for the application.
    pub name: String,
}

/// What a look at a repository came to. That it can't be read is an answer, too: the form says so while it is still being filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RepositoryLook {
    Found(RepositoryCheck),
    /// One sentence that tells the remedy.
    Refused(String),
}

/// One line of an application's log, for the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    pub replica: String,
    pub slot: u32,
    pub at: crate::units::Timestamp,
    pub is_error: bool,
    pub text: String,
    pub nanos: String,
}

/// The last lines, where to go on, and the replicas whose machines are away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    pub lines: Vec<LogEntry>,
    pub cursor: String,
    pub away: Vec<String>,
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
    crate::kit::side::remember(crate::kit::Flash::SCALED);
    Ok(())
}

/// Stops all replicas.
#[server]
pub async fn stop_application(id: AppId) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::stop(&ctx()?, &id).await?;
    crate::kit::side::remember(crate::kit::Flash::STOPPED);
    Ok(())
}

/// Starts the live release again.
#[server]
pub async fn start_application(id: AppId) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::start(&ctx()?, &id).await?;
    crate::kit::side::remember(crate::kit::Flash::STARTED);
    Ok(())
}

/// Deletes an application for good.
#[server]
pub async fn delete_application(id: AppId, confirm: String) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::delete(&ctx()?, &id, Some(&confirm)).await?;
    crate::kit::side::remember(crate::kit::Flash::DELETED);
    leptos_axum::redirect("/applications");
    Ok(())
}

/// Sets one variable.
#[server]
pub async fn set_variable(id: AppId, name: String, value: Option<String>, secret: Option<String>) -> Result<(), Error> {
    use super::server::{forms, service};
    use crate::web::ctx::ctx;
    service::patch_environment(&ctx()?, &id, &forms::variable(&name, value, secret.is_some())).await.map_err(forms::beside_the_fields)?;
    crate::kit::side::remember(crate::kit::Flash::VARIABLES);
    Ok(())
}

/// Removes one variable.
#[server]
pub async fn remove_variable(id: AppId, name: String) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::patch_environment(&ctx()?, &id, &[(name, None)].into()).await?;
    crate::kit::side::remember(crate::kit::Flash::VARIABLES);
    Ok(())
}

/// Sets many variables from `KEY=value` lines.
#[server]
pub async fn import_variables(id: AppId, environment: String) -> Result<(), Error> {
    use super::server::{forms, service};
    use crate::web::ctx::ctx;
    service::patch_environment(&ctx()?, &id, &forms::lines(&environment)?).await.map_err(forms::beside_the_lines)?;
    crate::kit::side::remember(crate::kit::Flash::VARIABLES);
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
