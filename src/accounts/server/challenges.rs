//! What waits for a browser's next step: sealed, short-lived, good once, and bound to the session or visit that it was made for.
use crate::{
    error::Result,
    fault::Because,
    id::Id,
    runtime::panel::Panel,
    store::{Tx, random, tables::challenge},
    web::ctx::{Ctx, Visitor},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, Select};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// A kind of challenge: its word, and how long it is good.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    word: &'static str,
    life: Duration,
}

const fn kind(word: &'static str, minutes: u64) -> Kind {
    Kind { word, life: Duration::from_secs(minutes * 60) }
}

/// A passkey that is being registered.
pub const REGISTER: Kind = kind("passkey_register", 5);
/// A passkey that proves who signs in.
pub const SIGN_IN: Kind = kind("passkey_sign_in", 5);
/// A passkey that proves that whoever is signed in is still there.
pub const CONFIRM: Kind = kind("passkey_confirm", 5);
/// A sign-in on its way through a provider.
pub const PROVIDER: Kind = kind("provider", 10);
/// An account at a provider that its owner may link.
pub const LINK: Kind = kind("link", 10);
/// Recovery codes that are shown once.
pub const RECOVERY: Kind = kind("recovery", 10);

/// Whom a challenge is bound to.
#[derive(Debug, Clone)]
pub struct Bound(String);

impl Bound {
    /// To a visitor: her session, or her visit where she is signed out.
    pub fn visitor(visitor: &Visitor) -> Self {
        Bound(random::hash(&visitor.form_key))
    }

    /// To the session of somebody who is signed in.
    pub fn session(ctx: &Ctx) -> Self {
        Bound(random::hash(ctx.who.credential.id()))
    }

    /// To a sign-in that still asks for a second factor, by its secret.
    pub fn secret(secret: &str) -> Self {
        Bound(random::hash(secret))
    }
}

/// Remembers `what`, and answers with the token that leads to it. Takes away what is over.
pub async fn keep(tx: &Tx, panel: &Panel, kind: Kind, bound: &Bound, what: &impl Serialize) -> Result<String> {
    let token = random::token();
    keep_as(tx, panel, kind, bound, &token, what).await?;
    Ok(token)
}

/// Remembers `what` in place of what was remembered under the same token.
pub async fn keep_as(tx: &Tx, panel: &Panel, kind: Kind, bound: &Bound, token: &str, what: &impl Serialize) -> Result<()> {
    let now = panel.now();
    let over = challenge::Entity::delete_many().filter(challenge::Column::ExpiresAt.lte(now));
    over.exec(tx).await.because("removing old challenges")?;
    let hash = random::hash(token);
    let text = serde_json::to_string(what).because("writing a challenge")?;
    challenge::Entity::delete_by_id(&hash).exec(tx).await.because("replacing a challenge")?;
    let row = challenge::ActiveModel {
        sealed: Set(panel.secrets.seal(&format!("challenge {hash}"), &text)?),
        token_hash: Set(hash),
        kind: Set(kind.word.into()),
        bound_to: Set(bound.0.clone()),
        expires_at: Set(now + kind.life),
    };
    challenge::Entity::insert(row).exec_without_returning(tx).await.because("keeping a challenge").map(|_| ())
}

fn find(panel: &Panel, kind: Kind, bound: &Bound, token: &str) -> Select<challenge::Entity> {
    challenge::Entity::find_by_id(random::hash(token))
        .filter(challenge::Column::Kind.eq(kind.word))
        .filter(challenge::Column::BoundTo.eq(&bound.0))
        .filter(challenge::Column::ExpiresAt.gt(panel.now()))
}

fn open<T: DeserializeOwned>(panel: &Panel, row: &challenge::Model) -> Result<T> {
    let text = panel.secrets.unseal(&format!("challenge {}", row.token_hash), &row.sealed)?;
    serde_json::from_str(&text).because("reading a challenge")
}

/// Uses a challenge up; none where it is unknown, over, used, of another kind or another's. Of two at once one gets it. Belongs into a
/// transaction of its own: a challenge whose answer was wrong is used up too.
pub async fn take<T: DeserializeOwned>(tx: &Tx, panel: &Panel, kind: Kind, bound: &Bound, token: &str) -> Result<Option<T>> {
    let row = find(panel, kind, bound, token).one(tx).await.because("reading a challenge")?;
    let Some(row) = row else { return Ok(None) };
    let gone = challenge::Entity::delete_by_id(&row.token_hash).exec(tx).await.because("using a challenge")?;
    if gone.rows_affected == 1 { open(panel, &row).map(Some) } else { Ok(None) }
}

/// Looks at a challenge without using it.
pub async fn peek<T: DeserializeOwned>(panel: &Panel, kind: Kind, bound: &Bound, token: &str) -> Result<Option<T>> {
    let row = find(panel, kind, bound, token).one(panel.db.read()).await.because("reading a challenge")?;
    row.map(|row| open(panel, &row)).transpose()
}

/// The token of what there is once per session.
pub fn own_token(ctx: &Ctx, what: &str) -> String {
    format!("{what} {} {}", ctx.who.user.as_str(), ctx.who.credential.id())
}
