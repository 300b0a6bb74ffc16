//! What a test can tell the fake, and what it can ask.
use super::*;

/// How the tasks of a subject fare.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// They run until they are stopped, whatever their command says.
    Run,
    /// They end by themselves with this code, so long after they began to run.
    Exit { code: i64, after: Duration },
    /// The engine kills them for want of memory, so long after they began to run.
    OutOfMemory { after: Duration },
    /// The swarm stops them, so long after they began to run, because their image's health check fails and prints this.
    Unhealthy { output: String, after: Duration },
    /// The engine can't start their containers, and says why in these words.
    Unstartable(String),
    /// The node refuses them in these words.
    Reject(String),
    /// They take so long to start (`Duration::MAX`: for ever).
    Slow(Duration),
}

/// How the tasks of a subject answer over HTTP, where they are served.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Every request gets this status and body (the task's own description where none is given), so much later.
    Status { status: u16, body: Option<String>, after: Duration },
    /// Connections are taken and never answered.
    Silence,
    /// Nothing listens.
    Refusal,
}

impl Answer {
    /// This status at once.
    pub fn status(status: u16) -> Self {
        Answer::Status { status, body: None, after: Duration::ZERO }
    }
}

/// How a build of a subject goes. (A subject of a build: its tag, or the value of one of its labels.)
#[derive(Debug, Clone, Default)]
pub struct BuildPlan {
    /// What it says, spread over its time.
    pub lines: Vec<String>,
    /// How long it takes.
    pub takes: Duration,
    /// How it fails, if it does.
    pub failure: Option<BuildFailure>,
}

/// Everything that there is, for a test to look at.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The services, by name.
    pub services: BTreeMap<String, ServiceSpec>,
    pub tasks: Vec<Task>,
    pub networks: Vec<NetworkSpec>,
    pub images: Vec<Image>,
    /// Builds that have begun and neither ended nor been dropped.
    pub builds: usize,
    /// How often each verb was called.
    pub calls: BTreeMap<&'static str, u64>,
}

impl Fake {
    /// Adds a machine and answers with its id.
    pub fn add_node(&self, cpu: MilliCpu, memory: Bytes) -> String {
        self.state().add_machine(cpu, memory)
    }

    /// Gives a machine a label.
    pub fn label_node(&self, id: &str, key: &str, value: &str) {
        self.state().machine(id).node.labels.insert(key.into(), value.into());
        self.state().place_waiting();
    }

    /// Cuts a machine off: its tasks are orphans, and run elsewhere if there is room.
    pub fn lose_node(&self, id: &str) {
        self.state().lose(id);
    }

    /// Brings a machine back: its orphans are shut down, and it takes tasks again.
    pub fn return_node(&self, id: &str) {
        self.state().regain(id);
    }

    /// Takes a machine out of service (or back): it is given no new tasks, and those that it has go elsewhere.
    pub fn drain_node(&self, id: &str, drained: bool) {
        self.state().drain(id, drained);
    }

    /// Tells how tasks of a subject fare that start from now on.
    pub fn behave(&self, subject: &str, behaviour: Behaviour) {
        self.state().behaviours.push((subject.into(), behaviour));
    }

    /// Ends the running tasks of a subject with this code, now.
    pub fn crash(&self, subject: &str, code: i64) {
        self.state().end_all(subject, code, false);
    }

    /// Kills the running tasks of a subject for want of memory, now.
    pub fn exhaust(&self, subject: &str) {
        self.state().end_all(subject, 137, true);
    }

    /// Lets the running tasks of a subject write a line.
    pub fn say(&self, subject: &str, stream: Stream, line: &str) {
        self.state().say_all(subject, stream, line);
    }

    /// Says on which ports tasks of a subject listen, on every address, whatever their command says.
    pub fn listens(&self, subject: &str, ports: &[u16]) {
        let anywhere = |port: &u16| Listener { address: std::net::Ipv4Addr::UNSPECIFIED.into(), port: *port };
        self.state().listening.push((subject.into(), ports.iter().map(anywhere).collect()));
    }

    /// Says where tasks of a subject listen: on these addresses and ports and nowhere else.
    pub fn listens_at(&self, subject: &str, addresses: &[SocketAddr]) {
        let listener = |at: &SocketAddr| Listener { address: at.ip(), port: at.port() };
        self.state().listening.push((subject.into(), addresses.iter().map(listener).collect()));
    }

    /// Says what tasks of a subject use.
    pub fn uses(&self, subject: &str, stats: Stats) {
        self.state().usages.push((subject.into(), stats));
    }

    /// How long a task takes from being placed to running, and from being told to stop to having stopped.
    pub fn set_pace(&self, start: Duration, stop: Duration) {
        let mut state = self.state();
        (state.start_delay, state.stop_delay) = (start, stop);
    }

    /// Gives every task that begins to run from now on a real HTTP server on loopback. Needs a tokio runtime.
    pub fn serve(&self) {
        self.state().serving = serve::Serving::Here;
    }

    /// Says where tasks that begin to run from now on answer, for tests with servers of their own.
    pub fn serve_with(&self, at: impl Fn(&Task) -> Option<SocketAddr> + Send + Sync + 'static) {
        self.state().serving = serve::Serving::There(Arc::new(at));
    }

    /// Says how served tasks of a subject answer from the next request on.
    pub fn answer(&self, subject: &str, answer: Answer) {
        self.state().answers.push((subject.into(), answer));
    }

    /// Tells how a build goes, in place of what its Dockerfile says.
    pub fn plan_build(&self, subject: &str, plan: BuildPlan) {
        self.state().plans.push((subject.into(), plan));
    }

    /// Puts an image on the engine, as if it had been pulled, and answers with its id.
    pub fn add_image(&self, reference: &str, ports: &[u16]) -> String {
        self.state().add_pulled(reference, ports).id
    }

    /// Makes a reference one that can't be had, in these words of its registry.
    pub fn refuse_image(&self, reference: &str, words: &str) {
        self.state().refused.insert(reference.into(), words.into());
    }

    /// The next call of this verb fails so. Told several times, the next several do.
    pub fn fail(&self, verb: &'static str, error: SwarmError) {
        self.state().faults.failures.entry(verb).or_default().push_back(error);
    }

    /// The next so many calls of this verb lose a race (409).
    pub fn conflict(&self, verb: &'static str, times: usize) {
        (0..times).for_each(|_| self.fail(verb, SwarmError::Conflict("update out of sequence".into())));
    }

    /// Every call is answered so much later.
    pub fn delay(&self, by: Duration) {
        self.state().faults.delay = by;
    }

    /// Every call of this verb is answered so much later.
    pub fn delay_verb(&self, verb: &'static str, by: Duration) {
        self.state().faults.delays.insert(verb, by);
    }

    /// The engine takes calls and never answers, until told otherwise.
    pub fn set_silent(&self, silent: bool) {
        self.state().faults.silent = silent;
    }

    /// The engine can't be reached, until told otherwise.
    pub fn set_unreachable(&self, unreachable: bool) {
        self.state().faults.unreachable = unreachable;
    }

    /// Moves the fake's time on; what falls due on the way happens in its order.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.skip(by);
        state.changed = true;
    }

    /// Everything that there is now.
    pub fn look(&self) -> Snapshot {
        let state = self.state();
        Snapshot {
            services: state
                .services
                .iter()
                .map(|(name, s)| (name.clone(), ServiceSpec { replicas: s.replicas, ..(*s.spec).clone() }))
                .collect(),
            tasks: state.list_tasks(None),
            networks: state.networks.values().cloned().collect(),
            images: state.images.iter().map(|p| p.image.clone()).collect(),
            builds: state.builds,
            calls: state.calls.clone(),
        }
    }
}
