//! The seam: what the platform asks of builders, in words of its own. No engine's type crosses it.
use crate::{buildkit::masks::Masks, ranges::Place};
use base::{
    id::OrgId,
    units::{Bytes, MilliCpu},
};
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

/// Makes images of strangers' sources, each organization's in a box of its own. Every call is bounded in time; streams end with the box.
///
/// The fetching of sources (a box of git's own), the registry's door and mirrored images come as further calls, when there is a registry.
#[async_trait::async_trait]
pub trait Builder: Send + Sync + 'static {
    /// What this machine can do.
    async fn facts(&self) -> Result<BuilderFacts, BuilderError>;
    /// Whether it takes a build of this size now; `Full` says what it waits for.
    async fn admits(&self, org: &OrgId, size: &BoxSize) -> Result<(), BuilderError>;
    /// All boxes here, with what they use.
    async fn boxes(&self) -> Result<Vec<BoxState>, BuilderError>;
    /// Makes sure that the organization's box answers. Idempotent.
    async fn warm(&self, org: &OrgId, size: &BoxSize) -> Result<Warmth, BuilderError>;
    /// Builds an image, which lies in the box until `forget`. Dropping the stream ends the build. It ends with `Done` or `Failed`;
    /// without either the box is gone: try again.
    async fn build(&self, job: BuildJob) -> Result<BoxStream<'static, BuildEvent>, BuilderError>;
    /// The image as an archive, as `docker save` writes it. It is the box's word: whoever loads it must take no name from it.
    async fn export(&self, org: &OrgId, image: &ImageId) -> Result<BoxStream<'static, Result<bytes::Bytes, BuilderError>>, BuilderError>;
    /// Removes a build's image from the box; its layers stay as cache. Gone already is success.
    async fn forget(&self, org: &OrgId, build: &str) -> Result<(), BuilderError>;
    /// Stops the box; its disk stays. Stopped already is success.
    async fn stop(&self, org: &OrgId) -> Result<(), BuilderError>;
    /// Throws box and disk away. Gone already is success.
    async fn discard(&self, org: &OrgId) -> Result<(), BuilderError>;
    /// Ends what an earlier life of this process left.
    async fn sweep(&self) -> Result<Swept, BuilderError>;
}

/// What a machine that builds can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuilderFacts {
    /// The engine's version, `20.10.24`.
    pub engine: String,
    pub depth: Depth,
    /// Whether new layers are found without a walk through the whole image (engines from 27 on, in user namespaces).
    pub native_diff: bool,
    pub cgroup: u8,
    pub memory_free: Bytes,
    pub disk_free: Bytes,
}

/// An image's id, `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageId(String);

impl std::str::FromStr for ImageId {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<ImageId, Self::Err> {
        let hex = text.strip_prefix("sha256:").filter(|hex| hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        hex.map(|_| ImageId(text.to_string())).ok_or("This is no image’s id.")
    }
}

impl TryFrom<String> for ImageId {
    type Error = &'static str;
    fn try_from(text: String) -> Result<ImageId, Self::Error> {
        text.parse()
    }
}

impl From<ImageId> for String {
    fn from(id: ImageId) -> String {
        id.0
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A secret value: it is shown nowhere, not even in a debug print.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(pub String);

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// The organization's own credential for one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCredential {
    /// As BuildKit asks for it: `registry-1.docker.io`, `ghcr.io`, `host:5000`.
    pub host: String,
    pub username: String,
    pub password: SecretValue,
}

/// Bounds of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildLimits {
    pub time: Duration,
    /// How long a build may say nothing and begin or end no step.
    pub silence: Duration,
    /// Bytes of log that are kept.
    pub log: Bytes,
    pub context: Bytes,
    pub image: Bytes,
}

impl Default for BuildLimits {
    fn default() -> Self {
        BuildLimits {
            time: Duration::from_secs(1800),
            silence: Duration::from_secs(600),
            log: Bytes::mib(1),
            context: Bytes::mib(1024),
            image: Bytes::mib(4096),
        }
    }
}

/// What is to be built.
#[derive(Debug, Clone)]
pub struct BuildJob {
    /// Lower-case letters, digits and dashes; the image's tag within the box.
    pub id: String,
    pub org: OrgId,
    /// The source, a folder on this machine. Links in it are never followed.
    pub source: PathBuf,
    /// The Dockerfile's path in it.
    pub dockerfile: String,
    pub target: Option<String>,
    pub args: BTreeMap<String, String>,
    pub secrets: BTreeMap<String, SecretValue>,
    pub credentials: Vec<HostCredential>,
    /// What no line may show beside the secrets and passwords above.
    pub masks: Masks,
    pub labels: BTreeMap<String, String>,
    /// `linux/arm64`; nothing means the machine's own.
    pub platform: Option<String>,
    pub no_cache: bool,
    pub size: BoxSize,
    pub limits: BuildLimits,
}

impl BuildJob {
    /// Refuses a job whose name can't be a tag.
    pub fn fit(&self) -> Result<(), BuilderError> {
        if fit_for_a_tag(&self.id) {
            Ok(())
        } else {
            Err(BuilderError::Broken("a build’s name is lower-case letters, digits and dashes".into()))
        }
    }
}

/// A build's name becomes a tag and a part of a query: it must be fit for both.
pub fn fit_for_a_tag(build: &str) -> bool {
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=64).contains(&build.len()) && build.bytes().all(fine) && !build.starts_with('-') && !build.ends_with('-')
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    Out,
    Err,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Began,
    Cached,
    Done,
    Failed,
}

impl StepState {
    pub fn is_over(self) -> bool {
        self != StepState::Began
    }
}

/// What happens in a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildEvent {
    /// A box took it.
    Placed {
        warmth: Warmth,
    },
    Step {
        n: u32,
        name: String,
        state: StepState,
    },
    Line {
        step: u32,
        stream: Stream,
        text: String,
    },
    /// So much of the log was left out.
    Clipped {
        bytes: u64,
    },
    Done(Built),
    Failed(BuildFailure),
}

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    pub image: ImageId,
    pub bytes: Bytes,
    /// Ports that the image names, TCP alone, in order.
    pub ports: Vec<u16>,
    pub user: Option<String>,
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    pub has_healthcheck: bool,
    pub platform: String,
    pub spent: Spent,
}

/// What a build used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    pub wall: Duration,
    pub cpu: Duration,
    pub memory_peak: Bytes,
}

/// Why a builder refuses something of a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    SshMount,
    HostNetwork,
    Insecure,
    /// A frontend that is not on the operator's list.
    Frontend(String),
    /// An image by its id.
    ImageById(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::SshMount => f.write_str("--mount=type=ssh would let the build sign with somebody’s key. Use a deploy key or a secret"),
            Refusal::HostNetwork => {
                f.write_str("--network=host is not given to builds. Leave it out: packages and registries are reached without it")
            }
            Refusal::Insecure => f.write_str("--security=insecure is not given to builds"),
            Refusal::Frontend(name) => write!(f, "the frontend {name} is not allowed here; # syntax=docker/dockerfile:1 is"),
            Refusal::ImageById(id) => write!(f, "{id} is an image’s id, and an id is no name. Name the image with its registry and tag"),
        }
    }
}

/// Why there is no image. Each says what its owner can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildFailure {
    /// The repository's own Dockerfiles are named, where there are some elsewhere.
    NoDockerfile {
        wanted: String,
        found: Vec<String>,
    },
    ContextTooLarge(Bytes),
    /// The context can't be read or sent; for instance a pattern of `.dockerignore`.
    Context(String),
    Parse {
        line: Option<u32>,
        said: String,
    },
    Refused {
        line: u32,
        what: Refusal,
    },
    NeedsNewer {
        line: u32,
        what: &'static str,
        from: &'static str,
    },
    BaseMissing(String),
    BasePrivate(String),
    WrongPlatform(String),
    Walled {
        target: String,
        why: Place,
    },
    Unreachable(String),
    /// A step ended with a code; the last lines that were said.
    Step {
        n: u32,
        exit: Option<i64>,
        said: String,
    },
    MissingFile(String),
    MissingSecret(String),
    NoSuchUser(String),
    NoSuchTarget(String),
    OutOfMemory(Bytes),
    DiskFull(Bytes),
    ImageTooLarge {
        bytes: Bytes,
        most: Bytes,
    },
    TooMuchOutput,
    TimedOut(Duration),
    Silent(Duration),
    /// Whatever else the engine says.
    Other(String),
}

impl fmt::Display for BuildFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use BuildFailure as F;
        let spoken = base::units::spoken;
        match self {
            F::NoDockerfile { wanted, found } if found.is_empty() => {
                write!(f, "The repository has no {wanted}. Add one, or say where it is.")
            }
            F::NoDockerfile { wanted, found } => {
                write!(f, "The repository has no {wanted}, but {}. Say which in the settings.", found.join(", "))
            }
            F::ContextTooLarge(most) => {
                write!(f, "The source is larger than {most}. Leave out what the build does not need, with .dockerignore.")
            }
            F::Context(why) => write!(f, "The source can’t be sent to the build: {why}."),
            F::Parse { line: Some(line), said } => write!(f, "Line {line} of the Dockerfile: {said}."),
            F::Parse { line: None, said } => write!(f, "The Dockerfile can’t be read: {said}."),
            F::Refused { line, what } => write!(f, "Line {line} of the Dockerfile: {what}."),
            F::NeedsNewer { line, what, from } => {
                write!(
                    f,
                    "Line {line} of the Dockerfile: {what} needs Docker {from} or newer on the builder, or # syntax=docker/dockerfile:1 as the first line."
                )
            }
            F::BaseMissing(what) => write!(f, "The base image {what} is not there. Check its name and tag."),
            F::BasePrivate(what) => {
                write!(f, "The base image {what} is private or not there. Add a credential for its registry, or check its name.")
            }
            F::WrongPlatform(what) => write!(f, "The base image {what} does not exist for this machine’s platform."),
            F::Walled { target, why } => write!(f, "{target} is {why}. Builds reach public addresses only."),
            F::Unreachable(what) => write!(f, "A host that the build asks can’t be reached: {what}."),
            F::Step { n, exit: Some(code), .. } => write!(f, "Step {n} of the build ended with exit code {code}. Its last lines say why."),
            F::Step { n, exit: None, said } => write!(f, "Step {n} of the build failed: {said}."),
            F::MissingFile(what) => write!(f, "The repository has no {what}, or .dockerignore hides it."),
            F::MissingSecret(what) => write!(f, "The build asks for the secret {what}, which is not set. Set it for builds."),
            F::NoSuchUser(what) => write!(f, "USER {what}: the image has no user of that name. Add it with RUN adduser, or use a number."),
            F::NoSuchTarget(what) => write!(f, "The Dockerfile has no stage {what}."),
            F::OutOfMemory(most) => write!(f, "The build needed more memory than the {most} that it may use."),
            F::DiskFull(size) => write!(f, "The builder’s disk of {size} is full. Its cache was removed; build again."),
            F::ImageTooLarge { bytes, most } => write!(f, "The image is {bytes} large; {most} are allowed."),
            F::TooMuchOutput => f.write_str("The build printed without end and was stopped."),
            F::TimedOut(most) => write!(f, "The build took longer than {} and was stopped.", spoken(*most)),
            F::Silent(most) => write!(f, "The build said nothing for {} and was stopped.", spoken(*most)),
            F::Other(said) => write!(f, "The build failed: {said}."),
        }
    }
}

/// What a box may use. It comes from the organization's plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoxSize {
    pub memory: Bytes,
    pub cpu: MilliCpu,
    /// Processes and threads at once.
    pub pids: u32,
    /// The disk of cache, and of all that is built.
    pub disk: Bytes,
    /// Bytes a second, each way; 0 means unlimited.
    pub egress: Bytes,
    /// 10 to 1000, where the kernel has such weights.
    pub io_weight: u16,
}

impl Default for BoxSize {
    fn default() -> Self {
        BoxSize { memory: Bytes::mib(2048), cpu: MilliCpu(1500), pids: 1024, disk: Bytes::mib(10 * 1024), egress: Bytes(0), io_weight: 50 }
    }
}

/// How deep a box lies below the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Only the steps of a build run as nobody; the engine in the box is root.
    Steps,
    /// The whole engine lies in a user namespace of ours: its root is nobody outside.
    Whole,
    /// Whole, and the steps see a kernel of their own (gVisor).
    Sandbox,
}

/// How a box came to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warmth {
    /// It ran.
    Warm,
    /// It was frozen.
    Thawed,
    /// It was started on the disk that it had.
    Started,
    /// It was started on a new disk.
    New,
}

/// Where a box is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoxPhase {
    Stopped,
    Running,
    Frozen,
}

/// A box, with what it uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoxState {
    pub org: String,
    pub phase: BoxPhase,
    pub memory: Bytes,
    pub processes: u64,
    /// What its disk takes on the machine.
    pub disk_used: Bytes,
    pub disk: Bytes,
}

/// What a sweep found of an earlier life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// Ids of boxes that were still there.
    pub boxes: Vec<String>,
    /// Cables that led to no box.
    pub cables: Vec<String>,
}

/// Why a builder can't.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuilderError {
    /// This machine makes no boxes; the sentence says what is missing.
    #[error("{0}")]
    Unfit(String),
    /// There is no room now; the phrase is shown beside the queue.
    #[error("{0}")]
    Full(String),
    /// The box did not start or did not answer.
    #[error("{0}")]
    Broken(String),
    /// The box went away in the middle.
    #[error("the builder went away")]
    Away,
}

impl From<std::io::Error> for BuilderError {
    fn from(why: std::io::Error) -> Self {
        BuilderError::Broken(why.to_string())
    }
}

/// How long things of a box may take.
pub const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
