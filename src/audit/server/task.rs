//! The loop that sends trails. Each stream is sent in order, some lines at a time, each batch until it arrived: at least once. A stream
//! that fails is tried again later and later, and is switched off after three days.
use crate::{
    audit::{
        model::Filter,
        server::{
            STREAMS, events, read,
            service::{Event, record_for, streams::deliver},
        },
    },
    error::Result,
    fault::Because,
    flags::server::{self, Flag},
    runtime::{
        loops::{Loop, Outcome},
        panel::Panel,
    },
    store::{
        backoff::{Backoff, failures},
        lease::{Lease, is_free, is_mine, release},
        tables::{
            audit_head,
            audit_stream::{self, Column},
        },
    },
    units::Timestamp,
    web::ctx::Origin,
};
use futures::{FutureExt, StreamExt};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// Lines that are sent together.
const BATCH: u64 = 100;
/// Streams of one pass, and how many of them at once.
const DUE: u64 = 100;
const AT_ONCE: usize = 8;
/// How long nobody else takes a stream that somebody sends.
const LEASE: Duration = Duration::from_secs(60);
/// How soon a stream that failed is tried again.
const AGAIN: Backoff = Backoff { first: Duration::from_secs(5), longest: Duration::from_secs(3_600) };
/// How long a stream may fail before it is switched off.
const GIVE_UP: Duration = Duration::from_secs(3 * 86_400);

/// The loop.
pub const LOOP: Loop =
    Loop::new("audit streams", Duration::from_secs(5), |panel| pass(panel).boxed()).calm(Duration::from_millis(100)).woken_by(STREAMS);

/// Sends what is due.
pub async fn pass(panel: &Arc<Panel>) -> Result<Outcome> {
    let due = audit_stream::Entity::find()
        .select_only()
        .column(Column::Id)
        .join(sea_orm::JoinType::InnerJoin, to_head())
        .filter(Column::IsEnabled.eq(true))
        .filter(Column::NextTryAt.lte(panel.now()))
        .filter(is_free::<audit_stream::Entity>(panel.db.now().await?))
        .filter(Expr::col((audit_head::Entity, audit_head::Column::Seq)).gt(Expr::col((audit_stream::Entity, Column::SentSeq))))
        .order_by_asc(Column::NextTryAt)
        .limit(DUE);
    let due: Vec<crate::id::StreamId> =
        due.into_tuple().all(panel.db.read()).await.because("looking for streams with something to send")?;
    let sent = futures::stream::iter(due).map(|id| async move { one(panel, &id).await }).buffer_unordered(AT_ONCE);
    let sent: Vec<Result<u64>> = sent.collect().await;
    let (mut lines, mut streams) = (0, 0);
    for count in sent {
        let count = count?;
        lines += count;
        streams += u64::from(count > 0);
    }
    if streams > 0 {
        // There may be more than one batch.
        panel.wake(STREAMS);
    }
    Ok((lines > 0).then(|| format!("sent {lines} lines to {streams} places")))
}

fn to_head() -> sea_orm::RelationDef {
    audit_stream::Entity::belongs_to(audit_head::Entity).from(Column::OrganizationId).to(audit_head::Column::OrganizationId).into()
}

/// Sends one batch of one stream, and says how many lines arrived.
async fn one(panel: &Arc<Panel>, id: &crate::id::StreamId) -> Result<u64> {
    let Some(row) = claim(panel, id).await? else { return Ok(0) };
    if !server::is_on(panel, &row.organization_id, Flag::AuditStreams).await? {
        // The lease stays: nobody looks at it again before it has run out.
        return Ok(0);
    }
    let lines = read::after(&panel.db, &row.organization_id, &Filter::default(), row.sent_seq, BATCH).await?;
    let Some(last) = lines.last().map(|line| line.seq) else { return Ok(0) };
    match deliver(panel, &row, &lines).await {
        Ok(()) => arrived(panel, &row, last).await.map(|()| lines.len() as u64),
        Err(why) => failed(panel, &row, why).await.map(|()| 0),
    }
}

/// Takes a stream, so that no other panel sends it meanwhile.
async fn claim(panel: &Panel, id: &crate::id::StreamId) -> Result<Option<audit_stream::Model>> {
    let due = Condition::all().add(Column::Id.eq(id.clone())).add(Column::IsEnabled.eq(true)).add(Column::NextTryAt.lte(panel.now()));
    let lease = Lease { db: &panel.db, owner: &panel.owner, lasts: LEASE };
    if !lease.claim::<audit_stream::Entity>(due, |claim| claim).await? {
        return Ok(None);
    }
    audit_stream::Entity::find_by_id(id.clone()).one(panel.db.read()).await.because("reading a stream")
}

async fn arrived(panel: &Panel, row: &audit_stream::Model, last: i64) -> Result<()> {
    let change = audit_stream::ActiveModel {
        sent_seq: Set(last),
        attempts: Set(0),
        failing_since: Set(None),
        last_error: Set(None),
        last_sent_at: Set(Some(panel.now())),
        next_try_at: Set(panel.now()),
        ..Default::default()
    };
    write(panel, row, change, None).await
}

async fn failed(panel: &Panel, row: &audit_stream::Model, why: String) -> Result<()> {
    let (now, attempts) = (panel.now(), row.attempts + 1);
    let since = row.failing_since.unwrap_or(now);
    let over = now.since(since) >= GIVE_UP;
    tracing::warn!(stream = %row.id, organization = %row.organization_id, attempts, why = ?why, "a stream of the audit trail fails");
    let mut change = audit_stream::ActiveModel {
        attempts: Set(attempts),
        failing_since: Set(Some(since)),
        last_error: Set(Some(why.clone())),
        next_try_at: Set(now + AGAIN.after(failures(attempts))),
        ..Default::default()
    };
    if over {
        change.is_enabled = Set(false);
        change.disabled_reason = Set(Some(format!("Nothing arrived for three days. {why}")));
    }
    let event = Event { kind: events::AUDIT_STREAM_DISABLED, target: row.id.to_string(), detail: json!({ "name": row.name, "why": why }) };
    write(panel, row, change, over.then_some(event)).await
}

/// Writes what became of a batch, unless the stream was changed meanwhile: then only what arrived counts.
async fn write(panel: &Panel, row: &audit_stream::Model, change: audit_stream::ActiveModel, event: Option<Event>) -> Result<()> {
    panel
        .db
        .tx(async |tx| {
            let back = release::<audit_stream::Entity>(audit_stream::Entity::update_many()).filter(Column::Id.eq(row.id.clone()));
            back.filter(is_mine::<audit_stream::Entity>(&panel.owner)).exec(tx).await.because("giving a lease back")?;
            let same = audit_stream::Entity::update_many().set(change.clone()).filter(Column::Id.eq(row.id.clone()));
            let same = same.filter(Column::Version.eq(row.version)).exec(tx).await.because("noting what became of a batch")?;
            if same.rows_affected == 0 {
                if let sea_orm::ActiveValue::Set(seq) = change.sent_seq {
                    let arrived = audit_stream::Entity::update_many().col_expr(Column::SentSeq, Expr::value(seq));
                    let arrived = arrived.filter(Column::Id.eq(row.id.clone())).filter(Column::SentSeq.lt(seq));
                    arrived.exec(tx).await.because("noting what arrived")?;
                }
                return Ok(());
            }
            if let Some(event) = event {
                let at: Timestamp = panel.now();
                record_for(tx, &row.organization_id, "", &Origin::system(), at, event).await?;
            }
            Ok(())
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_fails_is_tried_later_and_later() {
        let waits: Vec<u64> = (1..=12).map(|attempt| AGAIN.after(attempt).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600]);
    }
}
