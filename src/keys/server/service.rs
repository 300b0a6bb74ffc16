//! What people do with their keys: make, look, change, rotate, revoke. All of it in person: a key makes no key. Who looks after an
//! organization's members sees and revokes the keys of all of them.
use crate::{
    audit::server::service::record,
    auth::{api_keys, session::SessionCache},
    error::{Error, Result},
    fault::Because,
    id::{ApiKeyId, UserId},
    keys::{
        model::{API_KEY, ApiKey, CreateApiKey, KeyOwner, KeyPage, MOST, NewApiKey, RotateApiKey, UpdateApiKey, Wanted},
        server::events,
    },
    rights::{Action, Permissions},
    store::{
        Tx,
        json::JsonText,
        random,
        tables::{api_key, api_key_secret, user},
    },
    units::Timestamp,
    web::{
        api::{Pagination, Paging},
        ctx::Ctx,
    },
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::Expr,
};
use serde_json::json;
use std::collections::HashMap;

/// What the caller may give a key: what she may do herself, anywhere in the organization.
fn mine(ctx: &Ctx) -> Permissions {
    ctx.who.grants.values().fold(ctx.who.permissions, |all, granted| all.or(*granted))
}

/// Refuses where nothing may be changed in the organization now.
fn may_make(ctx: &Ctx) -> Result<()> {
    ctx.in_person()?;
    match (ctx.who.lacks_second_factor, ctx.who.is_suspended) {
        (true, _) => Err(Error::TwoFactorRequired),
        (_, true) => Err(Error::Suspended),
        _ => Ok(()),
    }
}

fn sees_all(ctx: &Ctx) -> bool {
    ctx.may(Action::Members).is_ok()
}

/// The keys that the caller sees.
fn seen(ctx: &Ctx, all: bool) -> Select<api_key::Entity> {
    let here = api_key::Entity::find().filter(api_key::Column::OrganizationId.eq(ctx.who.org.clone()));
    if all { here } else { here.filter(api_key::Column::UserId.eq(ctx.who.user.clone())) }
}

async fn find(ctx: &Ctx, id: &ApiKeyId) -> Result<api_key::Model> {
    ctx.in_person()?;
    let row = seen(ctx, sees_all(ctx)).filter(api_key::Column::Id.eq(id.clone())).one(ctx.panel.db.read()).await;
    row.because("looking up an API key")?.ok_or(Error::NotFound(API_KEY))
}

/// One of the caller's own.
async fn own(ctx: &Ctx, id: &ApiKeyId) -> Result<api_key::Model> {
    let row = find(ctx, id).await?;
    // Whose key it is acts by it: nobody else may know its secret or say what it does.
    if row.user_id == ctx.who.user { Ok(row) } else { Err(Error::Forbidden { permission: "in_person".into() }) }
}

/// The caller's keys, the newest first, or those of all members.
pub async fn list(ctx: &Ctx, all: bool, paging: Paging) -> Result<(Vec<ApiKey>, Pagination)> {
    ctx.in_person()?;
    if all {
        ctx.may(Action::Members)?;
    }
    let db = ctx.panel.db.read();
    let total = seen(ctx, all).count(db).await.because("counting API keys")?;
    let page = seen(ctx, all).order_by_desc(api_key::Column::Id).offset(paging.offset()).limit(paging.limit);
    let rows = page.all(db).await.because("listing API keys")?;
    Ok((views(ctx, rows).await?, paging.of(total)))
}

/// The same for the page.
pub async fn page(ctx: &Ctx, all: bool, page: u64) -> Result<KeyPage> {
    let may_see_all = sees_all(ctx);
    let all = all && may_see_all;
    let (keys, at) = list(ctx, all, Paging::parse(Some(page), Some(50))?).await?;
    Ok(KeyPage { keys, page: at.page, pages: at.total_pages, mine: mine(ctx), me: ctx.who.user.clone(), may_see_all, all })
}

/// One key.
pub async fn get(ctx: &Ctx, id: &ApiKeyId) -> Result<ApiKey> {
    view(ctx, find(ctx, id).await?).await
}

async fn view(ctx: &Ctx, row: api_key::Model) -> Result<ApiKey> {
    let all = views(ctx, vec![row]).await?;
    all.into_iter().next().ok_or(Error::NotFound(API_KEY))
}

/// Rows as they are shown, with two look-ups however many there are.
async fn views(ctx: &Ctx, rows: Vec<api_key::Model>) -> Result<Vec<ApiKey>> {
    let db = ctx.panel.db.read();
    let owners = user::Entity::find()
        .select_only()
        .columns([user::Column::Id, user::Column::Name])
        .filter(user::Column::Id.is_in(rows.iter().map(|row| row.user_id.clone())))
        .into_tuple::<(UserId, String)>();
    let owners: HashMap<UserId, String> = owners.all(db).await.because("looking up the owners of API keys")?.into_iter().collect();
    let old = api_key_secret::Entity::find()
        .filter(api_key_secret::Column::KeyId.is_in(rows.iter().map(|row| row.id.clone())))
        .filter(api_key_secret::Column::ExpiresAt.gt(ctx.panel.now()));
    let old = old.all(db).await.because("looking up old secrets")?;
    let old: HashMap<ApiKeyId, Option<Timestamp>> = old.into_iter().map(|row| (row.key_id, row.expires_at)).collect();
    rows.into_iter().map(|row| shown(row, &owners, &old)).collect()
}

fn shown(row: api_key::Model, owners: &HashMap<UserId, String>, old: &HashMap<ApiKeyId, Option<Timestamp>>) -> Result<ApiKey> {
    Ok(ApiKey {
        old_secret_until: old.get(&row.id).copied().flatten(),
        name: row.name,
        hint: format!("{}…{}", api_keys::PREFIX, row.hint),
        permissions: row.scope.read()?,
        user: KeyOwner { name: owners.get(&row.user_id).cloned().unwrap_or_default(), id: row.user_id },
        created_at: row.created_at,
        rotated_at: row.rotated_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
        last_used_from: row.last_used_from,
        version: row.version,
        id: row.id,
    })
}

async fn insert_secret(tx: &Tx, key: &ApiKeyId, secret: &str) -> Result<()> {
    let row = api_key_secret::ActiveModel { token_hash: Set(random::hash(secret)), key_id: Set(key.clone()), expires_at: Set(None) };
    api_key_secret::Entity::insert(row).exec_without_returning(tx).await.because("storing a secret").map(|_| ())
}

/// Makes a key. Its secret is in the answer and nowhere else.
pub async fn create(ctx: &Ctx, form: &CreateApiKey) -> Result<NewApiKey> {
    may_make(ctx)?;
    let now = ctx.panel.now();
    let Wanted { name, permissions, expires_at } = form.parse(mine(ctx), now)?;
    let (secret, id): (String, ApiKeyId) = (api_keys::secret(), random::id());
    let row = api_key::Model {
        id: id.clone(),
        organization_id: ctx.who.org.clone(),
        user_id: ctx.who.user.clone(),
        name,
        hint: api_keys::hint(&secret),
        scope: JsonText::of(&permissions)?,
        version: 1,
        created_at: now,
        rotated_at: None,
        expires_at,
        last_used_at: None,
        last_used_from: None,
    };
    let new: api_key::ActiveModel = row.clone().into();
    let made = ctx.panel.db.tx(async |tx| {
        api_key::Entity::insert(new).exec_without_returning(tx).await.because("making an API key")?;
        // Counted after the insert: of two at once, the one that waited sees both.
        let used = seen(ctx, false).count(tx).await.because("counting API keys")? - 1;
        if used >= MOST {
            return Err(Error::QuotaExceeded { what: "API keys of one person".into(), limit: MOST, used });
        }
        insert_secret(tx, &id, &secret).await?;
        let detail = json!({ "name": row.name, "permissions": permissions, "expires_at": expires_at });
        record(tx, ctx, events::API_KEY_CREATED, &id, detail).await
    });
    made.await?;
    Ok(NewApiKey { key: view(ctx, row).await?, secret })
}

/// Changes a key's name and end, and narrows its scope. `version` is the one that the editor saw.
pub async fn update(ctx: &Ctx, id: &ApiKeyId, form: &UpdateApiKey, version: Option<i64>) -> Result<ApiKey> {
    may_make(ctx)?;
    let row = own(ctx, id).await?;
    let is = Wanted { name: row.name.clone(), permissions: row.scope.read()?, expires_at: row.expires_at };
    let to = form.parse(is.clone(), ctx.panel.now())?;
    let changed = api_key::Entity::update_many()
        .col_expr(api_key::Column::Name, Expr::value(to.name.clone()))
        .col_expr(api_key::Column::Scope, Expr::value(JsonText::of(&to.permissions)?))
        .col_expr(api_key::Column::ExpiresAt, Expr::value(to.expires_at))
        .col_expr(api_key::Column::Version, Expr::col(api_key::Column::Version).add(1))
        .filter(api_key::Column::Id.eq(id.clone()))
        // Who names no version insists, but not on what she read a moment ago: a scope must not grow back.
        .filter(api_key::Column::Version.eq(version.unwrap_or(row.version)));
    ctx.panel
        .db
        .tx(async |tx| {
            if changed.exec(tx).await.because("changing an API key")?.rows_affected == 0 {
                return Err(Error::Conflict("Somebody else changed this key meanwhile. Load it again.".into()));
            }
            let was = |it: &Wanted| json!({ "name": it.name, "permissions": it.permissions, "expires_at": it.expires_at });
            record(tx, ctx, events::API_KEY_CHANGED, id, json!({ "before": was(&is), "after": was(&to) })).await
        })
        .await?;
    ctx.panel.of::<SessionCache>().forget_key(id);
    get(ctx, id).await
}

/// Gives a key a new secret; the old one is taken for the hours of grace, and any before that no more.
pub async fn rotate(ctx: &Ctx, id: &ApiKeyId, form: &RotateApiKey) -> Result<NewApiKey> {
    may_make(ctx)?;
    let grace = form.grace()?;
    let row = own(ctx, id).await?;
    let now = ctx.panel.now();
    if row.expires_at.is_some_and(|at| at <= now) {
        return Err(Error::Conflict("This key has ended. Give it a later end first, or make a new one.".into()));
    }
    let secret = api_keys::secret();
    let key = api_key::ActiveModel {
        id: Set(id.clone()),
        hint: Set(api_keys::hint(&secret)),
        rotated_at: Set(Some(now)),
        version: Set(row.version + 1),
        ..Default::default()
    };
    ctx.panel
        .db
        .tx(async |tx| {
            // First, so that two rotations at once come one after the other.
            key.update(tx).await.because("rotating an API key")?;
            let of_key = api_key_secret::Column::KeyId.eq(id.clone());
            let gone = if grace.is_zero() { of_key.clone() } else { of_key.clone().and(api_key_secret::Column::ExpiresAt.is_not_null()) };
            api_key_secret::Entity::delete_many().filter(gone).exec(tx).await.because("removing old secrets")?;
            let fading = api_key_secret::Entity::update_many().col_expr(api_key_secret::Column::ExpiresAt, Expr::value(now + grace));
            fading.filter(of_key).exec(tx).await.because("letting a secret fade")?;
            insert_secret(tx, id, &secret).await?;
            record(tx, ctx, events::API_KEY_ROTATED, id, json!({ "grace_hours": form.grace_hours })).await
        })
        .await?;
    ctx.panel.of::<SessionCache>().forget_key(id);
    Ok(NewApiKey { key: get(ctx, id).await?, secret })
}

/// Ends a key at once.
pub async fn revoke(ctx: &Ctx, id: &ApiKeyId) -> Result<()> {
    let row = find(ctx, id).await?;
    let ended = ctx.panel.db.tx(async |tx| {
        if api_key::Entity::delete_by_id(id.clone()).exec(tx).await.because("revoking an API key")?.rows_affected == 0 {
            return Err(Error::NotFound(API_KEY));
        }
        record(tx, ctx, events::API_KEY_REVOKED, id, json!({ "name": row.name, "of": row.user_id })).await
    });
    ended.await?;
    ctx.panel.of::<SessionCache>().forget_key(id);
    Ok(())
}
