//! The authenticator app: set up, proved with a first code, asked, taken away.
use crate::{
    accounts::{
        model::factors::{RecoveryCodes, Totp, TotpSetup},
        server::{
            codes, events,
            service::{
                factors::{ask_password, demanded_by, guess, guessed, note, person, tell},
                recovery_codes,
            },
        },
    },
    audit::server::service::record,
    auth::session::SessionCache,
    error::{Error, Result},
    fault::Because,
    id::{Id, UserId},
    runtime::panel::Panel,
    store::tables::totp_seed,
    web::ctx::{Ctx, Origin},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use serde_json::json;
use std::time::Duration;

/// How long a seed waits for its first code.
const SETUP_LIFE: Duration = Duration::from_secs(3600);

fn place(user: &UserId) -> String {
    format!("totp {}", user.as_str())
}

async fn seed(panel: &Panel, user: &UserId) -> Result<Option<totp_seed::Model>> {
    totp_seed::Entity::find_by_id(user.clone()).one(panel.db.read()).await.because("reading a seed")
}

fn shown(panel: &Panel, email: &str, row: &totp_seed::Model) -> Result<TotpSetup> {
    codes::setup(&panel.config.brand.name, email, &panel.secrets.unseal(&place(&row.user_id), &row.sealed)?)
}

/// What there is of the caller's app.
pub async fn state(ctx: &Ctx) -> Result<Totp> {
    Ok(match seed(&ctx.panel, &ctx.who.user).await? {
        Some(totp_seed::Model { confirmed_at: Some(since), .. }) => Totp::On { since },
        Some(row) if row.created_at + SETUP_LIFE > ctx.panel.now() => Totp::Begun(shown(&ctx.panel, &ctx.who.email, &row)?),
        _ => Totp::Off,
    })
}

/// Makes a seed, in place of one that was never proved.
pub async fn begin(ctx: &Ctx) -> Result<TotpSetup> {
    ctx.in_person()?;
    let (panel, user) = (&ctx.panel, &ctx.who.user);
    let seed = codes::seed();
    let row = totp_seed::ActiveModel {
        user_id: Set(user.clone()),
        sealed: Set(panel.secrets.seal(&place(user), &seed)?),
        last_step: Set(0),
        created_at: Set(panel.now()),
        confirmed_at: Set(None),
    };
    panel
        .db
        .tx(async |tx| {
            let unproved = totp_seed::Entity::delete_many()
                .filter(totp_seed::Column::UserId.eq(user.clone()))
                .filter(totp_seed::Column::ConfirmedAt.is_null());
            unproved.exec(tx).await.because("replacing a seed")?;
            let known = totp_seed::Entity::find_by_id(user.clone()).one(tx).await.because("reading a seed")?;
            if known.is_some() {
                return Err(Error::Conflict("An authenticator app is set up already. Remove it first.".into()));
            }
            record(tx, ctx, events::ACCOUNT_TOTP_BEGUN, user, json!({})).await?;
            totp_seed::Entity::insert(row).exec_without_returning(tx).await.because("making a seed").map(|_| ())
        })
        .await?;
    codes::setup(&panel.config.brand.name, &ctx.who.email, &seed)
}

/// Takes the first code: from now on signing in asks for one. Answers with the recovery codes.
pub async fn enable(ctx: &Ctx, code: &str) -> Result<RecoveryCodes> {
    ctx.in_person()?;
    let (panel, user) = (&ctx.panel, &ctx.who.user);
    let none = || Error::Conflict("Begin with setting up an authenticator app.".into());
    let row = seed(panel, user).await?.ok_or_else(none)?;
    if row.confirmed_at.is_some() {
        return Err(Error::Conflict("An authenticator app is set up already. Remove it first.".into()));
    }
    if row.created_at + SETUP_LIFE <= panel.now() {
        return Err(Error::Conflict("This took too long. Begin again with a new seed.".into()));
    }
    guess(panel, user, &ctx.origin.address).await?;
    let step = codes::step_of(&panel.secrets.unseal(&place(user), &row.sealed)?, &codes::plain(code), panel.now())?;
    let step = step.ok_or_else(|| Error::invalid("code", "This is not the code of now. Check that the app’s clock is right."))?;
    guessed(panel, user, &ctx.origin.address).await?;
    let person = person(panel, user).await?;
    let codes = panel
        .db
        .tx(async |tx| {
            let confirm = totp_seed::Entity::update_many()
                .col_expr(totp_seed::Column::ConfirmedAt, Expr::value(panel.now()))
                .col_expr(totp_seed::Column::LastStep, Expr::value(step))
                .filter(totp_seed::Column::UserId.eq(user.clone()))
                .filter(totp_seed::Column::Sealed.eq(&row.sealed))
                .filter(totp_seed::Column::ConfirmedAt.is_null());
            if confirm.exec(tx).await.because("enabling an app")?.rows_affected != 1 {
                return Err(none());
            }
            note(tx, ctx, &[]).await?;
            record(tx, ctx, events::ACCOUNT_TOTP_ENABLED, user, json!({})).await?;
            tell(tx, panel, &person, "an authenticator app was added".into()).await?;
            recovery_codes::renew(tx, ctx).await
        })
        .await?;
    panel.of::<SessionCache>().forget_user(user);
    Ok(RecoveryCodes { codes })
}

/// Takes the app away: needs the password and a code, or a recovery code in the code's place.
pub async fn disable(ctx: &Ctx, password: &str, code: &str) -> Result<()> {
    ctx.in_person()?;
    let (panel, user) = (&ctx.panel, &ctx.who.user);
    if !matches!(state(ctx).await?, Totp::On { .. }) {
        return Err(Error::Conflict("No authenticator app is set up.".into()));
    }
    ask_password(ctx, password).await?;
    check(panel, &ctx.origin, user, "code", code).await?;
    let demanded = demanded_by(panel, user).await?;
    let person = person(panel, user).await?;
    panel
        .db
        .tx(async |tx| {
            totp_seed::Entity::delete_by_id(user.clone()).exec(tx).await.because("removing an app")?;
            note(tx, ctx, &demanded).await?;
            recovery_codes::drop_without_factor(tx, user).await?;
            record(tx, ctx, events::ACCOUNT_TOTP_DISABLED, user, json!({})).await?;
            tell(tx, panel, &person, "the authenticator app was removed".into()).await
        })
        .await?;
    panel.of::<SessionCache>().forget_user(user);
    Ok(())
}

/// What a code turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    App,
    Recovery,
}

/// Asks whoever is signed in for a code of her app or a recovery code; `field` is the form's field that it came in. A right code is
/// used up, also where what it was given for fails later. Wrong ones are slowed down.
pub async fn check(panel: &Panel, origin: &Origin, user: &UserId, field: &str, code: &str) -> Result<Proof> {
    if codes::plain(code).is_empty() {
        return Err(Error::invalid(field, "Give the code that your authenticator app shows, or a recovery code."));
    }
    guess(panel, user, &origin.address).await?;
    let wrong = || Error::invalid(field, "This code is wrong, too old, or was used before. Wait for the app’s next code.");
    let proof = prove(panel, origin, user, code).await?.ok_or_else(wrong)?;
    guessed(panel, user, &origin.address).await?;
    Ok(proof)
}

/// What a code turns out to be, if it is right; uses it up. Whoever calls slows guesses down.
pub async fn prove(panel: &Panel, origin: &Origin, user: &UserId, code: &str) -> Result<Option<Proof>> {
    let plain = codes::plain(code);
    if codes::is_totp(&plain) {
        return Ok(use_code(panel, user, &plain).await?.then_some(Proof::App));
    }
    Ok(recovery_codes::spend(panel, origin, user, &plain).await?.then_some(Proof::Recovery))
}

/// Whether it is a code of now that was not used yet; uses it. Of two at once one counts.
async fn use_code(panel: &Panel, user: &UserId, plain: &str) -> Result<bool> {
    let Some(row) = seed(panel, user).await?.filter(|row| row.confirmed_at.is_some()) else { return Ok(false) };
    let step = codes::step_of(&panel.secrets.unseal(&place(user), &row.sealed)?, plain, panel.now())?;
    let Some(step) = step else { return Ok(false) };
    let newer = totp_seed::Entity::update_many()
        .col_expr(totp_seed::Column::LastStep, Expr::value(step))
        .filter(totp_seed::Column::UserId.eq(user.clone()))
        .filter(totp_seed::Column::Sealed.eq(row.sealed))
        .filter(totp_seed::Column::LastStep.lt(step));
    let used = panel.db.tx(async |tx| newer.exec(tx).await.because("using a code")).await?;
    Ok(used.rows_affected == 1)
}

/// Whether a person has an app that proved itself.
pub async fn is_on(panel: &Panel, user: &UserId) -> Result<bool> {
    Ok(seed(panel, user).await?.is_some_and(|row| row.confirmed_at.is_some()))
}
