//! The browser's door to grants.
use crate::{
    error::{Error, Result},
    id::{AppId, UserId},
};
use leptos::prelude::*;

/// Gives a member a role on one application.
#[server]
pub async fn give_grant(id: UserId, application_id: String, role: String) -> Result<(), Error> {
    use crate::{
        orgs::{model::GrantInput, server::service::grants},
        web::ctx::ctx,
    };
    grants::put(&ctx()?, &id, &GrantInput { application_id, role }).await?;
    crate::kit::side::remember(crate::orgs::flashes::GRANTS_CHANGED);
    Ok(())
}

/// Takes a member's role on one application.
#[server]
pub async fn take_grant(id: UserId, application_id: AppId) -> Result<(), Error> {
    use crate::{orgs::server::service::grants, web::ctx::ctx};
    grants::remove(&ctx()?, &id, &application_id).await?;
    crate::kit::side::remember(crate::orgs::flashes::GRANTS_CHANGED);
    Ok(())
}
