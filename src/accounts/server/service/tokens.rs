//! What scripts carry: a short access token, and a refresh token that is good once and leads to the next pair. All refresh tokens that
//! follow from one sign-in are a family, which is its session. One that is used a second time was stolen, or the thief was first: the
//! session ends. Only within [`GRACE`] the same answer is given again, for a script that did not get the first one; since a token's
//! successor is always the same one, the family stays one line even then, and whoever uses a link of it twice is still found out.
use crate::{
    accounts::{model::Tokens, server::events},
    audit::server::service::{Event, record_for},
    auth::{
        access_tokens::{self, ACCESS_LIFE, REFRESH_LIFE},
        session::{Opened, SessionCache, keep_refresh_token},
    },
    error::{Error, Result},
    fault::Because,
    id::{SessionId, UserId},
    runtime::panel::Panel,
    store::{
        Tx, random,
        tables::{refresh_token, session, user},
    },
    web::ctx::Visitor,
};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};
use serde_json::json;
use std::time::Duration;

/// How long the answer to a refresh is given again.
const GRACE: Duration = Duration::from_secs(10);

/// The tokens of a session that was just opened.
pub async fn hand_out(panel: &Panel, opened: &Opened, user: &UserId) -> Result<Tokens> {
    pair(panel, &opened.id, user, opened.token.clone()).await
}

async fn pair(panel: &Panel, session: &SessionId, user: &UserId, refresh_token: String) -> Result<Tokens> {
    Ok(Tokens {
        access_token: access_tokens::sign(panel, session, user, ACCESS_LIFE).await?,
        token_type: "Bearer".into(),
        expires_in: ACCESS_LIFE.as_secs(),
        refresh_token,
        refresh_expires_in: REFRESH_LIFE.as_secs(),
    })
}

/// What becomes of a refresh token.
enum Used {
    Well(session::Model),
    /// A second time: the session is ended.
    Again(session::Model),
}

/// Gives the next tokens for a refresh token.
pub async fn refresh(visitor: &Visitor, token: &str) -> Result<Tokens> {
    let panel = &visitor.panel;
    let next = panel.secrets.successor(token);
    match panel.db.tx(async |tx| use_up(tx, visitor, token, &next).await).await? {
        Used::Well(session) => pair(panel, &session.id, &session.user_id, next).await,
        Used::Again(session) => {
            panel.of::<SessionCache>().forget(&session.id);
            Err(Error::SignedOut(
                "This refresh token was used before, so somebody else may have it. The session was ended; sign in again.".into(),
            ))
        }
    }
}

async fn use_up(tx: &Tx, visitor: &Visitor, token: &str, next: &str) -> Result<Used> {
    let (panel, now) = (&visitor.panel, visitor.panel.now());
    let unknown = || Error::SignedOut("This refresh token is not valid, or no longer. Sign in again.".into());
    let find = |token: &str| refresh_token::Entity::find_by_id(random::hash(token)).filter(refresh_token::Column::ExpiresAt.gt(now));
    let row = find(token).one(tx).await.because("looking up a refresh token")?.ok_or_else(unknown)?;
    let session = session::Entity::find_by_id(row.session_id).filter(session::Column::ExpiresAt.gt(now));
    let session = session.one(tx).await.because("looking up a session")?.ok_or_else(unknown)?;
    let owner = user::Entity::find_by_id(session.user_id.clone()).filter(user::Column::SuspendedAt.is_null());
    owner.one(tx).await.because("looking up an account")?.ok_or_else(unknown)?;
    let used = refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::UsedAt, Expr::value(now))
        .filter(refresh_token::Column::TokenHash.eq(row.token_hash).and(refresh_token::Column::UsedAt.is_null()));
    if used.exec(tx).await.because("using a refresh token")?.rows_affected == 1 {
        let until = now + REFRESH_LIFE;
        keep_refresh_token(tx, panel, &session.id, next, until).await?;
        let longer = session::Entity::update_many()
            .col_expr(session::Column::ExpiresAt, Expr::value(until))
            .col_expr(session::Column::LastSeenAt, Expr::value(now))
            .filter(session::Column::Id.eq(session.id.clone()));
        longer.exec(tx).await.because("prolonging a session")?;
        return Ok(Used::Well(session));
    }
    // Read again: it may have been used between the look and the attempt.
    let used_at = find(token).one(tx).await.because("looking up a refresh token")?.and_then(|row| row.used_at);
    let follows = find(next).one(tx).await.because("looking up a refresh token")?.is_some_and(|row| row.used_at.is_none());
    if follows && used_at.is_some_and(|at| now < at + GRACE) {
        return Ok(Used::Well(session));
    }
    session::Entity::delete_by_id(session.id.clone()).exec(tx).await.because("ending a session")?;
    let detail = json!({ "session": session.id, "signed_in_from": session.address });
    let event = Event { kind: events::ACCOUNT_REFRESH_TOKEN_REUSED, target: session.user_id.to_string(), detail };
    record_for(tx, &session.organization_id, &session.user_id.to_string(), &visitor.origin, now, event).await?;
    Ok(Used::Again(session))
}
