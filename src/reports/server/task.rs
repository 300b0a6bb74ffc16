//! The loop that writes faults down. It fails quietly: a fault in writing faults is in the log only, and what could not be written is
//! tried again.
use crate::runtime::fault_reports::FAULTS;
use crate::runtime::fault_reports::FaultInbox;
use crate::{
    error::Result,
    fault::Because,
    reports::model::normalised,
    runtime::{
        fault_reports::{Fault, unheard},
        loops::{Loop, Outcome},
        panel::Panel,
    },
    store::{
        Tx, random,
        tables::{error_group, error_report},
    },
    units::Timestamp,
};
use futures::FutureExt;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How long reports are kept.
pub const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// Faults of one kind that are kept one by one; the others are counted.
pub const OF_A_KIND: u64 = 100;
/// Kinds that are kept.
pub const KINDS: u64 = 1_000;

/// The loop.
pub const LOOP: Loop =
    Loop::new("faults", Duration::from_secs(3_600), |panel| pass(panel).boxed()).calm(Duration::from_millis(500)).woken_by(FAULTS);

/// Writes down what waits, and forgets what is old or too much.
pub async fn pass(panel: &Arc<Panel>) -> Result<Outcome> {
    let faults = panel.of::<FaultInbox>().take();
    let written = unheard(panel.db.tx(async |tx| write(tx, panel.now(), &faults).await)).await;
    if let Err(why) = written {
        panel.of::<FaultInbox>().put_back(faults);
        return Err(why);
    }
    Ok((!faults.is_empty()).then(|| format!("wrote down {} faults", faults.len())))
}

/// What makes two faults one kind.
fn fingerprint(fault: &Fault) -> String {
    let mut hash = random::hash(&format!("{}\n{}", fault.doing, normalised(&fault.cause)));
    hash.truncate(16);
    hash
}

async fn write(tx: &Tx, now: Timestamp, faults: &[Fault]) -> Result<()> {
    forget(tx, now).await?;
    let mut kinds: BTreeMap<String, Vec<&Fault>> = BTreeMap::new();
    for fault in faults {
        kinds.entry(fingerprint(fault)).or_default().push(fault);
    }
    for (fingerprint, of_kind) in kinds {
        group(tx, &fingerprint, &of_kind).await?;
        let rows = of_kind.iter().rev().take(OF_A_KIND as usize).map(|fault| report(&fingerprint, fault));
        let insert = error_report::Entity::insert_many(rows).on_conflict(OnConflict::new().do_nothing().to_owned());
        insert.exec_without_returning(tx).await.because("writing down a fault")?;
        thin(tx, &fingerprint).await?;
    }
    Ok(())
}

async fn group(tx: &Tx, fingerprint: &str, of_kind: &[&Fault]) -> Result<()> {
    let (Some(first), Some(last), count) = (of_kind.first(), of_kind.last(), of_kind.len() as i64) else { return Ok(()) };
    let row = error_group::ActiveModel {
        fingerprint: Set(fingerprint.into()),
        doing: Set(first.doing.clone()),
        cause: Set(first.cause.clone()),
        count: Set(count),
        first_seen_at: Set(first.at),
        last_seen_at: Set(last.at),
    };
    let again = OnConflict::column(error_group::Column::Fingerprint)
        .value(error_group::Column::Count, Expr::col((error_group::Entity, error_group::Column::Count)).add(count))
        .update_column(error_group::Column::LastSeenAt)
        .to_owned();
    error_group::Entity::insert(row).on_conflict(again).exec_without_returning(tx).await.because("counting a fault").map(|_| ())
}

fn report(fingerprint: &str, fault: &Fault) -> error_report::ActiveModel {
    let around = fault.around.clone();
    let (route, request_id, organization, user) =
        around.map_or((None, None, None, None), |it| (Some(it.route), Some(it.request_id), it.organization, it.user));
    error_report::ActiveModel {
        reference: Set(fault.reference.clone()),
        fingerprint: Set(fingerprint.into()),
        cause: Set(fault.cause.clone()),
        route: Set(route),
        request_id: Set(request_id),
        organization_id: Set(organization),
        user_id: Set(user),
        created_at: Set(fault.at),
    }
}

/// Keeps the newest of a kind.
async fn thin(tx: &Tx, fingerprint: &str) -> Result<()> {
    let of_kind = error_report::Column::Fingerprint.eq(fingerprint);
    let beyond = error_report::Entity::find()
        .select_only()
        .column(error_report::Column::CreatedAt)
        .filter(of_kind.clone())
        .order_by_desc(error_report::Column::CreatedAt)
        .offset(OF_A_KIND)
        .limit(1)
        .into_tuple::<Timestamp>();
    let Some(beyond) = beyond.one(tx).await.because("looking for old reports")? else { return Ok(()) };
    let older = of_kind.and(error_report::Column::CreatedAt.lte(beyond));
    error_report::Entity::delete_many().filter(older).exec(tx).await.because("forgetting old reports").map(|_| ())
}

async fn forget(tx: &Tx, now: Timestamp) -> Result<()> {
    let old = error_report::Column::CreatedAt.lt(now - KEPT);
    error_report::Entity::delete_many().filter(old).exec(tx).await.because("forgetting old reports")?;
    let beyond = error_group::Entity::find()
        .select_only()
        .column(error_group::Column::LastSeenAt)
        .order_by_desc(error_group::Column::LastSeenAt)
        .offset(KINDS)
        .limit(1)
        .into_tuple::<Timestamp>();
    let beyond = beyond.one(tx).await.because("looking for old kinds of fault")?.unwrap_or_default();
    let old = error_group::Column::LastSeenAt.lte(Ord::max(beyond, now - KEPT));
    error_group::Entity::delete_many().filter(old).exec(tx).await.because("forgetting old kinds of fault").map(|_| ())
}
