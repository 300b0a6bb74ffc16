//! Proving that an address is somebody's: after signing up, and before a new address takes the place of the old one. A link leads to a
//! page with a button, so that a mail scanner that follows it proves nothing.
use super::sign_in::note;
use crate::{
    accounts::{
        model::{Email, EmailLink},
        server::{
            events,
            letters::{ChangeEmailLetter, EmailChangedLetter, VerifyEmailLetter},
            tokens::{self, Purpose},
        },
    },
    audit::server::service::record,
    auth::session::SessionCache,
    error::{Error, Result, Thing},
    fault::Because,
    id::UserId,
    outbox::{self, Mail},
    runtime::panel::Panel,
    store::{Tx, is_taken, tables::user},
    web::{
        attempts::{self, AttemptLimit},
        ctx::{Ctx, Visitor},
    },
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// How many mails that prove an address somebody can have sent.
const MAILS: AttemptLimit = AttemptLimit { failures: 5, window: Duration::from_secs(3600) };

/// What a token proves.
#[derive(Serialize, Deserialize)]
struct Proves {
    email: String,
}

fn link(panel: &Panel, token: &str) -> String {
    format!("{}/verify-email/{token}", panel.config.public_url())
}

/// Sends the mail that proves an address that an account has already.
pub async fn ask_to_verify(tx: &Tx, panel: &Panel, user: &UserId, name: &str, email: &str) -> Result<()> {
    let token = tokens::issue(tx, panel, user, Purpose::VerifyEmail, &Proves { email: email.into() }).await?;
    let letter = VerifyEmailLetter { name: name.into(), link: link(panel, &token) };
    outbox::queue(tx, panel, Mail { to: email.into(), org: None, letter }).await.map(|_| ())
}

/// Sends it again. Where the address is proven already there is nothing to do.
pub async fn resend_verification(ctx: &Ctx) -> Result<()> {
    ctx.in_person()?;
    let (panel, who) = (&ctx.panel, &ctx.who);
    if who.is_verified {
        return Ok(());
    }
    count_mail(panel, &who.user).await?;
    panel
        .db
        .tx(async |tx| {
            ask_to_verify(tx, panel, &who.user, &who.name, &who.email).await?;
            record(tx, ctx, events::ACCOUNT_VERIFICATION_SENT, &who.user, json!({})).await
        })
        .await
}

async fn count_mail(panel: &Panel, user: &UserId) -> Result<()> {
    let subject = format!("verify {user}");
    attempts::check(panel, &subject, MAILS).await?;
    attempts::count(panel, &subject, MAILS).await
}

/// Asks a new address whether it is the caller's. Where it is somebody else's account no mail goes out, and nothing tells.
pub async fn ask_to_change(ctx: &Ctx, user: &user::Model, email: &Email) -> Result<()> {
    let panel = &ctx.panel;
    count_mail(panel, &user.id).await?;
    let by_email = user::Entity::find().filter(user::Column::Email.eq(email.as_str()));
    let is_free = by_email.one(panel.db.read()).await.because("looking up an account")?.is_none();
    panel
        .db
        .tx(async |tx| {
            tokens::void(tx, &user.id, Purpose::ChangeEmail).await?;
            let token = tokens::issue(tx, panel, &user.id, Purpose::ChangeEmail, &Proves { email: email.to_string() }).await?;
            record(tx, ctx, events::ACCOUNT_EMAIL_CHANGE_ASKED, &user.id, json!({ "to": email })).await?;
            if !is_free {
                return Ok(());
            }
            let letter = ChangeEmailLetter { name: user.name.clone(), link: link(panel, &token) };
            outbox::queue(tx, panel, Mail { to: email.to_string(), org: None, letter }).await.map(|_| ())
        })
        .await
}

/// Takes back what [`ask_to_change`] asked.
pub async fn cancel_change(ctx: &Ctx) -> Result<()> {
    ctx.in_person()?;
    ctx.panel
        .db
        .tx(async |tx| {
            tokens::void(tx, &ctx.who.user, Purpose::ChangeEmail).await?;
            record(tx, ctx, events::ACCOUNT_EMAIL_CHANGE_CANCELLED, &ctx.who.user, json!({})).await
        })
        .await
}

/// The address that waits to be confirmed.
pub async fn pending(panel: &Panel, user: &UserId) -> Result<Option<String>> {
    Ok(tokens::latest::<Proves>(panel, user, Purpose::ChangeEmail).await?.map(|proves| proves.email))
}

/// What a link is good for, without using it.
pub async fn look_at_link(panel: &Panel, token: &str) -> Result<EmailLink> {
    if let Some((user, Proves { email })) = tokens::peek::<Proves>(panel, Purpose::VerifyEmail, token).await? {
        let owner = user::Entity::find_by_id(user).filter(user::Column::Email.eq(email.clone()));
        owner.one(panel.db.read()).await.because("looking up an account")?.ok_or(Error::NotFound(Thing::LINK))?;
        return Ok(EmailLink { email, is_new: false });
    }
    let found = tokens::peek::<Proves>(panel, Purpose::ChangeEmail, token).await?;
    found.map(|(_, Proves { email })| EmailLink { email, is_new: true }).ok_or(Error::NotFound(Thing::LINK))
}

/// Follows a link: proves the address, or puts the new one in the place of the old one. Whoever holds the link need not be signed in.
pub async fn verify_email(visitor: &Visitor, token: &str) -> Result<EmailLink> {
    let panel = &visitor.panel;
    let link = look_at_link(panel, token).await?;
    let (user, done) = match link.is_new {
        false => prove(visitor, token).await?,
        true => change(visitor, token).await?,
    };
    panel.of::<SessionCache>().forget_user(&user);
    Ok(done)
}

async fn prove(visitor: &Visitor, token: &str) -> Result<(UserId, EmailLink)> {
    let panel = &visitor.panel;
    panel
        .db
        .tx(async |tx| {
            let (id, Proves { email }) = tokens::consume::<Proves>(tx, panel, Purpose::VerifyEmail, token).await?;
            // The address may have been changed since.
            let owner = user::Entity::find_by_id(id.clone()).filter(user::Column::Email.eq(email.clone()));
            let owner = owner.one(tx).await.because("looking up an account")?.ok_or(Error::NotFound(Thing::LINK))?;
            if owner.email_verified_at.is_none() {
                let row = user::ActiveModel { id: Set(id.clone()), email_verified_at: Set(Some(panel.now())), ..Default::default() };
                row.update(tx).await.because("noting a proven address")?;
                note(tx, visitor, &id, events::ACCOUNT_EMAIL_VERIFIED, json!({})).await?;
            }
            tokens::void(tx, &id, Purpose::VerifyEmail).await?;
            Ok((id, EmailLink { email, is_new: false }))
        })
        .await
}

async fn change(visitor: &Visitor, token: &str) -> Result<(UserId, EmailLink)> {
    let panel = &visitor.panel;
    panel
        .db
        .tx(async |tx| {
            let (id, Proves { email }) = tokens::consume::<Proves>(tx, panel, Purpose::ChangeEmail, token).await?;
            let owner = user::Entity::find_by_id(id.clone()).one(tx).await.because("looking up an account")?;
            let owner = owner.ok_or(Error::NotFound(Thing::LINK))?;
            // Links that went to the old address are no longer hers to use.
            for purpose in [Purpose::VerifyEmail, Purpose::ResetPassword, Purpose::SignIn] {
                tokens::void(tx, &id, purpose).await?;
            }
            note(tx, visitor, &id, events::ACCOUNT_EMAIL_CHANGED, json!({ "from": owner.email, "to": email })).await?;
            let letter = EmailChangedLetter { name: owner.name, new_email: email.clone() };
            outbox::queue(tx, panel, Mail { to: owner.email, org: None, letter }).await?;
            let row = user::ActiveModel {
                id: Set(id.clone()),
                email: Set(email.clone()),
                email_verified_at: Set(Some(panel.now())),
                ..Default::default()
            };
            match row.update(tx).await {
                // Somebody made an account with it meanwhile.
                Err(why) if is_taken(&why) => Err(Error::NotFound(Thing::LINK)),
                done => done.because("changing an address").map(|_| (id, EmailLink { email, is_new: true })),
            }
        })
        .await
}
