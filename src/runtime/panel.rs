//! The panel: everything that a request or a loop may need, made once at the start and shared.
use crate::{
    edge::EdgeHandle,
    id::ProviderId,
    runtime::{
        changes::ChangeBus,
        clock::Clock,
        config::Config,
        parts::Parts,
        swarms::Swarms,
        wakes::{Wake, Wakes},
    },
    store::{Db, random, secrets::Secrets},
    swarm::{Node, Task},
    units::Timestamp,
};
use arc_swap::ArcSwap;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How long after a swarm is back an end of a task may still be the engine's doing.
const INTERRUPTION: Duration = Duration::from_secs(15);

/// Everything that a request or a loop may need.
pub struct Panel {
    pub config: Config,
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub secrets: Secrets,
    pub swarms: Swarms,
    /// The edge of this process; none where edges run elsewhere.
    pub edge: Option<EdgeHandle>,
    /// How this process is.
    pub heartbeats: crate::runtime::heartbeats::Heartbeats,
    wakes: Wakes,
    pub changes: ChangeBus,
    /// What was last seen of the swarms.
    pub observed: ArcSwap<Observation>,
    /// Swarms whose stream of events broke: none while they are away, else when they were back.
    pub interrupted: Mutex<HashMap<ProviderId, Option<Timestamp>>>,
    /// How the walls of this machine stand.
    pub walls: crate::agent::Walls,
    /// The routes that the edge was told last.
    pub routes: tokio::sync::Mutex<crate::edge::Snapshot>,
    /// Held while somebody looks at the swarms, so that an older look can't be stored over a newer one.
    pub looking: tokio::sync::Mutex<()>,
    /// What features keep in this process.
    parts: Parts,
    /// This process among several panels; leases carry it.
    pub owner: String,
    /// Held as long as the panel lives: the lock of its data folder.
    held: std::sync::OnceLock<std::fs::File>,
    /// Cancelled when the process ends; loops and open streams end with it.
    pub stop: CancellationToken,
}

impl Panel {
    /// A panel that has seen nothing yet.
    pub fn new(config: Config, db: Db, clock: Arc<dyn Clock>, secrets: Secrets, swarms: Swarms, edge: Option<EdgeHandle>) -> Arc<Self> {
        Arc::new(Panel {
            config,
            db,
            clock,
            secrets,
            swarms,
            edge,
            heartbeats: Default::default(),
            wakes: Wakes::default(),
            changes: ChangeBus::default(),
            observed: ArcSwap::default(),
            interrupted: Mutex::default(),
            walls: Default::default(),
            routes: Default::default(),
            looking: Default::default(),
            parts: Parts::default(),
            owner: format!("panel_{}", random::suffix()),
            held: Default::default(),
            stop: CancellationToken::new(),
        })
    }

    /// Holds a lock as long as the panel lives.
    pub fn hold(&self, lock: std::fs::File) {
        self.held.set(lock).ok();
    }

    /// Whether the swarm was away at a time, or only just back: what ended then need not be at fault.
    pub fn was_interrupted(&self, swarm: &ProviderId, at: Timestamp) -> bool {
        let interrupted = self.interrupted.lock().unwrap_or_else(PoisonError::into_inner);
        interrupted.get(swarm).is_some_and(|back| back.is_none_or(|back| at <= back + INTERRUPTION))
    }

    /// Notes that a swarm went away (none), or when it was back.
    pub fn note_interruption(&self, swarm: &ProviderId, back: Option<Timestamp>) {
        self.interrupted.lock().unwrap_or_else(PoisonError::into_inner).insert(swarm.clone(), back);
    }

    /// What a feature keeps in this process, by its type. It is made, empty, when it is asked for the first time: nobody has to announce it.
    pub fn of<T: Default + Send + Sync + 'static>(&self) -> &T {
        self.parts.of()
    }

    /// Wakes a loop before its tick. A wake that comes while its loop is busy is answered by another pass.
    pub fn wake(&self, wake: Wake) {
        self.waker(wake).notify_one();
    }

    /// What a loop waits on, for those that wait by themselves or wake several at once.
    pub fn waker(&self, wake: Wake) -> &Notify {
        self.wakes.of(wake)
    }

    /// Now, by the panel's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// What was last seen of all swarms.
#[derive(Debug, Default)]
pub struct Observation {
    pub swarms: HashMap<ProviderId, SwarmView>,
}

/// What was last seen of one swarm.
#[derive(Debug, Default, Clone)]
pub struct SwarmView {
    /// When it last answered.
    pub at: Timestamp,
    /// Whether it answered the last time that it was asked.
    pub reachable: bool,
    /// By service name.
    pub tasks: HashMap<String, Vec<Task>>,
    pub nodes: Vec<Node>,
}

impl Observation {
    /// Tasks of one service as last seen, wherever it runs.
    pub fn tasks(&self, provider: &ProviderId, service: &str) -> &[Task] {
        self.swarms.get(provider).and_then(|view| view.tasks.get(service)).map_or(&[], Vec::as_slice)
    }

    /// Whether the swarm answered when it was last asked.
    pub fn reachable(&self, provider: &ProviderId) -> bool {
        self.swarms.get(provider).is_some_and(|view| view.reachable)
    }
}
