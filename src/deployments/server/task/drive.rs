//! The walk of one deployment through its phases. Every step can be killed at any line and begun again; a step ends with the next
//! phase, with a reason to fail, or with trouble that may pass (the swarm does not answer) and is tried again until the phase's
//! deadline. Whoever lost the lease stops at once and touches nothing more.
use crate::{
    clusters::server::service as clusters,
    deployments::{
        model::{CanarySettings, Dossier, Failure, Outcome, Phase},
        server::{
            dossier,
            failure::{self, Reason},
            redact::SecretValues,
            service::enter,
            task::{
                BEAT, beat, canary, cancel_requested,
                log::Log,
                run::{Run, Stop},
                start, steps,
            },
        },
    },
    error::{Error, Result, Thing},
    fault::Because,
    id::DeploymentId,
    runtime::{changes::Changed, panel::Panel},
    store::{
        backoff::Backoff,
        json::JsonText,
        tables::{application, deployment},
    },
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use std::{sync::Arc, time::Duration};

/// How soon a step that did not work out is tried again.
const AGAIN: Backoff = Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(8) };

/// Walks a deployment that was claimed until it is final, or until the lease is lost.
pub async fn walk(panel: &Arc<Panel>, id: &DeploymentId) {
    match begin(panel, id).await {
        Ok(Some(run)) => run.finish().await,
        Ok(None) => {}
        // The lease runs out and the deployment is tried again.
        Err(why) => tracing::warn!(deployment.id = %id, "a deployment can't be begun: {why}"),
    }
}

async fn begin(panel: &Arc<Panel>, id: &DeploymentId) -> Result<Option<Run>> {
    let db = panel.db.read();
    let row = deployment::Entity::find_by_id(id.clone()).one(db).await.because("looking up a deployment")?;
    let Some(row) = row.filter(|row| row.finished_at.is_none()) else { return Ok(None) };
    let app = application::Entity::find_by_id(row.application_id.clone()).one(db).await.because("looking up an application")?;
    let app = app.ok_or(Error::NotFound(Thing::APPLICATION))?;
    let cluster = clusters::place(panel, &app.cluster_id).await?.cluster;
    let swarm = clusters::swarm(panel, &cluster).await?;
    let log = Log::resume(panel, id).await?;
    if row.phase.is_active() {
        log.line(row.phase, "The panel was started again; this phase goes on.");
    }
    let canary = canary::planned(panel, id).await?;
    let secrets = SecretValues::of(panel, &row).await?;
    Ok(Some(Run { panel: panel.clone(), swarm, row, app, cluster, log, canary, secrets }))
}

/// Does the step of a phase and answers with the next one.
async fn step(run: &mut Run, phase: Phase) -> Result<Phase, Stop> {
    match phase {
        Phase::Queued => Ok(Phase::Preparing),
        Phase::Preparing => steps::prepare(run).await,
        Phase::Building => steps::build(run).await,
        Phase::Pushing => steps::push(run).await,
        Phase::Releasing => steps::release(run).await,
        Phase::Starting => start::start(run).await,
        Phase::Probing => {
            start::probe(run).await?;
            Ok(canary::after_probing(run).await?)
        }
        Phase::Canary => canary::canary(run).await,
        Phase::Switching => steps::switch(run).await,
        Phase::Draining => steps::drain(run).await,
        Phase::Live | Phase::Failed | Phase::Cancelled | Phase::Superseded => {
            Err(crate::fault::internal("walking a deployment", "it is final").into())
        }
    }
}

impl Run {
    async fn finish(mut self) {
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
                Err(Interruption::Cancelled) => self.cancel().await,
                // Past the switch there is no failing: to clean up would take away what visitors see.
                Err(Interruption::Stop(Stop::Failed(reason, _))) if !self.may_fail(phase) => Err(Stop::Passing(reason.sentence)),
                Err(Interruption::Stop(Stop::Failed(reason, dossier))) => self.fail(phase, reason, *dossier).await,
                Err(Interruption::Stop(other)) => Err(other),
            };
            match halted {
                Ok(()) => {}
                Err(Stop::Lost) => {
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
                    tracing::warn!(deployment.id = %id, %phase, "trying again: {}", self.secrets.hide(&told(&trouble)));
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
    fn give_up(&self, phase: Phase, trouble: &Stop) -> Option<Reason> {
        let over = self.panel.now().since(self.row.phase_at) > self.deadline(phase);
        (over && self.may_fail(phase)).then(|| match trouble {
            Stop::Passing(said) => {
                let said = failure::sentence(said);
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
    async fn guarded(&mut self, phase: Phase) -> Result<Phase, Interruption> {
        let (panel, id, log) = (self.panel.clone(), self.row.id.clone(), self.log.clone());
        let left = self.deadline(phase).saturating_sub(panel.now().since(self.row.phase_at)).max(Duration::from_secs(5));
        let step = async {
            match tokio::time::timeout(left, step(self, phase)).await {
                Ok(done) => done,
                Err(_) if phase.may_become(Phase::Failed) => Err(steps::timed_out(phase).into()),
                Err(_) => Err(Stop::Passing("it takes longer than it should".into())),
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
                        Ok(None) => return Interruption::Stop(Stop::Lost),
                        Err(why) => tracing::warn!(deployment.id = %id, "keeping the lease: {why}"),
                    }
                }
                if phase.can_cancel() && cancel_requested(&panel, &id).await.unwrap_or(false) {
                    return Interruption::Cancelled;
                }
            }
        };
        tokio::select! {
            biased;
            done = step => done.map_err(Interruption::Stop),
            stopped = watch => Err(stopped),
        }
    }

    /// Enters the next phase, in the row and in its history, if the lease is still ours.
    pub async fn advance(&mut self, next: Phase, failed: Option<(Failure, Dossier)>) -> Result<(), Stop> {
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
            return Err(Stop::Lost);
        }
        self.row.phase = next;
        self.row.phase_at = now;
        tracing::info!(deployment.id = %self.row.id, app.id = %self.app.id, "{phase} → {next}");
        self.panel.changes.tell(Changed::Deployment(self.row.id.clone()));
        self.panel.changes.tell(Changed::App(self.app.id.clone()));
        Ok(())
    }

    /// Ends as failed: the dossier is saved first, then what was made is removed, then the row says so.
    async fn fail(&mut self, phase: Phase, reason: Reason, given: Dossier) -> Result<(), Stop> {
        // The engine's words may be in it, and they may quote a variable.
        let reason = Reason { sentence: self.secrets.hide(&reason.sentence), ..reason };
        if phase == Phase::Switching {
            // The row decides: a switch whose commit was answered by an error may have been made all the same.
            let app = application::Entity::find_by_id(self.app.id.clone()).one(self.panel.db.read()).await;
            self.app = app.because("looking up an application")?.ok_or(Error::NotFound(Thing::APPLICATION))?;
            if !self.may_fail(phase) {
                return Err(Stop::Passing(reason.sentence));
            }
        }
        self.log.line(phase, &format!("Failed: {}", reason.sentence));
        canary::withdraw(self, Outcome::Failed, Some(&reason)).await?;
        let dossier = match tokio::time::timeout(Duration::from_secs(10), dossier::gather(self, given.clone())).await {
            Ok(dossier) => dossier,
            Err(_) => given,
        };
        steps::clean_up(self).await;
        let failure = Failure { phase, code: reason.code.into(), sentence: reason.sentence };
        self.advance(Phase::Failed, Some((failure, dossier))).await
    }

    async fn cancel(&mut self) -> Result<(), Stop> {
        self.say("Cancelled.");
        canary::take_away(self, Outcome::Cancelled).await?;
        self.advance(Phase::Cancelled, None).await
    }
}

enum Interruption {
    Cancelled,
    Stop(Stop),
}

fn told(trouble: &Stop) -> String {
    match trouble {
        Stop::Passing(said) => said.clone(),
        Stop::Error(why) => why.to_string(),
        Stop::Failed(reason, _) => reason.sentence.clone(),
        Stop::Lost => "the lease was lost".into(),
    }
}
