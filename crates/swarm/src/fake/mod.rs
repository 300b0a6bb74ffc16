//! A swarm in memory that behaves like the real one and can be told to fail. It has machines with so much memory and CPU, places
//! tasks on them, starts, restarts and stops them with Swarm's own words and delays, keeps logs, builds Dockerfiles in a small way,
//! and understands the few words of shell that tests use (see [`script`]). Thousands of machines cost little: nothing runs in the
//! background, what is due happens when somebody looks or waits. Time is tokio's, so `tokio::time::pause` works, and
//! [`Fake::advance`] moves it by hand.
//!
//! A *subject* in the controls is whatever stands on a service: its name, its image, or the value of one of its labels (an
//! application's id, a release's, a deployment's). The latest word on a subject counts.
use super::*;
use futures::StreamExt;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::time::Instant;

mod build;
mod controls;
mod images;
mod life;
mod observe;
mod place;
mod script;
mod serve;
mod state;
mod streams;
#[cfg(test)]
mod tests;

pub use controls::{Answer, Behaviour, BuildPlan, Snapshot};
use state::State;

/// How long a call that is never answered lasts until it is given up, as with the real engine.
const CALL: Duration = Duration::from_secs(20);

/// A swarm in memory. Clones are the same swarm.
#[derive(Clone)]
pub struct Fake {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    /// Counts changes; whoever follows something waits for the next.
    changes: tokio::sync::watch::Sender<u64>,
    events: tokio::sync::broadcast::Sender<Event>,
}

impl Default for Fake {
    fn default() -> Self {
        Fake::new()
    }
}

impl Fake {
    /// A swarm of one machine with 8 cores and 16 GiB, whose tasks run ten milliseconds after they were asked for.
    pub fn new() -> Self {
        Fake::with_nodes(1, MilliCpu(8_000), Bytes::mib(16 * 1024))
    }

    /// A swarm of so many equal machines.
    pub fn with_nodes(count: usize, cpu: MilliCpu, memory: Bytes) -> Self {
        let (changes, _) = tokio::sync::watch::channel(0);
        let (events, _) = tokio::sync::broadcast::channel(4096);
        let fake = Fake { inner: Arc::new(Inner { state: Mutex::new(State::new()), changes, events }) };
        for _ in 0..count {
            fake.add_node(cpu, memory);
        }
        fake
    }

    /// The state as it is now: what was due has happened.
    fn state(&self) -> Held<'_> {
        let mut state = self.inner.state.lock().expect("no test goes on after a panic in the fake");
        state.weak = Arc::downgrade(&self.inner);
        state.catch_up();
        Held { inner: &self.inner, state }
    }

    /// Counts a call and lets it fail or wait as the test has told.
    async fn enter(&self, verb: &'static str) -> Result<Held<'_>> {
        let (wait, failure) = {
            let mut state = self.state();
            *state.calls.entry(verb).or_default() += 1;
            let faults = &mut state.faults;
            let wait = if faults.silent { CALL } else { faults.delay + faults.delays.get(verb).copied().unwrap_or_default() };
            let told = faults.failures.get_mut(verb).and_then(VecDeque::pop_front);
            let silent = faults.silent.then(|| SwarmError::Unreachable(format!("{verb}: no answer within {} s", CALL.as_secs())));
            let away = faults.unreachable.then(|| SwarmError::Unreachable("connection refused".into()));
            (wait, away.or(silent).or(told))
        };
        if !wait.is_zero() {
            self.pass(wait).await;
        }
        match failure {
            Some(why) => Err(why),
            None => Ok(self.state()),
        }
    }

    /// Waits until so much of the fake's time has passed.
    async fn pass(&self, length: Duration) {
        let due = self.state().now() + length;
        let mut changes = self.inner.changes.subscribe();
        loop {
            let left = due.saturating_duration_since(self.state().now());
            if left.is_zero() {
                return;
            }
            tokio::select! {
                _ = tokio::time::sleep(left) => {}
                _ = changes.changed() => {}
            }
        }
    }
}

/// The state while somebody looks at it; what she changed is told when she lets go.
struct Held<'a> {
    inner: &'a Inner,
    state: MutexGuard<'a, State>,
}

impl std::ops::Deref for Held<'_> {
    type Target = State;
    fn deref(&self) -> &State {
        &self.state
    }
}

impl std::ops::DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let told = std::mem::take(&mut self.state.told);
        if std::mem::take(&mut self.state.changed) || !told.is_empty() {
            self.inner.changes.send_modify(|n| *n += 1);
        }
        for event in told {
            let _ = self.inner.events.send(event);
        }
    }
}

#[async_trait]
impl Swarm for Fake {
    async fn facts(&self) -> Result<Facts> {
        let state = self.enter("facts").await?;
        let first = state.machines.first().map(|m| &m.node);
        Ok(Facts {
            engine_version: "29.0.0".into(),
            api_version: "1.53".into(),
            swarm: Some("fake-swarm".into()),
            node: first.map(|n| n.id.clone()),
            cpus: first.map_or(0, |n| n.cpu.0 / 1000),
            memory: first.map_or(Bytes(0), |n| n.memory),
        })
    }

    async fn nodes(&self) -> Result<Vec<Node>> {
        let state = self.enter("nodes").await?;
        Ok(state.machines.iter().map(|m| Node { ready: m.is_ready(), ..m.node.clone() }).collect())
    }

    async fn ensure_network(&self, spec: &NetworkSpec) -> Result<()> {
        let mut state = self.enter("ensure_network").await?;
        match state.networks.get(&spec.name) {
            Some(there) if there.subnet != spec.subnet => {
                Err(SwarmError::Refused(format!("network {} exists with subnet {}, not {}", spec.name, there.subnet, spec.subnet)))
            }
            Some(_) => Ok(()),
            None => {
                state.networks.insert(spec.name.clone(), spec.clone());
                Ok(())
            }
        }
    }

    async fn remove_network(&self, name: &str) -> Result<()> {
        let mut state = self.enter("remove_network").await?;
        if let Some(user) = state.network_user(name) {
            return Err(SwarmError::Conflict(format!("network {name} is in use by {user}")));
        }
        state.networks.remove(name);
        Ok(())
    }

    async fn converge(&self, spec: &ServiceSpec) -> Result<Converged> {
        let done = async { self.enter("converge").await?.converge(spec) };
        done.await.map_err(|why| spec.without_values(why))
    }

    async fn scale(&self, service: &str, replicas: u32) -> Result<()> {
        self.enter("scale").await?.scale(service, replicas)
    }

    async fn remove(&self, service: &str) -> Result<()> {
        self.enter("remove").await?.remove(service);
        Ok(())
    }

    async fn services(&self) -> Result<Vec<Service>> {
        Ok(self.enter("services").await?.list_services())
    }

    async fn tasks(&self, service: Option<&str>) -> Result<Vec<Task>> {
        Ok(self.enter("tasks").await?.list_tasks(service))
    }

    async fn logs(&self, task: &str, query: LogQuery) -> Result<BoxStream<'static, Result<LogLine>>> {
        let state = self.enter("logs").await?;
        let number = state.find(task)?;
        if let Some(away) = state.tasks[&number].machine.map(|m| &state.machines[m]).filter(|m| !m.up) {
            return Err(SwarmError::Unreachable(format!("node {} is away", away.node.hostname)));
        }
        drop(state);
        Ok(streams::logs(self.clone(), number, query).boxed())
    }

    async fn stats(&self, task: &str) -> Result<Stats> {
        self.enter("stats").await?.stats(task)
    }

    async fn listeners(&self, task: &str) -> Result<Option<Vec<Listener>>> {
        self.enter("listeners").await?.listeners(task)
    }

    async fn events(&self) -> Result<BoxStream<'static, Event>> {
        self.enter("events").await?;
        Ok(streams::events(self.clone()).boxed())
    }

    async fn build(&self, spec: BuildSpec) -> Result<BoxStream<'static, BuildEvent>> {
        self.enter("build").await?;
        Ok(build::run(self.clone(), spec))
    }

    async fn resolve(&self, reference: &str, _auth: Option<&RegistryAuth>) -> Result<Image> {
        self.enter("resolve").await?.resolve(reference)
    }

    async fn push(&self, image: &str, target: &str, _auth: Option<&RegistryAuth>) -> Result<String> {
        self.enter("push").await?.push(image, target)
    }

    async fn images(&self) -> Result<Vec<Image>> {
        let state = self.enter("images").await?;
        Ok(state.images.iter().map(|p| &p.image).filter(|i| i.labels.contains_key(OURS)).cloned().collect())
    }

    async fn remove_image(&self, id: &str) -> Result<()> {
        self.enter("remove_image").await?.remove_image(id)
    }

    async fn run_once(&self, spec: RunSpec) -> Result<RunOutcome> {
        self.enter("run_once").await?.known_image(&spec.image)?;
        let plan = self.state().plan(&spec.image, &spec.labels, Some(&spec.command), None);
        let outcome = plan.run_out(spec.timeout);
        self.pass(outcome.took).await;
        let first = outcome.output.len().saturating_sub(200);
        let output = outcome.output.into_iter().skip(first).map(|(_, text)| text).collect();
        Ok(RunOutcome { exit_code: outcome.exit_code, output })
    }

    async fn sweep(&self, _after: Duration) -> Result<usize> {
        self.enter("sweep").await.map(|_| 0)
    }
}
