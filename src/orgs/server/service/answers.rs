//! What those who are invited do: look, accept, decline, with an account or without. The token proves the address; whoever has none
//! must have proved it before.
use crate::{
    accounts::{
        model::{NewUser, SignUpForm},
        server::{events::ACCOUNT_CREATED, passwords, service as accounts},
    },
    audit::server::service::{Event, record_for, record_in},
    auth::session::{self, Opened, SessionCache, Via},
    error::{Error, Result},
    fault::Because,
    id::{Id, InvitationId, OrgId, UserId},
    orgs::{
        model::{INVITATION, InvitationLook, InvitationStatus, Reader, Welcome},
        server::{
            events,
            hold::{hold_row, role_named},
            service::invitations::status,
            view::rows,
        },
    },
    runtime::panel::Panel,
    store::{
        Tx, random,
        tables::{invitation, membership, organization, session as sessions, user},
    },
    units::Timestamp,
    web::ctx::{Ctx, Origin, Visitor},
};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, Value, sea_query::Expr};
use serde_json::{Value as Json, json};

/// How many invitations to one address are shown.
const MOST_SHOWN: u32 = 50;

#[derive(FromQueryResult)]
struct Row {
    id: InvitationId,
    organization_id: OrgId,
    organization: String,
    deleted_at: Option<Timestamp>,
    inviter: Option<String>,
    role: String,
    role_name: Option<String>,
    message: String,
    email: String,
    status: InvitationStatus,
    expires_at: Timestamp,
}

impl Row {
    fn status(&self, now: Timestamp) -> InvitationStatus {
        if self.deleted_at.is_some() { InvitationStatus::Revoked } else { status(self.status, self.expires_at, now) }
    }

    fn welcome(self) -> Result<Welcome> {
        Ok(Welcome {
            role_name: session::role(&self.role, self.role_name, None)?.0,
            inviter: self.inviter.unwrap_or_else(|| "Somebody".into()),
            id: self.id,
            organization_id: self.organization_id,
            organization: self.organization,
            message: self.message,
            email: self.email,
            expires_at: self.expires_at,
        })
    }
}

async fn find(panel: &Panel, by: &str, values: Vec<Value>) -> Result<Vec<Row>> {
    let sql = format!(
        "SELECT i.id, i.organization_id, o.name AS organization, o.deleted_at, u.name AS inviter, i.role, r.name AS role_name, i.message,
                i.email, i.status, i.expires_at
         FROM invitations i JOIN organizations o ON o.id = i.organization_id LEFT JOIN users u ON u.id = i.invited_by
         LEFT JOIN roles r ON r.id = i.role AND r.organization_id = i.organization_id WHERE {by} ORDER BY i.id DESC LIMIT {MOST_SHOWN}"
    );
    rows(panel, &sql, values, "looking up an invitation").await
}

async fn by_token(panel: &Panel, token: &str) -> Result<Option<Row>> {
    Ok(find(panel, "i.token_hash = $1", vec![random::hash(token).into()]).await?.into_iter().next())
}

/// What the link of an invitation leads to, for whoever follows it.
pub async fn look(visitor: &Visitor, token: &str) -> Result<InvitationLook> {
    let panel = &visitor.panel;
    let Some(row) = by_token(panel, token).await? else { return Ok(InvitationLook::Unknown) };
    match row.status(panel.now()) {
        InvitationStatus::Pending => {}
        ended => return Ok(InvitationLook::Ended(row.organization, ended)),
    }
    let account = user::Entity::find().filter(user::Column::Email.eq(&row.email)).one(panel.db.read()).await;
    let account = account.because("looking up an address")?;
    if let Some(account) = &account
        && is_member(panel.db.read(), &row.organization_id, &account.id).await?
    {
        return Ok(InvitationLook::Member(row.organization));
    }
    let reader = match &visitor.who {
        Some(who) if who.email == row.email => Reader::Invited,
        Some(who) => Reader::Another(who.email.clone()),
        None if account.is_some() => Reader::SignedOut,
        None => Reader::Newcomer,
    };
    Ok(InvitationLook::Open(row.welcome()?, reader))
}

async fn is_member(db: &impl sea_orm::ConnectionTrait, org: &OrgId, person: &UserId) -> Result<bool> {
    let found = membership::Entity::find_by_id((org.clone(), person.clone())).count(db).await;
    Ok(found.because("looking up a membership")? > 0)
}

/// The open invitations to the caller's address; none before she proved that it is hers.
pub async fn mine(ctx: &Ctx) -> Result<Vec<Welcome>> {
    if !ctx.who.is_verified || ctx.in_person().is_err() {
        return Ok(Vec::new());
    }
    let by = "i.email = $1 AND i.status = 'pending' AND i.expires_at > $2 AND o.deleted_at IS NULL";
    let found = find(&ctx.panel, by, vec![ctx.who.email.clone().into(), ctx.panel.now().into()]).await?;
    found.into_iter().map(Row::welcome).collect()
}

/// Which invitation is answered.
#[derive(Debug, Clone)]
pub enum Which {
    /// By the link in the mail.
    Token(String),
    /// By its id, where the caller's address is proved.
    Id(OrgId, InvitationId),
    /// By its id with the token.
    Both(OrgId, InvitationId, String),
}

/// An invitation of the caller's; whether the token proved her address. Another's is not there.
async fn of_caller(ctx: &Ctx, which: &Which) -> Result<(Row, bool)> {
    ctx.in_person()?;
    let panel = &ctx.panel;
    let by_id = async |org: &OrgId, id: &InvitationId| {
        let values = vec![id.clone().into(), org.clone().into()];
        Ok::<_, Error>(find(panel, "i.id = $1 AND i.organization_id = $2", values).await?.into_iter().next())
    };
    let (found, proved) = match which {
        Which::Token(token) => (by_token(panel, token).await?, true),
        Which::Id(org, id) => (by_id(org, id).await?, false),
        Which::Both(org, id, token) => {
            let found = by_token(panel, token).await?;
            (found.filter(|row| row.id == *id && row.organization_id == *org), true)
        }
    };
    let row = found.filter(|row| row.email == ctx.who.email).ok_or(Error::NotFound(INVITATION))?;
    if !proved && !ctx.who.is_verified {
        let why = "Follow the link in the mail, or verify your address first: only whoever reads mail to it can answer.";
        return Err(Error::Conflict(why.into()));
    }
    Ok((row, proved))
}

/// Joins the organization, and works there from now on. Answers with it.
pub async fn accept(ctx: &Ctx, which: &Which) -> Result<OrgId> {
    let (row, proved) = of_caller(ctx, which).await?;
    let (me, session) = (&ctx.who.user, ctx.in_person()?.clone());
    ctx.panel
        .db
        .tx(async |tx| {
            let detail = enter(tx, &ctx.panel, &row, me).await?;
            record_in(tx, ctx, &row.organization_id, events::INVITATION_ACCEPTED, &row.id, detail).await?;
            if proved {
                prove(tx, &ctx.panel, me).await?;
            }
            let there = sessions::Entity::update_many()
                .col_expr(sessions::Column::OrganizationId, Expr::value(row.organization_id.clone()))
                .filter(sessions::Column::Id.eq(session));
            there.exec(tx).await.because("switching organizations").map(|_| ())
        })
        .await?;
    ctx.panel.of::<SessionCache>().forget_user(me);
    Ok(row.organization_id)
}

/// Notes that the address is its owner's: she read the mail.
async fn prove(tx: &Tx, panel: &Panel, person: &UserId) -> Result<()> {
    let change = user::Entity::update_many()
        .col_expr(user::Column::EmailVerifiedAt, Expr::value(panel.now()))
        .filter(user::Column::Id.eq(person.clone()))
        .filter(user::Column::EmailVerifiedAt.is_null());
    change.exec(tx).await.because("noting a verified address").map(|_| ())
}

/// Uses an invitation up and makes the membership; answers with what is to be told of it. Of two who try at once one does.
async fn enter(tx: &Tx, panel: &Panel, row: &Row, person: &UserId) -> Result<Json> {
    let org = &row.organization_id;
    hold_row(tx, org).await.map_err(|_| ended(InvitationStatus::Revoked))?;
    let now = organization::Entity::find_by_id(org.clone()).one(tx).await.because("looking up an organization")?;
    if now.is_some_and(|org| org.suspended_at.is_some()) {
        return Err(Error::Suspended);
    }
    close(tx, panel, &row.id, InvitationStatus::Accepted).await?;
    if is_member(tx, org, person).await? {
        return Err(Error::Conflict("You are in this organization already.".into()));
    }
    let (role_name, _) = role_named(tx, org, &row.role).await.map_err(|_| ended(InvitationStatus::Revoked))?;
    accounts::join_as(tx, panel, org, person, &row.role).await?;
    Ok(json!({ "email": row.email, "role": role_name }))
}

/// Ends an open invitation.
async fn close(tx: &Tx, panel: &Panel, id: &InvitationId, to: InvitationStatus) -> Result<()> {
    let now = panel.now();
    let change = invitation::Entity::update_many()
        .col_expr(invitation::Column::Status, Expr::value(to))
        .col_expr(invitation::Column::EndedAt, Expr::value(now))
        .filter(invitation::Column::Id.eq(id.clone()))
        .filter(invitation::Column::Status.eq(InvitationStatus::Pending))
        .filter(invitation::Column::ExpiresAt.gt(now));
    if change.exec(tx).await.because("ending an invitation")?.rows_affected == 1 {
        return Ok(());
    }
    let row = invitation::Entity::find_by_id(id.clone()).one(tx).await.because("looking up an invitation")?;
    Err(row.map_or(Error::NotFound(INVITATION), |row| ended(status(row.status, row.expires_at, now))))
}

/// Why an invitation can't be answered any more.
fn ended(how: InvitationStatus) -> Error {
    let why = match how {
        InvitationStatus::Expired => "This invitation has expired. Ask for a new one.",
        InvitationStatus::Accepted => "This invitation was used already. Each one works once.",
        InvitationStatus::Declined => "This invitation was declined. Ask for a new one if that was a mistake.",
        InvitationStatus::Revoked | InvitationStatus::Pending => "This invitation was taken back. Ask for a new one.",
    };
    Error::Conflict(why.into())
}

/// Declines; whoever holds the link needs no account for that.
pub async fn decline_by_link(visitor: &Visitor, token: &str) -> Result<()> {
    let row = by_token(&visitor.panel, token).await?.ok_or(Error::NotFound(INVITATION))?;
    let who = visitor.who.as_ref().filter(|who| who.email == row.email).map(|who| who.user.to_string()).unwrap_or_default();
    refuse(&visitor.panel, &visitor.origin, &row, &who).await
}

/// Declines as the invited person.
pub async fn decline(ctx: &Ctx, which: &Which) -> Result<()> {
    let (row, _) = of_caller(ctx, which).await?;
    refuse(&ctx.panel, &ctx.origin, &row, &ctx.who.user.to_string()).await
}

async fn refuse(panel: &Panel, origin: &Origin, row: &Row, who: &str) -> Result<()> {
    panel
        .db
        .tx(async |tx| {
            hold_row(tx, &row.organization_id).await.map_err(|_| ended(InvitationStatus::Revoked))?;
            close(tx, panel, &row.id, InvitationStatus::Declined).await?;
            let event = Event { kind: events::INVITATION_DECLINED, target: row.id.to_string(), detail: json!({ "email": row.email }) };
            record_for(tx, &row.organization_id, who, origin, panel.now(), event).await
        })
        .await
}

/// Makes an account for the invited address, which the link proves, and joins at once.
pub async fn join(visitor: &Visitor, token: &str, name: &str, password: &str) -> Result<Opened> {
    if visitor.who.is_some() {
        return Err(Error::Conflict("You are signed in already. Sign out first, or accept with the account that you have.".into()));
    }
    let panel = &visitor.panel;
    let row = by_token(panel, token).await?.ok_or(Error::NotFound(INVITATION))?;
    match row.status(panel.now()) {
        InvitationStatus::Pending => {}
        how => return Err(ended(how)),
    }
    let form = SignUpForm { name: name.into(), email: row.email.clone(), password: password.into(), setup_token: None };
    let new: NewUser = form.parse()?;
    passwords::judge(panel, "password", &new.password, &[&new.name, new.email.as_str()]).await?;
    let hash = passwords::hash(&new.password).await?;
    panel
        .db
        .tx(async |tx| {
            let person = accounts::insert_user(tx, panel, &new.name, &new.email, hash, false, true).await?;
            let event = Event { kind: ACCOUNT_CREATED, target: person.to_string(), detail: json!({ "invitation": row.id }) };
            record_for(tx, &row.organization_id, &person.to_string(), &visitor.origin, panel.now(), event).await?;
            let detail = enter(tx, panel, &row, &person).await?;
            let event = Event { kind: events::INVITATION_ACCEPTED, target: row.id.to_string(), detail };
            record_for(tx, &row.organization_id, person.as_str(), &visitor.origin, panel.now(), event).await?;
            accounts::open_first(tx, visitor, &person, &row.organization_id, Via::Cookie).await
        })
        .await
}
