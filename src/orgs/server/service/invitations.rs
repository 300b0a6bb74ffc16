//! What an organization does with invitations: send, send again, revoke, look back. The token is in the mail alone; the row has its
//! hash.
use crate::{
    accounts::model::Email,
    audit::server::service::record,
    auth::session,
    error::{Error, Result},
    fault::Because,
    id::{InvitationId, MailId, OrgId},
    orgs::{
        model::{EmailStatus, INVITATION, Invitation, InvitationStatus, InviteInput, NewInvitation, SentInvitation},
        server::{
            events,
            hold::{Held, hold, role_named},
            letters::InvitationLetter,
            view::{count, pattern, rows},
        },
    },
    outbox::{self, Mail},
    rights::Action,
    runtime::panel::Panel,
    store::{
        Tx, random,
        tables::{invitation, membership, user},
    },
    units::Timestamp,
    web::{
        api::{Pagination, Paging},
        ctx::Ctx,
    },
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, Value, sea_query::Expr};
use serde_json::json;
use std::time::Duration;

/// Invitations that may be open at once.
const MOST_OPEN: u64 = 100;
/// Invitations that an organization may send in a day.
const MOST_A_DAY: u64 = 100;
/// How often one invitation is sent.
const MOST_SENDS: i64 = 5;

/// Which invitations of the history.
#[derive(Debug, Clone, Default)]
pub struct WhichInvitations {
    /// A part of the address.
    pub search: Option<String>,
    pub status: Option<InvitationStatus>,
}

#[derive(FromQueryResult)]
struct Row {
    id: InvitationId,
    email: String,
    role: String,
    role_name: Option<String>,
    message: String,
    status: InvitationStatus,
    invited_by: Option<String>,
    sends: i64,
    created_at: Timestamp,
    sent_at: Timestamp,
    expires_at: Timestamp,
    ended_at: Option<Timestamp>,
}

const COLUMNS: &str = "i.id, i.email, i.role, r.name AS role_name, i.message, i.status, u.name AS invited_by, i.sends, i.created_at,
     i.sent_at, i.expires_at, i.ended_at";
const FROM: &str = "FROM invitations i LEFT JOIN users u ON u.id = i.invited_by
     LEFT JOIN roles r ON r.id = i.role AND r.organization_id = i.organization_id WHERE i.organization_id = $1";

/// How a row stands now.
pub fn status(written: InvitationStatus, expires_at: Timestamp, now: Timestamp) -> InvitationStatus {
    match written {
        InvitationStatus::Pending if expires_at <= now => InvitationStatus::Expired,
        written => written,
    }
}

fn shown(row: Row, now: Timestamp) -> Result<Invitation> {
    Ok(Invitation {
        role_name: session::role(&row.role, row.role_name, None)?.0,
        status: status(row.status, row.expires_at, now),
        invited_by: row.invited_by.unwrap_or_else(|| "somebody who is gone".into()),
        sends: row.sends.clamp(0, 1_000) as u32,
        id: row.id,
        email: row.email,
        role: row.role,
        message: row.message,
        created_at: row.created_at,
        sent_at: row.sent_at,
        expires_at: row.expires_at,
        ended_at: row.ended_at,
    })
}

/// A page of all invitations, the newest first.
pub async fn list(ctx: &Ctx, which: &WhichInvitations, paging: Paging) -> Result<(Vec<Invitation>, Pagination)> {
    let org = ctx.may(Action::Members)?;
    let now = ctx.panel.now();
    let (mut from, mut values) = (FROM.to_string(), vec![Value::from((*org).clone())]);
    if let Some(like) = which.search.as_deref().and_then(pattern) {
        values.push(like.into());
        from.push_str(&format!(" AND i.email LIKE ${} ESCAPE '\\'", values.len()));
    }
    match which.status {
        None => {}
        Some(InvitationStatus::Expired) => {
            values.push(now.into());
            from.push_str(&format!(" AND (i.status = 'expired' OR i.status = 'pending' AND i.expires_at <= ${})", values.len()));
        }
        Some(InvitationStatus::Pending) => {
            values.push(now.into());
            from.push_str(&format!(" AND i.status = 'pending' AND i.expires_at > ${}", values.len()));
        }
        Some(other) => {
            values.push(other.into());
            from.push_str(&format!(" AND i.status = ${}", values.len()));
        }
    }
    let total = count(&ctx.panel, &from, values.clone()).await?;
    let at = values.len();
    let sql = format!("SELECT {COLUMNS} {from} ORDER BY i.id DESC LIMIT ${} OFFSET ${}", at + 1, at + 2);
    values.extend([Value::from(paging.limit as i64), Value::from(paging.offset() as i64)]);
    let found: Vec<Row> = rows(&ctx.panel, &sql, values, "listing invitations").await?;
    Ok((found.into_iter().map(|row| shown(row, now)).collect::<Result<_>>()?, paging.of(total)))
}

/// One invitation.
pub async fn get(ctx: &Ctx, id: &InvitationId) -> Result<Invitation> {
    let org = ctx.may(Action::Members)?;
    let sql = format!("SELECT {COLUMNS} {FROM} AND i.id = $2");
    let found: Vec<Row> = rows(&ctx.panel, &sql, vec![(*org).clone().into(), id.clone().into()], "looking up an invitation").await?;
    shown(found.into_iter().next().ok_or(Error::NotFound(INVITATION))?, ctx.panel.now())
}

/// Invites somebody. The mail is on its way when this answers, or it is said why not.
pub async fn invite(ctx: &Ctx, form: &InviteInput) -> Result<SentInvitation> {
    ctx.may(Action::Members)?;
    let new = form.parse()?;
    if new.email.as_str() == ctx.who.email {
        return Err(Error::invalid("email", "This is your own address. You are in already."));
    }
    let email_status = email_status(&ctx.panel, new.email.as_str()).await?;
    let id: InvitationId = random::id();
    ctx.panel
        .db
        .tx(async |tx| {
            let held = hold(tx, ctx, Action::Members).await?;
            let (role_name, permissions) = role_named(tx, &held.org, &new.role).await?;
            held.reaches(permissions)?;
            not_a_member(tx, &held.org, &new.email).await?;
            none_open(tx, ctx, &held.org, &new.email).await?;
            within_limits(tx, ctx, &held.org).await?;
            let token = random::token();
            let row = row(ctx, &held, &id, &new, &token);
            let mail_id = match email_status {
                EmailStatus::Queued => Some(post(tx, ctx, &row, &role_name, &token).await?),
                EmailStatus::Suppressed => None,
            };
            record(tx, ctx, events::INVITATION_SENT, &id, json!({ "email": row.email, "role": row.role })).await?;
            let row = invitation::ActiveModel { mail_id: Set(mail_id), ..row.into() };
            invitation::Entity::insert(row).exec_without_returning(tx).await.because("inviting").map(|_| ())
        })
        .await?;
    Ok(SentInvitation { invitation: get(ctx, &id).await?, email_status })
}

fn row(ctx: &Ctx, held: &Held, id: &InvitationId, new: &NewInvitation, token: &str) -> invitation::Model {
    let now = ctx.panel.now();
    invitation::Model {
        id: id.clone(),
        organization_id: held.org.clone(),
        email: new.email.to_string(),
        role: new.role.clone(),
        message: new.message.clone(),
        token_hash: random::hash(token),
        invited_by: ctx.who.user.clone(),
        status: InvitationStatus::Pending,
        hours: i64::from(new.hours),
        sends: 1,
        mail_id: None,
        created_at: now,
        sent_at: now,
        expires_at: now + hours(i64::from(new.hours)),
        ended_at: None,
    }
}

fn hours(hours: i64) -> Duration {
    Duration::from_secs(hours.clamp(1, 720) as u64 * 3600)
}

/// Whether mail reaches this address.
async fn email_status(panel: &Panel, email: &str) -> Result<EmailStatus> {
    Ok(if outbox::is_suppressed(panel, email).await? { EmailStatus::Suppressed } else { EmailStatus::Queued })
}

async fn post(tx: &Tx, ctx: &Ctx, row: &invitation::Model, role_name: &str, token: &str) -> Result<MailId> {
    let letter = InvitationLetter {
        organization: ctx.who.org_name.clone(),
        inviter: ctx.who.name.clone(),
        role: role_name.into(),
        message: (!row.message.is_empty()).then(|| row.message.clone()),
        link: format!("{}/invitations/{token}", ctx.panel.config.public_url()),
        expires_at: row.expires_at,
    };
    outbox::queue(tx, &ctx.panel, Mail { to: row.email.clone(), org: Some(row.organization_id.clone()), letter }).await
}

async fn not_a_member(tx: &Tx, org: &OrgId, email: &Email) -> Result<()> {
    let person = user::Entity::find().filter(user::Column::Email.eq(email.as_str())).one(tx).await.because("looking up an address")?;
    let Some(person) = person else { return Ok(()) };
    let member = membership::Entity::find_by_id((org.clone(), person.id)).count(tx).await.because("looking up a member")?;
    match member {
        0 => Ok(()),
        _ => Err(Error::invalid("email", "Whoever has this address is a member already. Change the role on the members’ page.")),
    }
}

/// Refuses a second open invitation; one whose time is over is closed.
async fn none_open(tx: &Tx, ctx: &Ctx, org: &OrgId, email: &Email) -> Result<()> {
    let now = ctx.panel.now();
    let over = invitation::Entity::update_many()
        .col_expr(invitation::Column::Status, Expr::value(InvitationStatus::Expired))
        .col_expr(invitation::Column::EndedAt, Expr::col(invitation::Column::ExpiresAt))
        .filter(invitation::Column::OrganizationId.eq(org.clone()))
        .filter(invitation::Column::Email.eq(email.as_str()))
        .filter(invitation::Column::Status.eq(InvitationStatus::Pending))
        .filter(invitation::Column::ExpiresAt.lte(now));
    over.exec(tx).await.because("closing an expired invitation")?;
    let open = invitation::Entity::find()
        .filter(invitation::Column::OrganizationId.eq(org.clone()))
        .filter(invitation::Column::Email.eq(email.as_str()))
        .filter(invitation::Column::Status.eq(InvitationStatus::Pending));
    match open.count(tx).await.because("looking for an open invitation")? {
        0 => Ok(()),
        _ => Err(Error::invalid("email", "There is an open invitation to this address. Send that one again, or revoke it first.")),
    }
}

async fn within_limits(tx: &Tx, ctx: &Ctx, org: &OrgId) -> Result<()> {
    let now = ctx.panel.now();
    let all = || invitation::Entity::find().filter(invitation::Column::OrganizationId.eq(org.clone()));
    let open = all()
        .filter(invitation::Column::Status.eq(InvitationStatus::Pending))
        .filter(invitation::Column::ExpiresAt.gt(now))
        .count(tx)
        .await
        .because("counting open invitations")?;
    if open >= MOST_OPEN {
        let why = format!("There are {open} open invitations, and no more can be. Revoke some, or wait until they are answered.");
        return Err(Error::Conflict(why));
    }
    let day = all().filter(invitation::Column::CreatedAt.gt(now - Duration::from_secs(86_400)));
    if day.count(tx).await.because("counting the day's invitations")? >= MOST_A_DAY {
        return Err(Error::Conflict(format!("Your organization sent {MOST_A_DAY} invitations within a day. Go on tomorrow.")));
    }
    Ok(())
}

async fn pending(tx: &Tx, held: &Held, id: &InvitationId) -> Result<invitation::Model> {
    let row = invitation::Entity::find_by_id(id.clone()).filter(invitation::Column::OrganizationId.eq(held.org.clone()));
    let row = row.one(tx).await.because("looking up an invitation")?.ok_or(Error::NotFound(INVITATION))?;
    match status(row.status, row.expires_at, Timestamp(0)) {
        InvitationStatus::Pending => Ok(row),
        ended => Err(Error::Conflict(format!("This invitation was {} already.", ended.name()))),
    }
}

/// Sends an invitation again, with a new link: the old one no longer works. Its time begins anew.
pub async fn resend(ctx: &Ctx, id: &InvitationId) -> Result<SentInvitation> {
    let known = get(ctx, id).await?;
    let email_status = email_status(&ctx.panel, &known.email).await?;
    ctx.panel
        .db
        .tx(async |tx| {
            let held = hold(tx, ctx, Action::Members).await?;
            let row = pending(tx, &held, id).await?;
            let (role_name, permissions) = role_named(tx, &held.org, &row.role).await?;
            held.reaches(permissions)?;
            if row.sends >= MOST_SENDS {
                let why = format!("This invitation was sent {MOST_SENDS} times. Revoke it and write a new one, or ask another way.");
                return Err(Error::Conflict(why));
            }
            let (now, token) = (ctx.panel.now(), random::token());
            let next = invitation::Model { expires_at: now + hours(row.hours), ..row };
            let mail_id = match email_status {
                EmailStatus::Queued => Some(post(tx, ctx, &next, &role_name, &token).await?),
                EmailStatus::Suppressed => None,
            };
            record(tx, ctx, events::INVITATION_RESENT, id, json!({ "email": next.email, "times": next.sends + 1 })).await?;
            let change = invitation::ActiveModel {
                token_hash: Set(random::hash(&token)),
                sends: Set(next.sends + 1),
                mail_id: Set(mail_id),
                sent_at: Set(now),
                expires_at: Set(next.expires_at),
                ..Default::default()
            };
            let change = invitation::Entity::update_many().set(change).filter(invitation::Column::Id.eq(id.clone()));
            change.exec(tx).await.because("sending an invitation again").map(|_| ())
        })
        .await?;
    Ok(SentInvitation { invitation: get(ctx, id).await?, email_status })
}

/// Takes an invitation back: its link leads to a page that says so.
pub async fn revoke(ctx: &Ctx, id: &InvitationId) -> Result<()> {
    ctx.panel
        .db
        .tx(async |tx| {
            let held = hold(tx, ctx, Action::Members).await?;
            let row = pending(tx, &held, id).await?;
            record(tx, ctx, events::INVITATION_REVOKED, id, json!({ "email": row.email })).await?;
            let change = invitation::Entity::update_many()
                .col_expr(invitation::Column::Status, Expr::value(InvitationStatus::Revoked))
                .col_expr(invitation::Column::EndedAt, Expr::value(ctx.panel.now()))
                .filter(invitation::Column::Id.eq(id.clone()));
            change.exec(tx).await.because("revoking an invitation").map(|_| ())
        })
        .await
}
