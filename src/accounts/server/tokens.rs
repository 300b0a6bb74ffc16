//! Tokens for one purpose: links in mails, and sign-ins that are under way. A token is 256 random bits, stored as its hash, good once and
//! for a while. Wrong, expired, used and foreign ones all look alike.
use crate::{
    error::{Error, Result, Thing},
    fault::Because,
    id::UserId,
    runtime::panel::Panel,
    store::{Tx, random, tables::account_token},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Select, sea_query::Expr};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Going on after a right password.
    SignIn,
    /// Proving an address.
    VerifyEmail,
    /// Taking a new address.
    ChangeEmail,
    /// Setting a new password without the old one.
    ResetPassword,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Purpose::SignIn => "sign_in",
            Purpose::VerifyEmail => "verify_email",
            Purpose::ChangeEmail => "change_email",
            Purpose::ResetPassword => "reset_password",
        }
    }

    /// How long a token is good.
    pub fn life(self) -> Duration {
        Duration::from_secs(match self {
            Purpose::SignIn => 300,
            Purpose::VerifyEmail => 7 * 86_400,
            Purpose::ChangeEmail => 86_400,
            Purpose::ResetPassword => 3_600,
        })
    }
}

/// Makes a token of a person; `payload` says more exactly what it is good for.
pub async fn issue(tx: &Tx, panel: &Panel, user: &UserId, purpose: Purpose, payload: &impl Serialize) -> Result<String> {
    let (token, now) = (random::token(), panel.now());
    let row = account_token::ActiveModel {
        token_hash: Set(random::hash(&token)),
        user_id: Set(user.clone()),
        purpose: Set(purpose.name().into()),
        payload: Set(serde_json::to_string(payload).because("writing a token's payload")?),
        created_at: Set(now),
        expires_at: Set(now + purpose.life()),
        used_at: Set(None),
    };
    account_token::Entity::insert(row).exec_without_returning(tx).await.because("making a token")?;
    Ok(token)
}

fn good(panel: &Panel, purpose: Purpose, token: &str) -> Select<account_token::Entity> {
    account_token::Entity::find_by_id(random::hash(token))
        .filter(account_token::Column::Purpose.eq(purpose.name()))
        .filter(account_token::Column::UsedAt.is_null())
        .filter(account_token::Column::ExpiresAt.gt(panel.now()))
}

/// Whose a token is, while it is good, and what it is good for.
pub async fn peek<T: DeserializeOwned>(panel: &Panel, purpose: Purpose, token: &str) -> Result<Option<(UserId, T)>> {
    let row = good(panel, purpose, token).one(panel.db.read()).await.because("looking up a token")?;
    row.map(|row| Ok((row.user_id, serde_json::from_str(&row.payload).because("reading a token's payload")?))).transpose()
}

/// What a person's newest good token of one purpose is good for.
pub async fn latest<T: DeserializeOwned>(panel: &Panel, user: &UserId, purpose: Purpose) -> Result<Option<T>> {
    let row = account_token::Entity::find()
        .filter(account_token::Column::UserId.eq(user.clone()))
        .filter(account_token::Column::Purpose.eq(purpose.name()))
        .filter(account_token::Column::UsedAt.is_null())
        .filter(account_token::Column::ExpiresAt.gt(panel.now()))
        .order_by_desc(account_token::Column::CreatedAt)
        .one(panel.db.read())
        .await
        .because("looking up a token")?;
    row.map(|row| serde_json::from_str(&row.payload).because("reading a token's payload")).transpose()
}

/// Uses a token up: of two that try at once, one gets it.
pub async fn consume<T: DeserializeOwned>(tx: &Tx, panel: &Panel, purpose: Purpose, token: &str) -> Result<(UserId, T)> {
    let row = good(panel, purpose, token).one(tx).await.because("looking up a token")?;
    let row = row.ok_or(Error::NotFound(Thing::LINK))?;
    let used = account_token::Entity::update_many()
        .col_expr(account_token::Column::UsedAt, Expr::value(panel.now()))
        .filter(account_token::Column::TokenHash.eq(row.token_hash))
        .filter(account_token::Column::UsedAt.is_null())
        .exec(tx)
        .await
        .because("using a token")?;
    if used.rows_affected != 1 {
        return Err(Error::NotFound(Thing::LINK));
    }
    Ok((row.user_id, serde_json::from_str(&row.payload).because("reading a token's payload")?))
}

/// Voids a person's tokens of one purpose: there is a newer one, or what they were for is no longer so.
pub async fn void(tx: &Tx, user: &UserId, purpose: Purpose) -> Result<()> {
    let meant = account_token::Entity::delete_many()
        .filter(account_token::Column::UserId.eq(user.clone()))
        .filter(account_token::Column::Purpose.eq(purpose.name()));
    meant.exec(tx).await.because("voiding tokens").map(|_| ())
}
