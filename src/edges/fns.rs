//! The browser's door to edges.
use crate::{
    edges::model::{Edge, EdgePage},
    error::Error,
    id::EdgeId,
};
use leptos::prelude::*;

/// A page of edges.
#[server]
pub async fn read_edges(page: u64) -> Result<EdgePage, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::page(&ctx()?.operator()?, page).await
}

/// One edge.
#[server]
pub async fn read_edge(id: EdgeId) -> Result<Edge, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::get(&ctx()?.operator()?, &id).await
}

/// The name, the token and the command of the edge that was just added or got a new token, where there is one.
#[server]
pub async fn read_new_edge() -> Result<Option<(String, String, String)>, Error> {
    use crate::edges::server::once;
    use crate::web::ctx::ctx;
    let ctx = ctx()?.operator()?;
    Ok(once::receive(&ctx))
}

/// Adds an edge and shows its token once.
#[server]
pub async fn add_edge(name: String) -> Result<(), Error> {
    use super::{model::EdgeForm, server::service};
    use crate::edges::server::once;
    use crate::web::ctx::ctx;
    let ctx = ctx()?.operator()?;
    once::hand_over(&ctx, &service::create(&ctx, &EdgeForm { name }).await?)?;
    leptos_axum::redirect("/admin/edges");
    Ok(())
}

/// Gives an edge another name.
#[server]
pub async fn rename_edge(id: EdgeId, name: String) -> Result<(), Error> {
    use super::{model::EdgeForm, server::service};
    use crate::{
        kit::{Flash, side::remember},
        web::ctx::ctx,
    };
    service::rename(&ctx()?.operator()?, &id, &EdgeForm { name }).await?;
    remember(Flash::SAVED);
    Ok(())
}

/// Gives an edge a new token and shows it once.
#[server]
pub async fn rotate_edge(id: EdgeId) -> Result<(), Error> {
    use super::server::service;
    use crate::edges::server::once;
    use crate::web::ctx::ctx;
    let ctx = ctx()?.operator()?;
    once::hand_over(&ctx, &service::rotate(&ctx, &id).await?)?;
    leptos_axum::redirect("/admin/edges");
    Ok(())
}

/// Cuts an edge off.
#[server]
pub async fn revoke_edge(id: EdgeId) -> Result<(), Error> {
    use super::server::service;
    use crate::{
        kit::{Flash, side::remember},
        web::ctx::ctx,
    };
    service::revoke(&ctx()?.operator()?, &id).await?;
    remember(Flash::SAVED);
    Ok(())
}

/// Removes an edge, once its name was typed.
#[server]
pub async fn remove_edge(id: EdgeId, #[server(default)] confirm: String) -> Result<(), Error> {
    use super::server::service;
    use crate::{
        kit::{Flash, side::remember},
        web::ctx::ctx,
    };
    service::remove_confirmed(&ctx()?.operator()?, &id, &confirm).await?;
    remember(Flash::REMOVED);
    leptos_axum::redirect("/admin/edges");
    Ok(())
}
