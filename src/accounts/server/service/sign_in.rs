//! Signing in and out. A right password is the first half: where the account has a second factor a pending sign-in leads on to it, and
//! [`finish_sign_in`] opens the session when all is proven, however that was done.
use crate::{
    accounts::{
        model::{Email, Me, Organization, SignInForm, User},
        server::{
            devices, events,
            passwords::{self, PasswordMatch},
            second_factor,
            tokens::{self, Purpose},
        },
    },
    audit::server::{
        chain,
        service::{Event, record, record_for},
    },
    auth::{
        session as sessions,
        session::{NewSession, Opened, PENDING, SessionCache, Via},
    },
    error::{Error, Result},
    fault::Because,
    id::{Id, OrgId, UserId},
    runtime::panel::Panel,
    store::{
        EventKind, Tx, random,
        tables::{membership, organization, session, user},
    },
    web::{
        attempts::{self, AttemptLimit},
        ctx::{Ctx, Visitor},
    },
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::Expr};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(900);
/// Failures of one address, or of one device that the account knows, with one account.
const GUESSES: AttemptLimit = AttemptLimit { failures: 5, window: WINDOW };
/// Failures of one address with any account, and sign-ups from it.
pub const ADDRESS: AttemptLimit = AttemptLimit { failures: 30, window: WINDOW };
/// Failures with one account from anywhere but the devices that it knows.
const ANYWHERE: AttemptLimit = AttemptLimit { failures: 20, window: WINDOW };
/// Wrong codes of one account from anywhere but the devices that it knows. Who gets there knows the password.
const CODES: AttemptLimit = AttemptLimit { failures: 10, window: WINDOW };

/// How somebody proved who she is.
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    /// `password`, `passkey`, `oidc:<provider>`.
    pub method: &'a str,
    /// What was asked for beside it: `code`, `passkey`.
    pub second_factor: Option<&'a str>,
}

impl Proof<'_> {
    /// The password alone.
    pub const PASSWORD: Proof<'static> = Proof { method: "password", second_factor: None };
}

/// What comes of a right password in a browser.
pub enum Begun {
    /// The session is open.
    In(Box<Opened>),
    /// The second factor is asked for; the token leads back to this sign-in.
    Asks(String),
}

/// What a pending sign-in remembers.
#[derive(Serialize, Deserialize)]
struct Pending {
    /// The hash of what the visit's forms are bound to: another browser can't go on with it.
    visit: String,
    next: Option<String>,
    /// The first half: `password`, `oidc:<provider>`.
    method: String,
}

/// Signs in with all that it takes at once. An unknown address and a wrong password look alike and take as long.
pub async fn sign_in(visitor: &Visitor, form: SignInForm, via: Via) -> Result<(Me, Opened)> {
    let user = by_password(visitor, &form.email, &form.password).await?;
    let mut proof = Proof::PASSWORD;
    if user.has_second_factor {
        second_factor(visitor, &user, form.totp.as_deref().ok_or(Error::SecondFactor)?).await?;
        proof.second_factor = Some("code");
    }
    finish_sign_in(visitor, user, via, proof).await
}

/// Signs a browser in, or begins to where there is a second factor.
pub async fn begin_sign_in(visitor: &Visitor, email: &str, password: &str, next: Option<String>) -> Result<Begun> {
    let user = by_password(visitor, email, password).await?;
    go_on(visitor, user, Proof::PASSWORD, next).await
}

/// Goes on in a browser after the first half of a sign-in: to the second factor, where there is one.
pub async fn go_on(visitor: &Visitor, user: user::Model, proof: Proof<'_>, next: Option<String>) -> Result<Begun> {
    may_come_in(&user)?;
    if !user.has_second_factor {
        let (_, opened) = finish_sign_in(visitor, user, Via::Cookie, proof).await?;
        return Ok(Begun::In(Box::new(opened)));
    }
    let (panel, method) = (&visitor.panel, proof.method.to_string());
    let payload = Pending { visit: random::hash(&visitor.form_key), next, method };
    panel.db.tx(async |tx| tokens::issue(tx, panel, &user.id, Purpose::SignIn, &payload).await).await.map(Begun::Asks)
}

/// Whose sign-in waits for a second factor in this browser, where it goes on to afterwards, and how it began.
pub async fn pending_sign_in(visitor: &Visitor) -> Result<(user::Model, Option<String>, String)> {
    let over = || Error::SignedOut("This sign-in took too long or was finished already. Begin again with your password.".into());
    let token = visitor.cookie(PENDING).ok_or_else(over)?;
    let found = tokens::peek::<Pending>(&visitor.panel, Purpose::SignIn, &token).await?;
    let (user, pending) = found.filter(|(_, pending)| pending.visit == random::hash(&visitor.form_key)).ok_or_else(over)?;
    let user = user::Entity::find_by_id(user).one(visitor.panel.db.read()).await.because("looking up an account")?;
    Ok((user.ok_or_else(over)?, pending.next, pending.method))
}

/// Finishes a pending sign-in with a code; answers with where it goes on to as well.
pub async fn complete_sign_in(visitor: &Visitor, code: &str) -> Result<(Opened, Option<String>)> {
    let (user, next, method) = pending_sign_in(visitor).await?;
    second_factor(visitor, &user, code).await?;
    let proof = Proof { method: &method, second_factor: Some("code") };
    let (_, opened) = finish_sign_in(visitor, user, Via::Cookie, proof).await?;
    Ok((opened, next))
}

/// Checks a code of somebody's second factor. Guessing is slowed down per address and, from devices that the account does not know,
/// altogether.
pub async fn second_factor(visitor: &Visitor, user: &user::Model, code: &str) -> Result<()> {
    let panel = &visitor.panel;
    let known = devices::known(visitor, &user.id).await?;
    let here = format!("code {} {}", user.id, known.as_deref().unwrap_or(&visitor.origin.address));
    let anywhere = known.is_none().then(|| format!("code {}", user.id));
    attempts::check(panel, &here, GUESSES).await?;
    if let Some(anywhere) = &anywhere {
        attempts::check(panel, anywhere, CODES).await.map_err(slowed)?;
        attempts::count(panel, anywhere, CODES).await?;
    }
    attempts::count(panel, &here, GUESSES).await?;
    if code.len() > 100 || !second_factor::check(visitor, user, code).await? {
        return Err(Error::SignedOut("This code is wrong, too old, or was used already.".into()));
    }
    attempts::clear(panel, &here).await?;
    if let Some(anywhere) = &anywhere {
        attempts::uncount(panel, anywhere).await?;
    }
    Ok(())
}

/// Whose the address and the password are.
async fn by_password(visitor: &Visitor, email: &str, password: &str) -> Result<user::Model> {
    let panel = &visitor.panel;
    let found = match email.parse::<Email>() {
        Ok(email) => {
            let by_email = user::Entity::find().filter(user::Column::Email.eq(email.as_str()));
            by_email.one(panel.db.read()).await.because("looking up an account")?
        }
        Err(_) => None,
    };
    let device = match &found {
        Some(user) => devices::known(visitor, &user.id).await?,
        None => None,
    };
    let guesses = Guesses::of(visitor, email, device);
    // Counted before the slow part, so that guesses made at the same time are counted too.
    guesses.check_and_count(panel).await?;
    let hash = found.as_ref().map(|user| user.password_hash.as_str());
    let matches = if password.len() <= 1024 { passwords::verify(password, hash).await? } else { PasswordMatch::No };
    let Some(user) = found.filter(|_| matches != PasswordMatch::No) else {
        guesses.failed(panel).await?;
        return Err(Error::SignedOut("The address or the password is wrong.".into()));
    };
    guesses.succeeded(panel).await?;
    may_come_in(&user)?;
    if matches == PasswordMatch::OtherSpelling {
        normalize(panel, &user, password).await?;
    }
    Ok(user)
}

/// Replaces a hash of another spelling of the password, unless the password was changed meanwhile.
async fn normalize(panel: &Panel, user: &user::Model, password: &str) -> Result<()> {
    let hash = passwords::rehash(password).await?;
    let change = user::Entity::update_many()
        .col_expr(user::Column::PasswordHash, Expr::value(hash))
        .filter(user::Column::Id.eq(user.id.clone()))
        .filter(user::Column::PasswordHash.eq(&user.password_hash));
    panel.db.tx(async |tx| change.exec(tx).await.because("normalizing a password's hash")).await.map(|_| ())
}

fn may_come_in(user: &user::Model) -> Result<()> {
    match user.suspended_at {
        Some(_) => Err(Error::SignedOut("This account is suspended. Ask the operator of the platform.".into())),
        None => Ok(()),
    }
}

/// What is counted of attempts with one account.
enum Guesses {
    /// From a device that the account knows: nobody else's attempts count.
    Known { device: String },
    /// From elsewhere.
    Unknown { address: String, here: String, anywhere: String },
}

impl Guesses {
    fn of(visitor: &Visitor, email: &str, device: Option<String>) -> Self {
        let (address, account) = (&visitor.origin.address, random::hash(&email.trim().to_lowercase()));
        match device {
            Some(device) => Guesses::Known { device: format!("sign-in {account} {device}") },
            None => Guesses::Unknown {
                address: format!("sign-in {address}"),
                here: format!("sign-in {address} {account}"),
                anywhere: format!("sign-in anywhere {account}"),
            },
        }
    }

    async fn check_and_count(&self, panel: &Panel) -> Result<()> {
        match self {
            Guesses::Known { device } => {
                attempts::check(panel, device, GUESSES).await?;
                attempts::count(panel, device, GUESSES).await
            }
            Guesses::Unknown { address, here, anywhere } => {
                attempts::check(panel, address, ADDRESS).await?;
                attempts::check(panel, here, GUESSES).await?;
                attempts::check(panel, anywhere, ANYWHERE).await.map_err(slowed)?;
                attempts::count(panel, here, GUESSES).await?;
                attempts::count(panel, anywhere, ANYWHERE).await
            }
        }
    }

    async fn failed(&self, panel: &Panel) -> Result<()> {
        match self {
            Guesses::Known { .. } => Ok(()),
            Guesses::Unknown { address, .. } => attempts::count(panel, address, ADDRESS).await,
        }
    }

    async fn succeeded(&self, panel: &Panel) -> Result<()> {
        match self {
            Guesses::Known { device } => attempts::clear(panel, device).await,
            Guesses::Unknown { here, anywhere, .. } => {
                attempts::clear(panel, here).await?;
                // What others failed at goes on counting.
                attempts::uncount(panel, anywhere).await
            }
        }
    }
}

/// Says that it is not the caller's own doing.
fn slowed(why: Error) -> Error {
    match why {
        Error::RateLimited { retry_after } => Error::UnknownDevice { retry_after },
        other => other,
    }
}

/// Opens the session of somebody who has proven all that was asked for. Who is suspended is told so here at the latest.
pub async fn finish_sign_in(visitor: &Visitor, user: user::Model, via: Via, proof: Proof<'_>) -> Result<(Me, Opened)> {
    may_come_in(&user)?;
    let panel = &visitor.panel;
    let (org, role) = home(panel, &user.id).await?;
    let opened = panel.db.tx(async |tx| {
        tokens::void(tx, &user.id, Purpose::SignIn).await?;
        let detail = json!({ "method": proof.method, "second_factor": proof.second_factor });
        let event = Event { kind: events::ACCOUNT_SIGNED_IN, target: user.id.to_string(), detail };
        record_for(tx, &org.id, &user.id.to_string(), &visitor.origin, panel.now(), event).await?;
        let mut opened = sessions::open(tx, panel, session_of(visitor, &user.id, &org.id, via, proof)).await?;
        if via == Via::Cookie {
            opened.device = devices::remember(tx, visitor, &user.id).await?;
        }
        Ok(opened)
    });
    let opened = opened.await?;
    let own = sessions::own_role(panel, &org.id, &role).await?;
    let me = Me {
        user: User { id: user.id, name: user.name, email: user.email, is_operator: user.is_operator },
        organization: Organization { id: org.id, name: org.name },
        role,
        permissions: own.1,
    };
    Ok((me, opened))
}

/// The organization that somebody begins in, which is the one that she is in for the longest time, and her role there.
async fn home(panel: &Panel, user: &UserId) -> Result<(organization::Model, String)> {
    let found = first_home(panel.db.read(), user).await?;
    found.ok_or_else(|| Error::Conflict("You are in no organization. Ask to be invited.".into()))
}

async fn first_home(db: &impl ConnectionTrait, user: &UserId) -> Result<Option<(organization::Model, String)>> {
    let mine = membership::Entity::find().filter(membership::Column::UserId.eq(user.clone())).order_by_asc(membership::Column::CreatedAt);
    for member in mine.all(db).await.because("looking up memberships")? {
        let org = organization::Entity::find_by_id(member.organization_id).filter(organization::Column::DeletedAt.is_null());
        if let Some(org) = org.one(db).await.because("looking up an organization")? {
            return Ok(Some((org, member.role)));
        }
    }
    Ok(None)
}

/// Records a deed of somebody who need not be signed in, in the organization that she begins in, or the
/// platform's own trail where she is in none.
pub async fn note(tx: &Tx, visitor: &Visitor, user: &UserId, kind: EventKind, detail: Value) -> Result<()> {
    let org = first_home(tx, user).await?.map_or_else(chain::platform, |(org, _)| org.id);
    let event = Event { kind, target: user.to_string(), detail };
    record_for(tx, &org, user.as_str(), &visitor.origin, visitor.panel.now(), event).await
}

/// A session from where the visitor is.
pub fn session_of<'a>(visitor: &'a Visitor, user: &'a UserId, org: &'a OrgId, via: Via, proof: Proof<'a>) -> NewSession<'a> {
    let (address, agent) = (&*visitor.origin.address, &*visitor.origin.agent);
    NewSession { user, org, via, method: proof.method, address, agent, impersonator: None, life: None }
}

/// Ends the session that asks. A key of the API has none: it is revoked instead.
pub async fn sign_out(ctx: &Ctx) -> Result<()> {
    let Some(id) = ctx.who.credential.session() else {
        return Err(Error::Forbidden { permission: "in_person".into() });
    };
    let ended = ctx
        .panel
        .db
        .tx(async |tx| {
            record(tx, ctx, events::ACCOUNT_SIGNED_OUT, &ctx.who.user, json!({})).await?;
            session::Entity::delete_by_id(id.clone()).exec(tx).await.because("signing out").map(|_| ())
        })
        .await;
    ctx.panel.of::<SessionCache>().forget(id);
    ended
}
