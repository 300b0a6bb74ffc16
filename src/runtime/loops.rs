//! Loops. A loop takes no input, its pass is idempotent and may be killed at any line; the retry is the next tick. A pass that did
//! something says so in one line. Each loop is a value in its feature's declaration, so that whoever runs all of them (the process that
//! serves, a test that settles) reads the same list, `features::loops()`.
use crate::{
    error::Result,
    runtime::{panel::Panel, wakes::Wake},
};
use futures::future::BoxFuture;
use std::{sync::Arc, time::Duration};

/// What a pass did: a clause for the log, or nothing.
pub type Outcome = Option<String>;

/// One pass of a loop.
pub type LoopPass = fn(&Arc<Panel>) -> BoxFuture<'_, Result<Outcome>>;

/// Work that goes on until the panel stops, and waits by itself.
pub type LoopRun = fn(Arc<Panel>) -> BoxFuture<'static, ()>;

/// A loop of the panel.
#[derive(Clone, Copy)]
pub struct Loop {
    /// Its name in the log and in the operator's monitoring, used once.
    pub name: &'static str,
    /// How long after a pass the next one begins, where nothing wakes the loop before.
    pub every: Duration,
    /// Wake-ups within this time of each other are answered by one pass.
    pub calm: Duration,
    /// What wakes it.
    pub wake: Option<Wake>,
    /// One pass. A loop without a pass never comes to rest, see [`Loop::endless`].
    pub pass: Option<LoopPass>,
    /// Why it never comes to rest, where it has no pass.
    pub never_rests: Option<&'static str>,
    /// Whether it has work only where several panels share a database.
    pub shared_only: bool,
    run: Option<LoopRun>,
}

impl Loop {
    /// A loop that goes round at each tick.
    pub const fn new(name: &'static str, every: Duration, pass: LoopPass) -> Self {
        let calm = Duration::from_millis(200);
        Loop { name, every, calm, wake: None, pass: Some(pass), never_rests: None, shared_only: false, run: None }
    }

    /// A loop that only listens or watches, and why no single pass of it can be asked for: a test that settles leaves it out.
    pub const fn endless(name: &'static str, why: &'static str, run: LoopRun) -> Self {
        let (every, calm) = (Duration::MAX, Duration::ZERO);
        Loop { name, every, calm, wake: None, pass: None, never_rests: Some(why), shared_only: false, run: Some(run) }
    }

    /// Sets how long it waits for more wake-ups before it answers the first.
    pub const fn calm(self, calm: Duration) -> Self {
        Loop { calm, ..self }
    }

    /// Says what wakes it before its tick.
    pub const fn woken_by(self, wake: Wake) -> Self {
        Loop { wake: Some(wake), ..self }
    }

    /// Leaves it out on an embedded database, on which no other panel works.
    pub const fn shared_only(self) -> Self {
        Loop { shared_only: true, ..self }
    }

    /// Gives it a way of its own to wait for work while the panel serves; its pass is what tests run.
    pub const fn runs_as(self, run: LoopRun) -> Self {
        Loop { run: Some(run), ..self }
    }

    /// Whether this panel has work for it.
    pub fn is_needed(&self, panel: &Panel) -> bool {
        !self.shared_only || !panel.config.database().starts_with("sqlite:")
    }

    /// Runs until the panel stops.
    pub async fn run(self, panel: Arc<Panel>) {
        match (self.run, self.pass) {
            (Some(run), _) => run(panel).await,
            (None, Some(pass)) => self.tick(panel, pass).await,
            (None, None) => {}
        }
    }

    async fn tick(self, panel: Arc<Panel>, pass: LoopPass) {
        let name = self.name;
        loop {
            let begun = std::time::Instant::now();
            let done = crate::runtime::fault_reports::within(&panel, None, pass(&panel)).await;
            panel.heartbeats.beat(name, begun.elapsed(), done.is_ok());
            match done {
                Ok(Some(did)) => tracing::info!("{name}: {did}"),
                Ok(None) => {}
                // The cause was logged where it became an error.
                Err(why) => tracing::warn!("{name}: {why}"),
            }
            let woken = async {
                match self.wake {
                    Some(wake) => drop(tokio::time::timeout(self.every, panel.waker(wake).notified()).await),
                    None => tokio::time::sleep(self.every).await,
                }
                tokio::time::sleep(self.calm).await;
            };
            tokio::select! {
                () = woken => {}
                () = panel.stop.cancelled() => return,
            }
        }
    }
}
