//! Tasks: Swarm's many states folded to those that differ for us, and where each copy answers. The manager alone does not know
//! that a container ran out of memory (it sees code 137), nor what a health check printed; the engine that ran it is asked, where it is the one we speak to.
use super::*;
use crate::template::without_values;
use bollard::{
    models::{self, TaskState as S},
    query_parameters::ListTasksOptionsBuilder,
};
use std::net::SocketAddr;

/// How long after its end a container may still learn that it was killed for want of memory.
const VERDICT: Duration = Duration::from_secs(10);
/// How many verdicts are remembered.
const REMEMBERED: usize = 4096;
/// Swarm's words for a task that it stopped because its image's health check failed.
const UNHEALTHY: &str = "unhealthy container";
/// The most that is kept of what a health check printed, in characters.
const OUTPUT: usize = 1000;

/// Why a container ended, as far as its engine alone knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ending {
    out_of_memory: bool,
    unhealthy: Option<String>,
}

impl Ending {
    fn of(state: &models::ContainerState) -> Self {
        let health = state.health.as_ref().filter(|health| health.status == Some(models::HealthStatusEnum::UNHEALTHY));
        let output = |health: &models::Health| health.log.as_ref()?.last()?.output.clone();
        let unhealthy = health.map(|health| output(health).unwrap_or_default().trim().chars().take(OUTPUT).collect());
        Ending { out_of_memory: state.oom_killed == Some(true), unhealthy }
    }

    fn add_to(self, task: &mut Task) {
        task.out_of_memory = self.out_of_memory;
        task.unhealthy = self.unhealthy.or_else(|| task.unhealthy.take());
    }
}

impl Engine {
    pub(super) async fn read_tasks(&self, service: Option<&str>) -> Result<Vec<Task>> {
        // By label and not by name: tasks that are still stopping outlive their service, and a name would no longer find them.
        let mine = match service {
            Some(name) => filters([("label", &format!("{}={name}", spec::NAME))]),
            None => filters([("label", OURS)]),
        };
        let options = ListTasksOptionsBuilder::default().filters(&mine).build();
        let listing = self.call("listing the tasks", |d| async move { d.list_tasks(Some(options)).await });
        let (here, nodes, listed) = tokio::join!(self.here(), self.list_nodes(), listing);
        let (here, nodes) = (here?, nodes?);
        let mut listed = listed?;
        listed.sort_by(|a, b| b.created_at.cmp(&a.created_at));
        let mut tasks: Vec<Task> = listed.into_iter().map(|t| task(t, &nodes, &here)).collect();
        tasks.sort_by(|a, b| (&a.service, a.slot).cmp(&(&b.service, b.slot)));
        // A program that ends well when it is told to stop is complete, though it was stopped for its health check.
        let ended = tasks.iter_mut().filter(|t| matches!(t.state, TaskState::Failed | TaskState::Complete) && t.node == here.node);
        futures::future::join_all(ended.map(|t| self.add_ending(t))).await;
        Ok(tasks)
    }

    /// Adds why the task's container ended, as far as its engine alone knows. A container that is gone tells nothing.
    async fn add_ending(&self, task: &mut Task) {
        let Some(container) = task.container.clone() else { return };
        let known = self.shared.ended.lock().expect("nobody panics with it").get(&container).cloned();
        if let Some(ending) = known {
            return ending.add_to(task);
        }
        let asked = self.inspect(&container).await;
        let ending = asked.as_ref().ok().and_then(|c| c.state.as_ref()).map(Ending::of).unwrap_or_default();
        ending.clone().add_to(task);
        let settled = now().since(task.since) > VERDICT && !matches!(asked, Err(SwarmError::Unreachable(_)));
        if ending != Ending::default() || settled {
            let mut ended = self.shared.ended.lock().expect("nobody panics with it");
            if ended.len() >= REMEMBERED {
                ended.clear();
            }
            ended.insert(container, ending);
        }
    }

    /// Whether a task has come to its end, or its node has gone away.
    pub(super) async fn has_ended(&self, task: &str) -> Result<bool> {
        let task = self.call("looking at a task", |d| async move { d.inspect_task(task).await }).await?;
        let nodes = self.list_nodes().await?;
        let node = nodes.iter().find(|n| n.id == task.node_id);
        Ok(!matches!(state(task.status.and_then(|s| s.state), node), TaskState::Pending | TaskState::Starting | TaskState::Running))
    }

    /// A task's container and the node that has it.
    pub(super) async fn container_of(&self, task: &str) -> Result<(Option<String>, Option<String>)> {
        let task = self.call("looking at a task", |d| async move { d.inspect_task(task).await }).await?;
        let container = task.status.and_then(|s| s.container_status?.container_id).filter(|c| !c.is_empty());
        Ok((container, task.node_id))
    }
}

fn task(task: models::Task, nodes: &[models::Node], here: &nodes::Here) -> Task {
    let status = task.status.unwrap_or_default();
    let node = task.node_id.filter(|id| !id.is_empty());
    let machine = nodes.iter().find(|n| n.id == node);
    let state = state(status.state, machine);
    let container = status.container_status.unwrap_or_default();
    let spec = task.spec.and_then(|s| s.container_spec).unwrap_or_default();
    let labels = spec.labels.unwrap_or_default();
    let env = spec.env.unwrap_or_default();
    let names = env.iter().filter_map(|variable| Some(variable.split_once('=')?.0));
    let message = without_values(&message(status.message, status.err), names);
    Task {
        id: task.id.unwrap_or_default(),
        service: labels.get(spec::NAME).cloned().or(task.service_id).unwrap_or_default(),
        slot: task.slot.unwrap_or_default().try_into().unwrap_or_default(),
        address: machine
            .and_then(|m| nodes::address(m, here))
            .filter(|_| is_live(state))
            .zip(port(status.port_status))
            .map(SocketAddr::from),
        node,
        state,
        wanted: !matches!(task.desired_state, Some(S::SHUTDOWN | S::REMOVE)),
        unhealthy: message.contains(UNHEALTHY).then(String::new),
        message,
        exit_code: exit_code(state, container.exit_code),
        out_of_memory: false,
        container: container.container_id.filter(|c| !c.is_empty()),
        labels: spec::told(labels.into_iter().collect()),
        since: moment(status.timestamp.as_ref()),
    }
}

/// A task whose node is away is an orphan at once; Swarm itself goes on calling it running for a day.
fn state(told: Option<S>, node: Option<&models::Node>) -> TaskState {
    let state = match told {
        None | Some(S::NEW | S::ALLOCATED | S::PENDING) => TaskState::Pending,
        Some(S::ASSIGNED | S::ACCEPTED | S::PREPARING | S::READY | S::STARTING) => TaskState::Starting,
        Some(S::RUNNING) => TaskState::Running,
        Some(S::COMPLETE) => TaskState::Complete,
        Some(S::FAILED) => TaskState::Failed,
        Some(S::REJECTED) => TaskState::Rejected,
        Some(S::SHUTDOWN | S::REMOVE) => TaskState::Shutdown,
        Some(S::ORPHANED) => TaskState::Orphaned,
    };
    let away = node.is_some_and(|n| !nodes::is_here(n));
    if away && is_live(state) { TaskState::Orphaned } else { state }
}

fn is_live(state: TaskState) -> bool {
    matches!(state, TaskState::Starting | TaskState::Running)
}

fn message(words: Option<String>, error: Option<String>) -> String {
    let (words, error) = (words.unwrap_or_default(), error.unwrap_or_default());
    if words.is_empty() || error.is_empty() { words + &error } else { format!("{words}: {error}") }
}

/// The API writes code 0 for everything that has not ended, and for a container that could not be started.
fn exit_code(state: TaskState, told: Option<i64>) -> Option<i64> {
    match state {
        TaskState::Complete => told.or(Some(0)),
        TaskState::Failed => told.filter(|code| *code != 0),
        _ => None,
    }
}

/// The ephemeral port. It is listed twice, for IPv4 and IPv6.
fn port(status: Option<models::PortStatus>) -> Option<u16> {
    let ports = status.and_then(|s| s.ports).unwrap_or_default();
    ports.into_iter().filter_map(|p| p.published_port).find_map(|p| u16::try_from(p).ok().filter(|p| *p != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(state: models::NodeState) -> models::Node {
        models::Node { status: Some(models::NodeStatus { state: Some(state), ..Default::default() }), ..Default::default() }
    }

    #[test]
    fn a_running_task_of_a_lost_node_is_an_orphan() {
        assert_eq!(state(Some(S::RUNNING), Some(&node(models::NodeState::DOWN))), TaskState::Orphaned);
        assert_eq!(state(Some(S::FAILED), Some(&node(models::NodeState::DOWN))), TaskState::Failed);
        assert_eq!(state(Some(S::RUNNING), Some(&node(models::NodeState::READY))), TaskState::Running);
    }

    #[test]
    fn swarms_zero_is_no_exit_code() {
        assert_eq!(exit_code(TaskState::Running, Some(0)), None);
        assert_eq!(exit_code(TaskState::Failed, Some(0)), None);
        assert_eq!(exit_code(TaskState::Failed, Some(137)), Some(137));
        assert_eq!(exit_code(TaskState::Complete, Some(0)), Some(0));
    }

    #[test]
    fn words_and_error_stand_together() {
        assert_eq!(message(Some("started".into()), Some("task: non-zero exit (1)".into())), "started: task: non-zero exit (1)");
        assert_eq!(message(Some("started".into()), Some(String::new())), "started");
    }
}
