//! The walk of one deployment through its phases. Every step can be killed at any line and begun again; a step ends with the next
//! phase, with a reason to fail, or with trouble that may pass (the swarm does not answer) and is tried again until the phase's
//! deadline. Whoever lost the lease stops at once and touches nothing more.
use crate::{
    apps::server::view::service_name,
    clusters::server::service as clusters,
    deployments::{
        model::{CanarySettings, Dossier, Failure, Outcome, Phase},
        server::{
            dossier,
            failure::Reason,
            service::enter,
            task::{BEAT, beat, canary, cancel_requested, log::Log, steps},
        },
    },
    error::{Error, Result, Thing},
    fault::Because,
    id::DeploymentId,
    runtime::{changes::Changed, panel::Panel},
    store::{
        backoff::Backoff,
        json::JsonText,
        tables::{application, cluster, deployment},
    },
    swarm::{Swarm, SwarmError},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use std::{sync::Arc, time::Duration};

/// How soon a step that did not work out is tried again.
const AGAIN: Backoff = Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(8) };

/// Why a step did not bring the next phase.
#[derive(Debug)]
pub enum Halt {
    /// The deployment failed, and this is why.
    Failed(Reason, Box<Dossier>),
    /// It may pass: try the step again.
    Passing(String),
    /// The panel itself is in trouble.
    Error(Error),
    /// Another panel holds the lease now.
    Lost,
}

impl From<Error> for Halt {
    fn from(why: Error) -> Self {
        Halt::Error(why)
    }
}

impl From<Reason> for Halt {
    fn from(reason: Reason) -> Self {
        Halt::Failed(reason, Box::default())
    }
}

impl From<SwarmError> for Halt {
    fn from(why: SwarmError) -> Self {
        match why {
            SwarmError::Refused(said) => {
                Reason::new("refused", format!("The swarm refused: {}.", crate::deployments::server::failure::sentence(&said))).into()
            }
            other => Halt::Passing(other.to_string()),
        }
    }
}

/// A deployment under way.
pub struct Drive {
    pub panel: Arc<Panel>,
    pub swarm: Arc<dyn Swarm>,
    pub row: deployment::Model,
    pub app: application::Model,
    pub cluster: cluster::Model,
    pub log: Log,
    /// How it shall be tried on a part of the visitors, where it shall.
    pub canary: Option<CanarySettings>,
}

/// Walks a deployment that was claimed until it is final, or until the lease is lost.
pub async fn walk(panel: &Arc<Panel>, id: &DeploymentId) {
    match begin(panel, id).await {
        Ok(Some(drive)) => drive.run().await,
        Ok(None) => {}
        // The lease runs out and the deployment is tried again.
        Err(why) => tracing::warn!(deployment.id = %id, "a deployment can't be begun: {why}"),
    }
}

async fn begin(panel: &Arc<Panel>, id: &DeploymentId) -> Result<Option<Drive>> {
    let db = panel.db.read();
    let row = deployment::Entity::find_by_id(id.clone()).one(db).await.because("looking up a deployment")?;
    let Some(row) = row.filter(|row| row.finished_at.is_none()) else { return Ok(None) };
    let app = application::Entity::find_by_id(row.application_id.clone()).one(db).await.because("looking up an application")?;
    let app = app.ok_or(Error::NotFound(Thing::Application))?;
    let cluster = clusters::place(panel, &app.cluster_id).await?.cluster;
    let swarm = clusters::swarm(panel, &cluster).await?;
    let log = Log::resume(panel, id).await?;
    if row.phase.is_active() {
        log.line(row.phase, "The panel was started again; this phase goes on.");
    }
    let canary = canary::planned(panel, id).await?;
    Ok(Some(Drive { panel: panel.clone(), swarm, row, app, cluster, log, canary }))
}

impl Drive {
    /// The name of the service that this deployment runs as.
    pub fn service(&self) -> String {
        service_name(&self.row.id)
    }

    /// Notes a line in the deployment's log.
    pub fn say(&self, text: &str) {
        self.log.line(self.row.phase, text);
    }

    async fn run(mut self) {
        let id = self.row.id.clone();
        let mut tries = 0;
        loop {
            let phase = self.row.phase;
            if phase.is_final() {
                return;
            }
            let halted = match self.guarded(phase).await {
                Ok(next) => {
                    tries = 0;
                    self.advance(next, None).await
                }
                Err(Stopped::Cancelled) => self.cancel().await,
                // Past the switch there is no failing: to clean up would take away what visitors see.
                Err(Stopped::Halt(Halt::Failed(reason, _))) if !self.may_fail(phase) => Err(Halt::Passing(reason.sentence)),
                Err(Stopped::Halt(Halt::Failed(reason, dossier))) => self.fail(phase, reason, *dossier).await,
                Err(Stopped::Halt(other)) => Err(other),
            };
            match halted {
                Ok(()) => {}
                Err(Halt::Lost) => {
                    tracing::info!(deployment.id = %id, "another panel goes on with this deployment");
                    return;
                }
                Err(trouble) => {
                    tries += 1;
                    if let Some(reason) = self.give_up(phase, &trouble)
                        && self.fail(phase, reason, Dossier::default()).await.is_ok()
                    {
                        return;
                    }
                    tracing::warn!(deployment.id = %id, %phase, "trying again: {}", told(&trouble));
                    tokio::time::sleep(AGAIN.after(tries)).await;
                    // A step that fails fast never comes to its own beat.
                    if matches!(beat(&self.panel, &id).await, Ok(None)) {
                        return;
                    }
                }
            }
        }
    }

    /// Trouble that lasts until the phase's deadline becomes a failure, as long as visitors do not see the new release.
    fn give_up(&self, phase: Phase, trouble: &Halt) -> Option<Reason> {
        let over = self.panel.now().since(self.row.phase_at) > self.deadline(phase);
        (over && self.may_fail(phase)).then(|| match trouble {
            Halt::Passing(said) => {
                let said = crate::deployments::server::failure::sentence(said);
                Reason::new(
                    "swarm_unreachable",
                    format!("The swarm did not answer for too long ({said}). Nothing was changed; deploy again."),
                )
            }
            other => Reason::new("internal", format!("The panel could not go on: {}", told(other))),
        })
    }

    /// Whether the deployment may still fail: visitors do not see its release yet.
    fn may_fail(&self, phase: Phase) -> bool {
        phase.may_become(Phase::Failed) && self.app.live_deployment_id.as_ref() != Some(&self.row.id)
    }

    fn deadline(&self, phase: Phase) -> Duration {
        let start = Duration::from_secs(self.panel.config.deploy.start_seconds);
        let stable = Duration::from_secs(self.panel.config.deploy.stability_seconds);
        match phase {
            // The step itself gives up a moment before, and knows why.
            Phase::Starting => start + Duration::from_secs(5),
            Phase::Probing => start + stable,
            Phase::Canary => self.canary.as_ref().map_or(phase.deadline(), CanarySettings::deadline),
            Phase::Draining => Duration::from_secs(self.panel.config.deploy.drain_seconds) + phase.deadline(),
            phase => phase.deadline(),
        }
    }

    /// Does the phase's step while the lease beats, the log is stored, and nobody cancels.
    async fn guarded(&mut self, phase: Phase) -> Result<Phase, Stopped> {
        let (panel, id, log) = (self.panel.clone(), self.row.id.clone(), self.log.clone());
        let left = self.deadline(phase).saturating_sub(panel.now().since(self.row.phase_at)).max(Duration::from_secs(5));
        let step = async {
            match tokio::time::timeout(left, steps::step(self, phase)).await {
                Ok(done) => done,
                Err(_) if phase.may_become(Phase::Failed) => Err(steps::timed_out(phase).into()),
                Err(_) => Err(Halt::Passing("it takes longer than it should".into())),
            }
        };
        let watch = async {
            // A canary may take hours, and there may be many.
            let often = Duration::from_millis(if phase == Phase::Canary { 1_000 } else { 250 });
            let mut ticks = tokio::time::interval(often);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut last_beat = tokio::time::Instant::now();
            loop {
                ticks.tick().await;
                log.flush().await.ok();
                if last_beat.elapsed() >= BEAT {
                    last_beat = tokio::time::Instant::now();
                    match beat(&panel, &id).await {
                        Ok(Some(_)) => {}
                        Ok(None) => return Stopped::Halt(Halt::Lost),
                        Err(why) => tracing::warn!(deployment.id = %id, "keeping the lease: {why}"),
                    }
                }
                if phase.can_cancel() && cancel_requested(&panel, &id).await.unwrap_or(false) {
                    return Stopped::Cancelled;
                }
            }
        };
        tokio::select! {
            biased;
            done = step => done.map_err(Stopped::Halt),
            stopped = watch => Err(stopped),
        }
    }

    /// Enters the next phase, in the row and in its history, if the lease is still ours.
    pub async fn advance(&mut self, next: Phase, failed: Option<(Failure, Dossier)>) -> Result<(), Halt> {
        let (now, phase) = (self.panel.now(), self.row.phase);
        if !phase.may_become(next) {
            return Err(crate::fault::internal("moving a deployment on", format!("{phase} can't become {next}")).into());
        }
        self.log.flush().await?;
        let mut change = deployment::ActiveModel { phase: Set(next), phase_at: Set(now), ..Default::default() };
        if next.is_final() {
            change.finished_at = Set(Some(now));
            change.lease_owner = Set(None);
            change.lease_until = Set(None);
        }
        if let Some((failure, dossier)) = &failed {
            change.failure = Set(Some(JsonText::of(failure)?));
            change.dossier = Set(Some(JsonText::of(dossier)?));
        }
        let moved = deployment::Entity::update_many()
            .set(change)
            .filter(deployment::Column::Id.eq(self.row.id.clone()))
            .filter(deployment::Column::Phase.eq(phase))
            .filter(deployment::Column::LeaseOwner.eq(self.panel.owner.clone()));
        let id = self.row.id.clone();
        let moved = self
            .panel
            .db
            .tx(async |tx| {
                let done = moved.exec(tx).await.because("moving a deployment on")?;
                if done.rows_affected == 1 {
                    enter(tx, &id, next, now).await?;
                }
                Ok(done.rows_affected)
            })
            .await?;
        if moved != 1 {
            return Err(Halt::Lost);
        }
        self.row.phase = next;
        self.row.phase_at = now;
        tracing::info!(deployment.id = %self.row.id, app.id = %self.app.id, "{phase} → {next}");
        self.panel.changes.tell(Changed::Deployment(self.row.id.clone()));
        self.panel.changes.tell(Changed::App(self.app.id.clone()));
        Ok(())
    }

    /// Ends as failed: the dossier is saved first, then what was made is removed, then the row says so.
    async fn fail(&mut self, phase: Phase, reason: Reason, given: Dossier) -> Result<(), Halt> {
        if phase == Phase::Switching {
            // The row decides: a switch whose commit was answered by an error may have been made all the same.
            let app = application::Entity::find_by_id(self.app.id.clone()).one(self.panel.db.read()).await;
            self.app = app.because("looking up an application")?.ok_or(Error::NotFound(Thing::Application))?;
            if !self.may_fail(phase) {
                return Err(Halt::Passing(reason.sentence));
            }
        }
        self.log.line(phase, &format!("Failed: {}", reason.sentence));
        canary::withdraw(self, Outcome::Failed, Some(&reason)).await?;
        let dossier = match tokio::time::timeout(Duration::from_secs(10), dossier::gather(self, given.clone())).await {
            Ok(dossier) => dossier,
            Err(_) => given,
        };
        self.clean_up().await;
        let failure = Failure { phase, code: reason.code.into(), sentence: reason.sentence };
        self.advance(Phase::Failed, Some((failure, dossier))).await
    }

    async fn cancel(&mut self) -> Result<(), Halt> {
        self.say("Cancelled.");
        self.take_away(Outcome::Cancelled).await?;
        self.advance(Phase::Cancelled, None).await
    }

    /// Gives visitors back to the release before, where some saw this one, and only then removes what was made.
    pub async fn take_away(&mut self, outcome: Outcome) -> Result<(), Halt> {
        canary::withdraw(self, outcome, None).await?;
        self.clean_up().await;
        Ok(())
    }

    /// Removes what this deployment made and nobody sees. What can't be removed now is removed by the converge loop.
    async fn clean_up(&self) {
        steps::forget_checkout(self).await;
        let work = async {
            self.swarm.remove(&self.service()).await?;
            steps::forget_image(self).await
        };
        match tokio::time::timeout(Duration::from_secs(15), work).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => tracing::warn!(deployment.id = %self.row.id, "cleaning up: {why}"),
            Err(_) => tracing::warn!(deployment.id = %self.row.id, "cleaning up took too long"),
        }
    }
}

enum Stopped {
    Cancelled,
    Halt(Halt),
}

fn told(trouble: &Halt) -> String {
    match trouble {
        Halt::Passing(said) => said.clone(),
        Halt::Error(why) => why.to_string(),
        Halt::Failed(reason, _) => reason.sentence.clone(),
        Halt::Lost => "the lease was lost".into(),
    }
}
