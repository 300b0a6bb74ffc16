//! The certificates of the platform's own names, for operators.
use crate::{
    domains::{model::OwnCertificate, server::view},
    error::Result,
    fault::Because,
    store::tables::certificate,
    web::{
        api::{Pagination, Paging},
        ctx::Operator,
    },
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

/// A page of them, those with a problem first.
pub async fn own_certificates(ctx: &Operator, paging: Paging) -> Result<(Vec<OwnCertificate>, Pagination)> {
    let (db, now) = (ctx.panel.db.read(), ctx.panel.now());
    let all = certificate::Entity::find().filter(certificate::Column::DomainId.is_null());
    let total = all.clone().count(db).await.because("counting the platform's certificates")?;
    let page = all
        .order_by_desc(certificate::Column::Attempts)
        .order_by_asc(certificate::Column::Name)
        .offset(paging.offset())
        .limit(paging.limit);
    let rows = page.all(db).await.because("listing the platform's certificates")?;
    let own = |row: certificate::Model| Ok(OwnCertificate { certificate: view::of_certificate(&row, now)?, name: row.name });
    Ok((rows.into_iter().map(own).collect::<Result<_>>()?, paging.of(total)))
}
