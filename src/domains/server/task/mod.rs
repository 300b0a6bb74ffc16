//! The loops of domains: one looks at claims that are due and keeps what the edge gets up to date, one orders and renews certificates, and
//! one hears of what other panels have under way.
use crate::domains::server::{CERTIFICATES, DOMAINS};
use crate::edges::server::material::EdgeMaterial;
pub mod account;
pub mod certify;
pub mod looks;
pub mod own;
pub mod verify;

use crate::{
    domains::server::material,
    error::Result,
    fault::Because,
    id::CertificateId,
    runtime::{
        loops::{Loop, Outcome},
        panel::Panel,
    },
    store::tables::{application, certificate, domain},
};
use futures::{FutureExt, StreamExt, stream};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Query};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// The loops.
pub const LOOPS: &[Loop] = &[
    Loop::new("domains", Duration::from_secs(10), |panel| pass(panel).boxed()).woken_by(DOMAINS),
    Loop::new("certificates", Duration::from_secs(15), |panel| certificates(panel).boxed()).woken_by(CERTIFICATES),
    Loop::new("challenges", Duration::from_secs(1), |panel| challenges(panel).boxed()).calm(Duration::ZERO),
];

/// Domains that one pass looks at.
const BATCH: u64 = 50;
/// How many are looked at side by side.
const SIDE_BY_SIDE: usize = 8;
/// Orders that a panel has under way.
const ORDERS: u64 = 4;

/// Looks at the domains that are due, removes those of deleted applications, and tells what the edge gets.
pub async fn pass(panel: &Arc<Panel>) -> Result<Outcome> {
    let removed = sweep(panel).await?;
    let due =
        domain::Entity::find().filter(domain::Column::NextCheckAt.lte(panel.now())).order_by_asc(domain::Column::NextCheckAt).limit(BATCH);
    let due = due.all(panel.db.read()).await.because("looking for domains to check")?;
    let checks = due.into_iter().map(|row| async {
        let before = row.verified_at;
        verify::check(panel, row).await.map(|after| (before, after.verified_at))
    });
    let all: Vec<_> = stream::iter(checks).buffer_unordered(SIDE_BY_SIDE).collect().await;
    let (mut looked, mut proven, mut lapsed) = (0, 0, 0);
    for (before, after) in all.into_iter().flatten() {
        looked += 1;
        proven += i32::from(before.is_none() && after.is_some());
        lapsed += i32::from(before.is_some() && after.is_none());
    }
    let told = material::publish(panel).await?;
    let did = looked > 0 || removed > 0 || told;
    Ok(did.then(|| format!("looked at {looked} domains: {proven} were proven, {lapsed} lapsed; {removed} went with their applications")))
}

/// Removes the domains of deleted applications.
async fn sweep(panel: &Panel) -> Result<u64> {
    let deleted = || {
        Query::select()
            .column(application::Column::Id)
            .from(application::Entity)
            .and_where(application::Column::DeletedAt.is_not_null())
            .to_owned()
    };
    let left = domain::Entity::find().filter(domain::Column::ApplicationId.in_subquery(deleted())).limit(1);
    if left.one(panel.db.read()).await.because("looking for domains that are left")?.is_none() {
        return Ok(0);
    }
    let swept = panel.db.tx(async |tx| {
        let of = Query::select()
            .column(domain::Column::Id)
            .from(domain::Entity)
            .and_where(domain::Column::ApplicationId.in_subquery(deleted()))
            .to_owned();
        let certificates = certificate::Entity::delete_many().filter(certificate::Column::DomainId.in_subquery(of));
        certificates.exec(tx).await.because("removing certificates that are left")?;
        let domains = domain::Entity::delete_many().filter(domain::Column::ApplicationId.in_subquery(deleted()));
        Ok(domains.exec(tx).await.because("removing domains that are left")?.rows_affected)
    });
    swept.await
}

/// Orders and renews what is due.
pub async fn certificates(panel: &Arc<Panel>) -> Result<Outcome> {
    let again = looks::pass(panel).await?;
    if panel.config.acme.directory.is_none() {
        return Ok(None);
    }
    if own::ensure(panel).await? {
        material::publish(panel).await?;
    }
    let due = certify::claim(panel, ORDERS).await?;
    let count = due.len();
    let ended = futures::future::join_all(due.into_iter().map(|row| certify::drive(panel, row))).await;
    let issued = ended.iter().filter(|it| matches!(it, Ok(true))).count();
    if count == ORDERS as usize {
        panel.wake(CERTIFICATES);
    }
    let looked = if again > 0 { format!("{again} certificates are ordered again; ") } else { String::new() };
    Ok((count > 0 || again > 0).then(|| format!("{looked}{issued} of {count} certificates were issued")))
}

/// Looks whether another panel has an order under way, or has ended one: the authority may come to any edge within seconds. Cheap, for it
/// is done every second.
pub async fn challenges(panel: &Arc<Panel>) -> Result<Outcome> {
    if panel.config.acme.directory.is_none() {
        return Ok(None);
    }
    let open: Vec<CertificateId> = certificate::Entity::find()
        .select_only()
        .column(certificate::Column::Id)
        .filter(certificate::Column::Challenges.is_not_null())
        .into_tuple()
        .all(panel.db.read())
        .await
        .because("looking for open challenges")?;
    if open.into_iter().collect::<BTreeSet<_>>() != panel.of::<EdgeMaterial>().load().open {
        material::publish(panel).await?;
    }
    Ok(None)
}
