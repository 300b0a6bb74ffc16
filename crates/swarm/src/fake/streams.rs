//! What is followed: a task's log and the swarm's events. Following drives the fake's time, so that what is due happens although
//! nobody else looks.
use super::*;
use futures::{Stream as Follow, stream};
use tokio::sync::{broadcast, watch};

/// Waits until something changed or fell due.
async fn stir(fake: &Fake, changes: &mut watch::Receiver<u64>) {
    let due = fake.state().next_due();
    tokio::select! {
        _ = changes.changed() => {}
        _ = sleep_until(due) => {}
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Somebody who follows a task's log.
struct Follower {
    fake: Fake,
    number: u64,
    follow: bool,
    changes: watch::Receiver<u64>,
    ready: VecDeque<LogLine>,
    /// The stamp of the last line that was taken up.
    seen: i64,
}

/// A task's log. One that is followed ends with its task.
pub(super) fn logs(fake: Fake, number: u64, query: LogQuery) -> impl Follow<Item = Result<LogLine>> + Send {
    let changes = fake.inner.changes.subscribe();
    let after = query.after.unwrap_or(i64::MIN);
    let (mut ready, _) = fresh(&fake, number, after);
    let seen = ready.back().map_or(after, |l| l.nanos);
    let tail = query.tail.map_or(usize::MAX, |n| n as usize);
    ready.drain(..ready.len().saturating_sub(tail));
    stream::unfold(Follower { fake, number, follow: query.follow, changes, ready, seen }, |mut f| async move {
        loop {
            if let Some(line) = f.ready.pop_front() {
                return Some((Ok(line), f));
            }
            if !f.follow {
                return None;
            }
            let (lines, ended) = fresh(&f.fake, f.number, f.seen);
            match lines.back() {
                Some(last) => (f.seen, f.ready) = (last.nanos, lines),
                None if ended => return None,
                None => stir(&f.fake, &mut f.changes).await,
            }
        }
    })
}

/// Lines that came after a moment, and whether no more will come.
fn fresh(fake: &Fake, number: u64, after: i64) -> (VecDeque<LogLine>, bool) {
    let state = fake.state();
    match state.tasks.get(&number) {
        Some(task) => (task.log.iter().filter(|l| l.nanos > after).cloned().collect(), !task.is_live()),
        None => (VecDeque::new(), true),
    }
}

/// The swarm's events from now on.
pub(super) fn events(fake: Fake) -> impl Follow<Item = Event> + Send {
    let (events, changes) = (fake.inner.events.subscribe(), fake.inner.changes.subscribe());
    stream::unfold((fake, events, changes), |(fake, mut events, mut changes)| async move {
        loop {
            drop(fake.state());
            match events.try_recv() {
                Ok(event) => return Some((event, (fake, events, changes))),
                Err(broadcast::error::TryRecvError::Lagged(_)) => return Some((Event::Service { app: None }, (fake, events, changes))),
                Err(broadcast::error::TryRecvError::Closed) => return None,
                Err(broadcast::error::TryRecvError::Empty) => stir(&fake, &mut changes).await,
            }
        }
    })
}
