//! What the swarm tells of its services and tasks.
use super::{
    state::{Copy, State, id},
    *,
};
use crate::template::without_values;

impl State {
    pub fn list_services(&self) -> Vec<Service> {
        let service = |(name, s): (&String, &state::Served)| Service {
            id: s.id.clone(),
            name: name.clone(),
            replicas: s.replicas,
            labels: with_mark(&s.spec.labels),
            created: s.created,
        };
        self.services.iter().map(service).collect()
    }

    pub fn list_tasks(&self, service: Option<&str>) -> Vec<Task> {
        let mut tasks: Vec<&Copy> = match service {
            Some(name) => self.of.get(name).into_iter().flatten().filter_map(|n| self.tasks.get(n)).collect(),
            None => self.tasks.values().collect(),
        };
        tasks.sort_by(|a, b| (&a.spec.name, a.slot, b.number).cmp(&(&b.spec.name, b.slot, a.number)));
        tasks.into_iter().map(|t| self.tell_task(t)).collect()
    }

    pub fn tell_task(&self, task: &Copy) -> Task {
        Task {
            id: id(task.number),
            service: task.spec.name.clone(),
            slot: task.slot,
            node: task.machine.map(|m| self.machines[m].node.id.clone()),
            state: task.state,
            wanted: task.wanted,
            message: without_values(&task.message, task.spec.env.iter().map(|(name, _)| name.as_str())),
            exit_code: task.exit_code,
            out_of_memory: task.out_of_memory,
            unhealthy: task.unhealthy.clone(),
            container: task.began.map(|_| format!("container-{}", id(task.number))),
            address: task.address,
            labels: with_mark(&task.spec.labels),
            since: task.since,
        }
    }

    /// A task that runs.
    fn running(&self, task: &str) -> Result<&Copy> {
        let there = &self.tasks[&self.find(task)?];
        if there.state == TaskState::Running { Ok(there) } else { Err(SwarmError::NotFound(format!("container of task {task}"))) }
    }

    pub fn stats(&self, task: &str) -> Result<Stats> {
        let there = self.running(task)?;
        if let Some(told) = State::latest(&self.usages, &there.spec.name, &there.spec.image, &there.spec.labels) {
            return Ok(*told);
        }
        // An idle program: a fiftieth of a core, a sixteenth of its memory.
        let age = there.began.map_or(Duration::ZERO, |began| self.now().saturating_duration_since(began));
        let cpu_nanos = u64::try_from(age.as_nanos() / 50).unwrap_or(u64::MAX);
        Ok(Stats { cpu_nanos, memory: Bytes(there.spec.memory.0 / 16), received: Bytes(0), sent: Bytes(0), pids: 2 })
    }

    pub fn listeners(&self, task: &str) -> Result<Option<Vec<Listener>>> {
        let number = self.find(task)?;
        let there = &self.tasks[&number];
        Ok((there.state == TaskState::Running).then(|| self.listeners_of(there)))
    }

    /// Where a running task listens.
    pub fn listeners_of(&self, task: &Copy) -> Vec<Listener> {
        if let Some(told) = State::latest(&self.listening, &task.spec.name, &task.spec.image, &task.spec.labels) {
            return told.clone();
        }
        let serves = !matches!(task.plan.steps.last(), Some(script::Step::Exit(_) | script::Step::OutOfMemory));
        let ports = task.plan.ports().unwrap_or_else(|| task.spec.port.filter(|_| serves).into_iter().collect());
        ports.into_iter().map(|port| Listener { address: std::net::Ipv4Addr::UNSPECIFIED.into(), port }).collect()
    }
}

/// Our labels with the mark that everything of ours carries.
pub(super) fn with_mark(labels: &Labels) -> Labels {
    let mut labels = labels.clone();
    labels.insert(OURS.into(), "true".into());
    labels
}
