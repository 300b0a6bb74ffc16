//! Bringing a release up and finding out whether it really is: its service beside the old one, its own tasks running, each of them
//! answering its probe, for the whole stability window. A task that ends, is refused or lost fails the deployment at once.
use crate::{
    apps::server::view::{running, short},
    deployments::{
        model::{ALL_ANSWER, Dossier, Phase, ProbeReport, WARNING},
        server::{
            failure::{self, Reason},
            spec,
            task::run::{Run, Stop},
        },
    },
    edge::{Probe, ProbeAnswer, probe_as_routed},
    routing::server::policies::policies,
    swarm::{Listener, Task, TaskState},
    units::Timestamp,
};
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;

/// How often the tasks are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How long a probe may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Answers that the dossier keeps.
const ANSWERS: usize = 20;

/// Creates the service and waits until all of its tasks run.
pub async fn start(run: &mut Run) -> Result<Phase, Stop> {
    let release = run.release().await?;
    let replicas = run.app.replicas as u32;
    let spec = spec::service(&run.panel, &run.app, &release, &run.row.id, replicas).await?;
    run.swarm.converge(&spec).await?;
    run.say(&format!("Starting {replicas} {} of release {}.", if replicas == 1 { "replica" } else { "replicas" }, release.number));
    let (began, mut waiting) = (Instant::now(), None);
    let room = Duration::from_secs(run.panel.config.deploy.room_seconds);
    loop {
        let tasks = run.swarm.tasks(Some(&spec.name)).await?;
        refuse_dead(run, &tasks)?;
        if running(&tasks).count() as u32 >= replicas {
            run.say("All replicas run.");
            return Ok(Phase::Probing);
        }
        let pending =
            tasks.iter().find(|task| task.wanted && task.state == TaskState::Pending && task.message.contains("no suitable node"));
        let patience = Duration::from_secs(run.panel.config.deploy.start_seconds);
        if began.elapsed() >= patience && tasks.iter().any(|task| task.wanted && task.state == TaskState::Pending) {
            let why = format!("The swarm gave the replicas to no machine within {} s. Tell the operator.", patience.as_secs());
            return Err(Reason::new("not_placed", why).into());
        }
        match pending {
            Some(task) if waiting.get_or_insert_with(Instant::now).elapsed() >= room => {
                return Err(failure::no_room(&task.message, spec.memory).into());
            }
            Some(_) => {}
            None => waiting = None,
        }
        pause(run).await;
    }
}

/// A task of this release that is dead fails it, whatever the others do. An engine that comes back ends its containers and starts
/// others; that is no fault of theirs.
fn refuse_dead(run: &Run, tasks: &[Task]) -> Result<(), Stop> {
    let memory = run.memory()?;
    let is_to_blame = |task: &&Task| !run.panel.was_interrupted(&run.cluster.provider_id, task.since);
    // The first that failed tells most; later ones may only follow from it.
    let dead = tasks.iter().rev().filter(is_to_blame).find_map(|task| failure::task(task, memory));
    dead.map_or(Ok(()), |reason| Err(reason.into()))
}

async fn pause(run: &Run) {
    let notice = run.panel.changes.listen();
    let mut notice = notice;
    let app = run.app.id.clone();
    crate::runtime::changes::ChangeBus::wait(&mut notice, LOOK, |what| *what == crate::runtime::changes::Changed::App(app.clone())).await;
}

/// Probes every task until all answer well for the whole stability window.
pub async fn probe(run: &mut Run) -> Result<(), Stop> {
    let release = run.release().await?;
    let settings = release.settings.read()?;
    let path = settings.health_check_path.as_ref().map(ToString::to_string);
    let port = release.port as u16;
    // As visitors will be led to it: who speaks only HTTP/2 answers no other question.
    let is_http2 = policies(&run.panel).await?.is_h2c(&run.app.id);
    let question = Probe { host: format!("{}.{}", run.app.host, run.panel.config.edge.apps_domain), path: path.clone(), timeout: PATIENCE };
    let window = Duration::from_secs(run.panel.config.deploy.stability_seconds);
    let patience = Duration::from_secs(run.panel.config.deploy.start_seconds);
    let replicas = run.app.replicas as usize;
    let (service, began) = (run.service(), Instant::now());
    let mut well_since: Option<Instant> = None;
    let mut record = Record::default();
    run.say(&match &path {
        Some(path) => format!("Probing GET {path} on port {port}."),
        None => format!("Probing port {port}."),
    });
    loop {
        let tasks = run.swarm.tasks(Some(&service)).await?;
        if let Err(Stop::Failed(reason, _)) = refuse_dead(run, &tasks) {
            return Err(Stop::Failed(reason, Box::new(record.dossier())));
        }
        let up: Vec<&Task> = running(&tasks).filter(|task| task.address.is_some()).collect();
        let well = up.len() >= replicas && all_answer(run, &up, (&question, is_http2), &mut record).await;
        match (well, well_since) {
            (false, Some(_)) => {
                run.say("A replica stopped answering; the stability window begins anew.");
                well_since = None;
            }
            (true, None) => {
                run.say(&format!("{ALL_ANSWER}; watching them for {} s.", window.as_secs()));
                well_since = Some(Instant::now());
            }
            _ => {}
        }
        if well_since.is_some_and(|since| since.elapsed() >= window) {
            return Ok(());
        }
        if !well {
            warn(run, &up, port, &mut record).await;
        }
        if well_since.is_none() && began.elapsed() >= patience {
            let reason = match &record.worst {
                None => {
                    Reason::new("start_timeout", "The replicas did not stay up long enough to be asked. Look at the last lines of the log.")
                }
                worst => failure::probe(worst.as_ref(), port, path.as_deref(), listeners(run, &up).await.as_deref()),
            };
            return Err(Stop::Failed(reason, Box::new(record.dossier())));
        }
        // At the window's end there is nothing to wait for.
        let left = well_since.map_or(LOOK * 2, |since| (window.saturating_sub(since.elapsed())).min(LOOK * 2));
        tokio::time::sleep(left.max(Duration::from_millis(10))).await;
    }
}

/// Where the first of the replicas listens, as far as that can be seen.
async fn listeners(run: &Run, up: &[&Task]) -> Option<Vec<Listener>> {
    run.swarm.listeners(&up.first()?.id).await.ok().flatten()
}

/// Says at once what keeps the probes from going well, where that can be seen: the wait goes on, since the application may still begin to
/// listen elsewhere, but nobody has to wait for the verdict to learn of it. What is seen twice in succession is no passing state of its start.
async fn warn(run: &Run, up: &[&Task], port: u16, record: &mut Record) {
    let mut seen = match record.worst {
        Some(ProbeAnswer::NotHttp | ProbeAnswer::OtherHttp { .. }) => {
            Some(failure::probe(record.worst.as_ref(), port, None, None).sentence)
        }
        Some(ProbeAnswer::Refused | ProbeAnswer::Closed) => {
            listeners(run, up).await.and_then(|listeners| failure::observed(&listeners, port))
        }
        _ => None,
    };
    std::mem::swap(&mut record.observed, &mut seen);
    if record.observed.is_some() && record.observed == seen && record.observed != record.warned {
        record.warned = seen;
        run.say(&format!("{WARNING}{}", record.warned.as_deref().unwrap_or_default()));
    }
}

/// What the probes answered.
#[derive(Default)]
struct Record {
    reports: Vec<ProbeReport>,
    last: HashMap<String, String>,
    worst: Option<ProbeAnswer>,
    /// What was seen of the first replica at the last look.
    observed: Option<String>,
    /// The last warning.
    warned: Option<String>,
}

impl Record {
    fn dossier(&self) -> Dossier {
        Dossier { probes: self.reports.clone(), ..Default::default() }
    }

    /// Keeps an answer that differs from the task's last one.
    fn keep(&mut self, task: &str, at: Timestamp, answer: &ProbeAnswer, healthy: bool) -> bool {
        let said = match answer {
            ProbeAnswer::Answered { status, .. } => status.to_string(),
            other => other.to_string(),
        };
        if self.last.insert(task.to_string(), said.clone()) == Some(said) {
            return false;
        }
        self.reports.push(ProbeReport { task: short(task), at, answer: answer.to_string(), healthy });
        let extra = self.reports.len().saturating_sub(ANSWERS);
        self.reports.drain(..extra);
        true
    }
}

async fn all_answer(run: &Run, tasks: &[&Task], (question, is_http2): (&Probe, bool), record: &mut Record) -> bool {
    let asked = tasks
        .iter()
        .filter_map(|task| Some((task, task.address?)))
        .map(async |(task, address)| (task, probe_as_routed(address, question, is_http2).await));
    let mut well = true;
    for (task, answer) in futures::future::join_all(asked).await {
        let healthy = answer.is_healthy(question);
        if record.keep(&task.id, run.panel.now(), &answer, healthy) {
            run.say(&format!("Replica {}: {answer}.", task.slot));
        }
        if !healthy {
            record.worst = Some(answer);
            well = false;
        }
    }
    well
}
