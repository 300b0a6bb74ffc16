//! Signing up, in and out.
use crate::{
    accounts::{
        model::{Email, Me, NewUser, Organization, SignInForm, SignUpForm, User, first_name},
        server::passwords,
    },
    audit::server::service::{Event, record, record_for},
    error::{Error, Result, Thing},
    id::{Id, OrgId, UserId},
    platform::{
        ctx::{Ctx, Visitor},
        db::{
            Tx, is_taken,
            tables::{membership, organization, session, setup_token, user},
        },
        fault::Because,
        fresh,
        panel::Panel,
        session::{self as sessions, NewSession, Opened, Via},
        throttle::{self, Limit},
    },
    rights::Role,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::json;
use std::time::Duration;

/// Failures of one address with one account.
const GUESSES: Limit = Limit { failures: 5, window: Duration::from_secs(900) };
/// Failures of one address with any account, and sign-ups from it.
const ADDRESS: Limit = Limit { failures: 30, window: Duration::from_secs(900) };
/// How long the first administrator's link is good.
const SETUP_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Whether nobody has an account yet.
pub async fn is_new(panel: &Panel) -> Result<bool> {
    Ok(user::Entity::find().one(panel.db.read()).await.because("looking for accounts")?.is_none())
}

/// Makes the one-time link of the first administrator, in place of any earlier one; nothing once there is an account.
pub async fn setup_link(panel: &Panel) -> Result<Option<String>> {
    if !is_new(panel).await? {
        return Ok(None);
    }
    let token = fresh::token();
    let now = panel.now();
    let row = setup_token::ActiveModel { token_hash: Set(fresh::hash(&token)), created_at: Set(now), expires_at: Set(now + SETUP_LIFE) };
    panel
        .db
        .tx(async |tx| {
            setup_token::Entity::delete_many().exec(tx).await.because("replacing the setup link")?;
            setup_token::Entity::insert(row).exec_without_returning(tx).await.because("making the setup link")
        })
        .await?;
    Ok(Some(format!("{}/setup/{token}", panel.config.public_url())))
}

/// Whether a link of the first administrator is still good.
pub async fn is_setup_link(panel: &Panel, token: &str) -> Result<bool> {
    let row = setup_token::Entity::find_by_id(fresh::hash(token)).one(panel.db.read()).await.because("reading the setup link")?;
    Ok(row.is_some_and(|row| row.expires_at > panel.now()))
}

/// Makes an account with an organization of its own, and signs in. The first account needs the setup link and runs the platform.
pub async fn sign_up(visitor: &Visitor, form: SignUpForm, via: Via) -> Result<(Me, Opened)> {
    let new = form.parse()?;
    let panel = &visitor.panel;
    let subject = format!("sign-up {}", visitor.origin.address);
    throttle::check(panel, &subject, ADDRESS).await?;
    let first = is_new(panel).await?;
    if !first && form.setup_token.is_some() {
        return Err(Error::NotFound(Thing::Link));
    }
    if !first && !panel.config.panel.open_sign_up {
        return Err(Error::Conflict("Signing up is closed here. Ask the operator for an account.".into()));
    }
    throttle::count(panel, &subject, ADDRESS).await?;
    let hash = passwords::hash(&new.password).await?;
    let made = panel.db.tx(async |tx| {
        if first {
            use_setup_token(tx, panel, form.setup_token.as_deref()).await?;
        }
        let (user, org) = insert(tx, panel, &new, hash, first).await?;
        let event = Event { name: "account.created", target: user.to_string(), detail: json!({ "operator": first }) };
        record_for(tx, &org, &user.to_string(), &visitor.origin, panel.now(), event).await?;
        let opened = sessions::open(tx, panel, session_of(visitor, &user, &org, via)).await?;
        Ok((user, org, opened))
    });
    let (user, org, opened) = made.await?;
    let me = Me {
        user: User { id: user, name: new.name.clone(), email: new.email.to_string(), is_operator: first },
        organization: Organization { id: org, name: first_name(&new.name) },
        role: Role::Owner.name().into(),
        permissions: Role::Owner.permissions(),
    };
    panel.wake.clusters.notify_one();
    Ok((me, opened))
}

async fn use_setup_token(tx: &Tx, panel: &Panel, token: Option<&str>) -> Result<()> {
    let missing = || Error::Conflict("The first account is made with the link that the panel printed when it started.".into());
    let hash = fresh::hash(token.ok_or_else(missing)?);
    let good = setup_token::Column::TokenHash.eq(hash).and(setup_token::Column::ExpiresAt.gt(panel.now()));
    let used = setup_token::Entity::delete_many().filter(good).exec(tx).await.because("using the setup link")?;
    // Two people with the same link: the second finds the account that the first made.
    let still_new = user::Entity::find().count(tx).await.because("looking for accounts")? == 0;
    if used.rows_affected == 1 && still_new { Ok(()) } else { Err(Error::NotFound(Thing::Link)) }
}

async fn insert(tx: &Tx, panel: &Panel, new: &NewUser, hash: String, operator: bool) -> Result<(UserId, OrgId)> {
    let (user_id, org_id, now): (UserId, OrgId, _) = (fresh::id(), fresh::id(), panel.now());
    let row = user::ActiveModel {
        id: Set(user_id.clone()),
        email: Set(new.email.to_string()),
        name: Set(new.name.clone()),
        password_hash: Set(hash),
        is_operator: Set(operator),
        created_at: Set(now),
        ..Default::default()
    };
    match user::Entity::insert(row).exec_without_returning(tx).await {
        Err(why) if is_taken(&why) => return Err(Error::invalid("email", "There is an account with this address. Sign in instead.")),
        done => done.because("making an account")?,
    };
    let row = organization::ActiveModel {
        id: Set(org_id.clone()),
        name: Set(first_name(&new.name)),
        slug: Set(org_id.suffix().into()),
        created_at: Set(now),
        ..Default::default()
    };
    organization::Entity::insert(row).exec_without_returning(tx).await.because("making an organization")?;
    join(tx, panel, &org_id, &user_id, Role::Owner).await?;
    Ok((user_id, org_id))
}

/// Makes somebody a member.
pub async fn join(tx: &Tx, panel: &Panel, org: &OrgId, user: &UserId, role: Role) -> Result<()> {
    let row = membership::ActiveModel {
        organization_id: Set(org.clone()),
        user_id: Set(user.clone()),
        role: Set(role.name().into()),
        created_at: Set(panel.now()),
        ..Default::default()
    };
    membership::Entity::insert(row).exec_without_returning(tx).await.because("making a membership").map(|_| ())
}

/// Signs in. An unknown address and a wrong password look alike and take as long.
pub async fn sign_in(visitor: &Visitor, form: SignInForm, via: Via) -> Result<(Me, Opened)> {
    let panel = &visitor.panel;
    let address = format!("sign-in {}", visitor.origin.address);
    let account = format!("sign-in {} {}", visitor.origin.address, fresh::hash(&form.email.trim().to_lowercase()));
    throttle::check(panel, &address, ADDRESS).await?;
    throttle::check(panel, &account, GUESSES).await?;
    // Counted before the slow part, so that guesses made at the same time are counted too.
    throttle::count(panel, &account, GUESSES).await?;
    let found = match form.email.parse::<Email>() {
        Ok(email) => {
            let by_email = user::Entity::find().filter(user::Column::Email.eq(email.as_str()));
            by_email.one(panel.db.read()).await.because("looking up an account")?
        }
        Err(_) => None,
    };
    let matches =
        form.password.len() <= 1024 && passwords::verify(&form.password, found.as_ref().map(|user| user.password_hash.as_str())).await?;
    let Some(user) = found.filter(|_| matches) else {
        throttle::count(panel, &address, ADDRESS).await?;
        return Err(Error::SignedOut("The address or the password is wrong.".into()));
    };
    throttle::clear(panel, &account).await?;
    let oldest =
        membership::Entity::find().filter(membership::Column::UserId.eq(user.id.clone())).order_by_asc(membership::Column::CreatedAt);
    let member = oldest.one(panel.db.read()).await.because("looking up a membership")?;
    let member = member.ok_or_else(|| Error::Conflict("You are in no organization. Ask to be invited.".into()))?;
    let org = organization::Entity::find_by_id(member.organization_id.clone())
        .one(panel.db.read())
        .await
        .because("looking up an organization")?;
    let org = org.ok_or(Error::NotFound(Thing::Organization))?;
    let opened = panel
        .db
        .tx(async |tx| {
            let over = session::Entity::delete_many().filter(session::Column::ExpiresAt.lte(panel.now()));
            over.exec(tx).await.because("removing old sessions")?;
            let event = Event { name: "account.signed_in", target: user.id.to_string(), detail: json!({}) };
            record_for(tx, &org.id, &user.id.to_string(), &visitor.origin, panel.now(), event).await?;
            sessions::open(tx, panel, session_of(visitor, &user.id, &org.id, via)).await
        })
        .await?;
    let own = sessions::own_role(panel, &org.id, &member.role).await?;
    let me = Me {
        user: User { id: user.id, name: user.name, email: user.email, is_operator: user.is_operator },
        organization: Organization { id: org.id, name: org.name },
        role: member.role,
        permissions: own.1,
    };
    Ok((me, opened))
}

/// A session by password, from where the visitor is.
fn session_of<'a>(visitor: &'a Visitor, user: &'a UserId, org: &'a OrgId, via: Via) -> NewSession<'a> {
    NewSession {
        user,
        org,
        via,
        method: "password",
        address: &visitor.origin.address,
        agent: &visitor.origin.agent,
        impersonator: None,
        life: None,
    }
}

/// Ends the session that asks. A key of the API has none: it is revoked instead.
pub async fn sign_out(ctx: &Ctx) -> Result<()> {
    let Some(id) = ctx.who.credential.session() else {
        return Err(Error::Conflict("A key of the API can’t sign out. Revoke it instead.".into()));
    };
    let ended = ctx
        .panel
        .db
        .tx(async |tx| {
            record(tx, ctx, "account.signed_out", &ctx.who.user, json!({})).await?;
            session::Entity::delete_by_id(id.clone()).exec(tx).await.because("signing out").map(|_| ())
        })
        .await;
    ctx.panel.lately.forget(id);
    ended
}

/// Who asks, and where.
pub fn me(ctx: &Ctx) -> Me {
    let who = &ctx.who;
    Me {
        user: User { id: who.user.clone(), name: who.name.clone(), email: who.email.clone(), is_operator: who.is_operator },
        organization: Organization { id: who.org.clone(), name: who.org_name.clone() },
        role: who.role.clone(),
        permissions: who.permissions,
    }
}
