//! The browser's door to deployments.
use crate::{
    apps::fns::CreateForm,
    deployments::model::{Deployment, LogLine},
    error::{Error, Result},
    id::{AppId, DeploymentId},
};
use leptos::prelude::*;

/// Makes an application and, where the form asks for it, deploys it: shows the deployment, or the application.
#[server]
pub async fn create_application(#[server(flatten)] form: CreateForm) -> Result<(), Error> {
    use super::{model::DeployRequest, server::service};
    use crate::{
        apps::server::{forms, service as apps},
        kit::{Flash, side},
        platform::ctx::ctx,
    };
    let ctx = ctx()?;
    let made = apps::create(&ctx, &forms::creation(&form)?).await?;
    if form.deploy.is_none() {
        side::remember(Flash::CREATED);
        leptos_axum::redirect(&format!("/applications/{}", made.id));
        return Ok(());
    }
    let deployment = service::deploy(&ctx, &made.id, &DeployRequest::default()).await?;
    leptos_axum::redirect(&format!("/deployments/{}", deployment.id));
    Ok(())
}

/// Deploys the source as it is now and shows the deployment.
#[server]
pub async fn deploy_application(id: AppId) -> Result<(), Error> {
    use super::{model::DeployRequest, server::service};
    use crate::platform::ctx::ctx;
    let made = service::deploy(&ctx()?, &id, &DeployRequest::default()).await?;
    leptos_axum::redirect(&format!("/deployments/{}", made.id));
    Ok(())
}

/// Applies the settings and the environment to the live image and shows the deployment.
#[server]
pub async fn configure_application(id: AppId) -> Result<(), Error> {
    use super::server::service;
    use crate::platform::ctx::ctx;
    let made = service::configure(&ctx()?, &id).await?;
    leptos_axum::redirect(&format!("/deployments/{}", made.id));
    Ok(())
}

/// Restarts the live release and shows the deployment.
#[server]
pub async fn restart_application(id: AppId) -> Result<(), Error> {
    use super::server::service;
    use crate::platform::ctx::ctx;
    let made = service::restart(&ctx()?, &id).await?;
    leptos_axum::redirect(&format!("/deployments/{}", made.id));
    Ok(())
}

/// Rolls back to the release of a deployment and shows the new one.
#[server]
pub async fn roll_back(id: DeploymentId) -> Result<(), Error> {
    use super::server::service;
    use crate::platform::ctx::ctx;
    let made = service::rollback(&ctx()?, &id).await?;
    leptos_axum::redirect(&format!("/deployments/{}", made.id));
    Ok(())
}

/// Ends a deployment.
#[server]
pub async fn cancel_deployment(id: DeploymentId) -> Result<(), Error> {
    use super::server::service;
    use crate::platform::ctx::ctx;
    service::cancel(&ctx()?, &id).await?;
    crate::kit::side::remember(crate::kit::Flash::CANCELLED);
    Ok(())
}

/// One deployment.
#[server]
pub async fn read_deployment(id: DeploymentId) -> Result<Deployment, Error> {
    use super::server::service;
    use crate::platform::ctx::ctx;
    service::get(&ctx()?, &id).await
}

/// A page of an application's deployments, and how many pages there are.
#[server]
pub async fn read_deployments(id: AppId, page: u64, limit: u64) -> Result<(Vec<Deployment>, u64), Error> {
    use super::server::service;
    use crate::platform::{api::Paging, ctx::ctx};
    let (all, at) = service::list(&ctx()?, &id, Paging::parse(Some(page), Some(limit))?).await?;
    Ok((all, at.total_pages))
}

/// The last lines of a deployment's log.
#[server]
pub async fn read_deployment_log(id: DeploymentId) -> Result<Vec<LogLine>, Error> {
    use super::server::service;
    use crate::platform::ctx::ctx;
    service::log_tail(&ctx()?, &id, 500).await
}
