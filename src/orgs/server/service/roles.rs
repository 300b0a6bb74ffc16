//! Custom roles: make, change, delete. A role holds what its maker has, and never ownership.
use crate::{
    audit::server::service::record,
    auth::session::SessionCache,
    error::{Error, Result},
    fault::Because,
    id::RoleId,
    orgs::{
        model::{InvitationStatus, OrganizationRole, ROLE, RoleInput},
        server::{
            events,
            hold::{Held, hold, take_back_invitations},
            view,
        },
    },
    rights::{Action, Permissions},
    store::{
        Tx, is_taken,
        json::JsonText,
        random,
        tables::{app_grant, invitation, membership, role},
    },
    web::{
        api::{Pagination, Paging},
        ctx::Ctx,
    },
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Query};
use serde_json::json;

/// How many roles an organization may make.
const MOST: u64 = 50;

/// The roles: the given ones first.
pub async fn list(ctx: &Ctx, paging: Paging) -> Result<(Vec<OrganizationRole>, Pagination)> {
    let org = ctx.may(Action::View)?;
    let all = view::roles(&ctx.panel, &org).await?;
    let at = paging.of(all.len() as u64);
    Ok((all.into_iter().skip(paging.offset() as usize).take(paging.limit as usize).collect(), at))
}

/// Those that the caller could give to somebody: they include nothing that the caller lacks.
pub async fn givable(ctx: &Ctx) -> Result<Vec<OrganizationRole>> {
    let org = ctx.may(Action::View)?;
    let all = view::roles(&ctx.panel, &org).await?;
    Ok(all.into_iter().filter(|role| role.permissions.without(ctx.who.permissions).is_empty()).collect())
}

/// One role, by its name or id.
pub async fn get(ctx: &Ctx, id: &str) -> Result<OrganizationRole> {
    let org = ctx.may(Action::View)?;
    let all = view::roles(&ctx.panel, &org).await?;
    all.into_iter().find(|role| role.id == id).ok_or(Error::NotFound(ROLE))
}

/// Makes a role.
pub async fn create(ctx: &Ctx, form: &RoleInput) -> Result<OrganizationRole> {
    ctx.may(Action::Roles)?;
    let (name, description, permissions) = form.parse()?;
    let id: RoleId = random::id();
    ctx.panel
        .db
        .tx(async |tx| {
            let held = hold(tx, ctx, Action::Roles).await?;
            held.reaches(permissions)?;
            let own = role::Entity::find().filter(role::Column::OrganizationId.eq(held.org.clone()));
            let used = own.count(tx).await.because("counting roles")?;
            if used >= MOST {
                return Err(Error::QuotaExceeded { what: "custom roles".into(), limit: MOST, used });
            }
            record(tx, ctx, events::ROLE_CREATED, &id, json!({ "name": name, "permissions": permissions })).await?;
            let row = role::ActiveModel {
                id: Set(id.clone()),
                organization_id: Set(held.org),
                name: Set(name.into()),
                description: Set(description),
                permissions: Set(JsonText::of(&permissions)?),
                version: Set(1),
                created_at: Set(ctx.panel.now()),
            };
            named(role::Entity::insert(row).exec_without_returning(tx).await.map(|_| ()))
        })
        .await?;
    get(ctx, &id.to_string()).await
}

fn named(done: Result<(), sea_orm::DbErr>) -> Result<()> {
    match done {
        Err(why) if is_taken(&why) => Err(Error::invalid("name", "There is a role of this name. Choose another.")),
        done => done.because("writing a role"),
    }
}

async fn find(tx: &Tx, held: &Held, id: &RoleId) -> Result<(role::Model, Permissions)> {
    let row = role::Entity::find_by_id(id.clone()).filter(role::Column::OrganizationId.eq(held.org.clone()));
    let row = row.one(tx).await.because("looking up a role")?.ok_or(Error::NotFound(ROLE))?;
    let permissions = row.permissions.read()?;
    Ok((row, permissions))
}

/// Changes a role. The caller must have all that it includes, before and after. `if_match` is the version that the caller saw.
pub async fn update(ctx: &Ctx, id: &RoleId, form: &RoleInput, if_match: Option<i64>) -> Result<OrganizationRole> {
    ctx.may(Action::Roles)?;
    let (name, description, permissions) = form.parse()?;
    ctx.panel
        .db
        .tx(async |tx| {
            let held = hold(tx, ctx, Action::Roles).await?;
            let (row, before) = find(tx, &held, id).await?;
            held.reaches(before.or(permissions))?;
            if if_match.is_some_and(|seen| seen != row.version) {
                return Err(Error::Conflict("Somebody else changed this role meanwhile. Load it again and repeat your change.".into()));
            }
            let detail = json!({ "name": name, "before": before, "after": permissions });
            record(tx, ctx, events::ROLE_CHANGED, id, detail).await?;
            let change = role::ActiveModel {
                name: Set(name.into()),
                description: Set(description),
                permissions: Set(JsonText::of(&permissions)?),
                version: Set(row.version + 1),
                ..Default::default()
            };
            let change = role::Entity::update_many().set(change).filter(role::Column::Id.eq(id.clone()));
            named(change.exec(tx).await.map(|_| ()))?;
            for sender in senders(tx, &held, id).await? {
                take_back_invitations(tx, &ctx.panel, &held.org, &sender.user_id, permissions).await?;
            }
            Ok(())
        })
        .await?;
    ctx.panel.of::<SessionCache>().forget_org(&ctx.who.org);
    // The caller may hold the role, and may have taken the right to look from herself.
    let all = view::roles(&ctx.panel, &ctx.who.org).await?;
    all.into_iter().find(|role| role.id == id.to_string()).ok_or(Error::NotFound(ROLE))
}

/// Those who have a role, and have sent invitations that are open.
async fn senders(tx: &Tx, held: &Held, id: &RoleId) -> Result<Vec<membership::Model>> {
    let open = Query::select()
        .column(invitation::Column::InvitedBy)
        .from(invitation::Entity)
        .and_where(invitation::Column::OrganizationId.eq(held.org.clone()))
        .and_where(invitation::Column::Status.eq(InvitationStatus::Pending))
        .to_owned();
    let senders = membership::Entity::find()
        .filter(membership::Column::OrganizationId.eq(held.org.clone()))
        .filter(membership::Column::Role.eq(id.to_string()))
        .filter(membership::Column::UserId.in_subquery(open));
    senders.all(tx).await.because("looking up those who invited")
}

/// Deletes a role that nobody has and no open invitation promises.
pub async fn delete(ctx: &Ctx, id: &RoleId) -> Result<()> {
    ctx.may(Action::Roles)?;
    ctx.panel
        .db
        .tx(async |tx| {
            let held = hold(tx, ctx, Action::Roles).await?;
            let (row, permissions) = find(tx, &held, id).await?;
            held.reaches(permissions)?;
            in_use(tx, ctx, &held, id).await?;
            record(tx, ctx, events::ROLE_DELETED, id, json!({ "name": row.name, "permissions": permissions })).await?;
            role::Entity::delete_by_id(id.clone()).exec(tx).await.because("deleting a role").map(|_| ())
        })
        .await
}

async fn in_use(tx: &Tx, ctx: &Ctx, held: &Held, id: &RoleId) -> Result<()> {
    let members = membership::Entity::find()
        .filter(membership::Column::OrganizationId.eq(held.org.clone()))
        .filter(membership::Column::Role.eq(id.to_string()));
    let grants = app_grant::Entity::find()
        .filter(app_grant::Column::OrganizationId.eq(held.org.clone()))
        .filter(app_grant::Column::Role.eq(id.to_string()));
    let open = invitation::Entity::find()
        .filter(invitation::Column::OrganizationId.eq(held.org.clone()))
        .filter(invitation::Column::Role.eq(id.to_string()))
        .filter(invitation::Column::Status.eq(InvitationStatus::Pending))
        .filter(invitation::Column::ExpiresAt.gt(ctx.panel.now()));
    let counts = [
        (members.count(tx).await.because("counting members")?, "member has", "members have"),
        (grants.count(tx).await.because("counting grants")?, "grant on an application names", "grants on applications name"),
        (open.count(tx).await.because("counting invitations")?, "open invitation promises", "open invitations promise"),
    ];
    let held_by: Vec<String> =
        counts.iter().filter(|it| it.0 > 0).map(|(n, one, many)| format!("{n} {} it", if *n == 1 { one } else { many })).collect();
    match held_by.is_empty() {
        true => Ok(()),
        false => Err(Error::Conflict(format!("This role is in use: {}. Give them another role first.", held_by.join(", ")))),
    }
}
