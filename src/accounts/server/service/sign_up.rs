//! Making accounts: the first administrator by the link that the panel prints, and everybody after.
use super::{
    emails,
    sign_in::{ADDRESS, Proof, session_of},
};
use crate::accounts::server::CLUSTERS;
use crate::{
    accounts::{
        model::{Email, Me, NewPerson, Organization, SignUpForm, User, first_name},
        server::{devices, events, passwords},
    },
    audit::server::service::{Event, record_for},
    auth::{
        session as sessions,
        session::{Opened, Via},
    },
    error::{Error, Result, Thing},
    fault::Because,
    id::{Id, OrgId, UserId},
    rights::Role,
    runtime::panel::Panel,
    store::{
        Tx, is_taken, random,
        tables::{membership, organization, setup_token, user},
    },
    web::{attempts, ctx::Visitor},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter};
use serde_json::json;
use std::time::Duration;

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
    let token = random::token();
    let now = panel.now();
    let row = setup_token::ActiveModel { token_hash: Set(random::hash(&token)), created_at: Set(now), expires_at: Set(now + SETUP_LIFE) };
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
    let row = setup_token::Entity::find_by_id(random::hash(token)).one(panel.db.read()).await.because("reading the setup link")?;
    Ok(row.is_some_and(|row| row.expires_at > panel.now()))
}

/// Makes an account with an organization of its own, and signs in. The first account needs the setup link and runs the platform.
pub async fn sign_up(visitor: &Visitor, form: SignUpForm, via: Via) -> Result<(Me, Opened)> {
    let new = form.parse()?;
    let panel = &visitor.panel;
    let subject = format!("sign-up {}", visitor.origin.address);
    attempts::check(panel, &subject, ADDRESS).await?;
    let first = is_new(panel).await?;
    if !first && form.setup_token.is_some() {
        return Err(Error::NotFound(Thing::LINK));
    }
    if !first && !panel.config.panel.open_sign_up {
        return Err(Error::Conflict("Signing up is closed here. Ask the operator for an account.".into()));
    }
    attempts::count(panel, &subject, ADDRESS).await?;
    passwords::judge(panel, "password", &new.password, &[&new.name, new.email.as_str()]).await?;
    let hash = passwords::hash(&new.password).await?;
    let made = panel.db.tx(async |tx| {
        if first {
            use_setup_token(tx, panel, form.setup_token.as_deref()).await?;
        }
        // Who holds the setup link runs the machine, and no mail may be set up yet: the first address is taken for hers.
        let user = insert_user(tx, panel, &new.name, &new.email, hash, first, first).await?;
        let org = found(tx, panel, &user, &first_name(&new.name)).await?;
        let event = Event { kind: events::ACCOUNT_CREATED, target: user.to_string(), detail: json!({ "operator": first }) };
        record_for(tx, &org, &user.to_string(), &visitor.origin, panel.now(), event).await?;
        if !first {
            emails::ask_to_verify(tx, panel, &user, &new.name, new.email.as_str()).await?;
        }
        let opened = open_first(tx, visitor, &user, &org, via).await?;
        Ok((user, org, opened))
    });
    let (user, org, opened) = made.await?;
    let me = Me {
        user: User { id: user, name: new.name.clone(), email: new.email.to_string(), is_operator: first },
        organization: Organization { id: org, name: first_name(&new.name) },
        role: Role::Owner.name().into(),
        permissions: Role::Owner.permissions(),
    };
    panel.wake(CLUSTERS);
    Ok((me, opened))
}

/// Opens the first session of a person who was just made; her account knows the browser from now on.
pub async fn open_first(tx: &Tx, visitor: &Visitor, user: &UserId, org: &OrgId, via: Via) -> Result<Opened> {
    let mut opened = sessions::open(tx, &visitor.panel, session_of(visitor, user, org, via, Proof::PASSWORD)).await?;
    if via == Via::Cookie {
        opened.device = devices::remember(tx, visitor, user).await?;
    }
    Ok(opened)
}

async fn use_setup_token(tx: &Tx, panel: &Panel, token: Option<&str>) -> Result<()> {
    let missing = || Error::Conflict("The first account is made with the link that the panel printed when it started.".into());
    let hash = random::hash(token.ok_or_else(missing)?);
    let good = setup_token::Column::TokenHash.eq(hash).and(setup_token::Column::ExpiresAt.gt(panel.now()));
    let used = setup_token::Entity::delete_many().filter(good).exec(tx).await.because("using the setup link")?;
    // Two people with the same link: the second finds the account that the first made.
    let still_new = user::Entity::find().count(tx).await.because("looking for accounts")? == 0;
    if used.rows_affected == 1 && still_new { Ok(()) } else { Err(Error::NotFound(Thing::LINK)) }
}

/// Makes a person, who is in no organization yet.
pub async fn insert_user(
    tx: &Tx,
    panel: &Panel,
    name: &str,
    email: &Email,
    hash: String,
    operator: bool,
    verified: bool,
) -> Result<UserId> {
    let (user_id, now): (UserId, _) = (random::id(), panel.now());
    let row = user::ActiveModel {
        id: Set(user_id.clone()),
        email: Set(email.to_string()),
        name: Set(name.into()),
        password_hash: Set(hash),
        is_operator: Set(operator),
        created_at: Set(now),
        email_verified_at: Set(verified.then_some(now)),
        ..Default::default()
    };
    match user::Entity::insert(row).exec_without_returning(tx).await {
        Err(why) if is_taken(&why) => return Err(Error::invalid("email", "There is an account with this address. Sign in instead.")),
        done => done.because("making an account")?,
    };
    Ok(user_id)
}

/// Makes an organization, and somebody its owner.
pub async fn found(tx: &Tx, panel: &Panel, owner: &UserId, name: &str) -> Result<OrgId> {
    let org_id: OrgId = random::id();
    let row = organization::ActiveModel {
        id: Set(org_id.clone()),
        name: Set(name.into()),
        slug: Set(org_id.suffix().into()),
        created_at: Set(panel.now()),
        ..Default::default()
    };
    organization::Entity::insert(row).exec_without_returning(tx).await.because("making an organization")?;
    join(tx, panel, &org_id, owner, Role::Owner).await?;
    Ok(org_id)
}

/// Makes an account without a password, with an organization of its own, for somebody whom a provider of sign-ins brings.
pub async fn insert_without_password(tx: &Tx, visitor: &Visitor, new: &NewPerson, method: &str) -> Result<UserId> {
    let panel = &visitor.panel;
    let user = insert_user(tx, panel, &new.name, &new.email, String::new(), false, new.verified).await?;
    let org = found(tx, panel, &user, &first_name(&new.name)).await?;
    if !new.verified {
        emails::ask_to_verify(tx, panel, &user, &new.name, new.email.as_str()).await?;
    }
    let event = Event { kind: events::ACCOUNT_CREATED, target: user.to_string(), detail: json!({ "operator": false, "method": method }) };
    record_for(tx, &org, &user.to_string(), &visitor.origin, panel.now(), event).await?;
    Ok(user)
}

/// Makes somebody a member.
pub async fn join(tx: &Tx, panel: &Panel, org: &OrgId, user: &UserId, role: Role) -> Result<()> {
    join_as(tx, panel, org, user, role.name()).await
}

/// Makes somebody a member; the role is a given one's name or the id of one of the organization's own.
pub async fn join_as(tx: &Tx, panel: &Panel, org: &OrgId, user: &UserId, role: &str) -> Result<()> {
    let row = membership::ActiveModel {
        organization_id: Set(org.clone()),
        user_id: Set(user.clone()),
        role: Set(role.into()),
        created_at: Set(panel.now()),
        ..Default::default()
    };
    membership::Entity::insert(row).exec_without_returning(tx).await.because("making a membership").map(|_| ())
}
