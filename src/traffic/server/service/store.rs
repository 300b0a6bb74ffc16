//! Numbers in the database.
use crate::{
    edge::ReleaseSignals,
    error::Result,
    fault::Because,
    id::AppId,
    store::{
        Db, Tx,
        tables::{application, traffic, traffic_edge, traffic_writer},
    },
    traffic::server::service::{
        EdgeCount, Step,
        inbox::{Batch, Key},
        lines, read, written,
    },
    units::Timestamp,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, IdenStatic, IntoActiveModel, Iterable, QueryFilter, QueryOrder,
    QuerySelect, sea_query::OnConflict,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

/// Applications that are asked for in one statement, and rows that are written by one.
const APPS: usize = 500;
const ROWS: usize = 500;
/// Rows that are removed in one transaction.
const REMOVED: u64 = 5_000;
/// How long a panel that is gone is remembered.
const WRITER: Duration = Duration::from_secs(24 * 3600);

fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn known(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

fn signals(row: &traffic::Model) -> ReleaseSignals {
    ReleaseSignals {
        app: row.application_id.to_string(),
        release: row.deployment_id.clone(),
        requests: known(row.requests),
        classes: [row.informed, row.succeeded, row.redirected, row.refused, row.failed].map(known),
        aborted: known(row.aborted),
        bytes_in: known(row.bytes_in),
        bytes_out: known(row.bytes_out),
        retried: known(row.retried),
        held: known(row.held),
        in_flight: known(row.in_flight),
        latency: read(&row.latency),
    }
}

fn row(step: Step, key: Key, one: &ReleaseSignals) -> traffic::Model {
    let [informed, succeeded, redirected, refused, failed] = one.classes.map(stored);
    traffic::Model {
        application_id: key.app,
        step: step.seconds(),
        at: Timestamp(key.at),
        deployment_id: key.release,
        edge: key.edge,
        requests: stored(one.requests),
        informed,
        succeeded,
        redirected,
        refused,
        failed,
        aborted: stored(one.aborted),
        bytes_in: stored(one.bytes_in),
        bytes_out: stored(one.bytes_out),
        retried: stored(one.retried),
        held: stored(one.held),
        in_flight: stored(one.in_flight),
        latency: written(&one.latency),
    }
}

/// Writes a batch, unless it is there already. Nobody else writes meanwhile.
pub(super) async fn store(tx: &Tx, panel: &str, batch: &Batch, now: Timestamp) -> Result<()> {
    let last = traffic_writer::Entity::find_by_id(panel).one(tx).await.because("reading the last batch of numbers")?;
    if last.is_some_and(|last| last.batch >= batch.number) {
        return Ok(());
    }
    let known = living(tx, batch.apps()).await?;
    for step in Step::ALL {
        add_sums(tx, step, batch, &known).await?;
        add_edges(tx, step, batch).await?;
    }
    lines::write(tx, &batch.lines, |app| known.contains(app), now).await?;
    let mine = traffic_writer::ActiveModel { panel: Set(panel.into()), batch: Set(batch.number), at: Set(now) };
    let again = OnConflict::column(traffic_writer::Column::Panel)
        .update_columns([traffic_writer::Column::Batch, traffic_writer::Column::At])
        .to_owned();
    let upsert = traffic_writer::Entity::insert(mine).on_conflict(again);
    upsert.exec_without_returning(tx).await.because("noting the last batch of numbers").map(|_| ())
}

/// Those applications that there are: an edge may know one a little longer than the panel.
async fn living(tx: &Tx, apps: BTreeSet<AppId>) -> Result<HashSet<AppId>> {
    let (all, mut known) = (Vec::from_iter(apps), HashSet::new());
    for part in all.chunks(APPS) {
        let find = application::Entity::find()
            .select_only()
            .column(application::Column::Id)
            .filter(application::Column::Id.is_in(part.to_vec()))
            .filter(application::Column::DeletedAt.is_null())
            .into_tuple::<AppId>();
        known.extend(find.all(tx).await.because("looking up applications")?);
    }
    Ok(known)
}

async fn add_sums(tx: &Tx, step: Step, batch: &Batch, known: &HashSet<AppId>) -> Result<()> {
    use traffic::Column as C;
    let mut sums: BTreeMap<Key, ReleaseSignals> = BTreeMap::new();
    for (key, one) in batch.sums.iter().filter(|(key, _)| known.contains(&key.app)) {
        let key = Key { at: step.begin(key.at), ..key.clone() };
        match sums.get_mut(&key) {
            Some(sum) => *sum += one,
            None => drop(sums.insert(key, one.clone())),
        }
    }
    let moments: BTreeSet<Timestamp> = sums.keys().map(|key| Timestamp(key.at)).collect();
    let apps: BTreeSet<AppId> = sums.keys().map(|key| key.app.clone()).collect();
    let (moments, apps) = (Vec::from_iter(moments), Vec::from_iter(apps));
    for apps in apps.chunks(APPS) {
        for moments in moments.chunks(APPS) {
            let there = traffic::Entity::find()
                .filter(C::ApplicationId.is_in(apps.to_vec()))
                .filter(C::Step.eq(step.seconds()))
                .filter(C::At.is_in(moments.to_vec()));
            for row in there.all(tx).await.because("reading numbers")? {
                let before = signals(&row);
                let key = Key { app: row.application_id, release: row.deployment_id, edge: row.edge, at: row.at.millis() };
                if let Some(sum) = sums.get_mut(&key) {
                    *sum += &before;
                }
            }
        }
    }
    let rows: Vec<_> = sums.into_iter().map(|(key, one)| row(step, key, &one).into_active_model()).collect();
    let key = [C::ApplicationId, C::Step, C::At, C::DeploymentId, C::Edge];
    let rest = C::iter().filter(|column| !key.iter().any(|it| it.as_str() == column.as_str()));
    let again = OnConflict::columns(key).update_columns(rest).to_owned();
    for part in rows.chunks(ROWS) {
        let upsert = traffic::Entity::insert_many(part.to_vec()).on_conflict(again.clone());
        upsert.exec_without_returning(tx).await.because("writing numbers")?;
    }
    Ok(())
}

fn edge_count(row: &traffic_edge::Model) -> EdgeCount {
    EdgeCount {
        requests: known(row.requests),
        failed: known(row.failed),
        unrouted: known(row.unrouted),
        bytes_in: known(row.bytes_in),
        bytes_out: known(row.bytes_out),
        in_flight: known(row.in_flight),
    }
}

async fn add_edges(tx: &Tx, step: Step, batch: &Batch) -> Result<()> {
    use traffic_edge::Column as C;
    let mut sums: BTreeMap<(i64, String), EdgeCount> = BTreeMap::new();
    for ((at, edge), count) in &batch.edges {
        sums.entry((step.begin(*at), edge.clone())).or_default().merge(count);
    }
    let moments: BTreeSet<Timestamp> = sums.keys().map(|(at, _)| Timestamp(*at)).collect();
    for part in Vec::from_iter(moments).chunks(APPS) {
        let there = traffic_edge::Entity::find().filter(C::Step.eq(step.seconds())).filter(C::At.is_in(part.to_vec()));
        for row in there.all(tx).await.because("reading the numbers of edges")? {
            if let Some(sum) = sums.get_mut(&(row.at.millis(), row.edge.clone())) {
                sum.merge(&edge_count(&row));
            }
        }
    }
    let row = |((at, edge), sum): ((i64, String), EdgeCount)| traffic_edge::ActiveModel {
        step: Set(step.seconds()),
        at: Set(Timestamp(at)),
        edge: Set(edge),
        requests: Set(stored(sum.requests)),
        failed: Set(stored(sum.failed)),
        unrouted: Set(stored(sum.unrouted)),
        bytes_in: Set(stored(sum.bytes_in)),
        bytes_out: Set(stored(sum.bytes_out)),
        in_flight: Set(stored(sum.in_flight)),
    };
    let rows: Vec<_> = sums.into_iter().map(row).collect();
    let again = OnConflict::columns([C::Step, C::At, C::Edge])
        .update_columns([C::Requests, C::Failed, C::Unrouted, C::BytesIn, C::BytesOut, C::InFlight])
        .to_owned();
    for part in rows.chunks(ROWS) {
        let upsert = traffic_edge::Entity::insert_many(part.to_vec()).on_conflict(again.clone());
        upsert.exec_without_returning(tx).await.because("writing the numbers of edges")?;
    }
    Ok(())
}

/// What a release was asked at all edges from the minute on that `since` lies in: a day back at most, which is how long minutes are
/// kept. `in_flight` is what it had in hand at the most, all edges' greatest added up. What was counted in the last few seconds is
/// missing: see [`super::flush`].
pub async fn totals(db: &impl ConnectionTrait, app: &AppId, release: &str, since: Timestamp) -> Result<ReleaseSignals> {
    let from = Timestamp(Step::Minute.begin(since.millis()));
    let rows = traffic::Entity::find()
        .filter(traffic::Column::ApplicationId.eq(app.clone()))
        .filter(traffic::Column::Step.eq(Step::Minute.seconds()))
        .filter(traffic::Column::At.gte(from))
        .filter(traffic::Column::DeploymentId.eq(release));
    let mut total = ReleaseSignals { app: app.to_string(), release: release.into(), ..ReleaseSignals::default() };
    let mut most: HashMap<String, u64> = HashMap::new();
    for row in rows.all(db).await.because("reading the numbers of a release")? {
        let one = signals(&row);
        let most = most.entry(row.edge).or_default();
        *most = Ord::max(one.in_flight, *most);
        total += &one;
    }
    total.in_flight = most.values().sum();
    Ok(total)
}

/// What each release of an application was asked at each edge in each span that begins in `[from, to)`, the oldest first.
pub async fn series(
    db: &impl ConnectionTrait,
    app: &AppId,
    step: Step,
    (from, to): (Timestamp, Timestamp),
    release: Option<&str>,
) -> Result<Vec<(Timestamp, String, ReleaseSignals)>> {
    use traffic::Column as C;
    let mut rows = traffic::Entity::find()
        .filter(C::ApplicationId.eq(app.clone()))
        .filter(C::Step.eq(step.seconds()))
        .filter(C::At.gte(from))
        .filter(C::At.lt(to))
        .order_by_asc(C::At);
    if let Some(release) = release {
        rows = rows.filter(C::DeploymentId.eq(release));
    }
    // As many as there can be; a bound all the same.
    let rows = rows.limit(2 * step.most()).all(db).await.because("reading numbers")?;
    Ok(rows.into_iter().map(|row| (row.at, row.edge.clone(), signals(&row))).collect())
}

/// What edges counted in spans that begin in `[from, to)`, by span and edge, the oldest first. A span without any edge is one that nobody
/// knows about.
pub async fn reported(
    db: &impl ConnectionTrait,
    step: Step,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<(Timestamp, String, EdgeCount)>> {
    use traffic_edge::Column as C;
    let rows = traffic_edge::Entity::find().filter(C::Step.eq(step.seconds())).filter(C::At.gte(from)).filter(C::At.lt(to));
    let rows = rows.order_by_asc(C::At).order_by_asc(C::Edge).limit(100_000).all(db).await.because("reading the numbers of edges")?;
    Ok(rows.into_iter().map(|row| (row.at, row.edge.clone(), edge_count(&row))).collect())
}

/// Removes what is kept no longer, and the oldest rows of applications that have too many. In small transactions: wherever it ends, it can
/// go on the next time. Says how many rows there were.
pub async fn trim(db: &Db, now: Timestamp) -> Result<u64> {
    let mut removed = 0;
    for step in Step::ALL {
        let end = now - step.kept();
        loop {
            let gone = db.tx(async |tx| old(tx, step, end).await).await?;
            removed += gone;
            if gone < REMOVED {
                break;
            }
        }
        for app in too_many(db, step).await? {
            removed += db.tx(async |tx| surplus(tx, step, &app).await).await?;
        }
        let edges = traffic_edge::Entity::delete_many()
            .filter(traffic_edge::Column::Step.eq(step.seconds()))
            .filter(traffic_edge::Column::At.lt(end));
        removed += db.tx(async |tx| edges.exec(tx).await.because("removing old numbers of edges")).await?.rows_affected;
    }
    loop {
        let gone = db.tx(async |tx| lines::trim(tx, now, REMOVED).await).await?;
        removed += gone;
        if gone < REMOVED {
            break;
        }
    }
    let gone = traffic_writer::Entity::delete_many().filter(traffic_writer::Column::At.lt(now - WRITER));
    db.tx(async |tx| gone.exec(tx).await.because("forgetting panels that are gone")).await?;
    Ok(removed)
}

async fn old(tx: &Tx, step: Step, end: Timestamp) -> Result<u64> {
    use traffic::Column::{At, Step as S};
    let last: Option<Timestamp> = traffic::Entity::find()
        .select_only()
        .column(At)
        .filter(S.eq(step.seconds()))
        .filter(At.lt(end))
        .order_by_asc(At)
        .offset(REMOVED)
        .into_tuple()
        .one(tx)
        .await
        .because("looking for old numbers")?;
    let old = match last {
        Some(last) => At.lte(last),
        None => At.lt(end),
    };
    let old = traffic::Entity::delete_many().filter(S.eq(step.seconds())).filter(old);
    Ok(old.exec(tx).await.because("removing old numbers")?.rows_affected)
}

async fn too_many(db: &Db, step: Step) -> Result<Vec<AppId>> {
    use traffic::Column::{ApplicationId, At, Step as S};
    traffic::Entity::find()
        .select_only()
        .column(ApplicationId)
        .filter(S.eq(step.seconds()))
        .group_by(ApplicationId)
        .having(At.count().gt(stored(step.most())))
        .into_tuple()
        .all(db.read())
        .await
        .because("looking for applications with many numbers")
}

async fn surplus(tx: &Tx, step: Step, app: &AppId) -> Result<u64> {
    use traffic::Column::{ApplicationId, At, Step as S};
    let first: Option<Timestamp> = traffic::Entity::find()
        .select_only()
        .column(At)
        .filter(ApplicationId.eq(app.clone()))
        .filter(S.eq(step.seconds()))
        .order_by_desc(At)
        .offset(step.most())
        .into_tuple()
        .one(tx)
        .await
        .because("looking for numbers to remove")?;
    let Some(first) = first else { return Ok(0) };
    let old = traffic::Entity::delete_many().filter(ApplicationId.eq(app.clone())).filter(S.eq(step.seconds())).filter(At.lte(first));
    Ok(old.exec(tx).await.because("removing numbers")?.rows_affected)
}
