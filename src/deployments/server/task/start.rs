//! Bringing a release up and finding out whether it really is: its service beside the old one, its own tasks running, each of them
//! answering its probe, for the whole stability window. A task that ends, is refused or lost fails the deployment at once.
use crate::{
    apps::server::view::{running, short},
    deployments::{
        model::{Dossier, Phase, ProbeReport},
        server::{
            failure::{self, Reason},
            spec,
            task::{
                canary,
                drive::{Drive, Halt},
                steps,
            },
        },
    },
    edge::{Probe, ProbeAnswer, probe as ask},
    swarm::{Task, TaskState},
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
pub async fn start(drive: &mut Drive) -> Result<Phase, Halt> {
    let release = steps::its_release(drive).await?;
    let replicas = drive.app.replicas as u32;
    let spec = spec::service(&drive.panel, &drive.app, &release, &drive.row.id, replicas).await?;
    drive.swarm.converge(&spec).await?;
    drive.say(&format!("Starting {replicas} {} of release {}.", if replicas == 1 { "replica" } else { "replicas" }, release.number));
    let (began, mut waiting) = (Instant::now(), None);
    let room = Duration::from_secs(drive.panel.config.deploy.room_seconds);
    loop {
        let tasks = drive.swarm.tasks(Some(&spec.name)).await?;
        refuse_dead(drive, &tasks)?;
        if running(&tasks).count() as u32 >= replicas {
            drive.say("All replicas run.");
            return Ok(Phase::Probing);
        }
        let pending =
            tasks.iter().find(|task| task.wanted && task.state == TaskState::Pending && task.message.contains("no suitable node"));
        let patience = Duration::from_secs(drive.panel.config.deploy.start_seconds);
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
        pause(drive).await;
    }
}

/// A task of this release that is dead fails it, whatever the others do. An engine that comes back ends its containers and starts
/// others; that is no fault of theirs.
fn refuse_dead(drive: &Drive, tasks: &[Task]) -> Result<(), Halt> {
    let memory = steps::memory(drive)?;
    let is_to_blame = |task: &&Task| !drive.panel.was_interrupted(&drive.cluster.provider_id, task.since);
    // The first that failed tells most; later ones may only follow from it.
    let dead = tasks.iter().rev().filter(is_to_blame).find_map(|task| failure::task(task, memory));
    dead.map_or(Ok(()), |reason| Err(reason.into()))
}

async fn pause(drive: &Drive) {
    let notice = drive.panel.changes.listen();
    let mut notice = notice;
    let app = drive.app.id.clone();
    crate::runtime::changes::ChangeBus::wait(&mut notice, LOOK, |what| *what == crate::runtime::changes::Changed::App(app.clone())).await;
}

/// Probes every task until all answer well for the whole stability window.
pub async fn probe(drive: &mut Drive) -> Result<Phase, Halt> {
    let release = steps::its_release(drive).await?;
    let settings = release.settings.read()?;
    let path = settings.health_check_path.as_ref().map(ToString::to_string);
    let port = release.port as u16;
    let question =
        Probe { host: format!("{}.{}", drive.app.host, drive.panel.config.edge.apps_domain), path: path.clone(), timeout: PATIENCE };
    let window = Duration::from_secs(drive.panel.config.deploy.stability_seconds);
    let patience = Duration::from_secs(drive.panel.config.deploy.start_seconds);
    let replicas = drive.app.replicas as usize;
    let (service, began) = (drive.service(), Instant::now());
    let mut well_since: Option<Instant> = None;
    let mut record = Record::default();
    drive.say(&match &path {
        Some(path) => format!("Probing GET {path} on port {port}."),
        None => format!("Probing port {port}."),
    });
    loop {
        let tasks = drive.swarm.tasks(Some(&service)).await?;
        if let Err(Halt::Failed(reason, _)) = refuse_dead(drive, &tasks) {
            return Err(Halt::Failed(reason, Box::new(record.dossier())));
        }
        let up: Vec<&Task> = running(&tasks).filter(|task| task.address.is_some()).collect();
        let well = up.len() >= replicas && all_answer(drive, &up, &question, &mut record).await;
        match (well, well_since) {
            (false, Some(_)) => {
                drive.say("A replica stopped answering; the stability window begins anew.");
                well_since = None;
            }
            (true, None) => {
                drive.say(&format!("All replicas answer; watching them for {} s.", window.as_secs()));
                well_since = Some(Instant::now());
            }
            _ => {}
        }
        if well_since.is_some_and(|since| since.elapsed() >= window) {
            return Ok(canary::after_probing(drive).await?);
        }
        if well_since.is_none() && began.elapsed() >= patience {
            let listening = match up.first() {
                Some(task) => drive.swarm.listening(&task.id).await.ok().flatten(),
                None => None,
            };
            let reason = match &record.worst {
                None => {
                    Reason::new("start_timeout", "The replicas did not stay up long enough to be asked. Look at the last lines of the log.")
                }
                worst => failure::probe(worst.as_ref(), port, path.as_deref(), listening.as_deref()),
            };
            return Err(Halt::Failed(reason, Box::new(record.dossier())));
        }
        // At the window's end there is nothing to wait for.
        let left = well_since.map_or(LOOK * 2, |since| (window.saturating_sub(since.elapsed())).min(LOOK * 2));
        tokio::time::sleep(left.max(Duration::from_millis(10))).await;
    }
}

/// What the probes answered.
#[derive(Default)]
struct Record {
    reports: Vec<ProbeReport>,
    last: HashMap<String, String>,
    worst: Option<ProbeAnswer>,
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

async fn all_answer(drive: &Drive, tasks: &[&Task], question: &Probe, record: &mut Record) -> bool {
    let asked =
        tasks.iter().filter_map(|task| Some((task, task.address?))).map(async |(task, address)| (task, ask(address, question).await));
    let mut well = true;
    for (task, answer) in futures::future::join_all(asked).await {
        let healthy = answer.is_healthy(question);
        if record.keep(&task.id, drive.panel.now(), &answer, healthy) {
            drive.say(&format!("Replica {}: {answer}.", task.slot));
        }
        if !healthy {
            record.worst = Some(answer);
            well = false;
        }
    }
    well
}
