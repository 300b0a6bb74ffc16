//! Where somebody is signed in, and ending that.
use crate::{
    accounts::{
        model::{SESSION, Session, SessionKind, device_words},
        server::events,
    },
    audit::server::service::record,
    auth::session::SessionCache,
    error::{Error, Result},
    fault::Because,
    id::SessionId,
    store::{Tx, tables::session},
    web::{
        api::{Pagination, Paging},
        ctx::Ctx,
    },
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use serde_json::json;

fn mine(ctx: &Ctx) -> Select<session::Entity> {
    session::Entity::find().filter(session::Column::UserId.eq(ctx.who.user.clone())).filter(session::Column::ExpiresAt.gt(ctx.panel.now()))
}

/// The caller's sessions, the newest first.
pub async fn sessions(ctx: &Ctx, paging: Paging) -> Result<(Vec<Session>, Pagination)> {
    let current = ctx.in_person()?;
    let db = ctx.panel.db.read();
    let total = mine(ctx).count(db).await.because("counting sessions")?;
    let page = mine(ctx).order_by_desc(session::Column::Id).offset(paging.offset()).limit(paging.limit);
    let rows = page.all(db).await.because("listing sessions")?;
    Ok((rows.into_iter().map(|row| view(row, current)).collect(), paging.of(total)))
}

fn view(row: session::Model, current: &SessionId) -> Session {
    Session {
        is_current: row.id == *current,
        id: row.id,
        kind: if row.kind == "browser" { SessionKind::Browser } else { SessionKind::Bearer },
        device: device_words(&row.user_agent),
        address: row.address,
        method: row.method,
        created_at: row.created_at,
        last_seen_at: row.last_seen_at.unwrap_or(row.created_at),
        expires_at: row.expires_at,
    }
}

/// Ends one of the caller's sessions; it may be the one that asks.
pub async fn end_session(ctx: &Ctx, id: &SessionId) -> Result<()> {
    ctx.in_person()?;
    let found = mine(ctx).filter(session::Column::Id.eq(id.clone())).one(ctx.panel.db.read()).await.because("looking up a session")?;
    let row = found.ok_or(Error::NotFound(SESSION))?;
    let ended = ctx
        .panel
        .db
        .tx(async |tx| {
            record(tx, ctx, events::ACCOUNT_SESSION_ENDED, id, json!({ "device": device_words(&row.user_agent), "address": row.address }))
                .await?;
            session::Entity::delete_by_id(id.clone()).exec(tx).await.because("ending a session").map(|_| ())
        })
        .await;
    ctx.panel.of::<SessionCache>().forget(id);
    ended
}

/// Ends all of the caller's sessions but the one that asks; answers with how many.
pub async fn end_other_sessions(ctx: &Ctx) -> Result<u64> {
    let current = ctx.in_person()?;
    let ended = ctx
        .panel
        .db
        .tx(async |tx| {
            let ended = end_others(tx, ctx, current).await?;
            record(tx, ctx, events::ACCOUNT_OTHER_SESSIONS_ENDED, &ctx.who.user, json!({ "ended": ended })).await?;
            Ok(ended)
        })
        .await;
    ctx.panel.of::<SessionCache>().forget_user(&ctx.who.user);
    ended
}

/// Ends every session of the caller but one. Forgetting what was lately looked up is left to the caller.
pub async fn end_others(tx: &Tx, ctx: &Ctx, but: &SessionId) -> Result<u64> {
    let others =
        session::Entity::delete_many().filter(session::Column::UserId.eq(ctx.who.user.clone())).filter(session::Column::Id.ne(but.clone()));
    Ok(others.exec(tx).await.because("ending sessions")?.rows_affected)
}
