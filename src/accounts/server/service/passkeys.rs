//! Passkeys (WebAuthn): registered by name, asked after the password or instead of it. The challenge stays here, sealed, and is good
//! once; the authenticator must have verified its owner, so that a passkey alone is two factors.
use crate::{
    accounts::{
        model::{
            Me, PASSKEY,
            factors::{MOST_PASSKEYS, Passkey as Shown, PasskeyAnswer, PasskeyChallenge, check_passkey_name},
        },
        server::{
            challenges::{self, Bound, CONFIRM, Kind, REGISTER, SIGN_IN},
            events,
            service::{
                Proof,
                factors::{ask_password, demanded_by, first_organization, note, person, tell},
                finish_sign_in, pending_sign_in, recovery_codes,
            },
        },
    },
    audit::server::service::{Event, record, record_for},
    auth::session::{Opened, SessionCache, Via},
    error::{Error, Result},
    fault::Because,
    id::{Id, PasskeyId, UserId},
    runtime::panel::Panel,
    store::{
        is_taken, random,
        tables::{passkey, user},
    },
    web::{
        attempts::{self, AttemptLimit},
        ctx::{Ctx, Origin, Visitor},
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, sea_query::Expr};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use webauthn_rs::prelude::{
    AuthenticationResult, DiscoverableAuthentication, Passkey, PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, Uuid, Webauthn, WebauthnBuilder, WebauthnError,
};

/// Challenges that one address may ask for.
const CHALLENGES: AttemptLimit = AttemptLimit { failures: 100, window: Duration::from_secs(900) };

/// What a challenge asks for.
#[derive(Serialize, Deserialize)]
enum AskedPasskey {
    /// A passkey of whoever it is.
    Anyone(DiscoverableAuthentication),
    /// One of this person's.
    Of(UserId, Box<PasskeyAuthentication>),
}

/// The site that passkeys are bound to, by the panel's own address.
fn site(panel: &Panel) -> Result<Webauthn> {
    let url = Url::parse(&panel.config.public_url()).because("reading the panel's address")?;
    let nameless = || Error::Unavailable("Passkeys need a panel that is reached by a name, not by a number. Ask the operator.".into());
    let name = url.domain().ok_or_else(nameless)?.to_string();
    let site = WebauthnBuilder::new(&name, &url).map(|builder| builder.rp_name(&panel.config.brand.name)).and_then(WebauthnBuilder::build);
    site.because("setting up passkeys")
}

/// What authenticators know a person by: the number in the id.
fn handle(user: &UserId) -> Result<Uuid> {
    let number = ulid::Ulid::from_string(&user.suffix().to_uppercase()).because("reading a person's id")?;
    Ok(Uuid::from_u128(number.0))
}

fn stored(row: &passkey::Model) -> Result<Passkey> {
    serde_json::from_str(&row.credential).because("reading a passkey")
}

async fn rows(panel: &Panel, user: &UserId) -> Result<Vec<passkey::Model>> {
    let of = passkey::Entity::find().filter(passkey::Column::UserId.eq(user.clone())).order_by_asc(passkey::Column::Id);
    of.all(panel.db.read()).await.because("reading passkeys")
}

/// The caller's passkeys, the oldest first.
pub async fn list(ctx: &Ctx) -> Result<Vec<Shown>> {
    ctx.in_person()?;
    let shown = |row: passkey::Model| Shown { id: row.id, name: row.name, created_at: row.created_at, last_used_at: row.last_used_at };
    Ok(rows(&ctx.panel, &ctx.who.user).await?.into_iter().map(shown).collect())
}

/// Whether a person has one.
pub async fn has_any(panel: &Panel, user: &UserId) -> Result<bool> {
    let of = passkey::Entity::find().filter(passkey::Column::UserId.eq(user.clone()));
    Ok(of.count(panel.db.read()).await.because("counting passkeys")? > 0)
}

async fn ask(panel: &Panel, origin: &Origin, kind: Kind, bound: &Bound, what: &impl Serialize, options: Value) -> Result<PasskeyChallenge> {
    let subject = format!("passkey challenge {}", origin.address);
    attempts::check(panel, &subject, CHALLENGES).await?;
    attempts::count(panel, &subject, CHALLENGES).await?;
    let token = panel.db.tx(async |tx| challenges::keep(tx, panel, kind, bound, what).await).await?;
    let options = options.get("publicKey").cloned().unwrap_or_default();
    Ok(PasskeyChallenge { token, options: options.to_string() })
}

async fn asked<T: serde::de::DeserializeOwned>(panel: &Panel, kind: Kind, bound: &Bound, token: &str) -> Result<T> {
    let taken = panel.db.tx(async |tx| challenges::take(tx, panel, kind, bound, token).await).await?;
    taken.ok_or_else(|| Error::Conflict("This took too long, or was sent twice. Try again.".into()))
}

fn parse<T: serde::de::DeserializeOwned>(credential: &str) -> Result<T> {
    serde_json::from_str(credential).map_err(|_| Error::invalid("form", "The browser’s answer could not be read. Try again."))
}

/// Begins to register a passkey.
pub async fn begin(ctx: &Ctx) -> Result<PasskeyChallenge> {
    ctx.in_person()?;
    let (panel, who) = (&ctx.panel, &ctx.who);
    let known = rows(panel, &who.user).await?;
    if known.len() as u64 >= MOST_PASSKEYS {
        return Err(Error::QuotaExceeded { what: "passkeys".into(), limit: MOST_PASSKEYS, used: known.len() as u64 });
    }
    let known = known.iter().map(|row| Ok(stored(row)?.cred_id().clone())).collect::<Result<Vec<_>>>()?;
    let started = site(panel)?.start_passkey_registration(handle(&who.user)?, &who.email, &who.name, Some(known));
    let (options, state) = started.because("beginning a passkey")?;
    let mut options = serde_json::to_value(options).because("beginning a passkey")?;
    // Where the authenticator can, the passkey is to be found without a name: it then signs in by itself.
    options["publicKey"]["authenticatorSelection"]["residentKey"] = "preferred".into();
    ask(panel, &ctx.origin, REGISTER, &Bound::session(ctx), &state, options).await
}

/// Takes a new passkey. Answers whether recovery codes were made with it.
pub async fn add(ctx: &Ctx, name: &str, answer: &PasskeyAnswer) -> Result<bool> {
    ctx.in_person()?;
    let (panel, user) = (&ctx.panel, &ctx.who.user);
    let name = check_passkey_name(name).map_err(|why| Error::invalid("name", why))?;
    let state: PasskeyRegistration = asked(panel, REGISTER, &Bound::session(ctx), &answer.token).await?;
    let credential: RegisterPublicKeyCredential = parse(&answer.credential)?;
    let made = site(panel)?.finish_passkey_registration(&credential, &state).map_err(|why| {
        tracing::info!(user.id = %user, %why, "refused a new passkey");
        Error::invalid("form", "This passkey can’t be taken: the browser’s answer does not fit what was asked for. Try again.")
    })?;
    let person = person(panel, user).await?;
    let id: PasskeyId = random::id();
    let row = passkey::ActiveModel {
        id: Set(id.clone()),
        user_id: Set(user.clone()),
        credential_id: Set(URL_SAFE_NO_PAD.encode(made.cred_id())),
        credential: Set(serde_json::to_string(&made).because("writing a passkey")?),
        counter: Set(0),
        name: Set(name.clone()),
        created_at: Set(panel.now()),
        last_used_at: Set(None),
    };
    let with_codes = panel
        .db
        .tx(async |tx| {
            let of = passkey::Entity::find().filter(passkey::Column::UserId.eq(user.clone()));
            let used = of.count(tx).await.because("counting passkeys")?;
            if used >= MOST_PASSKEYS {
                return Err(Error::QuotaExceeded { what: "passkeys".into(), limit: MOST_PASSKEYS, used });
            }
            record(tx, ctx, events::ACCOUNT_PASSKEY_ADDED, &id, json!({ "name": name })).await?;
            tell(tx, panel, &person, "a passkey was added".into()).await?;
            let with_codes = recovery_codes::make_first(tx, ctx).await?;
            match passkey::Entity::insert(row).exec_without_returning(tx).await {
                Err(why) if is_taken(&why) => return Err(Error::Conflict("This passkey is registered already.".into())),
                done => done.because("adding a passkey")?,
            };
            note(tx, ctx, &[]).await?;
            Ok(with_codes)
        })
        .await?;
    panel.of::<SessionCache>().forget_user(user);
    Ok(with_codes)
}

/// Renames a passkey of the caller's.
pub async fn rename(ctx: &Ctx, id: &PasskeyId, name: &str) -> Result<()> {
    ctx.in_person()?;
    let name = check_passkey_name(name).map_err(|why| Error::invalid("name", why))?;
    let own = passkey::Entity::update_many()
        .col_expr(passkey::Column::Name, Expr::value(name.clone()))
        .filter(passkey::Column::Id.eq(id.clone()))
        .filter(passkey::Column::UserId.eq(ctx.who.user.clone()));
    ctx.panel
        .db
        .tx(async |tx| {
            if own.exec(tx).await.because("renaming a passkey")?.rows_affected != 1 {
                return Err(Error::NotFound(PASSKEY));
            }
            record(tx, ctx, events::ACCOUNT_PASSKEY_RENAMED, id, json!({ "name": name })).await
        })
        .await
}

/// Removes a passkey of the caller's: needs the password, or one of her passkeys.
pub async fn remove(ctx: &Ctx, id: &PasskeyId, password: &str, answer: Option<PasskeyAnswer>) -> Result<()> {
    ctx.in_person()?;
    let (panel, user) = (&ctx.panel, &ctx.who.user);
    let own = passkey::Entity::find_by_id(id.clone()).filter(passkey::Column::UserId.eq(user.clone()));
    let row = own.one(panel.db.read()).await.because("looking up a passkey")?.ok_or(Error::NotFound(PASSKEY))?;
    let person = person(panel, user).await?;
    match answer.filter(|answer| !answer.credential.is_empty()) {
        Some(answer) => confirm(ctx, &answer).await?,
        None if crate::accounts::server::service::factors::has_password(&person) => ask_password(ctx, password).await?,
        None => return Err(Error::invalid("password", "Your account has no password. Confirm with a passkey.")),
    }
    let demanded = demanded_by(panel, user).await?;
    panel
        .db
        .tx(async |tx| {
            passkey::Entity::delete_by_id(id.clone()).exec(tx).await.because("removing a passkey")?;
            crate::accounts::server::service::factors::keeps_a_way_in(tx, user).await?;
            note(tx, ctx, &demanded).await?;
            recovery_codes::drop_without_factor(tx, user).await?;
            record(tx, ctx, events::ACCOUNT_PASSKEY_REMOVED, id, json!({ "name": row.name })).await?;
            tell(tx, panel, &person, "a passkey was removed".into()).await
        })
        .await?;
    panel.of::<SessionCache>().forget_user(user);
    Ok(())
}

async fn ask_for_one_of(panel: &Panel, origin: &Origin, kind: Kind, bound: &Bound, user: &UserId) -> Result<PasskeyChallenge> {
    let known = rows(panel, user).await?.iter().map(stored).collect::<Result<Vec<_>>>()?;
    if known.is_empty() {
        return Err(Error::Conflict("This account has no passkey.".into()));
    }
    let (options, state) = site(panel)?.start_passkey_authentication(&known).because("asking for a passkey")?;
    let options = serde_json::to_value(options).because("asking for a passkey")?;
    ask(panel, origin, kind, bound, &AskedPasskey::Of(user.clone(), Box::new(state)), options).await
}

/// Asks whoever is signed in for one of her passkeys, for what needs a proof that she is still there.
pub async fn begin_confirm(ctx: &Ctx) -> Result<PasskeyChallenge> {
    ctx.in_person()?;
    ask_for_one_of(&ctx.panel, &ctx.origin, CONFIRM, &Bound::session(ctx), &ctx.who.user).await
}

/// Refuses unless the caller's passkey answered.
pub async fn confirm(ctx: &Ctx, answer: &PasskeyAnswer) -> Result<()> {
    ctx.in_person()?;
    let AskedPasskey::Of(user, state) = asked(&ctx.panel, CONFIRM, &Bound::session(ctx), &answer.token).await? else {
        return Err(unknown());
    };
    let credential: PublicKeyCredential = parse(&answer.credential)?;
    let row = by_credential(&ctx.panel, &credential).await?.filter(|row| row.user_id == user && row.user_id == ctx.who.user);
    let row = row.ok_or_else(|| Error::invalid("form", "This passkey is none of yours."))?;
    let checked = site(&ctx.panel)?.finish_passkey_authentication(&credential, &state);
    used(&ctx.panel, &ctx.origin, &row, checked).await.map_err(|why| match why {
        Error::SignedOut(sentence) => Error::invalid("form", sentence),
        other => other,
    })
}

/// Asks a visitor for any passkey that is known here.
pub async fn begin_sign_in(visitor: &Visitor) -> Result<PasskeyChallenge> {
    let panel = &visitor.panel;
    let (options, state) = site(panel)?.start_discoverable_authentication().because("asking for a passkey")?;
    let options = serde_json::to_value(options).because("asking for a passkey")?;
    ask(panel, &visitor.origin, SIGN_IN, &Bound::visitor(visitor), &AskedPasskey::Anyone(state), options).await
}

/// Asks a visitor, whose password was right, for one of her passkeys.
pub async fn begin_second(visitor: &Visitor) -> Result<PasskeyChallenge> {
    let (user, _, _) = pending_sign_in(visitor).await?;
    ask_for_one_of(&visitor.panel, &visitor.origin, SIGN_IN, &Bound::visitor(visitor), &user.id).await
}

/// Signs in by a passkey: alone, or as the second half of a sign-in that waits. Answers with where that goes on to.
pub async fn sign_in(visitor: &Visitor, answer: &PasskeyAnswer) -> Result<(Me, Opened, Option<String>)> {
    let panel = &visitor.panel;
    let credential: PublicKeyCredential = parse(&answer.credential)?;
    let asked: AskedPasskey = asked(panel, SIGN_IN, &Bound::visitor(visitor), &answer.token).await?;
    let row = by_credential(panel, &credential).await?.ok_or_else(unknown)?;
    let site = site(panel)?;
    let second = match asked {
        AskedPasskey::Anyone(state) => {
            let (whose, _) = site.identify_discoverable_authentication(&credential).map_err(|_| unknown())?;
            if whose != handle(&row.user_id)? {
                return Err(unknown());
            }
            let checked = site.finish_discoverable_authentication_v2(&credential, state, stored(&row)?);
            used(panel, &visitor.origin, &row, checked).await?;
            None
        }
        AskedPasskey::Of(user, state) => {
            let (waiting, next, method) = pending_sign_in(visitor).await?;
            if row.user_id != user || waiting.id != user {
                return Err(unknown());
            }
            let checked = site.finish_passkey_authentication(&credential, &state);
            used(panel, &visitor.origin, &row, checked).await?;
            Some((next, method))
        }
    };
    let person = user::Entity::find_by_id(row.user_id.clone()).one(panel.db.read()).await.because("looking up an account")?;
    let person = person.ok_or_else(unknown)?;
    let (next, method) = second.clone().unwrap_or((None, "passkey".into()));
    let proof = Proof { method: &method, second_factor: second.map(|_| "passkey") };
    let (me, opened) = finish_sign_in(visitor, person, Via::Cookie, proof).await?;
    Ok((me, opened, next))
}

fn unknown() -> Error {
    Error::SignedOut("This passkey is not known here. Sign in another way, and add it under Account, Security.".into())
}

async fn by_credential(panel: &Panel, credential: &PublicKeyCredential) -> Result<Option<passkey::Model>> {
    let id = URL_SAFE_NO_PAD.encode(credential.get_credential_id());
    let row = passkey::Entity::find().filter(passkey::Column::CredentialId.eq(id));
    row.one(panel.db.read()).await.because("looking up a passkey")
}

/// Notes that a passkey answered, or why it may not. A counter that did not grow means that there are two of it.
async fn used(panel: &Panel, origin: &Origin, row: &passkey::Model, checked: Result<AuthenticationResult, WebauthnError>) -> Result<()> {
    let result = match checked {
        Ok(result) => result,
        Err(WebauthnError::CredentialPossibleCompromise) => return refuse_copy(panel, origin, row).await,
        Err(why) => {
            tracing::info!(passkey.id = %row.id, %why, "refused a passkey");
            return Err(Error::SignedOut("The passkey’s answer does not fit what was asked for. Try again.".into()));
        }
    };
    let mut key = stored(row)?;
    key.update_credential(&result);
    let counter = i64::from(result.counter());
    // What doesn't count stays at zero.
    let grows = if counter == 0 { passkey::Column::Counter.eq(0) } else { passkey::Column::Counter.lt(counter) };
    let update = passkey::Entity::update_many()
        .col_expr(passkey::Column::Counter, Expr::value(counter))
        .col_expr(passkey::Column::Credential, Expr::value(serde_json::to_string(&key).because("writing a passkey")?))
        .col_expr(passkey::Column::LastUsedAt, Expr::value(panel.now()))
        .filter(passkey::Column::Id.eq(row.id.clone()))
        .filter(grows);
    let done = panel.db.tx(async |tx| update.exec(tx).await.because("noting a passkey's use")).await?;
    if done.rows_affected == 1 { Ok(()) } else { refuse_copy(panel, origin, row).await }
}

async fn refuse_copy(panel: &Panel, origin: &Origin, row: &passkey::Model) -> Result<()> {
    let org = first_organization(panel, &row.user_id).await?;
    let person = person(panel, &row.user_id).await?;
    panel
        .db
        .tx(async |tx| {
            if let Some(org) = &org {
                let event =
                    Event { kind: events::ACCOUNT_PASSKEY_REFUSED, target: row.id.to_string(), detail: json!({ "why": "counter" }) };
                record_for(tx, org, row.user_id.as_str(), origin, panel.now(), event).await?;
            }
            tell(tx, panel, &person, format!("the passkey “{}” was refused, because it seems to have been copied", row.name)).await
        })
        .await?;
    Err(Error::SignedOut("This passkey seems to have been copied, and was refused. Remove it, and register a new one.".into()))
}
