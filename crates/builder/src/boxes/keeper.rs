//! The keeper: which boxes there are, and their lives. Every verb is idempotent and takes the box's own lock; in doubt a box is thrown
//! away, for it holds nothing but cache.
use super::{
    cgroup::{self, Hierarchy, Tree},
    disk,
    engine::Engine,
    gate, machine,
    resolver::{Resolver, Sockets},
    warden::{CLEAN, IDS, Orders, Report, Word},
};
use crate::{
    ranges::Reach,
    seam::{ANSWERS_WITHIN, BoxPhase, BoxSize, BoxState, BuilderError, Swept, Warmth},
};
use base::{id::Id, id::OrgId, units::Bytes};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fs, io,
    net::{IpAddr, SocketAddr},
    os::{fd::OwnedFd, unix::fs::DirBuilderExt},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex as Lock, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    net::unix::OwnedWriteHalf,
    process::{Child, Command},
    sync::{Mutex, watch},
    task::spawn_blocking,
    time::timeout,
};
use tracing::{info, warn};

/// The first user id of boxes: systemd leaves 1879048192 to 2147483647 to nobody.
const FIRST_ID: u32 = 1_879_048_192;
/// How long a warden may take with one thing, its programs included.
const WARDEN: Duration = Duration::from_secs(60);
/// The machine's walls are looked at so often.
const STANDS_EVERY: Duration = Duration::from_secs(30);
/// Idle boxes are looked for so often.
const SLEEPS_EVERY: Duration = Duration::from_secs(5);
/// Memory of the machine that no box may start without, beyond its own size.
const SPARE_MEMORY: u64 = 256 << 20;

/// What the operator set, and where things are.
#[derive(Debug, Clone)]
pub struct BoxConfig {
    /// Disks lie here, best on a file system of their own.
    pub folder: PathBuf,
    /// Cgroups of boxes hang below this name.
    pub parent: String,
    /// The program whose `main` calls `warden::main`, and the arguments that make it so.
    pub warden: (PathBuf, Vec<String>),
    /// Networks that builds may reach although they are inside (`builders.open`).
    pub open: Vec<IpNet>,
    /// Addresses of the swarm's other machines, public ones too. This machine's own are added.
    pub machines: Vec<IpAddr>,
    /// Name servers to ask; the machine's own where there are none.
    pub name_servers: Vec<SocketAddr>,
    /// Mirrors of Docker Hub (`builders.mirrors`).
    pub mirrors: Vec<String>,
    /// Breaks `sudo` in Dockerfiles, and gains little over a root that is nobody: off by default.
    pub no_new_privileges: bool,
    /// What of the folder's file system stays the machine's (`builders.low_water`).
    pub low_water: disk::LowWater,
    pub freeze_after: Duration,
    pub stop_after: Duration,
}

impl BoxConfig {
    /// The usual settings, with disks in `folder` and this very program as the warden, called with `box-warden`.
    pub fn new(folder: PathBuf) -> io::Result<BoxConfig> {
        Ok(BoxConfig {
            folder,
            parent: "skypanel".into(),
            warden: (std::env::current_exe()?, vec!["box-warden".into()]),
            open: vec![],
            machines: vec![],
            name_servers: vec![],
            mirrors: vec![],
            no_new_privileges: false,
            low_water: disk::LowWater::default(),
            freeze_after: Duration::from_secs(30),
            stop_after: Duration::from_secs(900),
        })
    }
}

/// All boxes of this machine.
#[derive(Clone)]
pub struct Boxes {
    inner: Arc<Inner>,
}

struct Inner {
    config: BoxConfig,
    root: PathBuf,
    hierarchy: Hierarchy,
    known: Lock<HashMap<OrgId, Arc<Known>>>,
    /// Held while a slot is chosen.
    slots: Mutex<()>,
}

/// A box that was asked for once.
struct Known {
    life: Mutex<Option<Running>>,
}

/// What a box keeps beside its disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    org: String,
    slot: u32,
}

/// A box that runs.
#[derive(Clone)]
pub struct Running {
    pub engine: Engine,
    pub tree: Tree,
    pub resolver: Resolver,
    pub first: i32,
    pub warden: u32,
    pub frozen: bool,
    pub size: BoxSize,
    used: Instant,
    /// Builds that go on in it.
    pub busy: Arc<()>,
    control: Arc<Mutex<OwnedWriteHalf>>,
    ended: watch::Receiver<Option<Report>>,
}

impl Running {
    /// The warden's last report, where the box is over.
    pub fn over(&self) -> Option<Report> {
        self.ended.borrow().clone()
    }

    /// Waits for the box's end.
    pub async fn ends(&self) {
        let _ = self.ended.clone().wait_for(Option::is_some).await;
    }

    async fn tell(&self, word: Word) {
        let mut line = serde_json::to_vec(&word).unwrap_or_default();
        line.push(b'\n');
        // A warden that is gone has been heard by `listen` already.
        let _ = self.control.lock().await.write_all(&line).await;
    }
}

fn open<T>(lock: &Lock<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs what blocks beside the reactor.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, BuilderError> {
    spawn_blocking(work).await.map_err(|_| BuilderError::Broken("a worker of the builder died".into()))
}

impl Boxes {
    /// Looks whether this machine can, ends what an earlier life left, and puts the machine's side of the walls up.
    pub async fn open(config: BoxConfig) -> Result<Boxes, BuilderError> {
        let root = PathBuf::from("/sys/fs/cgroup");
        if let Some(lack) = machine::lacks(&root).into_iter().next() {
            return Err(BuilderError::Unfit(lack));
        }
        let folder = config.folder.clone();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let hierarchy = Hierarchy::of(&root)?;
        let inner = Arc::new(Inner { config, root, hierarchy, known: Lock::default(), slots: Mutex::default() });
        let boxes = Boxes { inner };
        let swept = boxes.sweep().await?;
        if swept != Swept::default() {
            warn!(?swept, "an earlier life left boxes; they are ended");
        }
        boxes.stand().await?;
        tokio::spawn(keep(Arc::downgrade(&boxes.inner)));
        Ok(boxes)
    }

    /// What builds may reach, with this machine's addresses as they are now.
    pub fn reach(&self) -> Reach {
        let config = &self.inner.config;
        let machines = config.machines.iter().copied().chain(gate::own_addresses()).collect();
        Reach { open: config.open.clone(), machines }
    }

    /// Puts the machine's side of the walls up, whatever stands now.
    pub async fn stand(&self) -> Result<(), BuilderError> {
        let reach = self.reach();
        aside(move || machine::stand(&reach)).await?.map_err(BuilderError::from)
    }

    /// The folder that all disks lie in.
    pub fn folder_of_all(&self) -> &Path {
        &self.inner.config.folder
    }

    /// The machine's cgroups.
    pub fn hierarchy(&self) -> &Hierarchy {
        &self.inner.hierarchy
    }

    fn folder(&self, org: &OrgId) -> PathBuf {
        self.inner.config.folder.join(org.suffix())
    }

    fn tree(&self, id: &str) -> Tree {
        Tree {
            root: self.inner.root.clone(),
            hierarchy: self.inner.hierarchy.clone(),
            parent: self.inner.config.parent.clone(),
            id: id.into(),
        }
    }

    fn known(&self, org: &OrgId) -> Arc<Known> {
        open(&self.inner.known).entry(org.clone()).or_insert_with(|| Arc::new(Known { life: Mutex::default() })).clone()
    }

    /// The running box of an organization, without touching it.
    pub async fn running(&self, org: &OrgId) -> Option<Running> {
        self.known(org).life.lock().await.clone().filter(|of| of.over().is_none())
    }

    /// Makes sure that the organization's box answers.
    pub async fn warm(&self, org: &OrgId, size: &BoxSize) -> Result<(Running, Warmth), BuilderError> {
        let known = self.known(org);
        let mut life = known.life.lock().await;
        if let Some(running) = life.as_mut().filter(|of| of.over().is_none()) {
            running.used = Instant::now();
            let was_frozen = running.frozen;
            if was_frozen {
                let tree = running.tree.clone();
                aside(move || tree.freeze(false)).await??;
                running.frozen = false;
            }
            if running.engine.answers(ANSWERS_WITHIN).await {
                return Ok((running.clone(), if was_frozen { Warmth::Thawed } else { Warmth::Warm }));
            }
            warn!(%org, "the box does not answer; it is ended");
        }
        if let Some(silent) = life.take() {
            self.end(&silent, Word::Kill).await?;
        }
        let (running, warmth) = self.started(org, size).await?;
        *life = Some(running.clone());
        Ok((running, warmth))
    }

    /// Starts the box; where its last end broke what its engine knows, on a new disk.
    async fn started(&self, org: &OrgId, size: &BoxSize) -> Result<(Running, Warmth), BuilderError> {
        self.admits(org, size).await?;
        let folder = self.folder(org);
        let had_disk = folder.join("disk.img").exists();
        let clean = folder.join(CLEAN).exists();
        let began = Instant::now();
        let first = self.start(org, size).await;
        let running = match first {
            Ok(running) if !had_disk || clean || running.engine.is_whole().await => {
                let warmth = if had_disk { Warmth::Started } else { Warmth::New };
                info!(%org, ?warmth, ms = began.elapsed().as_millis() as u64, "a box is up");
                return Ok((running, warmth));
            }
            Ok(broken) => {
                self.end(&broken, Word::Kill).await?;
                Ok(())
            }
            Err(why) if had_disk => {
                warn!(%org, %why, "a box did not start on the disk that it had");
                Ok(())
            }
            Err(why) => Err(why),
        };
        running?;
        // In doubt it is thrown away: it held only cache.
        self.forget_disk(org)?;
        let running = self.start(org, size).await?;
        info!(%org, ms = began.elapsed().as_millis() as u64, "a box is up, on a new disk");
        Ok((running, Warmth::New))
    }

    fn forget_disk(&self, org: &OrgId) -> Result<(), BuilderError> {
        for name in ["disk.img", CLEAN] {
            match fs::remove_file(self.folder(org).join(name)) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether the machine has room for this box now.
    pub async fn admits(&self, org: &OrgId, size: &BoxSize) -> Result<(), BuilderError> {
        let (free, all) = disk::room(&self.inner.config.folder)?;
        let own = self.folder(org).join("disk.img");
        let mut promised = 0;
        for other in self.records().keys().filter(|other| *other != org) {
            if self.known(other).life.try_lock().map_or(true, |life| life.as_ref().is_some_and(|of| of.over().is_none())) {
                promised += disk::taken(&self.folder(other).join("disk.img")).map_or(0, |(used, size)| size.saturating_sub(used));
            }
        }
        let wanted = size.disk.0.saturating_sub(disk::taken(&own).map_or(0, |(used, _)| used));
        if !self.inner.config.low_water.admits(free, all, promised, wanted) {
            return Err(BuilderError::Full(format!("waits until the disk of the builders’ machine has room ({} are free)", Bytes(free))));
        }
        let memory = machine::memory_available();
        if memory < size.memory.0 / 2 + SPARE_MEMORY {
            return Err(BuilderError::Full(format!("waits until the builders’ machine has memory ({} are free)", Bytes(memory))));
        }
        Ok(())
    }

    /// All boxes that have a folder here.
    fn records(&self) -> HashMap<OrgId, Record> {
        let entries = fs::read_dir(&self.inner.config.folder).into_iter().flatten().flatten();
        let records = entries.filter_map(|entry| {
            let record: Record = serde_json::from_slice(&fs::read(entry.path().join("box.json")).ok()?).ok()?;
            Some((record.org.parse().ok()?, record))
        });
        records.collect()
    }

    /// The slot of the organization's box: its addresses outside and its user ids. The disk's files carry those, so it stays.
    async fn slot(&self, org: &OrgId) -> Result<u32, BuilderError> {
        let _held = self.inner.slots.lock().await;
        let records = self.records();
        if let Some(record) = records.get(org) {
            return Ok(record.slot);
        }
        let taken: std::collections::HashSet<u32> = records.values().map(|of| of.slot).collect();
        let slot = (0..gate::SLOTS).find(|slot| !taken.contains(slot));
        let slot = slot.ok_or_else(|| BuilderError::Full("waits: this machine has as many boxes as it has user ids for".into()))?;
        let folder = self.folder(org);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let record = Record { org: org.to_string(), slot };
        let new = folder.join("box.new");
        fs::write(&new, serde_json::to_vec(&record).map_err(io::Error::from)?)?;
        fs::rename(new, folder.join("box.json"))?;
        Ok(slot)
    }

    fn orders(&self, org: &OrgId, size: &BoxSize, slot: u32, reach: &Reach) -> Result<Orders, BuilderError> {
        let engine = machine::program("dockerd")
            .ok_or_else(|| BuilderError::Unfit("Builders need the program dockerd: install docker.io.".into()))?;
        Ok(Orders {
            folder: self.folder(org),
            slot,
            owner: FIRST_ID + slot * IDS,
            size: size.clone(),
            tree: self.tree(org.suffix()),
            rules_v4: gate::rules_v4(reach),
            rules_v6: gate::rules_v6(reach),
            daemon_json: daemon_json(size, &self.inner.config.mirrors),
            engine,
            no_new_privileges: self.inner.config.no_new_privileges,
        })
    }

    /// Starts a warden that will hand the engine's socket, at this path, on; and the socket that it speaks on.
    fn spawn_warden(&self, socket: &Path) -> io::Result<(Child, UnixStream)> {
        let _ = fs::remove_file(socket);
        let listener = std::os::unix::net::UnixListener::bind(socket)?;
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let (program, args) = &self.inner.config.warden;
        let mut command = Command::new(program);
        command.args(args).stdin(OwnedFd::from(listener)).stdout(OwnedFd::from(theirs)).stderr(Stdio::null());
        command.process_group(0).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let child = command.spawn().map_err(|why| io::Error::new(why.kind(), format!("starting a box’s warden: {why}")))?;
        ours.set_nonblocking(true)?;
        Ok((child, UnixStream::from_std(ours)?))
    }

    async fn start(&self, org: &OrgId, size: &BoxSize) -> Result<Running, BuilderError> {
        let (slot, reach) = (self.slot(org).await?, self.reach());
        let orders = self.orders(org, size, slot, &reach)?;
        let (tree, socket) = (orders.tree.clone(), orders.folder.join("docker.sock"));
        let (child, stream) = self.spawn_warden(&socket)?;
        let warden = child.id().unwrap_or(0);
        let (reading, mut control) = stream.into_split();
        let mut line = serde_json::to_vec(&orders).map_err(io::Error::from)?;
        line.push(b'\n');
        control.write_all(&line).await?;
        let mut reports = Reports { lines: BufReader::new(reading).lines(), child, tree: tree.clone() };
        let begun = async {
            match reports.next().await {
                Report::Gate => {}
                other => return Err(failed(other)),
            }
            // The gate's rules stand and nothing leads in or out yet: now the resolver, then the cables.
            let sockets = aside(move || Sockets::within(warden)).await??;
            let servers =
                if self.inner.config.name_servers.is_empty() { machine::name_servers() } else { self.inner.config.name_servers.clone() };
            let resolver = Resolver::start(sockets, servers, reach)?;
            control.write_all(b"\"go\"\n").await?;
            match reports.next().await {
                Report::Started(first) => Ok((first, resolver)),
                other => Err(failed(other)),
            }
        };
        let (first, resolver) =
            timeout(WARDEN, begun).await.unwrap_or_else(|_| Err(BuilderError::Broken("making the box took too long".into())))?;
        let (told, ended) = watch::channel(None);
        tokio::spawn(reports.listen(told));
        let running = Running {
            engine: Engine::at(&socket),
            tree,
            resolver,
            first,
            warden,
            frozen: false,
            size: size.clone(),
            used: Instant::now(),
            busy: Arc::new(()),
            control: Arc::new(Mutex::new(control)),
            ended,
        };
        match self.answered(&running).await {
            Ok(()) => Ok(running),
            Err(why) => {
                self.end(&running, Word::Kill).await?;
                Err(why)
            }
        }
    }

    /// Waits until the engine answers: by its own connections, which lie in the socket's queue until it does.
    async fn answered(&self, running: &Running) -> Result<(), BuilderError> {
        let asks = async {
            while !running.engine.answers(ANSWERS_WITHIN).await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            () = asks => Ok(()),
            () = running.ends() => Err(failed(running.over().unwrap_or(Report::Failed("the warden died".into())))),
            () = tokio::time::sleep(ANSWERS_WITHIN * 3) => Err(BuilderError::Broken("the builder’s engine did not answer in time".into())),
        }
    }

    async fn end(&self, running: &Running, word: Word) -> Result<(), BuilderError> {
        running.tell(word).await;
        running.resolver.stop();
        if timeout(WARDEN, running.ends()).await.is_err() {
            return Err(BuilderError::Broken("a box does not end".into()));
        }
        Ok(())
    }

    /// Freezes a box: it takes no time any more, and thaws in a millisecond.
    pub async fn freeze(&self, org: &OrgId) -> Result<(), BuilderError> {
        let known = self.known(org);
        let mut life = known.life.lock().await;
        if let Some(running) = life.as_mut().filter(|of| of.over().is_none()) {
            let tree = running.tree.clone();
            aside(move || tree.freeze(true)).await??;
            running.frozen = true;
        }
        Ok(())
    }

    /// Stops a box; its disk stays. Stopped already is success.
    pub async fn stop(&self, org: &OrgId) -> Result<(), BuilderError> {
        let known = self.known(org);
        let mut life = known.life.lock().await;
        if let Some(running) = life.take() {
            self.end(&running, Word::Stop).await?;
        }
        Ok(())
    }

    /// Throws box and disk away. Gone already is success.
    pub async fn discard(&self, org: &OrgId) -> Result<(), BuilderError> {
        let known = self.known(org);
        let mut life = known.life.lock().await;
        if let Some(running) = life.take() {
            self.end(&running, Word::Kill).await?;
        }
        match fs::remove_dir_all(self.folder(org)) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why.into()),
            _ => Ok(()),
        }
    }

    /// One pass of the loop that lets idle boxes go to sleep: frozen first, then stopped. Answers with how many changed.
    pub async fn idle_pass(&self, now: Instant) -> usize {
        let all: Vec<(OrgId, Arc<Known>)> = open(&self.inner.known).iter().map(|(org, known)| (org.clone(), known.clone())).collect();
        let mut changed = 0;
        for (org, known) in all {
            // Whoever holds the box's lock has something to do with it.
            let Ok(mut life) = known.life.try_lock() else { continue };
            match self.put_to_sleep(&mut life, now).await {
                Ok(true) => changed += 1,
                Ok(false) => {}
                Err(why) => warn!(%org, %why, "an idle box can’t be put to sleep"),
            }
        }
        changed
    }

    /// Freezes or stops a box whose time it is. Nothing begins in it meanwhile, for its lock is held.
    async fn put_to_sleep(&self, life: &mut Option<Running>, now: Instant) -> Result<bool, BuilderError> {
        let Some(running) = life.as_mut() else { return Ok(false) };
        if running.over().is_some() {
            *life = None;
            return Ok(false);
        }
        // The life itself holds one; every build holds another.
        if Arc::strong_count(&running.busy) > 1 {
            running.used = running.used.max(now);
            return Ok(false);
        }
        let idle = now.saturating_duration_since(running.used);
        if idle >= self.inner.config.stop_after {
            self.end(running, Word::Stop).await?;
            *life = None;
            return Ok(true);
        }
        if idle >= self.inner.config.freeze_after && !running.frozen {
            let tree = running.tree.clone();
            aside(move || tree.freeze(true)).await??;
            running.frozen = true;
            return Ok(true);
        }
        Ok(false)
    }

    /// All boxes here, with what they use.
    pub async fn states(&self) -> Vec<BoxState> {
        let mut all = Vec::new();
        for (org, _) in self.records() {
            let life = self.known(&org).life.lock().await.clone().filter(|of| of.over().is_none());
            let usage = life.as_ref().map(|of| of.tree.usage()).unwrap_or_default();
            let (used, size) = disk::taken(&self.folder(&org).join("disk.img")).unwrap_or_default();
            let phase = match &life {
                None => BoxPhase::Stopped,
                Some(of) if of.frozen => BoxPhase::Frozen,
                Some(_) => BoxPhase::Running,
            };
            all.push(BoxState {
                org: org.to_string(),
                phase,
                memory: Bytes(usage.memory),
                processes: usage.processes,
                disk_used: Bytes(used),
                disk: Bytes(size),
            });
        }
        all.sort_by(|a, b| a.org.cmp(&b.org));
        all
    }

    /// Ends what an earlier life of this process left: boxes whose warden died with it. Disks stay.
    pub async fn sweep(&self) -> Result<Swept, BuilderError> {
        let (root, hierarchy, parent) = (self.inner.root.clone(), self.inner.hierarchy.clone(), self.inner.config.parent.clone());
        let mut swept = Swept::default();
        let mut ours = Vec::new();
        let all: Vec<Arc<Known>> = open(&self.inner.known).values().cloned().collect();
        for known in all {
            ours.extend(known.life.lock().await.as_ref().map(|of| of.tree.id.clone()));
        }
        for id in cgroup::found(&root, &hierarchy, &parent) {
            if ours.contains(&id) {
                continue;
            }
            let tree = self.tree(&id);
            aside(move || tree.end(WARDEN)).await??;
            swept.boxes.push(id);
        }
        Ok(swept)
    }
}

/// The keeper's loop: idle boxes go to sleep, and the machine's walls stand. It ends with the last handle.
async fn keep(boxes: Weak<Inner>) {
    let mut stood = Instant::now();
    loop {
        tokio::time::sleep(SLEEPS_EVERY).await;
        let Some(inner) = boxes.upgrade() else { return };
        let boxes = Boxes { inner };
        boxes.idle_pass(Instant::now()).await;
        if stood.elapsed() >= STANDS_EVERY {
            stood = Instant::now();
            if let Err(why) = boxes.stand().await {
                warn!(%why, "the machine’s walls for boxes do not stand");
            }
        }
    }
}

/// What a warden says, line by line.
struct Reports {
    lines: tokio::io::Lines<BufReader<tokio::net::unix::OwnedReadHalf>>,
    child: Child,
    tree: Tree,
}

impl Reports {
    /// The next report; a warden that went without one has failed.
    async fn next(&mut self) -> Report {
        match self.lines.next_line().await {
            Ok(Some(line)) => serde_json::from_str(&line).unwrap_or_else(|_| Report::Failed("the warden speaks nonsense".into())),
            _ => Report::Failed("the warden died".into()),
        }
    }

    /// Hears the warden to its end. What a killed one left behind is cleaned up here.
    async fn listen(mut self, told: watch::Sender<Option<Report>>) {
        let last = loop {
            match self.next().await {
                Report::Gate | Report::Started(_) => {}
                last => break last,
            }
        };
        if matches!(last, Report::Failed(_)) {
            let tree = self.tree.clone();
            if let Ok(Err(why)) = aside(move || tree.end(WARDEN)).await {
                warn!(%why, "a dead box’s processes do not go");
            }
        }
        let _ = self.child.wait().await;
        let _ = told.send(Some(last));
    }
}

fn failed(report: Report) -> BuilderError {
    match report {
        Report::Failed(why) => BuilderError::Broken(format!("the box could not be made: {why}")),
        Report::Ended { code, said, .. } => {
            let last: Vec<&str> = said.lines().rev().take(5).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            BuilderError::Broken(format!("the builder’s engine ended with {code}: {}", last.join(" / ")))
        }
        Report::Gate | Report::Started(_) => BuilderError::Broken("the warden speaks out of turn".into()),
    }
}

/// The engine's settings: BuildKit, a bounded cache, no entitlement, no log of containers, no other way in.
fn daemon_json(size: &BoxSize, mirrors: &[String]) -> String {
    let keep = format!("{}MB", size.disk.0 / 3 * 2 / 1_000_000);
    serde_json::json!({
        "builder": {
            "gc": { "enabled": true, "policy": [{ "keepStorage": keep, "all": true }] },
            "entitlements": { "network-host": false, "security-insecure": false },
        },
        "features": { "buildkit": true },
        "bip": "198.19.0.1/24",
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "log-driver": "none",
        "max-concurrent-downloads": 3,
        "registry-mirrors": mirrors,
        "insecure-registries": mirrors.iter().filter(|m| m.starts_with("http://")).collect::<Vec<_>>(),
        "shutdown-timeout": 2,
        "storage-driver": "overlay2",
        "userland-proxy": false,
    })
    .to_string()
}
