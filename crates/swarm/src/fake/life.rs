//! The life of services and their tasks: created, placed, started, ended, started again, stopped, forgotten.
use super::{
    controls::Behaviour,
    script::{Plan, Step},
    state::{Copy, Due, LOG, Served, State, id},
    *,
};
use crate::template;

/// How long the swarm waits before it starts an ended task again.
const RESTART_DELAY: Duration = Duration::from_secs(2);
/// How many ended tasks it remembers per slot.
const HISTORY: usize = 3;

impl State {
    pub fn converge(&mut self, spec: &ServiceSpec) -> Result<Converged> {
        spec.check()?;
        self.try_templates(spec)?;
        let wanted = Arc::new(spec.clone());
        if let Some((name, _)) = &spec.network
            && !self.networks.contains_key(name)
        {
            return Err(SwarmError::NotFound(format!("network {name} not found")));
        }
        let done = match self.services.get_mut(&spec.name) {
            Some(there) => {
                let same = ServiceSpec { replicas: 0, ..(*there.spec).clone() } == ServiceSpec { replicas: 0, ..spec.clone() };
                if same && there.replicas == spec.replicas {
                    return Ok(Converged::Unchanged);
                }
                there.replicas = spec.replicas;
                if !same {
                    there.spec = wanted;
                }
                Converged::Updated
            }
            None => {
                let id = format!("service{:05}", self.number());
                let created = self.moment();
                self.services.insert(spec.name.clone(), Served { id, spec: wanted, replicas: spec.replicas, created });
                Converged::Created
            }
        };
        self.tell(&spec.labels);
        self.reconcile(&spec.name);
        Ok(done)
    }

    /// What a manager does with the values of an environment before it takes a service.
    fn try_templates(&self, spec: &ServiceSpec) -> Result<()> {
        for (name, value) in &spec.env {
            let sent = template::literal(value);
            let refuse = |why| SwarmError::Refused(format!("expanding env failed: expanding env {:?}: {why}", format!("{name}={sent}")));
            template::expand(&sent).map_err(refuse)?;
        }
        Ok(())
    }

    /// Prints a variable as it has arrived in the container.
    fn print(&mut self, number: u64, name: &str) {
        let sent = self.tasks[&number].spec.env.iter().find(|(key, _)| key == name).map(|(_, value)| template::literal(value));
        let arrived = sent.and_then(|sent| template::expand(&sent).ok()).unwrap_or_default();
        arrived.split('\n').for_each(|line| self.say(number, Stream::Out, line));
    }

    pub fn scale(&mut self, name: &str, to: u32) -> Result<()> {
        let there = self.services.get_mut(name).ok_or_else(|| SwarmError::NotFound(format!("service {name} not found")))?;
        there.replicas = to;
        self.reconcile(name);
        Ok(())
    }

    pub fn remove(&mut self, name: &str) {
        let Some(gone) = self.services.remove(name) else { return };
        for number in self.of.get(name).cloned().unwrap_or_default() {
            self.stop(number, true);
        }
        self.tell(&gone.spec.labels);
    }

    /// Gives every slot its task, and stops what is over.
    fn reconcile(&mut self, name: &str) {
        let Some(there) = self.services.get(name) else { return };
        let (spec, replicas) = (there.spec.clone(), there.replicas);
        let wanted: Vec<(u64, u32, bool)> =
            self.tasks_of(name).filter(|t| t.wanted).map(|t| (t.number, t.slot, Arc::ptr_eq(&t.spec, &spec))).collect();
        for (number, _, _) in wanted.iter().filter(|(_, slot, _)| *slot > replicas) {
            self.stop(*number, true);
        }
        for slot in 1..=replicas {
            if !wanted.iter().any(|(_, s, current)| *s == slot && *current) {
                self.create(&spec, slot, Duration::ZERO);
            }
        }
    }

    fn tasks_of<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Copy> + use<'a> {
        self.of.get(name).into_iter().flatten().filter_map(|n| self.tasks.get(n))
    }

    fn create(&mut self, spec: &Arc<ServiceSpec>, slot: u32, delay: Duration) {
        self.forget_old(&spec.name, slot);
        let number = self.number();
        let task = Copy {
            number,
            spec: spec.clone(),
            slot,
            machine: None,
            booked: false,
            state: TaskState::Pending,
            wanted: true,
            leaving: false,
            message: "pending task scheduling".into(),
            exit_code: None,
            out_of_memory: false,
            unhealthy: None,
            address: None,
            since: self.moment(),
            began: None,
            plan: Plan::default(),
            log: VecDeque::new(),
            server: None,
        };
        self.tasks.insert(number, task);
        self.of.entry(spec.name.clone()).or_default().insert(number);
        self.place(number, delay);
    }

    /// Puts a task on a machine, or lets it wait with Swarm's sentence.
    pub fn place(&mut self, number: u64, delay: Duration) {
        let Some(spec) = self.tasks.get(&number).filter(|t| t.state == TaskState::Pending).map(|t| t.spec.clone()) else { return };
        match self.find_room(&spec) {
            Err(words) => {
                self.waiting.insert(number);
                let task = self.tasks.get_mut(&number).expect("it was there a line above");
                task.message = format!("pending task scheduling: {words}");
            }
            Ok(machine) => {
                self.book(machine, &spec, true);
                let task = self.tasks.get_mut(&number).expect("it was there a line above");
                (task.machine, task.booked) = (Some(machine), true);
                self.enter(number, TaskState::Starting, "preparing".into());
                let slow = match State::latest(&self.behaviours, &spec.name, &spec.image, &spec.labels) {
                    Some(Behaviour::Slow(by)) => *by,
                    _ => Duration::ZERO,
                };
                self.later(delay.saturating_add(self.start_delay).saturating_add(slow), Due::Start(number));
            }
        }
    }

    /// Something that was due happens.
    pub fn happen(&mut self, what: Due) {
        match what {
            Due::Start(n) if self.is(n, TaskState::Starting) => self.start(n),
            Due::Step(n) if self.is(n, TaskState::Running) => self.go_on(n),
            Due::Stopped(n) if self.is(n, TaskState::Running) => self.settle(n, TaskState::Shutdown, "shutdown".into()),
            _ => {}
        }
    }

    fn is(&self, number: u64, state: TaskState) -> bool {
        self.tasks.get(&number).is_some_and(|t| t.state == state)
    }

    fn start(&mut self, number: u64) {
        let spec = self.tasks[&number].spec.clone();
        let rejected = match State::latest(&self.behaviours, &spec.name, &spec.image, &spec.labels) {
            Some(Behaviour::Reject(words)) => Some(words.clone()),
            _ => self.known_image(&spec.image).err().map(|_| format!("No such image: {}", spec.image)),
        };
        if let Some(words) = rejected {
            self.settle(number, TaskState::Rejected, format!("preparing: {words}"));
            return self.replace(number, RESTART_DELAY);
        }
        if let Some(Behaviour::Unstartable(words)) = State::latest(&self.behaviours, &spec.name, &spec.image, &spec.labels) {
            let message = format!("starting: starting container failed: {words}");
            if let Some(task) = self.tasks.get_mut(&number) {
                task.exit_code = Some(128);
            }
            self.settle(number, TaskState::Failed, message);
            return self.replace(number, RESTART_DELAY);
        }
        let plan = self.plan(&spec.image, &spec.labels, spec.command.as_ref(), Some(&spec.name));
        let now = self.now();
        let task = self.tasks.get_mut(&number).expect("it is being started");
        (task.plan, task.began) = (plan, Some(now));
        self.enter(number, TaskState::Running, "started".into());
        self.open(number);
        self.retire_predecessors(number);
        self.go_on(number);
    }

    /// A task of a newer spec runs: those that it replaces may go.
    fn retire_predecessors(&mut self, number: u64) {
        let (name, slot) = (self.tasks[&number].spec.name.clone(), self.tasks[&number].slot);
        let older: Vec<u64> =
            self.tasks_of(&name).filter(|t| t.slot == slot && t.number < number && t.is_live()).map(|t| t.number).collect();
        for number in older {
            self.stop(number, false);
        }
    }

    /// Runs a task's program up to its next rest.
    fn go_on(&mut self, number: u64) {
        loop {
            let Some(task) = self.tasks.get_mut(&number) else { return };
            match task.plan.advance() {
                Step::Say(stream, text) => self.say(number, stream, &text),
                Step::Print(name) => self.print(number, &name),
                Step::Sleep(length) => return self.later(length, Due::Step(number)),
                Step::Exit(code) => return self.end(number, code, false),
                Step::OutOfMemory => return self.end(number, 137, true),
                Step::Unhealthy(output) => {
                    task.unhealthy = Some(output);
                    task.exit_code = Some(143);
                    self.settle(number, TaskState::Failed, "starting: task: non-zero exit (143): dockerexec: unhealthy container".into());
                    return self.replace(number, RESTART_DELAY);
                }
                _ => return,
            }
        }
    }

    /// A task's program has ended.
    fn end(&mut self, number: u64, code: i64, out_of_memory: bool) {
        let Some(task) = self.tasks.get_mut(&number) else { return };
        (task.exit_code, task.out_of_memory) = (Some(code), out_of_memory);
        if out_of_memory {
            self.told.push(Event::OutOfMemory { container: format!("container-{}", id(number)) });
        }
        match code {
            0 => self.settle(number, TaskState::Complete, "finished".into()),
            _ => self.settle(number, TaskState::Failed, format!("started: task: non-zero exit ({code})")),
        }
        self.replace(number, RESTART_DELAY);
    }

    pub fn end_all(&mut self, subject: &str, code: i64, out_of_memory: bool) {
        for number in self.running_of(subject) {
            self.end(number, code, out_of_memory);
        }
    }

    pub fn say_all(&mut self, subject: &str, stream: Stream, text: &str) {
        for number in self.running_of(subject) {
            self.say(number, stream, text);
        }
    }

    fn running_of(&self, subject: &str) -> Vec<u64> {
        let one = [(subject.to_string(), ())];
        let means = |spec: &ServiceSpec| State::latest(&one, &spec.name, &spec.image, &spec.labels).is_some();
        self.tasks.values().filter(|t| t.state == TaskState::Running && means(&t.spec)).map(|t| t.number).collect()
    }

    fn say(&mut self, number: u64, stream: Stream, text: &str) {
        let nanos = self.unique_nanos();
        let Some(task) = self.tasks.get_mut(&number) else { return };
        task.log.push_back(LogLine { nanos, stream, text: text.into() });
        if task.log.len() > LOG {
            task.log.pop_front();
        }
        self.changed = true;
    }

    /// A task that ended without being told to is followed by another.
    pub fn replace(&mut self, number: u64, delay: Duration) {
        let Some(task) = self.tasks.get_mut(&number) else { return };
        let was_wanted = std::mem::replace(&mut task.wanted, false);
        let (name, slot) = (task.spec.name.clone(), task.slot);
        let has_successor = self.tasks_of(&name).any(|t| t.slot == slot && t.wanted);
        if let Some(there) = self.services.get(&name).filter(|s| was_wanted && !has_successor && slot <= s.replicas) {
            let spec = there.spec.clone();
            self.create(&spec, slot, delay);
        }
    }

    /// Tells a task to stop. One that leaves is forgotten once it has.
    fn stop(&mut self, number: u64, leaving: bool) {
        let Some(task) = self.tasks.get_mut(&number) else { return };
        (task.wanted, task.leaving) = (false, task.leaving || leaving);
        if task.state == TaskState::Running {
            let spec = task.spec.clone();
            self.later(self.stop_delay, Due::Stopped(number));
            self.tell(&spec.labels);
        } else if task.is_live() {
            self.settle(number, TaskState::Shutdown, "shutdown".into());
        } else if leaving {
            self.forget(number);
        }
    }

    /// A task comes to its end in this state.
    pub fn settle(&mut self, number: u64, state: TaskState, message: String) {
        self.enter(number, state, message);
        self.waiting.remove(&number);
        let Some(task) = self.tasks.get_mut(&number) else { return };
        (task.server, task.address) = (None, None);
        let booked = std::mem::take(&mut task.booked).then_some(task.machine).flatten();
        let (spec, leaving) = (task.spec.clone(), task.leaving);
        if leaving {
            self.forget(number);
        }
        if let Some(machine) = booked {
            self.book(machine, &spec, false);
            self.place_waiting();
        }
    }

    fn enter(&mut self, number: u64, state: TaskState, message: String) {
        let since = self.moment();
        let Some(task) = self.tasks.get_mut(&number) else { return };
        (task.state, task.message, task.since) = (state, message, since);
        let spec = task.spec.clone();
        self.tell(&spec.labels);
    }

    fn tell(&mut self, labels: &Labels) {
        self.changed = true;
        self.told.push(Event::Service { app: labels.get(LABEL_APP).cloned() });
    }

    fn forget(&mut self, number: u64) {
        if let Some(task) = self.tasks.remove(&number)
            && let Some(of) = self.of.get_mut(&task.spec.name)
        {
            of.remove(&number);
            if of.is_empty() {
                self.of.remove(&task.spec.name);
            }
        }
    }

    /// Forgets the oldest of the ended tasks of a slot.
    fn forget_old(&mut self, name: &str, slot: u32) {
        let ended: Vec<u64> = self.tasks_of(name).filter(|t| t.slot == slot && !t.is_live()).map(|t| t.number).collect();
        for number in ended.iter().take((ended.len() + 1).saturating_sub(HISTORY)) {
            self.forget(*number);
        }
    }
}
