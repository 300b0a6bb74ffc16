//! Changing a password with the old one, and setting a new one by a link that was mailed.
use super::{profile::own, sessions::end_others, sign_in::note};
use crate::{
    accounts::{
        model::{Email, Ended, Password, PasswordForm, ResetForm},
        server::{
            devices, events,
            letters::{PasswordChangedLetter, ResetPasswordLetter},
            passwords::{self, PasswordMatch},
            tokens::{self, Purpose},
        },
    },
    audit::server::service::record,
    auth::session::{SessionCache, Via},
    error::{Error, Result, Thing},
    fault::Because,
    id::UserId,
    outbox::{self, Mail},
    runtime::panel::Panel,
    store::{
        Tx, random,
        tables::{session, user},
    },
    web::{
        attempts::{self, AttemptLimit},
        ctx::{Ctx, Visitor},
    },
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// Wrong passwords of somebody who is signed in.
const CHECKS: AttemptLimit = AttemptLimit { failures: 5, window: Duration::from_secs(900) };
/// Mails that one address can have sent.
const ASKS: AttemptLimit = AttemptLimit { failures: 10, window: Duration::from_secs(900) };
/// Mails to one account. Each link stays good for as long as this counts, so that the owner holds one even where somebody else used
/// these up.
const MAILS: AttemptLimit = AttemptLimit { failures: 5, window: Duration::from_secs(3600) };

/// What a link to a new password is bound to: it is void when the account has another address.
#[derive(Serialize, Deserialize)]
struct Of {
    email: String,
}

/// Asks somebody who is signed in for the password again, before a deed that needs it. `field` is the form's name of it.
pub async fn check_password(ctx: &Ctx, field: &str, password: &str) -> Result<user::Model> {
    ctx.in_person()?;
    let (panel, user) = (&ctx.panel, own(ctx).await?);
    if !user.password_hash.starts_with('$') {
        return Err(Error::invalid(field, "This account has no password yet. Set one by “Forgot your password?” on the sign-in page."));
    }
    let subject = format!("password {}", user.id);
    attempts::check(panel, &subject, CHECKS).await?;
    attempts::count(panel, &subject, CHECKS).await?;
    if password.len() > 1024 || passwords::verify(password, Some(&user.password_hash)).await? == PasswordMatch::No {
        return Err(Error::invalid(field, "This is not your password."));
    }
    attempts::clear(panel, &subject).await?;
    Ok(user)
}

/// Changes the caller's password; all other sessions end unless that was declined.
pub async fn change_password(ctx: &Ctx, form: PasswordForm) -> Result<Ended> {
    let current = ctx.in_person()?.clone();
    let new = form.parse()?;
    let user = check_password(ctx, "current_password", &form.current_password).await?;
    let panel = &ctx.panel;
    passwords::judge(panel, "new_password", &new, &[&user.name, &user.email]).await?;
    let hash = passwords::hash(&new).await?;
    let ended = panel.db.tx(async |tx| {
        let ended = if form.sign_out_others { end_others(tx, ctx, &current).await? } else { 0 };
        record(tx, ctx, events::ACCOUNT_PASSWORD_CHANGED, &user.id, json!({ "sessions_ended": ended })).await?;
        store(tx, panel, &user, hash).await?;
        Ok(ended)
    });
    let ended = ended.await?;
    panel.of::<SessionCache>().forget_user(&user.id);
    Ok(Ended { ended })
}

/// Stores a new password, tells the owner, and voids what was good with the old one.
async fn store(tx: &Tx, panel: &Panel, user: &user::Model, hash: String) -> Result<()> {
    let row = user::ActiveModel { id: Set(user.id.clone()), password_hash: Set(hash), ..Default::default() };
    row.update(tx).await.because("changing a password")?;
    for purpose in [Purpose::ResetPassword, Purpose::SignIn] {
        tokens::void(tx, &user.id, purpose).await?;
    }
    let letter = PasswordChangedLetter { name: user.name.clone() };
    outbox::queue(tx, panel, Mail { to: user.email.clone(), org: None, letter }).await.map(|_| ())
}

/// Mails a link to a new password, where there is such an account. The answer and its time are the same where there is none: what is done
/// about it is done afterwards.
#[expect(clippy::disallowed_methods, reason = "the time of the answer must not tell whether there is an account")]
pub async fn forgot_password(visitor: &Visitor, email: &str) -> Result<()> {
    let email: Email = email.parse().map_err(|why: &str| Error::invalid("email", why))?;
    let subject = format!("forgot {}", visitor.origin.address);
    attempts::check(&visitor.panel, &subject, ASKS).await?;
    attempts::count(&visitor.panel, &subject, ASKS).await?;
    let visitor = visitor.clone();
    // What goes wrong was logged where it became an error; there is nobody to tell.
    tokio::spawn(async move { mail_link(&visitor, &email).await.ok() });
    Ok(())
}

async fn mail_link(visitor: &Visitor, email: &Email) -> Result<()> {
    let panel = &visitor.panel;
    let by_email = user::Entity::find().filter(user::Column::Email.eq(email.as_str())).filter(user::Column::SuspendedAt.is_null());
    let Some(user) = by_email.one(panel.db.read()).await.because("looking up an account")? else { return Ok(()) };
    // A device that the account knows has a count of its own: nobody else can use it up.
    let device = devices::known(visitor, &user.id).await?.unwrap_or_default();
    let subject = format!("forgot {} {device}", user.id);
    if attempts::check(panel, &subject, MAILS).await.is_err() {
        return Ok(());
    }
    attempts::count(panel, &subject, MAILS).await?;
    panel
        .db
        .tx(async |tx| {
            let token = tokens::issue(tx, panel, &user.id, Purpose::ResetPassword, &Of { email: user.email.clone() }).await?;
            note(tx, visitor, &user.id, events::ACCOUNT_PASSWORD_RESET_ASKED, json!({})).await?;
            let link = format!("{}/reset-password/{token}", panel.config.public_url());
            let expires_at = panel.now() + Purpose::ResetPassword.life();
            let letter = ResetPasswordLetter { name: user.name, link, expires_at };
            outbox::queue(tx, panel, Mail { to: user.email, org: None, letter }).await.map(|_| ())
        })
        .await
}

/// Whether a link to a new password is good.
pub async fn is_reset_link(panel: &Panel, token: &str) -> Result<bool> {
    Ok(owner_of(panel, token).await?.is_some())
}

async fn owner_of(panel: &Panel, token: &str) -> Result<Option<user::Model>> {
    let Some((id, of)) = tokens::peek::<Of>(panel, Purpose::ResetPassword, token).await? else { return Ok(None) };
    let owner = user::Entity::find_by_id(id).filter(user::Column::Email.eq(of.email));
    owner.one(panel.db.read()).await.because("looking up an account")
}

/// Sets a new password by a mailed link and ends every session. A second factor is asked for at the next sign-in as ever. Answers with
/// the device cookie of a browser: it holds the mailbox, so the account knows it from now on.
pub async fn reset_password(visitor: &Visitor, form: ResetForm, via: Via) -> Result<Option<String>> {
    let panel = &visitor.panel;
    let user = owner_of(panel, &form.token).await?.ok_or(Error::NotFound(Thing::LINK))?;
    // A password that is refused leaves the link good.
    let new: Password = form.password.parse().map_err(|why: &str| Error::invalid("password", why))?;
    passwords::judge(panel, "password", &new, &[&user.name, &user.email]).await?;
    let hash = passwords::hash(&new).await?;
    let done = panel.db.tx(async |tx| {
        tokens::consume::<Of>(tx, panel, Purpose::ResetPassword, &form.token).await?;
        let ended = end_all(tx, &user.id).await?;
        devices::forget_all(tx, &user.id).await?;
        let device = if via == Via::Cookie { devices::remember(tx, visitor, &user.id).await? } else { None };
        if user.email_verified_at.is_none() {
            let row = user::ActiveModel { id: Set(user.id.clone()), email_verified_at: Set(Some(panel.now())), ..Default::default() };
            row.update(tx).await.because("noting a proven address")?;
        }
        note(tx, visitor, &user.id, events::ACCOUNT_PASSWORD_RESET, json!({ "sessions_ended": ended })).await?;
        store(tx, panel, &user, hash).await?;
        Ok(device)
    });
    let device = done.await?;
    panel.of::<SessionCache>().forget_user(&user.id);
    // Whoever guessed before guessed another password.
    attempts::clear(panel, &format!("sign-in anywhere {}", random::hash(&user.email))).await?;
    Ok(device)
}

async fn end_all(tx: &Tx, user: &UserId) -> Result<u64> {
    let all = session::Entity::delete_many().filter(session::Column::UserId.eq(user.clone()));
    Ok(all.exec(tx).await.because("ending sessions")?.rows_affected)
}
