//! The logs of all replicas of an application as one stream. Each replica has its own clock and its own cursor; an event's id holds the
//! cursors of all replicas, so that a reader who comes back goes on in every one of them without a gap or a repeat. A machine that is
//! away is told as a gap, not as an error.
use crate::{
    apps::server::view::{service_name, short},
    clusters::server::service as clusters,
    error::{Error, Result},
    runtime::changes::{ChangeBus, Changed},
    store::tables::application,
    swarm::{LogLine, LogQuery, Stream as Channel, Swarm, SwarmError, Task, TaskState},
    units::Timestamp,
    web::{ctx::Ctx, sse},
};
use axum::response::sse::Event;
use futures::{Stream, StreamExt, future::join_all};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::mpsc;
use utoipa::ToSchema;

/// The longest time that one replica's log may take to be read.
const PATIENCE: Duration = Duration::from_secs(5);
/// Replicas that are read at most, the ended ones included.
const REPLICAS: usize = 120;

/// A line that a replica wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// The replica's short id.
    pub replica: String,
    /// The replica's number.
    pub slot: u32,
    pub at: Timestamp,
    /// `out` or `err`.
    pub stream: String,
    pub text: String,
    /// Nanoseconds since 1970, as text: what tells lines of one replica apart.
    pub nanos: String,
}

/// Which lines.
#[derive(Debug, Clone, Default)]
pub struct Query {
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub search: Option<String>,
    /// `out` or `err`.
    pub level: Option<String>,
    /// A replica's short id or number.
    pub replica: Option<String>,
    pub limit: usize,
}

/// Where a reader stands in each replica, by its short id: `a1b2c3d4=1700000000000000000,…`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursors(BTreeMap<String, i64>);

impl Cursors {
    /// Reads an event's id.
    pub fn parse(text: &str) -> Result<Self> {
        let pair = |part: &str| {
            let (task, nanos) = part.split_once('=')?;
            let sound = task.len() <= 32 && task.bytes().all(|b| b.is_ascii_alphanumeric());
            sound.then_some((task.to_string(), nanos.parse().ok()?))
        };
        let all: Option<BTreeMap<_, _>> = text.split(',').filter(|part| !part.is_empty()).map(pair).collect();
        all.map(Cursors).ok_or_else(|| Error::invalid("last_event_id", "This is not the id of an event of this stream."))
    }

    fn text(&self) -> String {
        self.0.iter().map(|(task, nanos)| format!("{task}={nanos}")).collect::<Vec<_>>().join(",")
    }
}

fn line(task: &Task, line: LogLine) -> Line {
    let stream = match line.stream {
        Channel::Out => "out",
        Channel::Err => "err",
    };
    Line {
        replica: short(&task.id),
        slot: task.slot,
        at: Timestamp(line.nanos / 1_000_000),
        stream: stream.into(),
        text: line.text,
        nanos: line.nanos.to_string(),
    }
}

impl Query {
    fn wants_task(&self, task: &Task) -> bool {
        self.replica.as_deref().is_none_or(|wanted| wanted == task.slot.to_string() || short(&task.id) == wanted || task.id == wanted)
    }

    fn wants(&self, line: &Line) -> bool {
        let needle = self.search.as_deref().unwrap_or_default().to_lowercase();
        self.since.is_none_or(|since| line.at >= since)
            && self.until.is_none_or(|until| line.at <= until)
            && self.level.as_deref().is_none_or(|level| line.stream == level)
            && (needle.is_empty() || line.text.to_lowercase().contains(&needle))
    }
}

/// The swarm and the tasks whose logs are there to read: those of the live release, the newest last.
async fn sources(ctx: &Ctx, app: &application::Model, query: &Query) -> Result<(Arc<dyn Swarm>, Vec<Task>)> {
    let cluster = clusters::place(&ctx.panel, &app.cluster_id).await?.cluster;
    let swarm = clusters::swarm(&ctx.panel, &cluster).await?;
    let Some(live) = &app.live_deployment_id else { return Ok((swarm, Vec::new())) };
    let tasks =
        swarm.tasks(Some(&service_name(live))).await.map_err(|why| Error::Unavailable(format!("The swarm does not answer: {why}.")))?;
    let mut tasks: Vec<Task> = tasks.into_iter().filter(|task| has_log(task) && query.wants_task(task)).collect();
    tasks.sort_by_key(|task| task.since);
    let extra = tasks.len().saturating_sub(REPLICAS);
    tasks.drain(..extra);
    Ok((swarm, tasks))
}

fn has_log(task: &Task) -> bool {
    task.container.is_some() && !matches!(task.state, TaskState::Pending | TaskState::Starting | TaskState::Rejected)
}

/// The last lines of all replicas, oldest first, the cursors to go on from, and the replicas that could not be read.
pub async fn tail(ctx: &Ctx, app: &application::Model, query: &Query) -> Result<(Vec<Line>, String, Vec<String>)> {
    let (swarm, tasks) = sources(ctx, app, query).await?;
    let narrow = query.search.is_some() || query.since.is_some() || query.until.is_some() || query.level.is_some();
    // A filter may drop most lines; then more of them are looked through.
    let depth = if narrow { 10_000 } else { query.limit as u32 };
    let reads = tasks.iter().map(async |task| {
        let ask = LogQuery { after: None, tail: Some(depth), follow: false };
        let read = async {
            let lines: Vec<_> = swarm.logs(&task.id, ask).await?.filter_map(|line| std::future::ready(line.ok())).collect().await;
            Ok::<_, SwarmError>(lines)
        };
        tokio::time::timeout(PATIENCE, read).await
    });
    let (mut lines, mut cursors, mut away) = (Vec::new(), Cursors::default(), Vec::new());
    for (task, read) in tasks.iter().zip(join_all(reads).await) {
        match read {
            Ok(Ok(read)) => {
                if let Some(last) = read.iter().map(|line| line.nanos).max() {
                    cursors.0.insert(short(&task.id), last);
                }
                lines.extend(read.into_iter().map(|it| line(task, it)).filter(|line| query.wants(line)));
            }
            _ => away.push(short(&task.id)),
        }
    }
    lines.sort_by(|a, b| (a.at, &a.nanos).cmp(&(b.at, &b.nanos)));
    let extra = lines.len().saturating_sub(query.limit);
    lines.drain(..extra);
    Ok((lines, cursors.text(), away))
}

/// Lines of all replicas as they come: first the last ones (or, for a reader who comes back, all since her cursors), then what follows.
/// Replicas that appear later join in.
#[expect(clippy::disallowed_methods, reason = "it ends with the channel that it feeds")]
pub async fn follow(
    ctx: &Ctx,
    app: &application::Model,
    query: Query,
    resume: Option<Cursors>,
) -> Result<impl Stream<Item = Result<Event>> + use<>> {
    sources(ctx, app, &query).await?;
    let (sender, receiver) = mpsc::channel(256);
    tokio::spawn(feed(ctx.clone(), app.id.clone(), query.clone(), resume, sender));
    let state = (receiver, Cursors::default(), query);
    Ok(futures::stream::unfold(state, async |(mut receiver, mut cursors, query)| {
        loop {
            let event = match receiver.recv().await? {
                Fed::Seen(task, nanos) => {
                    cursors.0.insert(task, nanos);
                    continue;
                }
                Fed::Line(line) => {
                    cursors.0.insert(line.replica.clone(), line.nanos.parse().unwrap_or(0));
                    if !query.wants(&line) {
                        continue;
                    }
                    sse::event(&cursors.text(), "line", &line)
                }
                Fed::Away(task) => sse::event(&cursors.text(), "gap", &task),
            };
            return Some((Ok(event), (receiver, cursors, query)));
        }
    }))
}

enum Fed {
    Seen(String, i64),
    Line(Line),
    Away(String),
}

/// Opens a log for each replica and keeps looking for new replicas until the reader is gone.
#[expect(clippy::disallowed_methods, reason = "it ends with the channel that it feeds")]
async fn feed(ctx: Ctx, id: crate::id::AppId, query: Query, resume: Option<Cursors>, sender: mpsc::Sender<Fed>) {
    let mut open = HashSet::new();
    let mut listener = ctx.panel.changes.listen();
    let mut first = true;
    for (task, nanos) in resume.iter().flat_map(|cursors| &cursors.0) {
        sender.send(Fed::Seen(task.clone(), *nanos)).await.ok();
    }
    while !sender.is_closed() && !ctx.panel.stop.is_cancelled() {
        // The row again each time: another release may be live by now. Who may no longer see it gets no more.
        let Ok(app) = ctx.app(&id).to(crate::rights::Action::View).await else { return };
        if let Ok((swarm, tasks)) = sources(&ctx, &app, &query).await {
            let share = (query.limit / tasks.len().max(1)).max(1) as u32;
            for task in tasks.into_iter().filter(|task| open.insert(task.id.clone())) {
                let after = resume.as_ref().and_then(|cursors| cursors.0.get(&short(&task.id)).copied());
                // A replica that is new to the reader is read from its start; at the first look only its last lines.
                let tail = (first && resume.is_none()).then_some(share);
                let ask = LogQuery { after, tail, follow: true };
                tokio::spawn(pass_on(swarm.clone(), task, ask, sender.clone()));
            }
            first = false;
        }
        let ours = Changed::App(id.clone());
        tokio::select! {
            () = ChangeBus::wait(&mut listener, Duration::from_secs(3), |what| *what == ours) => {}
            () = sender.closed() => return,
        }
    }
}

/// Passes one replica's lines on until it ends or the reader is gone.
async fn pass_on(swarm: Arc<dyn Swarm>, task: Task, mut ask: LogQuery, sender: mpsc::Sender<Fed>) {
    loop {
        let mut told = false;
        if let Ok(mut lines) = swarm.logs(&task.id, ask).await {
            loop {
                let next = tokio::select! { next = lines.next() => next, () = sender.closed() => return };
                match next {
                    Some(Ok(it)) => {
                        ask = LogQuery { after: Some(it.nanos), tail: None, ..ask };
                        if sender.send(Fed::Line(line(&task, it))).await.is_err() {
                            return;
                        }
                    }
                    Some(Err(_)) => break,
                    // A replica that ended has said all; one that runs is followed again.
                    None => {
                        let still = swarm.tasks(Some(&task.service)).await;
                        if still.is_ok_and(|all| !all.iter().any(|it| it.id == task.id && it.state == TaskState::Running)) {
                            return;
                        }
                        told = true;
                        break;
                    }
                }
            }
        }
        if !told {
            sender.send(Fed::Away(short(&task.id))).await.ok();
        }
        tokio::select! { () = tokio::time::sleep(Duration::from_secs(2)) => {}, () = sender.closed() => return }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_the_wire_and_nonsense_is_refused() {
        let cursors = Cursors::parse("abc123=5,def456=7").unwrap();
        assert_eq!(cursors.text(), "abc123=5,def456=7");
        assert_eq!(Cursors::parse("").unwrap(), Cursors::default());
        for bad in ["x", "a=b", "../x=1", "a=1;b=2"] {
            assert!(Cursors::parse(bad).is_err(), "{bad}");
        }
    }
}
