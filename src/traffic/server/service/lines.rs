//! Access logs in the database: a ring of the newest lines of each application, numbered without a gap. Only what is needed to find a
//! line stands in columns.
use crate::{
    edge::AccessEntry,
    error::Result,
    fault::Because,
    id::AppId,
    store::{
        Tx,
        tables::{access_head, access_line},
    },
    units::Timestamp,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, Func, LikeExpr, OnConflict},
};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// Lines of one application that are kept.
pub(super) const KEPT: i64 = 5_000;
/// How long a line is kept at most: it tells who visited whom.
pub(super) const LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// So many lines more may be there until the oldest are removed.
const SLACK: i64 = 500;
/// Characters of what a client calls itself, and of other texts that strangers write, that are kept. With a path of 512 a line
/// has at most some 2 KiB.
const LONGEST: usize = 256;
const ROWS: usize = 500;

/// Which lines of an access log.
#[derive(Debug, Clone, Default)]
pub struct LineFilter {
    /// The hundreds of the status: 2 is 200 to 299, and 0 what the client did not wait for.
    pub class: Option<u8>,
    /// What the path contains, in whatever case.
    pub path: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Only lines with a greater number.
    pub after: Option<i64>,
}

fn plain(text: &mut String, longest: usize) {
    *text = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(longest).collect();
}

/// Writes lines, and removes the oldest of those that have too many.
pub(super) async fn write(tx: &Tx, lines: &[(AppId, AccessEntry)], is_known: impl Fn(&AppId) -> bool, now: Timestamp) -> Result<()> {
    let mut of_apps: BTreeMap<&AppId, Vec<&AccessEntry>> = BTreeMap::new();
    for (app, entry) in lines.iter().filter(|(app, _)| is_known(app)) {
        of_apps.entry(app).or_default().push(entry);
    }
    if of_apps.is_empty() {
        return Ok(());
    }
    let apps: Vec<AppId> = of_apps.keys().map(|app| (*app).clone()).collect();
    let heads = access_head::Entity::find().filter(access_head::Column::ApplicationId.is_in(apps)).all(tx).await;
    let heads: HashMap<AppId, i64> =
        heads.because("reading the ends of access logs")?.into_iter().map(|row| (row.application_id, row.seq)).collect();
    let (mut rows, mut ends, mut old) = (Vec::new(), Vec::new(), Vec::new());
    for (app, entries) in of_apps {
        let before = heads.get(app).copied().unwrap_or(0);
        let mut seq = before;
        for entry in entries {
            seq += 1;
            let mut entry = entry.clone();
            entry.at = Ord::min(entry.at, u64::try_from(now.millis()).unwrap_or(0));
            plain(&mut entry.path, 512);
            for text in [&mut entry.id, &mut entry.host, &mut entry.method, &mut entry.protocol, &mut entry.user_agent, &mut entry.task] {
                plain(text, LONGEST);
            }
            rows.push(access_line::ActiveModel {
                application_id: Set(app.clone()),
                seq: Set(seq),
                at: Set(Timestamp(entry.at as i64)),
                status: Set(entry.status.into()),
                path: Set(entry.path.clone()),
                entry: Set(serde_json::to_string(&entry).because("writing an access log")?),
            });
        }
        ends.push(access_head::ActiveModel { application_id: Set(app.clone()), seq: Set(seq) });
        if before / SLACK < seq / SLACK && seq > KEPT {
            old.push((app.clone(), seq - KEPT));
        }
    }
    insert(tx, &rows, &ends).await?;
    for (app, last) in old {
        let old = access_line::Entity::delete_many()
            .filter(access_line::Column::ApplicationId.eq(app))
            .filter(access_line::Column::Seq.lte(last));
        old.exec(tx).await.because("removing old lines of an access log")?;
    }
    Ok(())
}

async fn insert(tx: &Tx, rows: &[access_line::ActiveModel], ends: &[access_head::ActiveModel]) -> Result<()> {
    for part in rows.chunks(ROWS) {
        access_line::Entity::insert_many(part.to_vec()).exec_without_returning(tx).await.because("writing an access log")?;
    }
    let again = OnConflict::column(access_head::Column::ApplicationId).update_column(access_head::Column::Seq).to_owned();
    for part in ends.chunks(ROWS) {
        let upsert = access_head::Entity::insert_many(part.to_vec()).on_conflict(again.clone());
        upsert.exec_without_returning(tx).await.because("writing the ends of access logs")?;
    }
    Ok(())
}

/// Lines of an application with their numbers: the newest `limit`, or where the filter says after which the first `limit`; the oldest
/// first in either case.
pub async fn lines(db: &impl ConnectionTrait, app: &AppId, filter: &LineFilter, limit: u64) -> Result<Vec<(i64, AccessEntry)>> {
    use access_line::Column::{ApplicationId, At, Path, Seq, Status};
    let mut find = access_line::Entity::find().filter(ApplicationId.eq(app.clone()));
    if let Some(class) = filter.class {
        let from = i64::from(class) * 100;
        find = find.filter(Status.gte(from)).filter(Status.lt(from + 100));
    }
    if let Some(part) = filter.path.as_deref().filter(|part| !part.is_empty()) {
        let part = part.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
        find = find.filter(Expr::expr(Func::lower(Expr::col(Path))).like(LikeExpr::new(format!("%{part}%")).escape('!')));
    }
    if let Some(since) = filter.since {
        find = find.filter(At.gte(since));
    }
    if let Some(until) = filter.until {
        find = find.filter(At.lte(until));
    }
    find = match filter.after {
        Some(after) => find.filter(Seq.gt(after)).order_by_asc(Seq),
        None => find.order_by_desc(Seq),
    };
    let mut rows = find.limit(limit).all(db).await.because("reading an access log")?;
    if filter.after.is_none() {
        rows.reverse();
    }
    rows.into_iter().map(|row| Ok((row.seq, serde_json::from_str(&row.entry).because("reading a line of an access log")?))).collect()
}

/// The number of the newest line; 0 where there was none yet.
pub async fn newest_line(db: &impl ConnectionTrait, app: &AppId) -> Result<i64> {
    let head = access_head::Entity::find_by_id(app.clone()).one(db).await.because("reading the end of an access log")?;
    Ok(head.map_or(0, |head| head.seq))
}

/// Removes lines that are too old, at most `most` and those of the same moment. Says how many there were.
pub(super) async fn trim(tx: &Tx, now: Timestamp, most: u64) -> Result<u64> {
    use access_line::Column::At;
    let end = now - LIFE;
    let last: Option<Timestamp> = access_line::Entity::find()
        .select_only()
        .column(At)
        .filter(At.lt(end))
        .order_by_asc(At)
        .offset(most)
        .into_tuple()
        .one(tx)
        .await
        .because("looking for old lines of access logs")?;
    let old = match last {
        Some(last) => At.lte(last),
        None => At.lt(end),
    };
    let old = access_line::Entity::delete_many().filter(old);
    Ok(old.exec(tx).await.because("removing old lines of access logs")?.rows_affected)
}
