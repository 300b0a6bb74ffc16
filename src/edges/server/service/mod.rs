//! What the operator does with edges, and what edges report. An edge is known by its token alone, which is stored hashed; whoever holds
//! it gets what edges are told and may report, and nothing else.
use crate::{
    audit::server::{chain, service::record_in},
    edge::{
        BUCKETS, ReleaseSignals, Signals,
        remote::{EdgeReport, Figures, MOST_DRAINING, MOST_ENTRIES, MOST_RELEASES, ReportReply, TOKEN_PREFIX},
    },
    edges::{
        model::{EDGE, Edge, EdgeForm, EdgePage, MOST, NewEdge, SILENCE, state},
        server::{distribution::EdgeDistribution, events},
    },
    error::{Error, Fields, Result},
    fault::Because,
    id::EdgeId,
    orgs::server::ROUTES,
    runtime::panel::Panel,
    store::{
        is_taken, random,
        tables::edge::{self, Column},
    },
    traffic::server::service::Inbox,
    units::Timestamp,
    web::{
        api::{Pagination, Paging},
        ctx::Operator,
    },
};
pub mod versions;

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};
use serde_json::json;
use std::collections::BTreeMap;

/// The highest version that is believed: what JSON's numbers hold everywhere.
const HIGHEST: u64 = 1 << 53;
/// The highest count in a report that is believed: sums of many must stay numbers.
const MOST_COUNTED: u64 = 1 << 48;

fn view(panel: &Panel, row: edge::Model) -> Edge {
    let figures: Figures = row.figures.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    Edge {
        state: state(row.revoked_at, row.heard_at, row.behind_since, panel.now()),
        id: row.id,
        name: row.name,
        hint: format!("…{}", row.hint),
        created_at: row.created_at,
        rotated_at: row.rotated_at,
        revoked_at: row.revoked_at,
        heard_at: row.heard_at,
        heard_from: row.heard_from,
        software: row.software,
        started_at: row.started_at,
        version: row.live_version.max(0) as u64,
        newest_version: panel.of::<EdgeDistribution>().live().version,
        behind_since: row.behind_since,
        problem: row.problem,
        routes: figures.routes,
        certificates: figures.certificates,
        in_flight: figures.in_flight,
        requests_per_second: figures.per_second,
        lost_reports: figures.lost,
    }
}

/// A page of edges, by name.
pub async fn list(ctx: &Operator, paging: Paging) -> Result<(Vec<Edge>, Pagination)> {
    let db = ctx.panel.db.read();
    let total = edge::Entity::find().count(db).await.because("counting edges")?;
    let rows = edge::Entity::find().order_by_asc(Column::Name).offset(paging.offset()).limit(paging.limit);
    let rows = rows.all(db).await.because("listing edges")?;
    Ok((rows.into_iter().map(|row| view(&ctx.panel, row)).collect(), paging.of(total)))
}

/// The same for the page.
pub async fn page(ctx: &Operator, page: u64) -> Result<EdgePage> {
    let (edges, at) = list(ctx, Paging::parse(Some(page), Some(50))?).await?;
    Ok(EdgePage { edges, page: at.page, pages: at.total_pages })
}

/// One edge.
pub async fn get(ctx: &Operator, id: &EdgeId) -> Result<Edge> {
    Ok(view(&ctx.panel, find(ctx, id).await?))
}

async fn find(ctx: &Operator, id: &EdgeId) -> Result<edge::Model> {
    let row = edge::Entity::find_by_id(id.clone()).one(ctx.panel.db.read()).await.because("looking up an edge")?;
    row.ok_or(Error::NotFound(EDGE))
}

fn secret() -> String {
    format!("{TOKEN_PREFIX}{}", random::token())
}

fn hint(token: &str) -> String {
    token.get(token.len().saturating_sub(4)..).unwrap_or_default().to_string()
}

fn handed_out(panel: &Panel, row: edge::Model, token: String) -> NewEdge {
    let command = format!("skypanel edge --panel {} --token-file /etc/skypanel/edge.token", panel.config.public_url());
    NewEdge { edge: view(panel, row), token, command }
}

fn taken(why: sea_orm::DbErr, doing: &'static str) -> Error {
    if is_taken(&why) {
        return Error::invalid("name", "There is an edge of this name. Choose another one.");
    }
    Err::<(), _>(why).because(doing).err().unwrap_or(Error::NotFound(EDGE))
}

/// Adds an edge. Its token is in the answer and nowhere else.
pub async fn create(ctx: &Operator, form: &EdgeForm) -> Result<NewEdge> {
    let (name, token) = (form.name()?, secret());
    let row = edge::Model {
        id: random::id(),
        name,
        token_hash: random::hash(&token),
        hint: hint(&token),
        created_at: ctx.panel.now(),
        rotated_at: None,
        revoked_at: None,
        heard_at: None,
        heard_from: None,
        software: None,
        started_at: None,
        live_version: 0,
        behind_since: None,
        boot: None,
        sequence: 0,
        problem: None,
        figures: None,
        draining: None,
    };
    let new: edge::ActiveModel = row.clone().into();
    let made = ctx.panel.db.tx(async |tx| {
        let used = edge::Entity::find().count(tx).await.because("counting edges")?;
        if used >= MOST {
            return Err(Error::QuotaExceeded { what: "edges".into(), limit: MOST, used });
        }
        edge::Entity::insert(new).exec_without_returning(tx).await.map_err(|why| taken(why, "adding an edge"))?;
        record_in(tx, ctx, &chain::platform(), events::EDGE_ADDED, &row.id, json!({ "name": row.name })).await
    });
    made.await?;
    Ok(handed_out(&ctx.panel, row, token))
}

/// Gives an edge another name.
pub async fn rename(ctx: &Operator, id: &EdgeId, form: &EdgeForm) -> Result<Edge> {
    let (before, name) = (find(ctx, id).await?, form.name()?);
    let change = edge::ActiveModel { id: Set(id.clone()), name: Set(name.clone()), ..Default::default() };
    ctx.panel
        .db
        .tx(async |tx| {
            change.update(tx).await.map_err(|why| taken(why, "renaming an edge"))?;
            record_in(tx, ctx, &chain::platform(), events::EDGE_RENAMED, id, json!({ "before": before.name, "after": name })).await
        })
        .await?;
    get(ctx, id).await
}

/// Gives an edge a new token; the old one is good no longer. One that was revoked is let in again.
pub async fn rotate(ctx: &Operator, id: &EdgeId) -> Result<NewEdge> {
    let (before, token) = (find(ctx, id).await?, secret());
    let change = edge::ActiveModel {
        id: Set(id.clone()),
        token_hash: Set(random::hash(&token)),
        hint: Set(hint(&token)),
        rotated_at: Set(Some(ctx.panel.now())),
        revoked_at: Set(None),
        ..Default::default()
    };
    ctx.panel
        .db
        .tx(async |tx| {
            change.update(tx).await.because("giving an edge a new token")?;
            record_in(tx, ctx, &chain::platform(), events::EDGE_ROTATED, id, json!({ "name": before.name })).await
        })
        .await?;
    ctx.panel.of::<EdgeDistribution>().cut(id.to_string().as_str());
    Ok(handed_out(&ctx.panel, find(ctx, id).await?, token))
}

/// Lets an edge in no more: it is cut off from news at once, and serves on with what it has until it is stopped.
pub async fn revoke(ctx: &Operator, id: &EdgeId) -> Result<Edge> {
    let before = find(ctx, id).await?;
    if before.revoked_at.is_none() {
        let change = edge::ActiveModel { id: Set(id.clone()), revoked_at: Set(Some(ctx.panel.now())), ..Default::default() };
        ctx.panel
            .db
            .tx(async |tx| {
                change.update(tx).await.because("revoking an edge")?;
                record_in(tx, ctx, &chain::platform(), events::EDGE_REVOKED, id, json!({ "name": before.name })).await
            })
            .await?;
        ctx.panel.of::<EdgeDistribution>().cut(id.to_string().as_str());
    }
    get(ctx, id).await
}

/// Removes an edge from the list. What it measured stays.
pub async fn remove(ctx: &Operator, id: &EdgeId) -> Result<()> {
    let before = find(ctx, id).await?;
    ctx.panel
        .db
        .tx(async |tx| {
            edge::Entity::delete_by_id(id.clone()).exec(tx).await.because("removing an edge")?;
            record_in(tx, ctx, &chain::platform(), events::EDGE_REMOVED, id, json!({ "name": before.name })).await
        })
        .await?;
    ctx.panel.of::<EdgeDistribution>().cut(id.to_string().as_str());
    Ok(())
}

/// The same, once its name was typed.
pub async fn remove_confirmed(ctx: &Operator, id: &EdgeId, confirm: &str) -> Result<()> {
    if find(ctx, id).await?.name != confirm.trim() {
        return Err(Error::invalid("confirm", "Type the edge’s name as it stands above."));
    }
    remove(ctx, id).await
}

/// The edge whose token this is.
///
/// # Errors
/// [`Error::SignedOut`] with what to do, where it is nobody's or good no longer.
pub async fn by_token(panel: &Panel, token: Option<&str>) -> Result<edge::Model> {
    let token = token.filter(|token| token.starts_with(TOKEN_PREFIX) && token.len() <= 200);
    let token = token.ok_or_else(|| Error::SignedOut("Send the edge’s token, which begins with sky_edge_, as bearer.".into()))?;
    let row = edge::Entity::find().filter(Column::TokenHash.eq(random::hash(token))).one(panel.db.read()).await;
    match row.because("looking up an edge")? {
        Some(row) if row.revoked_at.is_none() => Ok(row),
        Some(_) => Err(Error::SignedOut("This edge was revoked. Ask the operator for a new token, under Admin, Edges.".into())),
        None => Err(Error::SignedOut("This token is no edge’s, or no longer. Make one under Admin, Edges.".into())),
    }
}

/// Those of these edges whose token is still the one with this hash.
pub async fn still_good(panel: &Panel, edges: &[(String, String)]) -> Result<Vec<String>> {
    let hashes = edges.iter().map(|(_, hash)| hash.clone());
    let rows = edge::Entity::find().filter(Column::TokenHash.is_in(hashes)).filter(Column::RevokedAt.is_null());
    let rows = rows.all(panel.db.read()).await.because("looking at edges’ tokens")?;
    Ok(rows.into_iter().map(|row| row.id.to_string()).collect())
}

fn check(report: &EdgeReport) -> Result<()> {
    let mut fields = Fields::default();
    let word = |text: &str, most: usize| text.len() <= most && !text.chars().any(char::is_control);
    let plain = (1..=64).contains(&report.boot.len()) && report.boot.bytes().all(|b| b.is_ascii_alphanumeric());
    let mut claim = |holds: bool, field: &str, why: &str| {
        if !holds {
            fields.refuse(field, why);
        }
    };
    claim(plain, "boot", "1 to 64 letters and digits.");
    claim(word(&report.software, 40), "software", "At most 40 characters.");
    claim(word(report.problem.as_deref().unwrap_or_default(), 600), "problem", "At most 600 bytes in one line.");
    claim(report.version <= HIGHEST, "version", "A version that a panel gave.");
    claim(report.sequence <= HIGHEST, "sequence", "A number that grows by one.");
    claim(report.draining.len() <= MOST_DRAINING, "draining", "At most 1000 releases.");
    claim(report.entries.len() <= MOST_ENTRIES, "entries", "At most 1000 entries at a time.");
    let releases = report.signals.as_ref().map_or(0, |signals| signals.releases.len());
    claim(releases <= MOST_RELEASES, "signals.releases", "At most 500 releases at a time.");
    let sound = |one: &ReleaseSignals| {
        let counts = [one.requests, one.aborted, one.bytes_in, one.bytes_out, one.retried, one.held, one.in_flight];
        let plausible = counts.iter().chain(&one.classes).all(|count| *count <= MOST_COUNTED);
        plausible && one.app.len() <= 100 && one.release.len() <= 100 && one.latency.filled().all(|(bucket, _)| bucket < BUCKETS)
    };
    let all_sound = report.signals.iter().flat_map(|signals| &signals.releases).all(sound);
    claim(all_sound, "signals.releases", "Counts of a few seconds, and a histogram of ours.");
    let measures = report.signals.is_some() || !report.entries.is_empty();
    claim(!measures || report.sequence > 0, "sequence", "A report with measures has a number.");
    fields.done()
}

/// Takes a report: notes how the edge is and, the first time that it comes, hands on what it measured.
pub async fn report(panel: &Panel, edge: &edge::Model, from: &str, report: EdgeReport) -> Result<ReportReply> {
    check(&report)?;
    let now = panel.now();
    let newest = panel.of::<EdgeDistribution>().live().version;
    panel.of::<EdgeDistribution>().heard_of(report.version);
    if report.version > newest {
        panel.wake(ROUTES);
    }
    let sequence = report.sequence as i64;
    let is_news = sequence > 0 && (edge.boot.as_deref() != Some(&report.boot) || sequence > edge.sequence);
    let text = |value: &BTreeMap<String, u64>| serde_json::to_string(value).because("writing a report");
    let behind = (report.version < newest).then(|| edge.behind_since.unwrap_or(now));
    let mut change = edge::Entity::update_many()
        .col_expr(Column::HeardAt, Expr::value(now))
        .col_expr(Column::HeardFrom, Expr::value(from))
        .col_expr(Column::Software, Expr::value(report.software.clone()))
        .col_expr(Column::StartedAt, Expr::value(Timestamp(report.started_at)))
        .col_expr(Column::LiveVersion, Expr::value(report.version as i64))
        .col_expr(Column::BehindSince, Expr::value(behind))
        .col_expr(Column::Problem, Expr::value(report.problem.clone()))
        .col_expr(Column::Figures, Expr::value(serde_json::to_string(&report.figures).because("writing a report")?))
        .col_expr(Column::Draining, Expr::value(text(&report.draining)?))
        .filter(Column::Id.eq(edge.id.clone()))
        .filter(Column::TokenHash.eq(edge.token_hash.clone()))
        .filter(Column::RevokedAt.is_null());
    if is_news {
        // Of two panels that hear the same report one counts it.
        let is_new = Condition::any().add(Column::Boot.is_null()).add(Column::Boot.ne(&report.boot)).add(Column::Sequence.lt(sequence));
        change = change
            .col_expr(Column::Boot, Expr::value(report.boot.clone()))
            .col_expr(Column::Sequence, Expr::value(sequence))
            .filter(is_new);
    }
    let noted = panel.db.tx(async |tx| change.exec(tx).await.because("noting an edge’s report")).await?.rows_affected == 1;
    let counted = noted && is_news;
    if counted {
        measured(panel, &edge.name, report);
    }
    Ok(ReportReply { counted, version: panel.of::<EdgeDistribution>().live().version })
}

/// WorkerSlots on what an edge measured, by the panel's clock.
fn measured(panel: &Panel, edge: &str, report: EdgeReport) {
    let now = panel.now().millis();
    let ahead = if report.at > 0 { now.saturating_sub(report.at) } else { 0 };
    let moved = |at: u64| at.saturating_add_signed(ahead).min(now.max(0) as u64);
    let mut signals =
        report.signals.unwrap_or_else(|| Signals { since: report.at.max(0) as u64, until: report.at.max(0) as u64, ..Signals::default() });
    (signals.since, signals.until) = (moved(signals.since), moved(signals.until));
    let mut entries = report.entries;
    entries.iter_mut().for_each(|entry| entry.at = moved(entry.at));
    panel.of::<Inbox>().push(edge, signals, entries);
}

/// Requests that edges elsewhere have in hand at a release, where their routes name it no more; and how many edges have not got the
/// newest routes yet, so that nobody knows. Edges that are away or revoked are not waited for.
pub async fn draining(panel: &Panel, release: &str) -> Result<(u64, usize)> {
    let newest = panel.of::<EdgeDistribution>().live().version as i64;
    let lately = Column::HeardAt.gt(panel.now() - SILENCE);
    let rows = edge::Entity::find().filter(Column::RevokedAt.is_null()).filter(lately).all(panel.db.read()).await;
    let (mut open, mut waiting) = (0, 0);
    for row in rows.because("asking how edges drain")? {
        let said: BTreeMap<String, u64> = row.draining.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        if row.live_version < newest {
            waiting += 1;
        }
        open += said.get(release).copied().unwrap_or(0);
    }
    Ok((open, waiting))
}
