//! Machines, and which of them takes a task: Swarm's filters in Swarm's order, and Swarm's sentence where none fits.
use super::{
    state::{Machine, State},
    *,
};
use crate::docker::CPU_RESERVED_PERCENT;

/// Why a machine does not take a task, in the order in which Swarm asks.
const FILTERS: usize = 3;

impl State {
    pub fn add_machine(&mut self, cpu: MilliCpu, memory: Bytes) -> String {
        let n = self.machines.len() as u32;
        let id = format!("node{:05}", n + 1);
        let node = Node {
            id: id.clone(),
            hostname: format!("machine-{}", n + 1),
            address: IpAddr::from([10, 99, ((n + 1) >> 8) as u8, (n + 1) as u8]),
            manager: n == 0,
            ready: true,
            cpu,
            memory,
            labels: Labels::new(),
        };
        let (cpu_free, memory_free) = (i64::from(cpu.0) * 100, memory.0 as i64);
        self.machines.push(Machine { node, up: true, drained: false, cpu_free, memory_free, tasks: 0, next_port: 32768 });
        self.told.push(Event::Node);
        self.place_waiting();
        id
    }

    /// The machine of an id.
    pub fn machine(&mut self, id: &str) -> &mut Machine {
        self.machines.iter_mut().find(|m| m.node.id == id).unwrap_or_else(|| panic!("the fake has no node {id}"))
    }

    /// The emptiest machine that takes such a task, or Swarm's sentence on why there is none.
    pub fn find_room(&self, spec: &ServiceSpec) -> Result<usize, String> {
        let (cpu, memory) = claim(spec);
        let mut refusals = [0usize; FILTERS];
        let mut best: Option<usize> = None;
        for (i, machine) in self.machines.iter().enumerate() {
            if !machine.is_ready() {
                refusals[0] += 1;
            } else if machine.cpu_free < cpu || machine.memory_free < memory {
                refusals[1] += 1;
            } else if !spec.constraints.iter().all(|c| holds(c, &machine.node)) {
                refusals[2] += 1;
            } else if best.is_none_or(|b| machine.tasks < self.machines[b].tasks) {
                best = Some(i);
            }
        }
        best.ok_or_else(|| sentence(refusals))
    }

    /// Books a task's claim on a machine, or gives it back.
    pub fn book(&mut self, machine: usize, spec: &ServiceSpec, taken: bool) {
        let (cpu, memory) = claim(spec);
        let sign = if taken { -1 } else { 1 };
        let there = &mut self.machines[machine];
        there.cpu_free += sign * cpu;
        there.memory_free += sign * memory;
        there.tasks = if taken { there.tasks + 1 } else { there.tasks.saturating_sub(1) };
    }

    pub fn lose(&mut self, id: &str) {
        self.machine(id).up = false;
        self.told.push(Event::Node);
        self.vacate(id, TaskState::Orphaned);
    }

    pub fn drain(&mut self, id: &str, drained: bool) {
        self.machine(id).drained = drained;
        self.told.push(Event::Node);
        if drained {
            self.vacate(id, TaskState::Shutdown);
        }
        self.place_waiting();
    }

    pub fn regain(&mut self, id: &str) {
        self.machine(id).up = true;
        self.told.push(Event::Node);
        let orphans: Vec<u64> = self.on_machine(id).filter(|n| self.tasks[n].state == TaskState::Orphaned).collect();
        for number in orphans {
            self.settle(number, TaskState::Shutdown, "shutdown".into());
        }
        self.place_waiting();
    }

    /// Ends all tasks of a machine in this state and replaces them.
    fn vacate(&mut self, id: &str, state: TaskState) {
        let there: Vec<u64> = self.on_machine(id).filter(|n| self.tasks[n].is_live()).collect();
        for number in there {
            self.settle(number, state, if state == TaskState::Orphaned { "node is down".into() } else { "shutdown".into() });
            self.replace(number, Duration::ZERO);
        }
    }

    fn on_machine<'a>(&'a self, id: &str) -> impl Iterator<Item = u64> + use<'a> {
        let index = self.machines.iter().position(|m| m.node.id == id);
        self.tasks.values().filter(move |t| t.machine.is_some() && t.machine == index).map(|t| t.number)
    }

    /// Tries again to place what had no room.
    pub fn place_waiting(&mut self) {
        for number in std::mem::take(&mut self.waiting) {
            self.place(number, Duration::ZERO);
        }
    }
}

/// What a task reserves: hundredths of a thousandth of a core, and bytes.
fn claim(spec: &ServiceSpec) -> (i64, i64) {
    (i64::from(spec.cpu.0) * i64::from(CPU_RESERVED_PERCENT), spec.memory.0 as i64)
}

fn sentence(refusals: [usize; FILTERS]) -> String {
    let nodes = |n: usize| if n == 1 { "1 node".to_string() } else { format!("{n} nodes") };
    let [away, full, elsewhere] = refusals;
    let mut reasons = vec![
        (away, format!("{} not available for new tasks", nodes(away))),
        (full, format!("insufficient resources on {}", nodes(full))),
        (elsewhere, format!("scheduling constraints not satisfied on {}", nodes(elsewhere))),
    ];
    reasons.retain(|(n, _)| *n > 0);
    reasons.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
    let reasons: Vec<_> = reasons.into_iter().map(|(_, words)| words).collect();
    if reasons.is_empty() { "no suitable node".into() } else { format!("no suitable node ({})", reasons.join("; ")) }
}

/// Whether a machine satisfies a placement constraint.
fn holds(constraint: &str, node: &Node) -> bool {
    let (key, value, equal) = match (constraint.split_once("=="), constraint.split_once("!=")) {
        (Some((key, value)), _) => (key.trim(), value.trim(), true),
        (_, Some((key, value))) => (key.trim(), value.trim(), false),
        _ => return false,
    };
    let actual = match key {
        "node.id" => Some(node.id.as_str()),
        "node.hostname" => Some(node.hostname.as_str()),
        "node.role" => Some(if node.manager { "manager" } else { "worker" }),
        _ => key.strip_prefix("node.labels.").and_then(|k| node.labels.get(k)).map(String::as_str),
    };
    (actual == Some(value)) == equal
}
