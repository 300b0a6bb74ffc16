//! Finding people, suspending them and letting them in again, and who runs the platform.
use crate::{
    accounts::model::{Email, USER},
    admin::{
        model::{AccountStatus, AdminMembership, AdminQuery, AdminUser, AdminUserDetail, Reason},
        server::{events, service::role_names::role_names},
    },
    audit::server::{
        chain, read,
        service::{Event, record_for, record_in},
    },
    auth::session::SessionCache,
    error::{Error, Result},
    fault::Because,
    id::{OrgId, UserId},
    runtime::panel::Panel,
    store::{
        EventKind, Tx,
        tables::{
            membership, organization, session,
            user::{self, Column},
        },
    },
    web::{
        api::{Pagination, Paging, contains},
        ctx::{Operator, Origin},
    },
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use serde_json::json;
use std::collections::HashMap;

/// A page of the people of the platform, the newest first.
pub async fn list(ctx: &Operator, query: &AdminQuery) -> Result<(Vec<AdminUser>, Pagination)> {
    let paging = Paging::parse(query.page, query.limit)?;
    let (search, standing) = query.parse(true)?;
    let mut all = user::Entity::find();
    if let Some(text) = search {
        let any = Condition::any().add(contains(Column::Name, &text)).add(contains(Column::Email, &text.to_lowercase()));
        all = all.filter(any.add(Column::Id.eq(text.replace('\0', ""))));
    }
    all = match standing {
        None => all,
        Some(AccountStatus::Active) => all.filter(Column::SuspendedAt.is_null()),
        Some(AccountStatus::Suspended) => all.filter(Column::SuspendedAt.is_not_null()),
        Some(AccountStatus::Operator) => all.filter(Column::IsOperator.eq(true)),
    };
    let db = ctx.panel.db.read();
    let total = all.clone().count(db).await.because("counting people")?;
    let newest = all.order_by_desc(Column::CreatedAt).order_by_desc(Column::Id).offset(paging.offset()).limit(paging.limit);
    let rows = newest.all(db).await.because("listing people")?;
    let ids: Vec<UserId> = rows.iter().map(|row| row.id.clone()).collect();
    let counts = memberships_of(&ctx.panel, &ids).await?;
    let people = rows.into_iter().map(|row| {
        let organizations = counts.get(&row.id).copied().unwrap_or_default();
        view(row, organizations)
    });
    Ok((people.collect(), paging.of(total)))
}

fn view(row: user::Model, organizations: u64) -> AdminUser {
    AdminUser {
        id: row.id,
        name: row.name,
        email: row.email,
        is_operator: row.is_operator,
        has_second_factor: row.has_second_factor,
        email_verified_at: row.email_verified_at,
        last_seen_at: row.last_seen_at,
        suspended_at: row.suspended_at,
        suspended_reason: row.suspended_reason,
        organizations,
        created_at: row.created_at,
    }
}

/// In how many organizations each of these people is.
async fn memberships_of(panel: &Panel, ids: &[UserId]) -> Result<HashMap<UserId, u64>> {
    let counts = membership::Entity::find()
        .select_only()
        .column(membership::Column::UserId)
        .column_as(Expr::col(membership::Column::OrganizationId).count(), "organizations")
        .filter(membership::Column::UserId.is_in(ids.to_vec()))
        .group_by(membership::Column::UserId);
    let counts: Vec<(UserId, i64)> = counts.into_tuple().all(panel.db.read()).await.because("counting memberships")?;
    Ok(counts.into_iter().map(|(id, count)| (id, count as u64)).collect())
}

/// One person, where she is a member, and what she did lately.
pub async fn get(ctx: &Operator, id: &UserId) -> Result<AdminUserDetail> {
    let row = find(&ctx.panel, id).await?;
    let db = ctx.panel.db.read();
    let found = membership::Entity::find()
        .filter(membership::Column::UserId.eq(id.clone()))
        .order_by_asc(membership::Column::CreatedAt)
        .limit(100)
        .all(db)
        .await
        .because("listing memberships")?;
    let roles = role_names(&ctx.panel, found.iter().map(|row| row.role.as_str())).await?;
    let ids: Vec<OrgId> = found.iter().map(|row| row.organization_id.clone()).collect();
    let names = organization::Entity::find().filter(organization::Column::Id.is_in(ids)).all(db).await.because("listing organizations")?;
    let names: HashMap<OrgId, String> = names.into_iter().map(|org| (org.id, org.name)).collect();
    let memberships = found.into_iter().filter_map(|member| {
        Some(AdminMembership {
            organization_name: names.get(&member.organization_id)?.clone(),
            organization_id: member.organization_id,
            user_id: row.id.clone(),
            user_name: row.name.clone(),
            user_email: row.email.clone(),
            role: roles.get(&member.role).cloned().unwrap_or(member.role),
            since: member.created_at,
        })
    });
    let memberships: Vec<AdminMembership> = memberships.collect();
    let live = session::Entity::find()
        .filter(session::Column::UserId.eq(id.clone()))
        .filter(session::Column::ImpersonatorId.is_null())
        .filter(session::Column::ExpiresAt.gt(ctx.panel.now()));
    let sessions = live.count(db).await.because("counting sessions")?;
    let activity = read::of_person(&ctx.panel.db, id, 20).await?;
    let count = memberships_of(&ctx.panel, std::slice::from_ref(id)).await?.get(id).copied().unwrap_or_default();
    Ok(AdminUserDetail { user: view(row, count), memberships, sessions, activity })
}

/// The row of a person.
pub async fn find(panel: &Panel, id: &UserId) -> Result<user::Model> {
    let row = user::Entity::find_by_id(id.clone()).one(panel.db.read()).await.because("looking up a person")?;
    row.ok_or(Error::NotFound(USER))
}

/// Ends a person's sessions and lets her in no more.
pub async fn suspend(ctx: &Operator, id: &UserId, reason: &str) -> Result<AdminUserDetail> {
    let (reason, row) = (Reason::parse(reason)?, find(&ctx.panel, id).await?);
    may_be_suspended(&row)?;
    ctx.panel
        .db
        .tx(async |tx| {
            close(tx, &ctx.panel, id, &reason).await?;
            let detail = json!({ "before": { "suspended": false }, "after": { "suspended": true, "reason": reason.as_str() } });
            record_in(tx, ctx, &chain::platform(), events::USER_SUSPENDED, id, detail).await
        })
        .await?;
    ctx.panel.of::<SessionCache>().forget_user(id);
    get(ctx, id).await
}

/// Refuses to suspend an operator, or somebody a second time.
pub fn may_be_suspended(row: &user::Model) -> Result<()> {
    if row.is_operator {
        return Err(Error::Conflict("An operator can’t be suspended. Take the operator’s rights away first.".into()));
    }
    if row.suspended_at.is_some() {
        return Err(Error::Conflict("This person is suspended already.".into()));
    }
    Ok(())
}

/// Marks a person as suspended, and ends her sessions and what is done in her name.
pub async fn close(tx: &Tx, panel: &Panel, id: &UserId, reason: &Reason) -> Result<()> {
    let change = user::ActiveModel {
        id: Set(id.clone()),
        suspended_at: Set(Some(panel.now())),
        suspended_reason: Set(Some(reason.as_str().into())),
        ..Default::default()
    };
    user::Entity::update(change).exec_without_returning(tx).await.because("suspending a person")?;
    let hers = session::Entity::delete_many().filter(session::Column::UserId.eq(id.clone()));
    hers.exec(tx).await.because("ending a person's sessions").map(|_| ())
}

/// Lets a person in again. What ended stays ended: she signs in anew.
pub async fn resume(ctx: &Operator, id: &UserId) -> Result<AdminUserDetail> {
    let row = find(&ctx.panel, id).await?;
    if row.suspended_at.is_none() {
        return Err(Error::Conflict("This person is not suspended.".into()));
    }
    ctx.panel
        .db
        .tx(async |tx| {
            open(tx, id).await?;
            let detail = json!({ "before": { "suspended": true, "reason": row.suspended_reason }, "after": { "suspended": false } });
            record_in(tx, ctx, &chain::platform(), events::USER_RESUMED, id, detail).await
        })
        .await?;
    get(ctx, id).await
}

/// Takes the mark of being suspended away.
pub async fn open(tx: &Tx, id: &UserId) -> Result<()> {
    let change = user::ActiveModel { id: Set(id.clone()), suspended_at: Set(None), suspended_reason: Set(None), ..Default::default() };
    user::Entity::update(change).exec_without_returning(tx).await.because("resuming a person").map(|_| ())
}

/// Makes somebody an operator, or no longer one. There is always one who is not suspended.
pub async fn set_operator(ctx: &Operator, id: &UserId, to: bool) -> Result<AdminUserDetail> {
    // Whoever runs the platform is not made in another's name, nor by a key.
    ctx.in_person()?;
    let row = find(&ctx.panel, id).await?;
    if to && row.suspended_at.is_some() {
        return Err(Error::Conflict("This person is suspended. Resume her first.".into()));
    }
    if row.is_operator == to {
        return get(ctx, id).await;
    }
    ctx.panel
        .db
        .tx(async |tx| {
            if !to {
                another_is_left(tx, id).await?;
            }
            put_operator(tx, id, to).await?;
            let detail = json!({ "before": { "is_operator": !to }, "after": { "is_operator": to } });
            record_in(tx, ctx, &chain::platform(), events::USER_OPERATOR_CHANGED, id, detail).await
        })
        .await?;
    ctx.panel.of::<SessionCache>().forget_user(id);
    get(ctx, id).await
}

/// Writes whether somebody is an operator.
pub async fn put_operator(tx: &Tx, id: &UserId, to: bool) -> Result<()> {
    let change = user::ActiveModel { id: Set(id.clone()), is_operator: Set(to), ..Default::default() };
    user::Entity::update(change).exec_without_returning(tx).await.because("making an operator").map(|_| ())
}

/// Fails where nobody else runs the platform. Two operators who unmake each other at once: the second one waits for the rows that the
/// first one holds, and sees what she left.
async fn another_is_left(tx: &Tx, id: &UserId) -> Result<()> {
    let all = user::Entity::find().filter(Column::IsOperator.eq(true)).order_by_asc(Column::Id).lock_exclusive();
    let all = all.all(tx).await.because("counting operators")?;
    if all.iter().any(|row| row.id != *id && row.suspended_at.is_none()) {
        return Ok(());
    }
    Err(Error::Conflict("This is the last operator. Make somebody else one first.".into()))
}

/// The person with this address.
async fn by_email(panel: &Panel, email: &Email) -> Result<user::Model> {
    let row = user::Entity::find().filter(Column::Email.eq(email.as_str())).one(panel.db.read()).await.because("looking up a person")?;
    row.ok_or(Error::NotFound(USER))
}

/// Records what is done on the machine itself, where nobody is signed in.
async fn note(tx: &Tx, panel: &Panel, id: &UserId, kind: EventKind, detail: serde_json::Value) -> Result<()> {
    let origin = Origin { address: "command line".into(), ..Origin::system() };
    let event = Event { kind, target: id.to_string(), detail };
    record_for(tx, &chain::platform(), "", &origin, panel.now(), event).await
}

/// Makes somebody an operator, from the machine itself. Answers with her name.
pub async fn promote(panel: &Panel, email: &Email) -> Result<String> {
    let row = by_email(panel, email).await?;
    if row.suspended_at.is_some() {
        return Err(Error::Conflict("This person is suspended. Resume her first.".into()));
    }
    if !row.is_operator {
        let detail = json!({ "before": { "is_operator": false }, "after": { "is_operator": true } });
        panel
            .db
            .tx(async |tx| {
                put_operator(tx, &row.id, true).await?;
                note(tx, panel, &row.id, events::USER_OPERATOR_CHANGED, detail).await
            })
            .await?;
    }
    Ok(row.name)
}

/// Suspends somebody, from the machine itself. Answers with her name.
pub async fn suspend_from_the_machine(panel: &Panel, email: &Email, reason: &Reason) -> Result<String> {
    let row = by_email(panel, email).await?;
    may_be_suspended(&row)?;
    let detail = json!({ "before": { "suspended": false }, "after": { "suspended": true, "reason": reason.as_str() } });
    panel
        .db
        .tx(async |tx| {
            close(tx, panel, &row.id, reason).await?;
            note(tx, panel, &row.id, events::USER_SUSPENDED, detail).await
        })
        .await?;
    Ok(row.name)
}

/// Lets somebody in again, from the machine itself. Answers with her name.
pub async fn resume_from_the_machine(panel: &Panel, email: &Email) -> Result<String> {
    let row = by_email(panel, email).await?;
    if row.suspended_at.is_none() {
        return Err(Error::Conflict("This person is not suspended.".into()));
    }
    let detail = json!({ "before": { "suspended": true, "reason": row.suspended_reason }, "after": { "suspended": false } });
    panel
        .db
        .tx(async |tx| {
            open(tx, &row.id).await?;
            note(tx, panel, &row.id, events::USER_RESUMED, detail).await
        })
        .await?;
    Ok(row.name)
}
