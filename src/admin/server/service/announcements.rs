//! Writing announcements, and putting them away.
use crate::{
    admin::{
        model::{ANNOUNCEMENT, Announcement, AnnouncementForm},
        server::events,
    },
    audit::server::{chain, service::record_in},
    error::{Error, Result},
    fault::Because,
    flags::server::FlagCache,
    id::AnnouncementId,
    store::{
        json::JsonText,
        random,
        tables::{
            announcement::{self, Column},
            announcement_dismissal,
        },
    },
    web::{
        api::{Pagination, Paging},
        ctx::{Ctx, Operator},
    },
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::OnConflict,
};
use serde_json::json;

fn view(row: announcement::Model) -> Announcement {
    Announcement {
        id: row.id,
        title: row.title,
        body: row.body,
        level: row.level.parse().unwrap_or_default(),
        organizations: row.organizations.read().unwrap_or_default(),
        starts_at: row.starts_at,
        ends_at: row.ends_at,
        is_dismissable: row.is_dismissable,
        version: row.version,
        created_at: row.created_at,
    }
}

/// A page of all announcements, also of those that are over; the newest first.
pub async fn list(ctx: &Operator, page: Option<u64>, limit: Option<u64>) -> Result<(Vec<Announcement>, Pagination)> {
    let paging = Paging::parse(page, limit)?;
    let db = ctx.panel.db.read();
    let total = announcement::Entity::find().count(db).await.because("counting announcements")?;
    let newest = announcement::Entity::find().order_by_desc(Column::StartsAt).order_by_desc(Column::Id);
    let rows = newest.offset(paging.offset()).limit(paging.limit).all(db).await.because("listing announcements")?;
    Ok((rows.into_iter().map(view).collect(), paging.of(total)))
}

/// One announcement.
pub async fn get(ctx: &Operator, id: &AnnouncementId) -> Result<Announcement> {
    find(ctx, id).await.map(view)
}

async fn find(ctx: &Ctx, id: &AnnouncementId) -> Result<announcement::Model> {
    let row = announcement::Entity::find_by_id(id.clone()).one(ctx.panel.db.read()).await.because("looking up an announcement")?;
    row.ok_or(Error::NotFound(ANNOUNCEMENT))
}

/// Announces something.
pub async fn create(ctx: &Operator, form: &AnnouncementForm) -> Result<Announcement> {
    let now = ctx.panel.now();
    form.check(now)?;
    let row = announcement::Model {
        id: random::id(),
        title: form.title.trim().into(),
        body: form.body.trim().into(),
        level: form.level.name().into(),
        organizations: JsonText::of(&form.organizations)?,
        starts_at: form.starts_at.unwrap_or(now),
        ends_at: form.ends_at,
        is_dismissable: form.is_dismissable,
        version: 1,
        created_at: now,
    };
    ctx.panel
        .db
        .tx(async |tx| {
            let new: announcement::ActiveModel = row.clone().into();
            announcement::Entity::insert(new.reset_all()).exec_without_returning(tx).await.because("announcing")?;
            record_in(tx, ctx, &chain::platform(), events::ANNOUNCEMENT_CREATED, &row.id, json!({ "after": view(row.clone()) })).await
        })
        .await?;
    ctx.panel.of::<FlagCache>().forget();
    Ok(view(row))
}

/// Changes an announcement; whoever put it away sees it again.
pub async fn update(ctx: &Operator, id: &AnnouncementId, form: &AnnouncementForm) -> Result<Announcement> {
    form.check(ctx.panel.now())?;
    let before = find(ctx, id).await?;
    let after = announcement::Model {
        title: form.title.trim().into(),
        body: form.body.trim().into(),
        level: form.level.name().into(),
        organizations: JsonText::of(&form.organizations)?,
        starts_at: form.starts_at.unwrap_or(before.starts_at),
        ends_at: form.ends_at,
        is_dismissable: form.is_dismissable,
        version: before.version + 1,
        ..before.clone()
    };
    ctx.panel
        .db
        .tx(async |tx| {
            let change: announcement::ActiveModel = after.clone().into();
            announcement::Entity::update(change.reset_all()).exec_without_returning(tx).await.because("changing an announcement")?;
            let of = announcement_dismissal::Column::AnnouncementId.eq(id.clone());
            let away = announcement_dismissal::Entity::delete_many().filter(of);
            away.exec(tx).await.because("showing an announcement again")?;
            let detail = json!({ "before": view(before), "after": view(after.clone()) });
            record_in(tx, ctx, &chain::platform(), events::ANNOUNCEMENT_CHANGED, id, detail).await
        })
        .await?;
    ctx.panel.of::<FlagCache>().forget();
    Ok(view(after))
}

/// Takes an announcement back.
pub async fn delete(ctx: &Operator, id: &AnnouncementId) -> Result<()> {
    let before = find(ctx, id).await?;
    ctx.panel
        .db
        .tx(async |tx| {
            announcement::Entity::delete_by_id(id.clone()).exec(tx).await.because("taking an announcement back")?;
            record_in(tx, ctx, &chain::platform(), events::ANNOUNCEMENT_DELETED, id, json!({ "before": view(before) })).await
        })
        .await?;
    ctx.panel.of::<FlagCache>().forget();
    Ok(())
}

/// Puts an announcement away for whoever asks.
pub async fn dismiss(ctx: &Ctx, id: &AnnouncementId) -> Result<()> {
    let row = find(ctx, id).await?;
    if !row.is_dismissable {
        return Err(Error::Conflict("This announcement stays until it is over.".into()));
    }
    let away = announcement_dismissal::ActiveModel {
        user_id: Set(ctx.who.user.clone()),
        announcement_id: Set(id.clone()),
        created_at: Set(ctx.panel.now()),
    };
    let twice = OnConflict::columns([announcement_dismissal::Column::UserId, announcement_dismissal::Column::AnnouncementId])
        .do_nothing()
        .to_owned();
    ctx.panel
        .db
        .tx(async |tx| {
            let put = announcement_dismissal::Entity::insert(away).on_conflict(twice).exec_without_returning(tx).await;
            put.because("putting an announcement away").map(|_| ())
        })
        .await
}
