//! The door to Docker. Above it there are our verbs only (converge, remove, tasks, logs, build, …); behind it stands either a
//! real manager ([`docker`], bollard) or a faithful fake in memory ([`fake`]) that can be told to fail. Everything that we create
//! carries the label [`OURS`]; what does not carry it is never touched. "Already gone" and "already so" are success here, so
//! that every caller may simply try again.
//!
//! Services always use `dnsrr` endpoints and publish their port in host mode without a number: the engine picks an ephemeral
//! one on the node, the edge learns it from the task. Without that, kernels without IPVS could not serve at all.
use async_trait::async_trait;
use base::units::{Bytes, MilliCpu, Timestamp};
use futures::stream::BoxStream;
use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

mod context;
pub mod docker;
pub mod fake;
mod template;

/// The label on everything that we create on an engine.
pub const OURS: &str = "skypanel";
/// Labels that say whose a service, task, image or network is.
pub const LABEL_APP: &str = "skypanel.app";
pub const LABEL_ORG: &str = "skypanel.org";
pub const LABEL_RELEASE: &str = "skypanel.release";
pub const LABEL_DEPLOYMENT: &str = "skypanel.deployment";

/// Labels, ordered so that equal sets compare equal.
pub type Labels = BTreeMap<String, String>;

/// Why the swarm did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SwarmError {
    /// The named thing is not there (only where its absence is no success).
    #[error("{0} is not there")]
    NotFound(String),
    /// Somebody changed the same thing meanwhile; try again.
    #[error("changed meanwhile: {0}")]
    Conflict(String),
    /// The engine understood and refused, in its own words.
    #[error("refused: {0}")]
    Refused(String),
    /// The engine could not be reached or did not answer in time.
    #[error("unreachable: {0}")]
    Unreachable(String),
}

/// The result of a verb.
pub type Result<T, E = SwarmError> = std::result::Result<T, E>;

/// What the engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// `20.10.24`.
    pub engine_version: String,
    /// The negotiated version, `1.41`.
    pub api_version: String,
    /// The id of the swarm that the engine is a manager of; none where it is not.
    pub swarm: Option<String>,
    /// This node's id within the swarm.
    pub node: Option<String>,
    /// Cores of the engine's machine.
    pub cpus: u32,
    /// Memory of the engine's machine.
    pub memory: Bytes,
}

/// A machine of the swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub id: String,
    pub hostname: String,
    /// Where the edge reaches the node's host-mode ports. On a swarm of one machine this is loopback, because the gateway
    /// bridge is bound there.
    pub address: IpAddr,
    pub manager: bool,
    /// Heartbeats arrive and the operator has not drained or paused it.
    pub ready: bool,
    pub cpu: MilliCpu,
    pub memory: Bytes,
    pub labels: Labels,
}

/// A network of one organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSpec {
    pub name: String,
    /// `10.201.4.0/24`, from our own ledger.
    pub subnet: String,
    pub labels: Labels,
}

/// What a service should be. The adapter adds what is never negotiable: `dnsrr`, [`OURS`], dropped capabilities (NET_RAW among
/// them), `no-new-privileges` where the API has it, an init process, a pids limit, bounded json-file logs, restart on any exit with a delay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    pub name: String,
    /// An image id (`sha256:…`) or a reference by digest.
    pub image: String,
    /// Replaces the image's command where given. Already split into words; no shell sees it.
    pub command: Option<Vec<String>>,
    pub env: Vec<(String, String)>,
    /// The container port that is published in host mode. Needs a network.
    pub port: Option<u16>,
    pub replicas: u32,
    pub cpu: MilliCpu,
    pub memory: Bytes,
    pub pids: u32,
    /// The overlay that the tasks join, and the name under which their siblings find them there.
    pub network: Option<(String, String)>,
    /// Placement, in Swarm's own words (`node.labels.region==eu`).
    pub constraints: Vec<String>,
    /// On the service, on its task template and on the containers.
    pub labels: Labels,
    /// How long a container may take to stop before it is killed, in seconds.
    pub stop_grace: u32,
    /// A registry's credential for nodes that must pull.
    pub registry: Option<RegistryAuth>,
}

impl ServiceSpec {
    /// Refuses what would open a door: without an overlay of its own a task hangs on Docker's default bridge, and that opens
    /// published ports on every address of the node, past the gateway bridge that we have bound.
    pub(crate) fn check(&self) -> Result<()> {
        if self.port.is_some() && self.network.is_none() {
            return Err(SwarmError::Refused(format!(
                "service {} has a port and no network: its port would be open to the world",
                self.name
            )));
        }
        Ok(())
    }
}

/// A credential for a registry. Never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryAuth {
    pub server: String,
    pub username: String,
    pub password: String,
}

impl std::fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RegistryAuth({})", self.server)
    }
}

/// What [`Swarm::converge`] had to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Converged {
    Created,
    Updated,
    Unchanged,
}

/// A service as the swarm holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub id: String,
    pub name: String,
    pub replicas: u32,
    pub labels: Labels,
    pub created: Timestamp,
}

/// Where a task stands; Swarm's many states folded to those that differ for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// Accepted, not yet given to a node. Its message tells why where nothing fits.
    Pending,
    /// Given to a node: pulling, preparing, starting.
    Starting,
    Running,
    /// Ended by itself with code 0.
    Complete,
    /// Ended with another code, or could not be started.
    Failed,
    /// The node refused it (no such image, for instance).
    Rejected,
    /// Stopped because the swarm wanted it so.
    Shutdown,
    /// Its node is away.
    Orphaned,
}

/// One copy of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub id: String,
    /// The service's name.
    pub service: String,
    /// The replica's number, from 1.
    pub slot: u32,
    pub node: Option<String>,
    pub state: TaskState,
    /// Whether the swarm wants it to run; a task that is being replaced is not wanted.
    pub wanted: bool,
    /// Swarm's own words on the state, with its error where there is one.
    pub message: String,
    pub exit_code: Option<i64>,
    /// The engine killed it for want of memory. Known only where the task's engine is the one that we speak to.
    pub out_of_memory: bool,
    /// What the image's own health check printed last, where the swarm stopped the task because that check failed. Empty where it printed
    /// nothing, or where the task's engine is not the one that we speak to.
    pub unhealthy: Option<String>,
    pub container: Option<String>,
    /// Where its port answers: the node's address and the ephemeral port.
    pub address: Option<std::net::SocketAddr>,
    pub labels: Labels,
    /// When the state was entered.
    pub since: Timestamp,
}

/// Which stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// A line that a task wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Nanoseconds since 1970, as the node's engine stamped it.
    pub nanos: i64,
    pub stream: Stream,
    /// Without its line end; cut at 16 KiB, invalid UTF-8 replaced.
    pub text: String,
}

/// Which lines of a task's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogQuery {
    /// Only lines stamped later than this many nanoseconds since 1970.
    pub after: Option<i64>,
    /// Only the last so many of them.
    pub tail: Option<u32>,
    /// Stay and send what comes.
    pub follow: bool,
}

/// A TCP port on which a task's processes listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// Within the container: `0.0.0.0` or `::` where it listens on every address that it has.
    pub address: IpAddr,
    pub port: u16,
}

impl Listener {
    /// Whether others reach it by the port that the task publishes: that leads to an address of the container which its processes don't know.
    pub fn is_open(&self) -> bool {
        self.address.is_unspecified()
    }
}

/// Resources that a task uses now. Known only on the engine that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Total CPU time used since the start, in nanoseconds.
    pub cpu_nanos: u64,
    pub memory: Bytes,
    pub received: Bytes,
    pub sent: Bytes,
    pub pids: u32,
}

/// Something changed; who listens looks again. Carries no state on purpose: an event can be missed, a look can't.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A service, or a container of one on the engine that we speak to.
    Service {
        app: Option<String>,
    },
    Node,
    /// A container of ours ran out of memory.
    OutOfMemory {
        container: String,
    },
}

/// What to build.
#[derive(Debug, Clone)]
pub struct BuildSpec {
    /// The tag of the finished image; never pointed elsewhere later.
    pub tag: String,
    /// The directory that becomes the context. Symbolic links in it are sent as links, never followed; `.dockerignore` is honoured.
    pub context: PathBuf,
    /// Relative to the context, already checked to stay in it.
    pub dockerfile: String,
    pub build_args: Vec<(String, String)>,
    pub labels: Labels,
    pub memory: Bytes,
    pub cpu: MilliCpu,
    /// The most that the context may hold.
    pub max_context: Bytes,
    /// Build without the layer cache.
    pub no_cache: bool,
}

/// What a build says. The stream ends after `Done` or `Failed`, or without either where the engine went away; dropping it stops
/// the build on the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildEvent {
    Line(String),
    Done(Image),
    Failed(BuildFailure),
}

/// Why there is no image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildFailure {
    NoDockerfile,
    /// The context is larger than the limit.
    ContextTooLarge,
    /// The Dockerfile can't be parsed, a base image can't be had, or a step ended with an error; in the builder's words.
    Step {
        message: String,
        exit_code: Option<i64>,
    },
    /// A step was killed for want of memory.
    OutOfMemory,
}

/// An image on the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `sha256:…`.
    pub id: String,
    pub tags: Vec<String>,
    pub labels: Labels,
    pub size: Bytes,
    /// Ports that the image exposes, TCP only, ascending.
    pub ports: Vec<u16>,
    pub created: Timestamp,
}

/// A program that runs once to its end.
#[derive(Debug, Clone)]
pub struct RunSpec {
    pub image: String,
    pub command: Vec<String>,
    pub env: Vec<(String, String)>,
    pub network: Option<String>,
    pub memory: Bytes,
    pub labels: Labels,
    pub timeout: std::time::Duration,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOutcome {
    /// None where the time was up and the program was killed.
    pub exit_code: Option<i64>,
    /// The last 200 lines.
    pub output: Vec<String>,
}

/// One swarm. Implementations are cheap to call concurrently; every call is bounded in time by the implementation, streams
/// excepted.
#[async_trait]
pub trait Swarm: Send + Sync + 'static {
    /// What the engine says of itself. Also the health check.
    async fn facts(&self) -> Result<Facts>;
    /// The machines of the swarm.
    async fn nodes(&self) -> Result<Vec<Node>>;

    /// Makes sure that the overlay exists.
    async fn ensure_network(&self, spec: &NetworkSpec) -> Result<()>;
    /// Removes an overlay of ours; gone already is success. `Conflict` while tasks still use it.
    async fn remove_network(&self, name: &str) -> Result<()>;

    /// Creates the service or brings it to this spec. Idempotent.
    async fn converge(&self, spec: &ServiceSpec) -> Result<Converged>;
    /// Sets the number of copies of a service of ours, nothing else.
    async fn scale(&self, service: &str, replicas: u32) -> Result<()>;
    /// Removes a service of ours; gone already is success. Its containers go within their stop grace.
    async fn remove(&self, service: &str) -> Result<()>;
    /// All services of ours.
    async fn services(&self) -> Result<Vec<Service>>;
    /// All tasks of our services (or of one), those that ended lately included; newest first within a slot.
    async fn tasks(&self, service: Option<&str>) -> Result<Vec<Task>>;

    /// A task's log, oldest first. A node that is away is `Unreachable`.
    async fn logs(&self, task: &str, query: LogQuery) -> Result<BoxStream<'static, Result<LogLine>>>;
    /// What a task uses now.
    async fn stats(&self, task: &str) -> Result<Stats>;
    /// Where the task's processes listen, ascending, loopback included; none where its engine is not the one that we speak to.
    async fn listeners(&self, task: &str) -> Result<Option<Vec<Listener>>>;
    /// A wake-up whenever something changed, until the connection breaks.
    async fn events(&self) -> Result<BoxStream<'static, Event>>;

    /// Builds an image.
    async fn build(&self, spec: BuildSpec) -> Result<BoxStream<'static, BuildEvent>>;
    /// Fetches an image by reference, or finds one by content (id, digest) on the engine. A tag is asked of its registry every
    /// time; the engine's copy does where the registry can't be reached. `Refused` in the registry's words where it can't be
    /// had. An image that a customer names may be another's build: look at its labels.
    async fn resolve(&self, reference: &str, auth: Option<&RegistryAuth>) -> Result<Image>;
    /// Pushes the image under a registry's name and answers with its reference by digest.
    async fn push(&self, image: &str, target: &str, auth: Option<&RegistryAuth>) -> Result<String>;
    /// Images of ours.
    async fn images(&self) -> Result<Vec<Image>>;
    /// Removes an image of ours by id, all tags; gone already is success, in use is `Conflict`.
    async fn remove_image(&self, id: &str) -> Result<()>;

    /// Runs a program to its end and removes its container.
    async fn run_once(&self, spec: RunSpec) -> Result<RunOutcome>;
    /// Removes containers of builds and of programs that a crash left behind and that ended longer ago than `after`; says how
    /// many. Those of a living build end a moment before their layer is kept: only who knows that nothing is built takes zero.
    async fn sweep(&self, after: std::time::Duration) -> Result<usize>;
}
