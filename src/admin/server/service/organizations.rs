//! Finding organizations, suspending them and letting them go on.
use crate::{
    admin::{
        model::{
            AccountStatus, AdminApplication, AdminMembership, AdminOrganization, AdminOrganizationDetail, AdminQuery, Reason,
            SuspendOrganization,
        },
        server::{
            events,
            service::{people, role_names::role_names},
        },
    },
    apps::server::ending,
    audit::{
        model::Filter,
        server::{chain, read, service::record_in},
    },
    auth::session::SessionCache,
    error::{Error, Result, Thing},
    fault::Because,
    id::{AppId, OrgId, UserId},
    orgs::server::{APPLICATIONS, DEPLOYMENTS, ROUTES},
    runtime::{changes::Changed, panel::Panel},
    store::{
        Tx,
        tables::{
            application, membership,
            organization::{self, Column},
            user,
        },
    },
    web::{
        api::{Pagination, Paging, contains},
        ctx::Operator,
    },
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use serde_json::json;
use std::collections::HashMap;

/// A page of the organizations of the platform, the newest first.
pub async fn list(ctx: &Operator, query: &AdminQuery) -> Result<(Vec<AdminOrganization>, Pagination)> {
    let paging = Paging::parse(query.page, query.limit)?;
    let (search, standing) = query.parse(false)?;
    let mut all = organization::Entity::find();
    if let Some(text) = search {
        let any = Condition::any().add(contains(Column::Name, &text)).add(contains(Column::Slug, &text.to_lowercase()));
        all = all.filter(any.add(Column::Id.eq(text.replace('\0', ""))));
    }
    all = match standing {
        Some(AccountStatus::Suspended) => all.filter(Column::SuspendedAt.is_not_null()),
        Some(_) => all.filter(Column::SuspendedAt.is_null()).filter(Column::DeletedAt.is_null()),
        None => all,
    };
    let db = ctx.panel.db.read();
    let total = all.clone().count(db).await.because("counting organizations")?;
    let newest = all.order_by_desc(Column::CreatedAt).order_by_desc(Column::Id).offset(paging.offset()).limit(paging.limit);
    let rows = newest.all(db).await.because("listing organizations")?;
    Ok((views(&ctx.panel, rows).await?, paging.of(total)))
}

async fn views(panel: &Panel, rows: Vec<organization::Model>) -> Result<Vec<AdminOrganization>> {
    let ids: Vec<OrgId> = rows.iter().map(|row| row.id.clone()).collect();
    let members = membership::Entity::find()
        .select_only()
        .column(membership::Column::OrganizationId)
        .column_as(Expr::col(membership::Column::UserId).count(), "members")
        .filter(membership::Column::OrganizationId.is_in(ids.clone()))
        .group_by(membership::Column::OrganizationId);
    let members: Vec<(OrgId, i64)> = members.into_tuple().all(panel.db.read()).await.because("counting members")?;
    let members: HashMap<OrgId, i64> = members.into_iter().collect();
    let apps = application::Entity::find()
        .select_only()
        .column(application::Column::OrganizationId)
        .column_as(Expr::col(application::Column::Id).count(), "applications")
        .filter(application::Column::OrganizationId.is_in(ids))
        .filter(application::Column::DeletedAt.is_null())
        .group_by(application::Column::OrganizationId);
    let apps: Vec<(OrgId, i64)> = apps.into_tuple().all(panel.db.read()).await.because("counting applications")?;
    let apps: HashMap<OrgId, i64> = apps.into_iter().collect();
    let count = |of: &HashMap<OrgId, i64>, id: &OrgId| of.get(id).copied().unwrap_or_default() as u64;
    let view = |row: organization::Model| AdminOrganization {
        members: count(&members, &row.id),
        applications: count(&apps, &row.id),
        id: row.id,
        name: row.name,
        slug: row.slug,
        suspended_at: row.suspended_at,
        suspended_reason: row.suspended_reason,
        deleted_at: row.deleted_at,
        created_at: row.created_at,
    };
    Ok(rows.into_iter().map(view).collect())
}

/// One organization, with its members, applications and what happened lately.
pub async fn get(ctx: &Operator, id: &OrgId) -> Result<AdminOrganizationDetail> {
    let row = find(&ctx.panel, id).await?;
    let db = ctx.panel.db.read();
    let members = members(&ctx.panel, &row).await?;
    let apps = application::Entity::find()
        .filter(application::Column::OrganizationId.eq(id.clone()))
        .filter(application::Column::DeletedAt.is_null())
        .order_by_asc(application::Column::Name)
        .limit(100);
    let apps = apps.all(db).await.because("listing applications")?.into_iter().map(|app| AdminApplication {
        id: app.id,
        name: app.name,
        wanted: app.wanted.name().into(),
        replicas: app.replicas as u64,
        created_at: app.created_at,
    });
    let applications = apps.collect();
    let activity = read::page(&ctx.panel.db, id, &Filter { limit: 20, ..Filter::default() }).await?.activities;
    let contact_email = row.contact_email.clone();
    let organization = views(&ctx.panel, vec![row]).await?.pop().ok_or(Error::NotFound(Thing::ORGANIZATION))?;
    Ok(AdminOrganizationDetail { organization, contact_email, members, applications, activity })
}

/// The row of an organization, also of one that was deleted.
pub async fn find(panel: &Panel, id: &OrgId) -> Result<organization::Model> {
    let row = organization::Entity::find_by_id(id.clone()).one(panel.db.read()).await.because("looking up an organization")?;
    row.ok_or(Error::NotFound(Thing::ORGANIZATION))
}

async fn members(panel: &Panel, org: &organization::Model) -> Result<Vec<AdminMembership>> {
    let rows = membership::Entity::find()
        .filter(membership::Column::OrganizationId.eq(org.id.clone()))
        .order_by_asc(membership::Column::CreatedAt)
        .order_by_asc(membership::Column::UserId)
        .limit(100);
    let rows = rows.all(panel.db.read()).await.because("listing members")?;
    let roles = role_names(panel, rows.iter().map(|row| row.role.as_str())).await?;
    let ids: Vec<UserId> = rows.iter().map(|row| row.user_id.clone()).collect();
    let people = user::Entity::find().filter(user::Column::Id.is_in(ids)).all(panel.db.read()).await.because("listing members")?;
    let people: HashMap<UserId, user::Model> = people.into_iter().map(|person| (person.id.clone(), person)).collect();
    let member = |row: membership::Model| {
        let person = people.get(&row.user_id)?;
        Some(AdminMembership {
            organization_id: org.id.clone(),
            organization_name: org.name.clone(),
            user_id: row.user_id,
            user_name: person.name.clone(),
            user_email: person.email.clone(),
            role: roles.get(&row.role).cloned().unwrap_or(row.role),
            since: row.created_at,
        })
    };
    Ok(rows.into_iter().filter_map(member).collect())
}

/// Refuses every change in an organization from now on and, where that is asked for, stops what runs in it.
pub async fn suspend(ctx: &Operator, id: &OrgId, form: &SuspendOrganization) -> Result<AdminOrganizationDetail> {
    let (reason, row) = (Reason::parse(&form.reason)?, find(&ctx.panel, id).await?);
    if row.deleted_at.is_some() {
        return Err(Error::Conflict("This organization was deleted.".into()));
    }
    if row.suspended_at.is_some() {
        return Err(Error::Conflict("This organization is suspended already.".into()));
    }
    let stopped = ctx
        .panel
        .db
        .tx(async |tx| {
            let now = ctx.panel.now();
            mark(
                tx,
                organization::ActiveModel {
                    id: Set(id.clone()),
                    suspended_at: Set(Some(now)),
                    suspended_reason: Set(Some(reason.as_str().into())),
                    ..Default::default()
                },
            )
            .await?;
            let stopped = match form.stop_applications {
                true => ending::stop_all_of(tx, ctx, id).await?,
                // What runs goes on, and nothing new goes live.
                false => ending::cancel_deployments_of(tx, id).await.map(|()| Vec::new())?,
            };
            let after = json!({ "suspended": true, "reason": reason.as_str(), "stopped": stopped.len() });
            let detail = json!({ "before": { "suspended": false }, "after": after });
            record_in(tx, ctx, id, events::ORGANIZATION_SUSPENDED, id, detail.clone()).await?;
            record_in(tx, ctx, &chain::platform(), events::ORGANIZATION_SUSPENDED, id, detail).await?;
            Ok(stopped)
        })
        .await?;
    ctx.panel.of::<SessionCache>().forget_org(id);
    ctx.panel.waker(DEPLOYMENTS).notify_waiters();
    wake(&ctx.panel, stopped);
    get(ctx, id).await
}

/// Tells the loops and whoever looks that something else is wanted of these applications.
fn wake(panel: &Panel, apps: Vec<AppId>) {
    if apps.is_empty() {
        return;
    }
    apps.into_iter().for_each(|app| panel.changes.tell(Changed::App(app)));
    panel.wake(APPLICATIONS);
    panel.wake(ROUTES);
}

async fn mark(tx: &Tx, change: organization::ActiveModel) -> Result<()> {
    organization::Entity::update(change).exec_without_returning(tx).await.because("suspending an organization").map(|_| ())
}

/// Lets an organization go on. What was stopped when it was suspended starts again.
pub async fn resume(ctx: &Operator, id: &OrgId) -> Result<AdminOrganizationDetail> {
    let row = find(&ctx.panel, id).await?;
    if row.suspended_at.is_none() {
        return Err(Error::Conflict("This organization is not suspended.".into()));
    }
    let started = ctx
        .panel
        .db
        .tx(async |tx| {
            let change = organization::ActiveModel {
                id: Set(id.clone()),
                suspended_at: Set(None),
                suspended_reason: Set(None),
                ..Default::default()
            };
            mark(tx, change).await?;
            let started = ending::start_all_of(tx, ctx, id).await?;
            let after = json!({ "suspended": false, "started": started.len() });
            let detail = json!({ "before": { "suspended": true, "reason": row.suspended_reason }, "after": after });
            record_in(tx, ctx, id, events::ORGANIZATION_RESUMED, id, detail.clone()).await?;
            record_in(tx, ctx, &chain::platform(), events::ORGANIZATION_RESUMED, id, detail).await?;
            Ok(started)
        })
        .await?;
    ctx.panel.of::<SessionCache>().forget_org(id);
    wake(&ctx.panel, started);
    get(ctx, id).await
}

/// The oldest organization that somebody is in and that is still there.
pub async fn oldest_of(panel: &Panel, user: &UserId, named: Option<&OrgId>) -> Result<OrgId> {
    let mut hers = membership::Entity::find().filter(membership::Column::UserId.eq(user.clone()));
    if let Some(org) = named {
        hers = hers.filter(membership::Column::OrganizationId.eq(org.clone()));
    }
    let hers = hers.order_by_asc(membership::Column::CreatedAt).limit(1_000).all(panel.db.read()).await.because("listing memberships")?;
    for member in hers {
        let org = organization::Entity::find_by_id(member.organization_id).filter(Column::DeletedAt.is_null());
        if let Some(org) = org.one(panel.db.read()).await.because("looking up an organization")? {
            return Ok(org.id);
        }
    }
    // Also a fair answer where she was named: whoever asks is an operator and sees all.
    people::find(panel, user).await?;
    match named {
        Some(_) => Err(Error::invalid("organization_id", "This person is not in this organization.")),
        None => Err(Error::Conflict("This person is in no organization: there is nothing to see in her name.".into())),
    }
}
