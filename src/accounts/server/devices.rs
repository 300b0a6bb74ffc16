//! The browsers that an account knows, because somebody signed in with them before. One who attacks an account from many addresses slows
//! down the browsers that it does not know, and never these.
use crate::{
    auth::session::DEVICE,
    error::Result,
    fault::Because,
    id::UserId,
    store::{Tx, random, tables::device},
    web::ctx::Visitor,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::OnConflict};

/// How many an account knows; the one that was not used for the longest time is forgotten first.
const MOST: u64 = 20;
/// Characters of a device's cookie.
const LENGTH: usize = 43;

fn cookie(visitor: &Visitor) -> Option<String> {
    visitor.cookie(DEVICE).filter(|token| token.len() == LENGTH)
}

/// The hash of the visitor's device, where the account knows it.
pub async fn known(visitor: &Visitor, user: &UserId) -> Result<Option<String>> {
    let Some(token) = cookie(visitor) else { return Ok(None) };
    let id = (user.clone(), random::hash(&token));
    let row = device::Entity::find_by_id(id).one(visitor.panel.db.read()).await.because("looking up a device")?;
    Ok(row.map(|row| row.token_hash))
}

/// Makes the visitor's browser one that the account knows; answers with the cookie that it needs for that, where it has none.
pub async fn remember(tx: &Tx, visitor: &Visitor, user: &UserId) -> Result<Option<String>> {
    let (has, now) = (cookie(visitor), visitor.panel.now());
    let token = has.clone().unwrap_or_else(random::token);
    let row = device::ActiveModel {
        user_id: Set(user.clone()),
        token_hash: Set(random::hash(&token)),
        created_at: Set(now),
        last_used_at: Set(now),
    };
    let again =
        OnConflict::columns([device::Column::UserId, device::Column::TokenHash]).update_column(device::Column::LastUsedAt).to_owned();
    device::Entity::insert(row).on_conflict(again).exec_without_returning(tx).await.because("remembering a device")?;
    let of_user = device::Entity::find().filter(device::Column::UserId.eq(user.clone()));
    let old = of_user.order_by_desc(device::Column::LastUsedAt).offset(MOST).limit(MOST).all(tx).await.because("counting devices")?;
    for row in old {
        device::Entity::delete_by_id((row.user_id, row.token_hash)).exec(tx).await.because("forgetting a device")?;
    }
    Ok(if has.is_none() { Some(token) } else { None })
}

/// Forgets every browser of an account.
pub async fn forget_all(tx: &Tx, user: &UserId) -> Result<()> {
    let all = device::Entity::delete_many().filter(device::Column::UserId.eq(user.clone()));
    all.exec(tx).await.because("forgetting devices").map(|_| ())
}
