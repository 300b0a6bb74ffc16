//! A member's role on a single application, beside the one in the organization.
use crate::{
    audit::server::service::record,
    auth::session::{self, SessionCache},
    error::{Error, Result, Thing},
    fault::Because,
    id::{AppId, UserId},
    orgs::{
        model::{Grant, GrantInput},
        server::{
            events,
            hold::{Held, hold, reaches, role_named, role_permissions},
            view::rows,
        },
    },
    rights::{Action, Permissions},
    store::{
        Tx,
        json::JsonText,
        tables::{app_grant, membership},
    },
    units::Timestamp,
    web::ctx::Ctx,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};
use serde_json::json;

/// How many applications one member may be granted.
const MOST: usize = 200;

#[derive(FromQueryResult)]
struct GrantRow {
    application_id: AppId,
    application_name: String,
    role: String,
    role_name: Option<String>,
    role_permissions: Option<JsonText<Permissions>>,
    created_at: Timestamp,
}

/// A member's grants, by the application's name; at most [`MOST`].
pub async fn list(ctx: &Ctx, user: &UserId) -> Result<Vec<Grant>> {
    ctx.may(Action::View)?;
    crate::orgs::server::view::member(ctx, user).await?;
    read(ctx, user).await
}

async fn read(ctx: &Ctx, user: &UserId) -> Result<Vec<Grant>> {
    let sql = format!(
        "SELECT g.application_id, a.name AS application_name, g.role, r.name AS role_name, r.permissions AS role_permissions, g.created_at
         FROM app_grants g JOIN applications a ON a.id = g.application_id
         LEFT JOIN roles r ON r.id = g.role AND r.organization_id = g.organization_id
         WHERE g.organization_id = $1 AND g.user_id = $2 AND a.deleted_at IS NULL ORDER BY a.name LIMIT {MOST}"
    );
    let values = vec![ctx.who.org.clone().into(), user.clone().into()];
    let found: Vec<GrantRow> = rows(&ctx.panel, &sql, values, "listing grants").await?;
    let one = |row: GrantRow| {
        let (role_name, permissions) = session::role(&row.role, row.role_name, row.role_permissions.as_ref())?;
        Ok(Grant {
            application_id: row.application_id,
            application_name: row.application_name,
            role: row.role,
            role_name,
            permissions,
            created_at: row.created_at,
        })
    };
    found.into_iter().map(one).collect()
}

/// What the caller may do with an application, as of now.
fn own(ctx: &Ctx, held: &Held, app: &AppId) -> Permissions {
    held.permissions.or(ctx.who.grants.get(app).copied().unwrap_or_default())
}

/// Gives a member a role on an application, in place of the one that she had there.
pub async fn put(ctx: &Ctx, user: &UserId, form: &GrantInput) -> Result<Vec<Grant>> {
    ctx.may(Action::Members)?;
    let (app, role) = form.parse()?;
    let app = ctx.app(&app).to(Action::Members).await?;
    ctx.panel
        .db
        .tx(async |tx| {
            let held = hold(tx, ctx, Action::Members).await?;
            held.members(tx, std::slice::from_ref(user)).await?;
            let (name, permissions) = role_named(tx, &held.org, &role).await?;
            let own = own(ctx, &held, &app.id);
            reaches(own, permissions)?;
            let before = find(tx, &held, &app.id, user).await?;
            if let Some(before) = &before {
                reaches(own, role_permissions(tx, &held.org, &before.role).await?)?;
            }
            let used = grants_of(&held, user).count(tx).await.because("counting grants")?;
            if before.is_none() && used >= MOST as u64 {
                return Err(Error::QuotaExceeded { what: "grants for one member".into(), limit: MOST as u64, used });
            }
            let detail = json!({ "user": user, "before": before.map(|row| row.role), "after": role, "name": name });
            record(tx, ctx, events::GRANT_GIVEN, &app.id, detail).await?;
            let row = app_grant::ActiveModel {
                application_id: Set(app.id.clone()),
                user_id: Set(user.clone()),
                organization_id: Set(held.org.clone()),
                role: Set(role),
                created_at: Set(ctx.panel.now()),
            };
            let again = OnConflict::columns([app_grant::Column::ApplicationId, app_grant::Column::UserId])
                .update_column(app_grant::Column::Role)
                .to_owned();
            app_grant::Entity::insert(row).on_conflict(again).exec_without_returning(tx).await.because("giving a grant")?;
            mark(tx, &held, user, true).await
        })
        .await?;
    ctx.panel.of::<SessionCache>().forget_user(user);
    read(ctx, user).await
}

fn grants_of(held: &Held, user: &UserId) -> sea_orm::Select<app_grant::Entity> {
    app_grant::Entity::find()
        .filter(app_grant::Column::OrganizationId.eq(held.org.clone()))
        .filter(app_grant::Column::UserId.eq(user.clone()))
}

async fn find(tx: &Tx, held: &Held, app: &AppId, user: &UserId) -> Result<Option<app_grant::Model>> {
    grants_of(held, user).filter(app_grant::Column::ApplicationId.eq(app.clone())).one(tx).await.because("looking up a grant")
}

/// Notes whether a member has grants, which spares everybody else's look-ups.
async fn mark(tx: &Tx, held: &Held, user: &UserId, has: bool) -> Result<()> {
    let change = membership::Entity::update_many()
        .col_expr(membership::Column::HasGrants, Expr::value(has))
        .filter(membership::Column::OrganizationId.eq(held.org.clone()))
        .filter(membership::Column::UserId.eq(user.clone()));
    change.exec(tx).await.because("noting grants").map(|_| ())
}

/// Takes a member's role on an application.
pub async fn remove(ctx: &Ctx, user: &UserId, app: &AppId) -> Result<()> {
    ctx.may(Action::Members)?;
    ctx.panel
        .db
        .tx(async |tx| {
            let held = hold(tx, ctx, Action::Members).await?;
            held.members(tx, std::slice::from_ref(user)).await?;
            let row = find(tx, &held, app, user).await?.ok_or(Error::NotFound(Thing::APPLICATION))?;
            reaches(own(ctx, &held, app), role_permissions(tx, &held.org, &row.role).await?)?;
            record(tx, ctx, events::GRANT_TAKEN, app, json!({ "user": user, "role": row.role })).await?;
            let key = (app.clone(), user.clone());
            app_grant::Entity::delete_by_id(key).exec(tx).await.because("taking a grant")?;
            let left = grants_of(&held, user).count(tx).await.because("counting grants")?;
            mark(tx, &held, user, left > 0).await
        })
        .await?;
    ctx.panel.of::<SessionCache>().forget_user(user);
    Ok(())
}
