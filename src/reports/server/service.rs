//! What operators do with error reports: look.
use crate::{
    error::{Error, Result},
    fault::Because,
    reports::model::{ErrorDetail, ErrorGroup, ErrorReport, REPORT},
    store::tables::{error_group, error_report},
    web::{
        api::{Pagination, Paging, contains},
        ctx::Operator,
    },
};
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

/// Reports of one kind that a look shows.
const SHOWN: u64 = 20;

/// Kinds of fault, what happened last first. A search finds a reference, or words of what was done or why it failed.
pub async fn list(ctx: &Operator, search: Option<&str>, paging: Paging) -> Result<(Vec<ErrorGroup>, Pagination)> {
    let db = ctx.panel.db.read();
    let mut all = error_group::Entity::find();
    if let Some(text) = search.map(str::trim).filter(|text| !text.is_empty()) {
        let short: String = text.chars().filter(|c| *c != '\0').take(100).collect();
        let by_reference = error_report::Entity::find_by_id(short.clone()).one(db).await.because("looking up a reference")?;
        all = match by_reference {
            Some(report) => all.filter(error_group::Column::Fingerprint.eq(report.fingerprint)),
            None => all.filter(
                Condition::any()
                    .add(contains(error_group::Column::Doing, &short))
                    .add(contains(error_group::Column::Cause, &short))
                    .add(error_group::Column::Fingerprint.eq(short)),
            ),
        };
    }
    let total = all.clone().count(db).await.because("counting kinds of fault")?;
    let page = all.order_by_desc(error_group::Column::LastSeenAt).offset(paging.offset()).limit(paging.limit);
    let rows = page.all(db).await.because("listing kinds of fault")?;
    Ok((rows.into_iter().map(kind).collect(), paging.of(total)))
}

/// A kind of fault by the reference of one of them, or by its fingerprint.
pub async fn get(ctx: &Operator, id: &str) -> Result<ErrorDetail> {
    let not_there = || Error::NotFound(REPORT);
    let sound = (1..=40).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !sound {
        return Err(not_there());
    }
    let db = ctx.panel.db.read();
    let asked = error_report::Entity::find_by_id(id).one(db).await.because("looking up a reference")?;
    let fingerprint = asked.as_ref().map_or(id, |asked| &asked.fingerprint);
    let group = error_group::Entity::find_by_id(fingerprint).one(db).await.because("looking up a kind of fault")?.ok_or_else(not_there)?;
    let of_kind = error_report::Entity::find().filter(error_report::Column::Fingerprint.eq(fingerprint));
    let newest = of_kind.order_by_desc(error_report::Column::CreatedAt).limit(SHOWN).all(db).await.because("listing reports")?;
    let others = newest.into_iter().filter(|row| asked.as_ref().is_none_or(|asked| asked.reference != row.reference));
    let others: Vec<error_report::Model> = others.collect();
    Ok(ErrorDetail { reports: asked.into_iter().chain(others).map(one).collect(), group: kind(group) })
}

fn kind(row: error_group::Model) -> ErrorGroup {
    let error_group::Model { fingerprint, doing, cause, count, first_seen_at, last_seen_at } = row;
    ErrorGroup { fingerprint, doing, cause, count, first_seen_at, last_seen_at }
}

fn one(row: error_report::Model) -> ErrorReport {
    let error_report::Model { reference, fingerprint, cause, route, request_id, organization_id, user_id, created_at } = row;
    ErrorReport { reference, fingerprint, cause, route, request_id, organization_id, user_id, created_at }
}
