//! Faults on their way to the operator. Where a cause becomes an error there is no database at hand and nothing may wait, so it is put
//! into a bounded queue, with what is known of the request around it; a loop writes the queue down. A fault outside of a request goes
//! to the panel of this process.
use crate::{
    fault,
    runtime::{panel::Panel, wakes::Wake},
    units::Timestamp,
};
use std::{
    collections::VecDeque,
    future::Future,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
};

/// Faults that wait to be written down; what comes while so many wait is only in the log.
const MOST: usize = 1_000;
/// Letters of a cause that are kept.
const LONGEST: usize = 2_000;

/// There may be faults to write down.
pub const FAULTS: Wake = Wake::new("faults");

/// Something that failed and should not have.
#[derive(Debug, Clone)]
pub struct Fault {
    /// What the customer was shown.
    pub reference: String,
    /// A clause: "reading the service back from the swarm".
    pub doing: String,
    pub cause: String,
    pub at: Timestamp,
    pub around: Option<Around>,
}

/// The request in which something failed.
#[derive(Debug, Clone)]
pub struct Around {
    pub request_id: String,
    /// Method and the route's pattern.
    pub route: String,
    pub organization: Option<String>,
    pub user: Option<String>,
}

/// Faults that wait to be written down.
#[derive(Debug, Default)]
pub struct FaultInbox(Mutex<VecDeque<Fault>>);

impl FaultInbox {
    /// Takes all that wait.
    pub fn take(&self) -> Vec<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }

    /// Puts back what could not be written.
    pub fn put_back(&self, faults: Vec<Fault>) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for fault in faults.into_iter().rev().take(MOST.saturating_sub(queue.len())) {
            queue.push_front(fault);
        }
    }

    fn push(&self, fault: Fault) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.len() < MOST {
            queue.push_back(fault);
        }
    }
}

/// Where faults go that happen in what runs now; nowhere, where the writer of faults itself fails.
type Sink = Option<(Weak<Panel>, Option<Surroundings>)>;

/// Tells of the request that runs; asked only when something fails in it.
pub type Surroundings = Arc<dyn Fn() -> Around + Send + Sync>;

tokio::task_local! {
    static SINK: Sink;
}
static PROCESS: OnceLock<Weak<Panel>> = OnceLock::new();

/// Makes a panel the one of this process.
pub fn collect(panel: &Arc<Panel>) {
    fault::listen(note);
    PROCESS.set(Arc::downgrade(panel)).ok();
}

/// Runs something whose faults are this panel's.
pub async fn within<T>(panel: &Arc<Panel>, around: Option<Surroundings>, work: impl Future<Output = T>) -> T {
    fault::listen(note);
    SINK.scope(Some((Arc::downgrade(panel), around)), work).await
}

/// Runs something whose faults are only logged.
pub async fn unheard<T>(work: impl Future<Output = T>) -> T {
    SINK.scope(None, work).await
}

/// Notes a fault. Never fails, never waits.
fn note(reference: &str, doing: &str, cause: &str) {
    let sink = SINK.try_with(Clone::clone).unwrap_or_else(|_| PROCESS.get().map(|panel| (panel.clone(), None)));
    let Some((panel, around)) = sink else { return };
    let Some(panel) = panel.upgrade() else { return };
    let cause = cause.chars().filter(|c| *c != '\0').take(LONGEST).collect();
    panel.of::<FaultInbox>().push(Fault {
        reference: reference.into(),
        doing: doing.into(),
        cause,
        at: panel.now(),
        around: around.map(|tell| tell()),
    });
    panel.wake(FAULTS);
}
