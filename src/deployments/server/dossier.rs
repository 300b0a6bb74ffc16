//! The dossier of a failure: how the tasks stood in the swarm's own words, what the probes answered, and the last lines that the
//! application wrote. Gathered before the containers go.
use crate::{
    apps::server::view::{short, words},
    deployments::{
        model::{Dossier, TaskLine, TaskReport},
        server::task::{log::plain, run::Run},
    },
    swarm::{LogQuery, Task},
    units::Timestamp,
};
use futures::StreamExt;
use std::time::Duration;

/// Lines of the application's own log that are kept.
const LINES: usize = 200;
/// Tasks that are reported.
const TASKS: usize = 30;

/// Adds tasks and logs to what is given. What can't be had is left out: a dossier must not fail.
pub async fn gather(run: &Run, mut dossier: Dossier) -> Dossier {
    let tasks = match run.swarm.tasks(Some(&run.service())).await {
        Ok(tasks) => tasks,
        Err(why) => {
            tracing::warn!(deployment.id = %run.row.id, "no task states for the dossier: {why}");
            return dossier;
        }
    };
    dossier.tasks = tasks.iter().take(TASKS).map(|task| report(run, task)).collect();
    for task in tasks.iter().take(4) {
        dossier.logs.extend(last_lines(run, task).await);
    }
    dossier.logs.sort_by_key(|line| line.at);
    let extra = dossier.logs.len().saturating_sub(LINES);
    dossier.logs.drain(..extra);
    dossier
}

fn report(run: &Run, task: &Task) -> TaskReport {
    TaskReport {
        id: short(&task.id),
        slot: task.slot,
        node: task.node.clone(),
        state: words(task),
        message: plain(&run.secrets.hide(&task.message)),
        exit_code: task.exit_code,
        out_of_memory: task.out_of_memory,
        at: task.since,
    }
}

async fn last_lines(run: &Run, task: &Task) -> Vec<TaskLine> {
    let query = LogQuery { after: None, tail: Some(LINES as u32), follow: false };
    let Ok(stream) = run.swarm.logs(&task.id, query).await else { return Vec::new() };
    let lines = stream.take(LINES).filter_map(|line| std::future::ready(line.ok())).collect::<Vec<_>>();
    let lines = tokio::time::timeout(Duration::from_secs(3), lines).await.unwrap_or_default();
    lines
        .into_iter()
        .map(|line| TaskLine { task: short(&task.id), at: Timestamp(line.nanos / 1_000_000), text: plain(&line.text) })
        .collect()
}
