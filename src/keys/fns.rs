//! The browser's door to keys of the API.
use crate::{error::Error, id::ApiKeyId, keys::model::KeyPage};
use leptos::prelude::*;
use std::collections::BTreeMap;

/// A page of keys.
#[server]
pub async fn read_api_keys(all: bool, page: u64) -> Result<KeyPage, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::page(&ctx()?, all, page).await
}

/// The id and the secret of the key that was just made or rotated, where there is one.
#[server]
pub async fn read_new_api_key() -> Result<Option<(String, String)>, Error> {
    use crate::keys::server::once;
    use crate::web::ctx::ctx;
    let ctx = ctx()?;
    ctx.in_person()?;
    Ok(once::receive(&ctx))
}

/// Makes a key and shows its secret once.
#[server]
pub async fn create_api_key(
    name: String,
    #[server(default)] permissions: BTreeMap<String, String>,
    #[server(default)] expires: String,
    #[server(default)] expires_on: String,
) -> Result<(), Error> {
    use super::{
        model::{CreateApiKey, parse_end, parse_ticked},
        server::service,
    };
    use crate::keys::server::once;
    use crate::web::ctx::ctx;
    let (expires_in_days, expires_at) = parse_end(&expires, &expires_on)?;
    let form = CreateApiKey { name, permissions: parse_ticked(permissions.into_keys())?, expires_in_days, expires_at };
    let ctx = ctx()?;
    once::hand_over(&ctx, &service::create(&ctx, &form).await?)
}

/// Changes a key's name and end, and narrows what it may do.
#[server]
pub async fn update_api_key(
    id: ApiKeyId,
    version: i64,
    name: String,
    #[server(default)] permissions: BTreeMap<String, String>,
    #[server(default)] expires_on: String,
) -> Result<(), Error> {
    use super::{
        model::{UpdateApiKey, parse_end, parse_ticked},
        server::service,
    };
    use crate::web::ctx::ctx;
    let choice = if expires_on.trim().is_empty() { "" } else { "date" };
    let (_, expires_at) = parse_end(choice, &expires_on)?;
    let form = UpdateApiKey { name: Some(name), permissions: Some(parse_ticked(permissions.into_keys())?), expires_at: Some(expires_at) };
    service::update(&ctx()?, &id, &form, Some(version)).await?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    leptos_axum::redirect("/account/api-keys");
    Ok(())
}

/// Gives a key a new secret and shows it once.
#[server]
pub async fn rotate_api_key(id: ApiKeyId, grace_hours: u32) -> Result<(), Error> {
    use super::{model::RotateApiKey, server::service};
    use crate::keys::server::once;
    use crate::web::ctx::ctx;
    let ctx = ctx()?;
    once::hand_over(&ctx, &service::rotate(&ctx, &id, &RotateApiKey { grace_hours }).await?)?;
    leptos_axum::redirect("/account/api-keys");
    Ok(())
}

/// Revokes a key at once.
#[server]
pub async fn revoke_api_key(id: ApiKeyId) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::revoke(&ctx()?, &id).await?;
    crate::kit::side::remember(crate::keys::flashes::KEY_REVOKED);
    leptos_axum::redirect("/account/api-keys");
    Ok(())
}
