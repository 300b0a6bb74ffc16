//! Signing in by an account at another provider: which there are, whose account there is whose here, and what comes of a visitor who
//! returns from one. An account here is never taken over because an address matches: its owner signs in once and says yes.
use crate::{
    accounts::{
        model::{
            Email, IDENTITY_PROVIDER, NewPerson,
            factors::{Identity, LinkOffer, Provider},
            first_name_of_address,
        },
        server::{
            CLUSTERS,
            challenges::{self, Bound, LINK, PROVIDER},
            events,
            oidc::{self, Claims},
            service::{
                self, Begun, Proof,
                factors::{first_organization, keeps_a_way_in, person, tell},
            },
        },
    },
    audit::server::service::{Event, record, record_for},
    auth::session::{SessionCache, Who},
    error::{Error, Result, Thing},
    fault::Because,
    id::{Id, UserId},
    runtime::{config::OidcConfig, panel::Panel},
    store::{
        Tx, is_taken,
        tables::{identity, session, user},
    },
    web::{
        attempts::{self, AttemptLimit},
        ctx::{Ctx, Visitor},
    },
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// Sign-ins by a provider that one address may begin.
const BEGUN: AttemptLimit = AttemptLimit { failures: 60, window: Duration::from_secs(900) };
/// Accounts elsewhere that one account may have.
const MOST: u64 = 20;

/// What is remembered while somebody is at a provider.
#[derive(Serialize, Deserialize)]
struct Away {
    provider: String,
    nonce: String,
    verifier: String,
    next: Option<String>,
}

/// An account at a provider that may be linked.
#[derive(Clone, Serialize, Deserialize)]
struct Offered {
    provider: String,
    subject: String,
    email: String,
}

/// What comes of a visitor who returns from a provider.
pub enum Returned {
    /// She goes on signing in.
    SignsIn(Begun, Option<String>),
    /// She was signed in already, and is now so by this provider.
    Renewed(Option<String>),
    /// She may link the account; the token leads to the offer.
    MayLink(String),
    /// There is an account with her address: she signs in once, and links then.
    SignInFirst,
    Not(Problem),
}

/// Why nothing came of it, though the provider did its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The account there belongs to another account here.
    Taken,
    /// The provider tells no address.
    NoAddress,
    /// Signing up is closed.
    Closed,
}

/// The providers that the operator set.
pub fn all(panel: &Panel) -> Vec<Provider> {
    panel.config.oidc.iter().map(|of| Provider { id: of.id.clone(), name: of.name.clone() }).collect()
}

/// A provider by its id; one that is set no longer goes by its id.
pub fn named(panel: &Panel, id: &str) -> Provider {
    let name = set(panel, id).map_or_else(|_| id.to_string(), |of| of.name.clone());
    Provider { id: id.into(), name }
}

fn set<'a>(panel: &'a Panel, id: &str) -> Result<&'a OidcConfig> {
    panel.config.oidc.iter().find(|of| of.id == id).ok_or(Error::NotFound(IDENTITY_PROVIDER))
}

fn method(provider: &str) -> String {
    format!("oidc:{provider}")
}

/// Where to send a visitor who wants to sign in by a provider; `next` is where she goes on to afterwards.
pub async fn begin(visitor: &Visitor, id: &str, next: Option<String>) -> Result<String> {
    let panel = &visitor.panel;
    let of = set(panel, id)?;
    let subject = format!("provider {}", visitor.origin.address);
    attempts::check(panel, &subject, BEGUN).await?;
    attempts::count(panel, &subject, BEGUN).await?;
    let state = crate::store::random::token();
    let sent = oidc::send_to(panel, of, &state).await?;
    let away = Away { provider: of.id.clone(), nonce: sent.nonce, verifier: sent.verifier, next };
    let bound = Bound::visitor(visitor);
    panel.db.tx(async |tx| challenges::keep_as(tx, panel, PROVIDER, &bound, &state, &away).await).await?;
    Ok(sent.url)
}

/// Takes a visitor back from a provider. `issuer` is what the provider calls itself in the address, where it does (RFC 9207).
pub async fn take_back(visitor: &Visitor, id: &str, state: &str, code: Result<&str, &str>, issuer: Option<&str>) -> Result<Returned> {
    let panel = &visitor.panel;
    let of = set(panel, id)?;
    let away = panel.db.tx(async |tx| challenges::take::<Away>(tx, panel, PROVIDER, &Bound::visitor(visitor), state).await).await?;
    let away = away.filter(|away| away.provider == of.id);
    let away = away.ok_or_else(|| Error::SignedOut("This sign-in took too long, or was begun in another browser. Begin again.".into()))?;
    if issuer.is_some_and(|issuer| issuer != of.issuer) {
        return Err(Error::SignedOut(format!("The answer is not of “{}”. Begin again.", of.name)));
    }
    let code = code.map_err(|why| {
        tracing::info!(provider = %of.id, ?why, "a provider refused a sign-in");
        Error::SignedOut(format!("“{}” did not sign you in. Try again, or sign in another way.", of.name))
    })?;
    let claims = oidc::redeem(panel, of, code, &away.verifier, &away.nonce).await?;
    let known = identity::Entity::find_by_id((of.id.clone(), claims.subject.clone()));
    let known = known.one(panel.db.read()).await.because("looking up an identity")?;
    match (known, &visitor.who) {
        (Some(known), None) => sign_in(visitor, of, &claims, &known.user_id, away.next).await,
        (Some(known), Some(who)) if known.user_id == who.user => renew(visitor, of, &claims, who, away.next).await,
        (Some(_), Some(_)) => Ok(Returned::Not(Problem::Taken)),
        (None, Some(_)) => offer_link(visitor, of, claims).await.map(Returned::MayLink),
        (None, None) => newcomer(visitor, of, claims, away.next).await,
    }
}

async fn sign_in(visitor: &Visitor, of: &OidcConfig, claims: &Claims, user: &UserId, next: Option<String>) -> Result<Returned> {
    let person = person(&visitor.panel, user).await?;
    visitor.panel.db.tx(async |tx| touch(tx, visitor, of, claims).await).await?;
    let method = method(&of.id);
    let begun = service::go_on(visitor, person, Proof { method: &method, second_factor: None }, next.clone()).await?;
    Ok(Returned::SignsIn(begun, next))
}

/// Notes that an identity was used, and what its address is now.
async fn touch(tx: &Tx, visitor: &Visitor, of: &OidcConfig, claims: &Claims) -> Result<()> {
    let row = identity::Entity::update_many()
        .col_expr(identity::Column::LastUsedAt, Expr::value(visitor.panel.now()))
        .col_expr(identity::Column::Email, Expr::value(address(claims)))
        .filter(identity::Column::Provider.eq(&of.id))
        .filter(identity::Column::Subject.eq(&claims.subject));
    row.exec(tx).await.because("noting an identity's use").map(|_| ())
}

/// What is shown of an account elsewhere.
fn address(claims: &Claims) -> String {
    claims.email.clone().unwrap_or_default().chars().filter(|c| !c.is_control()).take(254).collect()
}

/// The session of whoever is signed in becomes one by this provider.
async fn renew(visitor: &Visitor, of: &OidcConfig, claims: &Claims, who: &Who, next: Option<String>) -> Result<Returned> {
    let ctx = visitor.ctx()?;
    ctx.in_person()?;
    visitor
        .panel
        .db
        .tx(async |tx| {
            touch(tx, visitor, of, claims).await?;
            by_provider(tx, &ctx, of).await?;
            record(tx, &ctx, events::ACCOUNT_SIGNED_IN_AGAIN, &who.user, json!({ "method": method(&of.id) })).await
        })
        .await?;
    visitor.panel.of::<SessionCache>().forget_user(&who.user);
    Ok(Returned::Renewed(next))
}

async fn by_provider(tx: &Tx, ctx: &Ctx, of: &OidcConfig) -> Result<()> {
    let own = session::Entity::update_many()
        .col_expr(session::Column::Method, Expr::value(method(&of.id)))
        .filter(session::Column::Id.eq(ctx.in_person()?.clone()));
    own.exec(tx).await.because("noting how a session was proved").map(|_| ())
}

async fn offer_link(visitor: &Visitor, of: &OidcConfig, claims: Claims) -> Result<String> {
    let ctx = visitor.ctx()?;
    ctx.in_person()?;
    let offered = Offered { provider: of.id.clone(), email: address(&claims), subject: claims.subject };
    visitor.panel.db.tx(async |tx| challenges::keep(tx, &visitor.panel, LINK, &Bound::session(&ctx), &offered).await).await
}

/// Somebody whom nobody here knows yet.
async fn newcomer(visitor: &Visitor, of: &OidcConfig, claims: Claims, next: Option<String>) -> Result<Returned> {
    let panel = &visitor.panel;
    let Some(email) = claims.email.as_deref().and_then(|email| email.parse::<Email>().ok()) else {
        return Ok(Returned::Not(Problem::NoAddress));
    };
    let known = user::Entity::find().filter(user::Column::Email.eq(email.as_str()));
    if let Some(known) = known.one(panel.db.read()).await.because("looking up an account")? {
        let trusted = of.trust_email && claims.email_verified == Some(true) && known.email_verified_at.is_some();
        if !trusted {
            return Ok(Returned::SignInFirst);
        }
        let org = first_organization(panel, &known.id).await?;
        let attached = panel.db.tx(async |tx| {
            if let Some(org) = &org {
                let detail = json!({ "provider": of.id, "by": "address" });
                let event = Event { kind: events::ACCOUNT_IDENTITY_LINKED, target: known.id.to_string(), detail };
                record_for(tx, org, known.id.as_str(), &visitor.origin, panel.now(), event).await?;
            }
            tell(tx, panel, &known, format!("your account at “{}” was linked", of.name)).await?;
            attach(tx, panel, &known.id, &of.id, &claims.subject, email.as_str()).await
        });
        attached.await?;
        return sign_in(visitor, of, &claims, &known.id, next).await;
    }
    if service::is_new(panel).await? || !panel.config.panel.open_sign_up {
        return Ok(Returned::Not(Problem::Closed));
    }
    let name = claims.name.clone().unwrap_or_else(|| first_name_of_address(&email));
    let verified = claims.email_verified == Some(true);
    let new = NewPerson { name, email, verified };
    let made = panel.db.tx(async |tx| {
        let user = service::insert_without_password(tx, visitor, &new, &method(&of.id)).await?;
        attach(tx, panel, &user, &of.id, &claims.subject, new.email.as_str()).await?;
        Ok(user)
    });
    let user = made.await?;
    panel.wake(CLUSTERS);
    sign_in(visitor, of, &claims, &user, next).await
}

/// The last thing in its transaction.
async fn attach(tx: &Tx, panel: &Panel, user: &UserId, provider: &str, subject: &str, email: &str) -> Result<()> {
    let row = identity::ActiveModel {
        provider: Set(provider.into()),
        subject: Set(subject.into()),
        user_id: Set(user.clone()),
        email: Set(email.into()),
        created_at: Set(panel.now()),
        last_used_at: Set(Some(panel.now())),
    };
    match identity::Entity::insert(row).exec_without_returning(tx).await {
        Err(why) if is_taken(&why) => Err(Error::Conflict("This account is linked already.".into())),
        done => done.because("linking an identity").map(|_| ()),
    }
}

/// The caller's accounts at providers, the oldest first.
pub async fn identities(ctx: &Ctx) -> Result<Vec<Identity>> {
    let own = identity::Entity::find().filter(identity::Column::UserId.eq(ctx.who.user.clone())).order_by_asc(identity::Column::CreatedAt);
    let own = own.limit(MOST).all(ctx.panel.db.read()).await.because("reading identities")?;
    let shown = |row: identity::Model| Identity {
        provider: named(&ctx.panel, &row.provider),
        subject: row.subject,
        email: row.email,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
    };
    Ok(own.into_iter().map(shown).collect())
}

fn over() -> Error {
    Error::NotFound(Thing::LINK)
}

/// What the caller may link.
pub async fn offer(ctx: &Ctx, token: &str) -> Result<LinkOffer> {
    ctx.in_person()?;
    let offered: Option<Offered> = challenges::peek(&ctx.panel, LINK, &Bound::session(ctx), token).await?;
    let offered = offered.ok_or_else(over)?;
    Ok(LinkOffer { provider: named(&ctx.panel, &offered.provider), email: offered.email })
}

/// Links an account at a provider with the caller's own, and counts as a sign-in by it.
pub async fn link(ctx: &Ctx, token: &str) -> Result<()> {
    ctx.in_person()?;
    let panel = &ctx.panel;
    let taken = panel.db.tx(async |tx| challenges::take::<Offered>(tx, panel, LINK, &Bound::session(ctx), token).await).await?;
    let offered = taken.ok_or_else(over)?;
    let of = set(panel, &offered.provider)?;
    let used = identities(ctx).await?.len() as u64;
    if used >= MOST {
        return Err(Error::QuotaExceeded { what: "linked accounts".into(), limit: MOST, used });
    }
    let person = person(panel, &ctx.who.user).await?;
    panel
        .db
        .tx(async |tx| {
            by_provider(tx, ctx, of).await?;
            record(tx, ctx, events::ACCOUNT_IDENTITY_LINKED, &ctx.who.user, json!({ "provider": of.id })).await?;
            tell(tx, panel, &person, format!("your account at “{}” was linked", of.name)).await?;
            attach(tx, panel, &ctx.who.user, &of.id, &offered.subject, &offered.email).await
        })
        .await?;
    panel.of::<SessionCache>().forget_user(&ctx.who.user);
    Ok(())
}

/// Takes a link away, unless it is the last way in.
pub async fn unlink(ctx: &Ctx, provider: &str, subject: &str) -> Result<()> {
    ctx.in_person()?;
    let (panel, user) = (&ctx.panel, &ctx.who.user);
    let person = person(panel, user).await?;
    let name = named(panel, provider).name;
    let own = identity::Entity::delete_many()
        .filter(identity::Column::Provider.eq(provider))
        .filter(identity::Column::Subject.eq(subject))
        .filter(identity::Column::UserId.eq(user.clone()));
    panel
        .db
        .tx(async |tx| {
            if own.exec(tx).await.because("unlinking an identity")?.rows_affected != 1 {
                return Err(Error::NotFound(IDENTITY_PROVIDER));
            }
            keeps_a_way_in(tx, user).await?;
            record(tx, ctx, events::ACCOUNT_IDENTITY_UNLINKED, user, json!({ "provider": provider })).await?;
            tell(tx, panel, &person, format!("your account at “{name}” was unlinked")).await
        })
        .await
}
