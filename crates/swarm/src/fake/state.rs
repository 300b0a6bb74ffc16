//! What the fake holds, and its clock.
use super::{controls::*, images::Picture, script::Plan, *};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Weak,
    time::SystemTime,
};
use tokio_util::task::AbortOnDropHandle;

/// Lines that a task's log keeps.
pub(super) const LOG: usize = 1000;

pub(super) struct State {
    pub weak: Weak<Inner>,
    begun: Instant,
    begun_nanos: i64,
    skipped: Duration,
    last_nanos: i64,
    counter: u64,
    /// What is still to happen.
    pub due: BTreeMap<(Instant, u64), Due>,
    pub machines: Vec<Machine>,
    pub services: BTreeMap<String, Served>,
    pub tasks: BTreeMap<u64, Copy>,
    /// The tasks of a service, also of one that is gone.
    pub of: HashMap<String, BTreeSet<u64>>,
    /// Tasks that no machine has room for.
    pub waiting: BTreeSet<u64>,
    pub networks: BTreeMap<String, NetworkSpec>,
    pub images: Vec<Picture>,
    pub refused: HashMap<String, String>,
    pub builds: usize,
    pub behaviours: Vec<(String, Behaviour)>,
    pub answers: Vec<(String, Answer)>,
    pub listening: Vec<(String, Vec<Listener>)>,
    pub usages: Vec<(String, Stats)>,
    pub plans: Vec<(String, BuildPlan)>,
    pub serving: serve::Serving,
    pub start_delay: Duration,
    pub stop_delay: Duration,
    pub faults: Faults,
    pub calls: BTreeMap<&'static str, u64>,
    /// Events that are told when the state is let go.
    pub told: Vec<Event>,
    pub changed: bool,
}

/// Something that happens later.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Due {
    /// A task begins to run.
    Start(u64),
    /// A running task goes on with its program.
    Step(u64),
    /// A task that was told to stop has stopped.
    Stopped(u64),
}

/// How calls fail.
#[derive(Default)]
pub(super) struct Faults {
    pub failures: HashMap<&'static str, VecDeque<SwarmError>>,
    pub delay: Duration,
    pub delays: HashMap<&'static str, Duration>,
    pub silent: bool,
    pub unreachable: bool,
}

pub(super) struct Machine {
    pub node: Node,
    pub up: bool,
    pub drained: bool,
    pub cpu_free: i64,
    pub memory_free: i64,
    pub tasks: usize,
    pub next_port: u16,
}

impl Machine {
    pub fn is_ready(&self) -> bool {
        self.up && !self.drained
    }
}

/// A service.
pub(super) struct Served {
    pub id: String,
    pub spec: Arc<ServiceSpec>,
    pub replicas: u32,
    pub created: Timestamp,
}

/// A task.
pub(super) struct Copy {
    pub number: u64,
    pub spec: Arc<ServiceSpec>,
    pub slot: u32,
    /// Its machine, by index.
    pub machine: Option<usize>,
    /// Whether its claim on the machine is booked.
    pub booked: bool,
    pub state: TaskState,
    pub wanted: bool,
    /// Whether the swarm forgets it once it has stopped.
    pub leaving: bool,
    pub message: String,
    pub exit_code: Option<i64>,
    pub out_of_memory: bool,
    pub unhealthy: Option<String>,
    pub address: Option<SocketAddr>,
    pub since: Timestamp,
    pub began: Option<Instant>,
    pub plan: Plan,
    pub log: VecDeque<LogLine>,
    pub server: Option<AbortOnDropHandle<()>>,
}

impl Copy {
    pub fn is_live(&self) -> bool {
        matches!(self.state, TaskState::Pending | TaskState::Starting | TaskState::Running)
    }
}

impl State {
    #[expect(clippy::disallowed_methods, reason = "the fake’s clock begins at the present")]
    pub fn new() -> Self {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        State {
            weak: Weak::new(),
            begun: Instant::now(),
            begun_nanos: i64::try_from(since_1970.as_nanos()).unwrap_or_default(),
            skipped: Duration::ZERO,
            last_nanos: 0,
            counter: 0,
            due: BTreeMap::new(),
            machines: vec![],
            services: BTreeMap::new(),
            tasks: BTreeMap::new(),
            of: HashMap::new(),
            waiting: BTreeSet::new(),
            networks: BTreeMap::new(),
            images: vec![],
            refused: HashMap::new(),
            builds: 0,
            behaviours: vec![],
            answers: vec![],
            listening: vec![],
            usages: vec![],
            plans: vec![],
            serving: serve::Serving::Nowhere,
            start_delay: Duration::from_millis(10),
            stop_delay: Duration::from_millis(10),
            faults: Faults::default(),
            calls: BTreeMap::new(),
            told: vec![],
            changed: false,
        }
    }

    /// The fake's now.
    pub fn now(&self) -> Instant {
        Instant::now() + self.skipped
    }

    /// Now as a date, in nanoseconds since 1970.
    pub fn nanos(&self) -> i64 {
        self.begun_nanos + i64::try_from(self.now().duration_since(self.begun).as_nanos()).unwrap_or_default()
    }

    /// Now as a date, later than any that was given before: what orders log lines.
    pub fn unique_nanos(&mut self) -> i64 {
        self.last_nanos = self.nanos().max(self.last_nanos + 1);
        self.last_nanos
    }

    /// Now as a date.
    pub fn moment(&self) -> Timestamp {
        Timestamp(self.nanos() / 1_000_000)
    }

    /// A number that was not given before.
    pub fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Lets something happen so much later.
    pub fn later(&mut self, by: Duration, what: Due) {
        let Some(at) = self.now().checked_add(by) else { return };
        let number = self.number();
        self.due.insert((at, number), what);
    }

    /// When the next thing falls due, in tokio's time.
    pub fn next_due(&self) -> Option<Instant> {
        self.due.keys().next().map(|(at, _)| at.checked_sub(self.skipped).unwrap_or(self.begun))
    }

    /// Lets everything happen that is due.
    pub fn catch_up(&mut self) {
        while let Some(entry) = self.due.first_entry() {
            if entry.key().0 > Instant::now() + self.skipped {
                return;
            }
            let what = entry.remove();
            self.happen(what);
        }
    }

    /// Moves time on, stopping at everything that falls due on the way.
    pub fn skip(&mut self, by: Duration) {
        let end = self.skipped + by;
        let start = self.now();
        while let Some((&(at, _), _)) = self.due.first_key_value() {
            let ahead = at.saturating_duration_since(start);
            if ahead > by {
                break;
            }
            self.skipped = self.skipped.max(end - by + ahead);
            self.catch_up();
        }
        self.skipped = end;
        self.catch_up();
    }

    /// The latest word on a service among those that were told.
    pub fn latest<'a, T>(told: &'a [(String, T)], name: &str, image: &str, labels: &Labels) -> Option<&'a T> {
        let means = |subject: &String| subject == name || subject == image || labels.values().any(|v| v == subject);
        told.iter().rev().find(|(subject, _)| means(subject)).map(|(_, word)| word)
    }

    /// What a container of this image, with these labels and this command, is going to do.
    pub fn plan(&self, image: &str, labels: &Labels, command: Option<&Vec<String>>, name: Option<&str>) -> Plan {
        use script::Step::*;
        let finite = |after: Duration, end| Plan { steps: vec![Sleep(after), end], next: 0 };
        match State::latest(&self.behaviours, name.unwrap_or_default(), image, labels) {
            Some(Behaviour::Exit { code, after }) => finite(*after, Exit(*code)),
            Some(Behaviour::OutOfMemory { after }) => finite(*after, OutOfMemory),
            Some(Behaviour::Unhealthy { output, after }) => finite(*after, Unhealthy(output.clone())),
            Some(Behaviour::Run) => Plan::forever(),
            _ => match command.or_else(|| self.picture(image)?.command.as_ref()) {
                Some(words) => Plan::of(words),
                None => Plan::forever(),
            },
        }
    }

    /// What still uses a network.
    pub fn network_user(&self, name: &str) -> Option<String> {
        let uses = |spec: &ServiceSpec| spec.network.as_ref().is_some_and(|(n, _)| n == name);
        let service = self.services.values().find(|s| uses(&s.spec)).map(|s| format!("service {}", s.id));
        service.or_else(|| self.tasks.values().find(|t| t.is_live() && uses(&t.spec)).map(|t| format!("task {}", id(t.number))))
    }

    /// The task of an id.
    pub fn find(&self, task: &str) -> Result<u64> {
        let number = task.strip_suffix("task").and_then(|n| n.parse().ok()).filter(|n| self.tasks.contains_key(n));
        number.ok_or_else(|| SwarmError::NotFound(format!("task {task} not found")))
    }
}

/// A task's id. Its first eight letters are its own, as with the real swarm.
pub(super) fn id(number: u64) -> String {
    format!("{number:08}task")
}
