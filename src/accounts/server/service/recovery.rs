//! Recovery codes: ten, each good once, stored hashed, shown when they are made and then never again.
use crate::{
    accounts::{
        model::factors::{PasskeyAnswer, RecoveryCodes, RecoveryLeft},
        server::{
            challenges::{self, Bound, RECOVERY},
            events,
            service::{
                factors::{person, tell},
                passkeys,
                recovery_codes::renew,
                totp,
            },
        },
    },
    audit::server::service::record,
    error::{Error, Result},
    fault::Because,
    id::UserId,
    runtime::panel::Panel,
    store::tables::recovery_code,
    web::ctx::Ctx,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;

/// How many of the caller's codes are left.
pub async fn left(ctx: &Ctx) -> Result<RecoveryLeft> {
    ctx.in_person()?;
    count(&ctx.panel, &ctx.who.user).await
}

async fn count(panel: &Panel, user: &UserId) -> Result<RecoveryLeft> {
    let all = recovery_code::Entity::find().filter(recovery_code::Column::UserId.eq(user.clone()));
    let all = all.all(panel.db.read()).await.because("counting recovery codes")?;
    let left = all.iter().filter(|row| row.used_at.is_none()).count();
    Ok(RecoveryLeft { left: left as u32, of: all.len() as u32 })
}

/// Makes new codes: takes a code of the app, a recovery code, or a passkey.
pub async fn regenerate(ctx: &Ctx, code: &str, answer: Option<PasskeyAnswer>) -> Result<RecoveryCodes> {
    ctx.in_person()?;
    let (panel, user) = (&ctx.panel, &ctx.who.user);
    let row = person(panel, user).await?;
    if !row.has_second_factor {
        return Err(Error::Conflict("Recovery codes stand for a second factor. Set one up first.".into()));
    }
    match answer.filter(|answer| !answer.credential.is_empty()) {
        Some(answer) => passkeys::confirm(ctx, &answer).await?,
        None => totp::check(panel, &ctx.origin, user, "code", code).await.map(|_| ())?,
    }
    let codes = panel
        .db
        .tx(async |tx| {
            record(tx, ctx, events::ACCOUNT_RECOVERY_CODES_RENEWED, user, json!({})).await?;
            tell(tx, panel, &row, "new recovery codes were made, and the earlier ones are no longer good".into()).await?;
            renew(tx, ctx).await
        })
        .await?;
    Ok(RecoveryCodes { codes })
}

/// The codes that were made by this session a moment ago; none once they were put away.
pub async fn shown(ctx: &Ctx) -> Result<Option<RecoveryCodes>> {
    ctx.in_person()?;
    let token = challenges::own_token(ctx, "recovery");
    let codes = challenges::peek(&ctx.panel, RECOVERY, &Bound::session(ctx), &token).await?;
    Ok(codes.map(|codes| RecoveryCodes { codes }))
}

/// Stops showing them.
pub async fn put_away(ctx: &Ctx) -> Result<()> {
    ctx.in_person()?;
    let token = challenges::own_token(ctx, "recovery");
    let taken = ctx.panel.db.tx(async |tx| challenges::take::<Vec<String>>(tx, &ctx.panel, RECOVERY, &Bound::session(ctx), &token).await);
    taken.await.map(|_| ())
}
