//! Boxes in memory, for everybody else's tests: the same seam, the same looks at source and Dockerfile, the same sentences; steps run in a
//! shell of four words (`echo`, `sleep`, `exit`, `true`; `;` and `&&` between them) and three that stand for attacks (`fake-oom`,
//! `fake-fill`, `fake-output BYTES`). The conformance suite holds it to what real boxes do.
use crate::{
    buildkit::{
        masks::Masks,
        proto::put,
        request::{looked_at, tag},
        trace::Trace,
    },
    context::Context,
    dockerfile::{Dockerfile, Frontends, Instruction},
    ranges::Reach,
    seam::{
        BoxPhase, BoxSize, BoxState, BuildEvent, BuildFailure, BuildJob, Builder, BuilderError, BuilderFacts, Built, Depth, ImageId,
        SecretValue, Spent, StepState, Swept, Warmth,
    },
};
use async_trait::async_trait;
use base::{id::OrgId, units::Bytes as Size};
use bytes::Bytes;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::JoinHandle};

/// What a test tells the fake to go wrong with.
#[derive(Debug, Clone, Default)]
pub struct Troubles {
    /// No box starts; the sentence says why.
    pub refuses_to_start: Option<String>,
    /// The machine is full; the phrase says of what.
    pub full: Option<String>,
    /// The box dies when this step begins, so often.
    pub dies_at: Option<(u32, u32)>,
}

/// Builders in memory.
#[derive(Clone)]
pub struct FakeBuilder {
    state: Arc<Mutex<State>>,
    /// Base images that the fake's registries have.
    pub bases: Vec<String>,
    pub reach: Reach,
}

#[derive(Default)]
struct State {
    boxes: BTreeMap<OrgId, FakeBox>,
    troubles: Troubles,
}

struct FakeBox {
    phase: BoxPhase,
    size: BoxSize,
    cache: HashSet<u64>,
    images: HashMap<String, ImageId>,
    /// A new one a life: builds of an earlier one are lost.
    life: u64,
}

impl Default for FakeBuilder {
    fn default() -> Self {
        FakeBuilder { state: Arc::default(), bases: vec!["busybox".into(), "scratch".into()], reach: Reach::default() }
    }
}

/// What a fake step ends with.
enum Step {
    Fine,
    Exit(i64),
    Failed(BuildFailure),
    Dead,
}

impl FakeBuilder {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes things go wrong from now on.
    pub fn troubles(&self, troubles: Troubles) {
        self.state().troubles = troubles;
    }

    /// Lets idle boxes freeze, as time would.
    pub fn freeze(&self, org: &OrgId) {
        if let Some(of) = self.state().boxes.get_mut(org).filter(|of| of.phase == BoxPhase::Running) {
            of.phase = BoxPhase::Frozen;
        }
    }

    /// The names of images that lie in an organization's box.
    pub fn images(&self, org: &OrgId) -> Vec<String> {
        self.state().boxes.get(org).map(|of| of.images.keys().cloned().collect()).unwrap_or_default()
    }

    fn life(&self, org: &OrgId) -> Option<u64> {
        self.state().boxes.get(org).filter(|of| of.phase != BoxPhase::Stopped).map(|of| of.life)
    }

    async fn walk(&self, job: BuildJob, events: mpsc::Sender<BuildEvent>) -> Result<(), BuilderError> {
        let looked = looked_at(&job, &Frontends::default());
        let (context, file) = match looked {
            Ok(looked) => looked,
            Err(why) => return end(&events, BuildEvent::Failed(why)).await,
        };
        let warmth = self.warm(&job.org, &job.size).await?;
        let _ = events.send(BuildEvent::Placed { warmth }).await;
        let life = self.life(&job.org);
        let began = Instant::now();
        let walked = tokio::time::timeout(job.limits.time, self.steps(&job, &context, &file, &events, life)).await;
        let last = match walked {
            Err(_) => BuildEvent::Failed(BuildFailure::TimedOut(job.limits.time)),
            Ok(Err(why)) => BuildEvent::Failed(why),
            Ok(Ok(None)) => return Err(BuilderError::Away),
            Ok(Ok(Some(image))) => {
                if let Some(of) = self.state().boxes.get_mut(&job.org) {
                    of.images.insert(tag(&job.id), image.clone());
                }
                BuildEvent::Done(built(&file, image, began.elapsed()))
            }
        };
        end(&events, last).await
    }

    async fn steps(
        &self,
        job: &BuildJob,
        context: &Context,
        file: &Dockerfile,
        events: &mpsc::Sender<BuildEvent>,
        life: Option<u64>,
    ) -> Result<Option<ImageId>, BuildFailure> {
        let mut trace = Trace::new(masks(job), job.limits.log.0);
        let mut key = DefaultHasher::new();
        let mut packed = Vec::new();
        context.pack(&mut packed).map_err(|why| BuildFailure::Context(why.to_string()))?;
        for (n, of) in (1u32..).zip(&file.instructions) {
            (&of.name, &of.rest, &of.flags).hash(&mut key);
            if matches!(of.name.as_str(), "COPY" | "ADD") {
                packed.hash(&mut key);
            }
            let (name, digest) = (format!("{} {}", of.name, of.rest), format!("d{n}"));
            let known = !job.no_cache && self.state().boxes.get(&job.org).is_some_and(|of| of.cache.contains(&key.finish()));
            let mut say = Vec::new();
            let ended = if known {
                say.extend(trace.read(&vertex(&digest, &name, StepState::Cached, "")));
                Step::Fine
            } else {
                for event in trace.read(&vertex(&digest, &name, StepState::Began, "")) {
                    let _ = events.send(event).await;
                }
                if self.dies(n) || self.life(&job.org) != life { Step::Dead } else { self.step(job, of, &digest, &mut trace, events).await }
            };
            let word = if matches!(ended, Step::Fine) { "" } else { "failed" };
            say.extend(trace.read(&vertex(&digest, &name, StepState::Done, word)));
            for event in say {
                let _ = events.send(event).await;
            }
            let over = match ended {
                Step::Fine => {
                    if let Some(of) = self.state().boxes.get_mut(&job.org) {
                        of.cache.insert(key.finish());
                    }
                    continue;
                }
                Step::Exit(code) => Err(BuildFailure::Step { n, exit: Some(code), said: trace.last_lines() }),
                Step::Failed(why) => Err(why),
                Step::Dead => {
                    self.die(&job.org);
                    Ok(None)
                }
            };
            for event in trace.finish() {
                let _ = events.send(event).await;
            }
            return over;
        }
        for event in trace.finish() {
            let _ = events.send(event).await;
        }
        let id = format!("sha256:{:064x}", key.finish());
        id.parse().map(Some).map_err(|why: &str| BuildFailure::Other(why.into()))
    }

    fn dies(&self, n: u32) -> bool {
        match &mut self.state().troubles.dies_at {
            Some((at, left)) if *at == n && *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    fn die(&self, org: &OrgId) {
        if let Some(of) = self.state().boxes.get_mut(org) {
            of.phase = BoxPhase::Stopped;
            of.life += 1;
        }
    }

    async fn step(&self, job: &BuildJob, of: &Instruction, digest: &str, trace: &mut Trace, events: &mpsc::Sender<BuildEvent>) -> Step {
        let word = of.rest.split_whitespace().next().unwrap_or_default();
        match of.name.as_str() {
            "FROM" if self.bases.iter().any(|base| base == word) => Step::Fine,
            "FROM" => Step::Failed(self.walled(word).unwrap_or_else(|| BuildFailure::BaseMissing(word.to_string()))),
            "ADD" if word.contains("://") => self.walled(word.split("://").nth(1).unwrap_or_default()).map_or(Step::Fine, Step::Failed),
            "COPY"
                if !of.flags.iter().any(|flag| flag.starts_with("--from=")) && !job.source.join(word.trim_start_matches('/')).exists() =>
            {
                Step::Failed(BuildFailure::MissingFile(word.to_string()))
            }
            "RUN" => {
                let asks = of.flags.iter().find_map(|flag| flag.strip_prefix("--mount=type=secret,id="));
                if let Some(id) = asks.and_then(|rest| rest.split(',').next()).filter(|id| !job.secrets.contains_key(*id)) {
                    return Step::Failed(BuildFailure::MissingSecret(id.to_string()));
                }
                self.shell(job, &of.rest, digest, trace, events).await
            }
            "ARG" | "ENV" | "COPY" | "ADD" | "USER" | "WORKDIR" | "EXPOSE" | "CMD" | "ENTRYPOINT" | "LABEL" | "HEALTHCHECK" | "VOLUME"
            | "SHELL" | "STOPSIGNAL" => Step::Fine,
            other => Step::Failed(BuildFailure::Parse { line: Some(of.line), said: format!("unknown instruction: {other}") }),
        }
    }

    async fn shell(&self, job: &BuildJob, line: &str, digest: &str, trace: &mut Trace, events: &mpsc::Sender<BuildEvent>) -> Step {
        for command in line.split(';').flat_map(|part| part.split("&&")) {
            let words: Vec<&str> = command.split_whitespace().collect();
            match words.as_slice() {
                ["echo", said @ ..] => {
                    for event in trace.read(&log(digest, &format!("{}\n", said.join(" ")))) {
                        let _ = events.send(event).await;
                    }
                }
                ["sleep", seconds] => tokio::time::sleep(Duration::from_secs_f64(seconds.parse().unwrap_or(0.0))).await,
                ["exit", code] => match code.parse().unwrap_or(1) {
                    0 => {}
                    code => return Step::Exit(code),
                },
                ["false"] => return Step::Exit(1),
                ["fake-oom"] => return Step::Failed(BuildFailure::OutOfMemory(job.size.memory)),
                ["fake-fill"] => return Step::Failed(BuildFailure::DiskFull(job.size.disk)),
                ["fake-output", bytes] => {
                    for _ in 0..bytes.parse::<usize>().unwrap_or(0) / 64 {
                        for event in trace.read(&log(digest, &format!("{}\n", "y".repeat(63)))) {
                            let _ = events.send(event).await;
                        }
                    }
                }
                _ => {}
            }
        }
        Step::Fine
    }

    /// Whether a host is inside, by its address.
    fn walled(&self, target: &str) -> Option<BuildFailure> {
        let host = target.split('/').next().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|rest| rest.split(']').next()).or_else(|| host.split(':').next()).unwrap_or_default();
        let ip: IpAddr = bare.parse().ok()?;
        self.reach.closed(ip).map(|why| BuildFailure::Walled { target: ip.to_string(), why })
    }
}

fn masks(job: &BuildJob) -> Masks {
    job.masks.and(job.secrets.values().chain(job.credentials.iter().map(|of| &of.password)).map(|SecretValue(value)| value.as_str()))
}

async fn end(events: &mpsc::Sender<BuildEvent>, last: BuildEvent) -> Result<(), BuilderError> {
    let _ = events.send(last).await;
    Ok(())
}

fn built(file: &Dockerfile, image: ImageId, wall: Duration) -> Built {
    let last = |name: &str| file.instructions.iter().rev().find(|of| of.name == name).map(|of| of.rest.clone());
    let words = |name: &str| last(name).map(|text| text.split_whitespace().map(str::to_string).collect()).unwrap_or_default();
    let exposed = file.instructions.iter().filter(|of| of.name == "EXPOSE").flat_map(|of| of.rest.split_whitespace());
    Built {
        image,
        bytes: Size::mib(5),
        ports: exposed.filter_map(|port| port.trim_end_matches("/tcp").parse().ok()).collect(),
        user: last("USER"),
        entrypoint: words("ENTRYPOINT"),
        command: words("CMD"),
        has_healthcheck: last("HEALTHCHECK").is_some(),
        platform: "linux/amd64".into(),
        spent: Spent { wall, ..Spent::default() },
    }
}

/// Progress as BuildKit writes it, so that the fake's goes through the same reader.
fn vertex(digest: &str, name: &str, state: StepState, error: &str) -> Vec<u8> {
    let mut of = Vec::new();
    put(&mut of, 1, digest.as_bytes());
    put(&mut of, 3, name.as_bytes());
    match state {
        StepState::Began => put(&mut of, 5, b""),
        StepState::Cached => of.extend([4 << 3, 1]),
        StepState::Done | StepState::Failed => put(&mut of, 6, b""),
    }
    if !error.is_empty() {
        put(&mut of, 7, error.as_bytes());
    }
    let mut message = Vec::new();
    put(&mut message, 1, &of);
    message
}

fn log(digest: &str, said: &str) -> Vec<u8> {
    let mut of = Vec::new();
    put(&mut of, 1, digest.as_bytes());
    put(&mut of, 4, said.as_bytes());
    let mut message = Vec::new();
    put(&mut message, 3, &of);
    message
}

struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[async_trait]
impl Builder for FakeBuilder {
    async fn facts(&self) -> Result<BuilderFacts, BuilderError> {
        Ok(BuilderFacts {
            engine: "28.0.0".into(),
            depth: Depth::Whole,
            native_diff: true,
            cgroup: 2,
            memory_free: Size::mib(8192),
            disk_free: Size::mib(100 * 1024),
        })
    }

    async fn admits(&self, _: &OrgId, _: &BoxSize) -> Result<(), BuilderError> {
        self.state().troubles.full.clone().map_or(Ok(()), |why| Err(BuilderError::Full(why)))
    }

    async fn boxes(&self) -> Result<Vec<BoxState>, BuilderError> {
        let state = self.state();
        let all = state.boxes.iter().map(|(org, of)| BoxState {
            org: org.to_string(),
            phase: of.phase,
            memory: Size(0),
            processes: 0,
            disk_used: Size(0),
            disk: of.size.disk,
        });
        Ok(all.collect())
    }

    async fn warm(&self, org: &OrgId, size: &BoxSize) -> Result<Warmth, BuilderError> {
        let mut state = self.state();
        let warmth = match state.boxes.get(org).map(|of| of.phase) {
            Some(BoxPhase::Running) => Warmth::Warm,
            Some(BoxPhase::Frozen) => Warmth::Thawed,
            Some(BoxPhase::Stopped) => Warmth::Started,
            None => Warmth::New,
        };
        if matches!(warmth, Warmth::Started | Warmth::New) {
            if let Some(why) = state.troubles.full.clone() {
                return Err(BuilderError::Full(why));
            }
            if let Some(why) = state.troubles.refuses_to_start.clone() {
                return Err(BuilderError::Broken(why));
            }
        }
        let new = || FakeBox { phase: BoxPhase::Running, size: size.clone(), cache: HashSet::new(), images: HashMap::new(), life: 0 };
        let of = state.boxes.entry(org.clone()).or_insert_with(new);
        of.phase = BoxPhase::Running;
        of.size = size.clone();
        Ok(warmth)
    }

    async fn build(&self, job: BuildJob) -> Result<BoxStream<'static, BuildEvent>, BuilderError> {
        job.fit()?;
        let (events, receiver) = mpsc::channel(256);
        let fake = self.clone();
        let task = Task(tokio::spawn(async move {
            let _ = fake.walk(job, events).await;
        }));
        Ok(stream::unfold((receiver, task), async |(mut receiver, task)| Some((receiver.recv().await?, (receiver, task)))).boxed())
    }

    async fn export(&self, org: &OrgId, image: &ImageId) -> Result<BoxStream<'static, Result<Bytes, BuilderError>>, BuilderError> {
        let state = self.state();
        let there = state.boxes.get(org).is_some_and(|of| of.phase != BoxPhase::Stopped && of.images.values().any(|id| id == image));
        if !there {
            return Err(BuilderError::Broken(format!("the box has no image {image}")));
        }
        Ok(stream::iter([Ok(Bytes::from(image.to_string()))]).boxed())
    }

    async fn forget(&self, org: &OrgId, build: &str) -> Result<(), BuilderError> {
        if let Some(of) = self.state().boxes.get_mut(org) {
            of.images.remove(&tag(build));
        }
        Ok(())
    }

    async fn stop(&self, org: &OrgId) -> Result<(), BuilderError> {
        if self.state().boxes.get(org).is_some_and(|of| of.phase != BoxPhase::Stopped) {
            self.die(org);
        }
        Ok(())
    }

    async fn discard(&self, org: &OrgId) -> Result<(), BuilderError> {
        self.state().boxes.remove(org);
        Ok(())
    }

    async fn sweep(&self) -> Result<Swept, BuilderError> {
        Ok(Swept::default())
    }
}
