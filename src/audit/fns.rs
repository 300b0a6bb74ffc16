//! The browser's door to the audit trail.
use crate::{
    audit::model::{ActivityPage, ActivityQuery, AuditStream, KnownEvent},
    error::{Error, Result},
    id::StreamId,
};
use leptos::prelude::*;

/// A page of the organization's trail.
#[server]
pub async fn read_activity(#[server(flatten)] query: ActivityQuery) -> Result<ActivityPage, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::activity(&ctx()?, None, query).await
}

/// The events that the trail knows, and where it can be taken along: the organization's address in the API.
#[server]
pub async fn read_activity_events() -> Result<(Vec<KnownEvent>, String), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    let ctx = ctx()?;
    Ok((service::events(&ctx).await?, format!("/api/organizations/{}/activity/export", ctx.who.org)))
}

/// Where the organization's trail is sent.
#[server]
pub async fn read_audit_streams() -> Result<Vec<AuditStream>, Error> {
    use crate::audit::server::service::streams;
    use crate::web::ctx::ctx;
    streams::list(&ctx()?, None).await
}

/// Sends the trail somewhere.
#[server]
pub async fn create_audit_stream(name: String, url: String, secret: Option<String>) -> Result<(), Error> {
    use super::model::CreateStream;
    use crate::audit::server::service::streams;
    use crate::{
        kit::{Flash, side::remember},
        web::ctx::ctx,
    };
    streams::create(&ctx()?, None, &CreateStream { name, url: url.trim().into(), secret }).await?;
    remember(Flash::SAVED);
    Ok(())
}

/// Switches a stream off, or on again.
#[server]
pub async fn switch_audit_stream(id: StreamId, is_enabled: bool) -> Result<(), Error> {
    use super::model::UpdateStream;
    use crate::audit::server::service::streams;
    use crate::{
        kit::{Flash, side::remember},
        web::ctx::ctx,
    };
    streams::update(&ctx()?, None, &id, &UpdateStream { is_enabled: Some(is_enabled), ..Default::default() }).await?;
    remember(Flash::SAVED);
    Ok(())
}

/// Sends one line to try whether it arrives.
#[server]
pub async fn test_audit_stream(id: StreamId) -> Result<(), Error> {
    use crate::audit::server::service::streams;
    use crate::{kit::side::remember, web::ctx::ctx};
    streams::test(&ctx()?, None, &id).await?;
    remember(crate::audit::flashes::TEST_ARRIVED);
    Ok(())
}

/// Sends nothing there any more.
#[server]
pub async fn delete_audit_stream(id: StreamId) -> Result<(), Error> {
    use crate::audit::server::service::streams;
    use crate::{
        kit::{Flash, side::remember},
        web::ctx::ctx,
    };
    streams::delete(&ctx()?, None, &id).await?;
    remember(Flash::REMOVED);
    Ok(())
}
