//! The real thing: one engine that is a manager of its swarm, spoken to through bollard. This module holds the connection and
//! the contract's implementation, a line per verb; the verbs live beside it, one file per kind of object.
//!
//! The connection is made lazily and the API version negotiated on first use (engines 20.10 to 29), so that a panel starts, and
//! heals, whatever the engine does meanwhile. Every call that is not a stream has a deadline.
use super::*;
use arc_swap::ArcSwapOption;
use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

mod build;
mod containers;
mod endpoint;
mod errors;
mod events;
mod hold;
mod images;
mod logs;
mod network;
mod nodes;
mod run;
mod services;
mod setup;
mod spec;
mod tasks;
mod upload;

pub use endpoint::{Endpoint, Tls};
pub use hold::Gateway;
pub use setup::Began;
pub(crate) use spec::CPU_RESERVED_PERCENT;

/// How long an ordinary call may take.
const CALL: Duration = Duration::from_secs(20);
/// How long pulling or pushing an image may take.
const TRANSFER: Duration = Duration::from_secs(15 * 60);
/// How long what the engine says of itself is believed.
const BELIEVED: Duration = Duration::from_secs(30);

/// A swarm behind one of its managers. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    endpoint: Endpoint,
    client: ArcSwapOption<bollard::Docker>,
    here: Mutex<Option<(Instant, nodes::Here)>>,
    /// Containers that have ended, and why: they are asked once.
    ended: Mutex<HashMap<String, tasks::Ending>>,
}

impl Engine {
    /// An engine at this address. Nothing is connected yet: an engine that is away answers `Unreachable` until it is back.
    pub fn new(endpoint: Endpoint) -> Self {
        let shared = Shared { endpoint, client: ArcSwapOption::empty(), here: Mutex::default(), ended: Mutex::default() };
        Engine { shared: Arc::new(shared) }
    }

    /// An engine at this address that answers now.
    pub async fn connect(endpoint: Endpoint) -> Result<Self> {
        let engine = Engine::new(endpoint);
        engine.facts().await?;
        Ok(engine)
    }

    /// Where the engine is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    /// The client, its API version negotiated.
    async fn client(&self) -> Result<bollard::Docker> {
        if let Some(client) = self.shared.client.load_full() {
            return Ok((*client).clone());
        }
        let fresh = self.shared.endpoint.open()?.negotiate_version();
        let client = tokio::time::timeout(CALL, fresh).await.map_err(|_| late("negotiating the API version", CALL))?;
        let client = client.map_err(errors::translate)?;
        self.shared.client.store(Some(Arc::new(client.clone())));
        Ok(client)
    }

    /// A client whose answers may begin late: uploads, pulls and waits.
    async fn patient_client(&self, limit: Duration) -> Result<bollard::Docker> {
        Ok(self.client().await?.with_timeout(limit))
    }

    /// One bounded call.
    async fn call<T, F>(&self, what: &str, run: impl FnOnce(bollard::Docker) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, bollard::errors::Error>>,
    {
        self.call_within(CALL, what, run).await
    }

    /// One call with a deadline of its own.
    async fn call_within<T, F>(&self, limit: Duration, what: &str, run: impl FnOnce(bollard::Docker) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, bollard::errors::Error>>,
    {
        let client = self.patient_client(limit).await?;
        let answer = tokio::time::timeout(limit, run(client)).await.map_err(|_| late(what, limit))?;
        answer.map_err(errors::translate).inspect_err(|why| {
            // An engine that was replaced by another version wants a new negotiation.
            if errors::is_version_mismatch(why) {
                self.shared.client.store(None);
            }
        })
    }

    /// Whether the engine's API has what came with this version.
    async fn has_api(&self, minor: usize) -> Result<bool> {
        Ok(self.client().await?.client_version().minor_version >= minor)
    }
}

fn late(what: &str, limit: Duration) -> SwarmError {
    SwarmError::Unreachable(format!("{what}: no answer within {} s", limit.as_secs()))
}

/// Filters as the API takes them.
fn filters<const N: usize>(pairs: [(&str, &str); N]) -> HashMap<String, Vec<String>> {
    let mut all: HashMap<String, Vec<String>> = HashMap::new();
    for (key, value) in pairs {
        all.entry(key.into()).or_default().push(value.into());
    }
    all
}

/// Our labels with the mark that the thing is ours.
fn marked(labels: &Labels) -> HashMap<String, String> {
    labels.iter().map(|(k, v)| (k.clone(), v.clone())).chain([(OURS.to_string(), "true".to_string())]).collect()
}

/// The time on this machine.
#[expect(clippy::disallowed_methods, reason = "what Docker tells is compared with the time of the machine")]
fn now() -> Timestamp {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

/// A time of the API as milliseconds; 1970 where it can't be read.
fn moment(text: Option<&String>) -> Timestamp {
    Timestamp(text.and_then(|t| logs::nanos(t)).unwrap_or_default() / 1_000_000)
}

#[async_trait]
impl Swarm for Engine {
    async fn facts(&self) -> Result<Facts> {
        self.read_facts().await
    }
    async fn nodes(&self) -> Result<Vec<Node>> {
        self.read_nodes().await
    }
    async fn ensure_network(&self, spec: &NetworkSpec) -> Result<()> {
        self.make_network(spec).await
    }
    async fn remove_network(&self, name: &str) -> Result<()> {
        self.drop_network(name).await
    }
    async fn converge(&self, spec: &ServiceSpec) -> Result<Converged> {
        self.converge_service(spec).await
    }
    async fn scale(&self, service: &str, replicas: u32) -> Result<()> {
        self.scale_service(service, replicas).await
    }
    async fn remove(&self, service: &str) -> Result<()> {
        self.drop_service(service).await
    }
    async fn services(&self) -> Result<Vec<Service>> {
        self.read_services().await
    }
    async fn tasks(&self, service: Option<&str>) -> Result<Vec<Task>> {
        self.read_tasks(service).await
    }
    async fn logs(&self, task: &str, query: LogQuery) -> Result<BoxStream<'static, Result<LogLine>>> {
        self.follow_logs(task, query).await
    }
    async fn stats(&self, task: &str) -> Result<Stats> {
        self.read_stats(task).await
    }
    async fn listeners(&self, task: &str) -> Result<Option<Vec<Listener>>> {
        self.read_listeners(task).await
    }
    async fn events(&self) -> Result<BoxStream<'static, Event>> {
        self.follow_events().await
    }
    async fn build(&self, spec: BuildSpec) -> Result<BoxStream<'static, BuildEvent>> {
        self.build_image(spec).await
    }
    async fn resolve(&self, reference: &str, auth: Option<&RegistryAuth>) -> Result<Image> {
        self.resolve_image(reference, auth).await
    }
    async fn push(&self, image: &str, target: &str, auth: Option<&RegistryAuth>) -> Result<String> {
        self.push_image(image, target, auth).await
    }
    async fn images(&self) -> Result<Vec<Image>> {
        self.read_images().await
    }
    async fn remove_image(&self, id: &str) -> Result<()> {
        self.drop_image(id).await
    }
    async fn run_once(&self, spec: RunSpec) -> Result<RunOutcome> {
        self.run_to_end(spec).await
    }
    async fn sweep(&self, after: Duration) -> Result<usize> {
        self.sweep_containers(after).await
    }
}
