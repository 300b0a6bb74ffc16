//! The browser's door to deployments.
use crate::{
    apps::model::CreateForm,
    deployments::model::{Deployment, LogLine, Rollout, RolloutForm},
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
        kit::side,
        web::ctx::ctx,
    };
    let ctx = ctx()?;
    let made = apps::create(&ctx, &forms::creation(&form)?).await?;
    if form.deploy.is_none() {
        side::remember(crate::apps::flashes::CREATED);
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
    use crate::web::ctx::ctx;
    let made = service::deploy(&ctx()?, &id, &DeployRequest::default()).await?;
    leptos_axum::redirect(&format!("/deployments/{}", made.id));
    Ok(())
}

/// Applies the settings and the environment to the live image and shows the deployment.
#[server]
pub async fn configure_application(id: AppId) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    let made = service::configure(&ctx()?, &id).await?;
    leptos_axum::redirect(&format!("/deployments/{}", made.id));
    Ok(())
}

/// Restarts the live release and shows the deployment.
#[server]
pub async fn restart_application(id: AppId) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    let made = service::restart(&ctx()?, &id).await?;
    leptos_axum::redirect(&format!("/deployments/{}", made.id));
    Ok(())
}

/// Rolls back to the release of a deployment and shows the new one.
#[server]
pub async fn roll_back(id: DeploymentId) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    let made = service::rollback(&ctx()?, &id).await?;
    leptos_axum::redirect(&format!("/deployments/{}", made.id));
    Ok(())
}

/// Ends a deployment.
#[server]
pub async fn cancel_deployment(id: DeploymentId) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::cancel(&ctx()?, &id).await?;
    crate::kit::side::remember(crate::deployments::flashes::DEPLOYMENT_CANCELLED);
    Ok(())
}

/// One deployment.
#[server]
pub async fn read_deployment(id: DeploymentId) -> Result<Deployment, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::get(&ctx()?, &id).await
}

/// A page of an application's deployments, and how many pages there are.
#[server]
pub async fn read_deployments(id: AppId, page: u64, limit: u64) -> Result<(Vec<Deployment>, u64), Error> {
    use super::server::service;
    use crate::web::{api::Paging, ctx::ctx};
    let (all, at) = service::list(&ctx()?, &id, Paging::parse(Some(page), Some(limit))?).await?;
    Ok((all, at.total_pages))
}

/// The last lines of a deployment's log.
#[server]
pub async fn read_deployment_log(id: DeploymentId) -> Result<Vec<LogLine>, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::log_tail(&ctx()?, &id, 500).await
}

/// How new releases of an application come before visitors.
#[server]
pub async fn read_rollout(id: AppId) -> Result<Rollout, Error> {
    use crate::deployments::server::service::canary;
    use crate::web::ctx::ctx;
    canary::rollout(&ctx()?, &id).await
}

/// Changes how they do.
#[server]
pub async fn change_rollout(id: AppId, #[server(flatten)] form: RolloutForm) -> Result<(), Error> {
    use crate::deployments::server::{canary_forms, service::canary};
    use crate::web::ctx::ctx;
    canary::set_rollout(&ctx()?, &id, &canary_forms::rollout(&form)?).await.map_err(canary_forms::typed)?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}

/// Lets all visitors have a canary.
#[server]
pub async fn promote_canary(id: DeploymentId) -> Result<(), Error> {
    use crate::deployments::server::service::canary;
    use crate::web::ctx::ctx;
    canary::promote(&ctx()?, &id).await?;
    crate::kit::side::remember(crate::deployments::flashes::CANARY_PROMOTED);
    Ok(())
}

/// Takes a canary back.
#[server]
pub async fn take_back_canary(id: DeploymentId) -> Result<(), Error> {
    use crate::deployments::server::service::canary;
    use crate::web::ctx::ctx;
    canary::roll_back_now(&ctx()?, &id).await?;
    crate::kit::side::remember(crate::deployments::flashes::CANARY_TAKEN_BACK);
    Ok(())
}
