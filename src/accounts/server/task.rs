//! The loop that writes down when sessions were used, and removes what is over.
use crate::auth::session::SessionCache;
use crate::{
    auth::session::Seen,
    error::Result,
    fault::Because,
    id::SessionId,
    runtime::{
        loops::{Loop, Outcome},
        panel::Panel,
    },
    store::{
        Tx,
        tables::{account_token, attempt, device, membership, refresh_token, session, user},
    },
};
use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// How long an account knows a browser that is not used: as long as browsers keep a cookie.
const DEVICE_LIFE: Duration = Duration::from_secs(crate::accounts::server::cookies::DEVICE_LIFE);

/// The loop.
pub const LOOP: Loop = Loop::new("sessions", Duration::from_secs(30), |panel| pass(panel).boxed());

/// Writes down what was seen, and removes sessions, tokens, counts and devices that are over.
pub async fn pass(panel: &Arc<Panel>) -> Result<Outcome> {
    let seen = panel.of::<SessionCache>().take_seen();
    let removed = panel
        .db
        .tx(async |tx| {
            note(tx, seen).await?;
            remove(tx, panel).await
        })
        .await?;
    Ok((removed > 0).then(|| format!("removed {removed} sessions and tokens that were over")))
}

async fn note(tx: &Tx, seen: HashMap<SessionId, Seen>) -> Result<()> {
    for (session, Seen { at, member }) in seen {
        let row = session::Entity::update_many().col_expr(session::Column::LastSeenAt, Expr::value(at));
        row.filter(session::Column::Id.eq(session)).exec(tx).await.because("noting when a session was used")?;
        let Some((user, org)) = member else { continue };
        let row = user::Entity::update_many().col_expr(user::Column::LastSeenAt, Expr::value(at));
        row.filter(user::Column::Id.eq(user.clone())).exec(tx).await.because("noting when a person was seen")?;
        let row = membership::Entity::update_many().col_expr(membership::Column::LastSeenAt, Expr::value(at));
        let row = row.filter(membership::Column::OrganizationId.eq(org)).filter(membership::Column::UserId.eq(user));
        row.exec(tx).await.because("noting when a member was seen")?;
    }
    Ok(())
}

async fn remove(tx: &Tx, panel: &Panel) -> Result<u64> {
    let now = panel.now();
    let doing = "removing what is over";
    let sessions = session::Entity::delete_many().filter(session::Column::ExpiresAt.lte(now)).exec(tx).await.because(doing)?;
    let tokens = account_token::Entity::delete_many().filter(account_token::Column::ExpiresAt.lte(now)).exec(tx).await.because(doing)?;
    let refresh = refresh_token::Entity::delete_many().filter(refresh_token::Column::ExpiresAt.lte(now)).exec(tx).await.because(doing)?;
    let counts = attempt::Entity::delete_many().filter(attempt::Column::WindowEndsAt.lte(now)).exec(tx).await.because(doing)?;
    let unused = device::Column::LastUsedAt.lte(now - DEVICE_LIFE);
    let devices = device::Entity::delete_many().filter(unused).exec(tx).await.because(doing)?;
    Ok([sessions, tokens, refresh, counts, devices].iter().map(|done| done.rows_affected).sum())
}
