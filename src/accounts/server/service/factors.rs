//! What a person may do with her own second factors, and what signing in asks of them.

use crate::{
    accounts::server::{letters::SecondFactorLetter, service},
    error::{Error, Result},
    fault::Because,
    id::{Id, OrgId, UserId},
    outbox::{self, Mail},
    runtime::panel::Panel,
    store::{
        Tx,
        tables::{identity, membership, organization, passkey, totp_seed, user},
    },
    web::{
        attempts::{self, AttemptLimit},
        ctx::Ctx,
    },
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use std::time::Duration;

/// Wrong codes and passwords of one person from one address.
const GUESSES: AttemptLimit = AttemptLimit { failures: 5, window: Duration::from_secs(900) };
/// Wrong codes of one person from anywhere: whoever guesses knows the password already.
const GUESSES_FROM_ANYWHERE: AttemptLimit = AttemptLimit { failures: 20, window: Duration::from_secs(3600) };

/// A person's row.
pub async fn person(panel: &Panel, id: &UserId) -> Result<user::Model> {
    let row = user::Entity::find_by_id(id.clone()).one(panel.db.read()).await.because("looking up an account")?;
    row.ok_or_else(Error::signed_out)
}

/// Whether somebody can sign in by a password at all.
pub fn has_password(row: &user::Model) -> bool {
    row.password_hash.starts_with('$')
}

/// Counts a guess before it is looked at, so that guesses made at the same time are counted too; refuses where there were too many.
pub(super) async fn guess(panel: &Panel, user: &UserId, address: &str) -> Result<()> {
    let (here, anywhere) = subjects(user, address);
    attempts::check(panel, &here, GUESSES).await?;
    attempts::check(panel, &anywhere, GUESSES_FROM_ANYWHERE).await?;
    attempts::count(panel, &here, GUESSES).await?;
    attempts::count(panel, &anywhere, GUESSES_FROM_ANYWHERE).await
}

/// The guess was right.
pub(super) async fn guessed(panel: &Panel, user: &UserId, address: &str) -> Result<()> {
    let (here, anywhere) = subjects(user, address);
    attempts::clear(panel, &here).await?;
    attempts::clear(panel, &anywhere).await
}

pub(super) fn subjects(user: &UserId, address: &str) -> (String, String) {
    (format!("second factor {} {address}", user.as_str()), format!("second factor {}", user.as_str()))
}

/// Refuses unless this is the caller's password. An account without one has none to give.
pub(super) async fn ask_password(ctx: &Ctx, password: &str) -> Result<()> {
    if has_password(&person(&ctx.panel, &ctx.who.user).await?) {
        service::check_password(ctx, "password", password).await?;
    }
    Ok(())
}

/// Names of a person's organizations that demand a second factor.
pub async fn demanded_by(panel: &Panel, user: &UserId) -> Result<Vec<String>> {
    let of = membership::Entity::find().filter(membership::Column::UserId.eq(user.clone()));
    let of = of.all(panel.db.read()).await.because("looking up memberships")?;
    let ids = of.into_iter().map(|row| row.organization_id);
    let demanding = organization::Entity::find()
        .filter(organization::Column::Id.is_in(ids))
        .filter(organization::Column::RequiresTwoFactor.eq(true))
        .filter(organization::Column::DeletedAt.is_null());
    let demanding = demanding.limit(50).all(panel.db.read()).await.because("looking up organizations")?;
    Ok(demanding.into_iter().map(|row| row.name).collect())
}

/// Notes whether a person has a second factor, in the transaction that gave or took one, and refuses to take the last one while an
/// organization of hers demands it.
pub(super) async fn note(tx: &Tx, ctx: &Ctx, demanded: &[String]) -> Result<()> {
    let user = &ctx.who.user;
    let app = totp_seed::Entity::find_by_id(user.clone()).filter(totp_seed::Column::ConfirmedAt.is_not_null());
    let app = app.count(tx).await.because("counting second factors")?;
    let keys = passkey::Entity::find().filter(passkey::Column::UserId.eq(user.clone())).count(tx).await.because("counting passkeys")?;
    let has = app + keys > 0;
    if !has && !demanded.is_empty() {
        let names = demanded.iter().map(|name| format!("“{name}”")).collect::<Vec<_>>().join(", ");
        return Err(Error::Conflict(format!(
            "This is your last second factor, and {names} asks for one. Set up another one first, or leave the organization."
        )));
    }
    let row = user::ActiveModel { id: Set(user.clone()), has_second_factor: Set(has), ..Default::default() };
    row.update(tx).await.because("noting a second factor").map(|_| ())
}

/// The organization whose trail tells what concerns a person: the one that she is in for the longest time.
pub(super) async fn first_organization(panel: &Panel, user: &UserId) -> Result<Option<OrgId>> {
    let oldest = membership::Entity::find().filter(membership::Column::UserId.eq(user.clone())).order_by_asc(membership::Column::CreatedAt);
    let oldest = oldest.one(panel.db.read()).await.because("looking up a membership")?;
    Ok(oldest.map(|row| row.organization_id))
}

/// Refuses what would leave a person without any way to sign in: a password, a passkey, or an account at a provider.
pub(super) async fn keeps_a_way_in(tx: &Tx, id: &UserId) -> Result<()> {
    let row = user::Entity::find_by_id(id.clone()).one(tx).await.because("reading an account")?.ok_or_else(Error::signed_out)?;
    let keys = passkey::Entity::find().filter(passkey::Column::UserId.eq(id.clone())).count(tx).await.because("counting passkeys")?;
    let elsewhere =
        identity::Entity::find().filter(identity::Column::UserId.eq(id.clone())).count(tx).await.because("counting identities")?;
    if has_password(&row) || keys + elsewhere > 0 {
        return Ok(());
    }
    Err(Error::Conflict("This is your only way to sign in. Set a password or add another way first.".into()))
}

/// Tells a person that a second factor of hers changed; `change` is a clause.
pub(super) async fn tell(tx: &Tx, panel: &Panel, person: &user::Model, change: String) -> Result<()> {
    let letter = SecondFactorLetter { name: person.name.clone(), change };
    outbox::queue(tx, panel, Mail { to: person.email.clone(), org: None, letter }).await.map(|_| ())
}
