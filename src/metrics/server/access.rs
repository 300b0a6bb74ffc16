//! An application's access log: the newest lines, and those that follow as a stream.
use crate::{
    edge::AccessEntry,
    error::Result,
    id::AppId,
    metrics::model::AccessLine,
    rights::Action,
    runtime::changes::{ChangeBus, Changed},
    traffic::server::service::{self, LineFilter},
    units::Timestamp,
    web::{ctx::Ctx, sse},
};
use axum::response::sse::Event;
use futures::Stream;
use std::{collections::VecDeque, time::Duration};

/// Lines that are read at once.
const BATCH: u64 = 200;
/// How long a line may stay unseen that another panel wrote.
const LOOK: Duration = Duration::from_secs(5);

fn line((seq, entry): (i64, AccessEntry)) -> AccessLine {
    AccessLine {
        seq,
        at: Timestamp(i64::try_from(entry.at).unwrap_or(0)),
        request_id: entry.id,
        method: entry.method,
        host: entry.host,
        path: entry.path,
        protocol: entry.protocol,
        is_tls: entry.is_tls,
        status: entry.status,
        micros: entry.micros,
        bytes_in: entry.bytes_in,
        bytes_out: entry.bytes_out,
        client: entry.client.to_string(),
        user_agent: entry.user_agent,
        release: entry.release,
        replica: entry.task.chars().take(12).collect(),
    }
}

/// The newest lines, the oldest first, and the number of the newest one that there is: where a stream goes on.
pub async fn newest(ctx: &Ctx, id: &AppId, filter: &LineFilter, limit: u64) -> Result<(Vec<AccessLine>, i64)> {
    ctx.app(id).to(Action::View).await?;
    let db = ctx.panel.db.read();
    // MetricsQuery first: what is written meanwhile is read again rather than missed.
    let last = service::newest_line(db, id).await?;
    let lines: Vec<AccessLine> = service::lines(db, id, filter, limit).await?.into_iter().map(line).collect();
    let last = lines.last().map_or(last, |line| line.seq.max(last));
    Ok((lines, last))
}

struct Watch {
    ctx: Ctx,
    id: AppId,
    filter: LineFilter,
    after: i64,
    listener: tokio::sync::broadcast::Receiver<Changed>,
    ready: VecDeque<AccessLine>,
}

/// Events `line` with the line's number as id: all after a number, or the newest `limit` and what follows.
pub async fn follow(
    ctx: &Ctx,
    id: &AppId,
    filter: LineFilter,
    limit: u64,
    after: Option<i64>,
) -> Result<impl Stream<Item = Result<Event>> + use<>> {
    let listener = ctx.panel.changes.listen();
    let (lines, last) = newest(ctx, id, &filter, limit).await?;
    let (ready, after) = match after {
        Some(after) => (VecDeque::new(), after),
        None => (lines.into(), last),
    };
    let watch = Watch { ctx: ctx.clone(), id: id.clone(), filter, after, listener, ready };
    Ok(futures::stream::unfold(watch, async |mut watch| {
        loop {
            if let Some(line) = watch.ready.pop_front() {
                return Some((Ok(sse::event(&line.seq.to_string(), "line", &line)), watch));
            }
            if let Err(why) = watch.look().await {
                return Some((Err(why), watch));
            }
        }
    }))
}

impl Watch {
    /// Gathers what is new, or waits for it. Who may no longer see the application gets no more.
    async fn look(&mut self) -> Result<()> {
        self.ctx.app(&self.id).to(Action::View).await?;
        let db = self.ctx.panel.db.read();
        let newest = service::newest_line(db, &self.id).await?;
        if newest > self.after {
            let filter = LineFilter { after: Some(self.after), ..self.filter.clone() };
            let lines = service::lines(db, &self.id, &filter, BATCH).await?;
            self.after = if (lines.len() as u64) < BATCH { newest } else { self.after };
            self.after = lines.last().map_or(self.after, |(seq, _)| self.after.max(*seq));
            self.ready.extend(lines.into_iter().map(line));
        }
        if self.ready.is_empty() {
            let id = self.id.clone();
            ChangeBus::wait(&mut self.listener, LOOK, move |what| matches!(what, Changed::Traffic(apps) if apps.contains(&id))).await;
        }
        Ok(())
    }
}
