//! A canary under way: its release runs beside the live one and gets a share of the requests, step by step, while both are measured over
//! the same span. Everything that was decided stands in the database before it is done, so that another panel goes on from there.
use crate::{
    apps::model::Wanted,
    audit::server::service::{Event, record_for},
    deployments::{
        model::{CanarySettings, Next, Numbers, Outcome, Phase, Wish, judge},
        server::{
            canary_numbers::{self, Sums},
            failure::{self, Reason},
            task::{
                drive::{Drive, Halt},
                routes, steps,
            },
        },
    },
    error::{Error, Result},
    fault::Because,
    id::DeploymentId,
    runtime::{
        changes::{ChangeBus, Changed},
        panel::Panel,
    },
    store::{
        Tx,
        json::JsonText,
        tables::{application, canary, canary_step, deployment},
    },
    swarm::TaskState,
    units::Timestamp,
    web::ctx::Origin,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::json;
use std::time::Duration;

/// How often the numbers are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The settings of a deployment that shall be a canary.
pub async fn planned(panel: &Panel, id: &DeploymentId) -> Result<Option<CanarySettings>> {
    find(panel, id).await?.map(|row| row.settings.read()).transpose()
}

async fn find(panel: &Panel, id: &DeploymentId) -> Result<Option<canary::Model>> {
    canary::Entity::find_by_id(id.clone()).one(panel.db.read()).await.because("looking up a canary")
}

/// The phase after the last probe: a share of the visitors where that was asked for and there is a release to compare with, else all.
pub async fn after_probing(drive: &mut Drive) -> Result<Phase> {
    if drive.canary.is_none() {
        return Ok(Phase::Switching);
    }
    let app =
        application::Entity::find_by_id(drive.app.id.clone()).one(drive.panel.db.read()).await.because("looking up an application")?;
    if app.is_some_and(|app| app.live_deployment_id.is_some_and(|live| live != drive.row.id) && app.wanted == Wanted::Running) {
        return Ok(Phase::Canary);
    }
    drive.say("No release serves that this one could be compared with, so all visitors get it at once.");
    Ok(Phase::Switching)
}

/// One look's worth of what a canary is.
struct Run {
    row: canary::Model,
    settings: CanarySettings,
    old: DeploymentId,
    step: canary_step::Model,
    baseline: Sums,
    numbers: Numbers,
}

/// Leads a growing share of the requests to the new release until it is judged.
pub async fn canary(drive: &mut Drive) -> Result<Phase, Halt> {
    let row = find(&drive.panel, &drive.row.id).await?.ok_or("it was never planned").because("going on with a canary")?;
    if let Some(outcome) = row.outcome {
        return over(drive, &row, outcome).await;
    }
    if row.started_at.is_none() {
        begin(drive, row).await?;
    }
    let mut run = resume(drive).await?;
    routes::pass(&drive.panel).await?;
    let mut words = drive.panel.changes.listen();
    let mut copies = None;
    loop {
        follow_scale(drive, &mut copies).await?;
        if let Some(next) = look(drive, &mut run).await? {
            return Ok(next);
        }
        let app = drive.app.id.clone();
        ChangeBus::wait(&mut words, LOOK, |what| *what == Changed::App(app.clone())).await;
    }
}

/// What follows from an outcome that was written by a panel that is gone.
async fn over(drive: &mut Drive, row: &canary::Model, outcome: Outcome) -> Result<Phase, Halt> {
    match outcome {
        Outcome::Promoted => Ok(Phase::Switching),
        Outcome::Superseded => {
            drive.take_away(outcome).await?;
            Ok(Phase::Superseded)
        }
        Outcome::RolledBack | Outcome::Failed => {
            let failure = row.failure.as_ref().map(JsonText::read).transpose()?;
            let (code, sentence) = failure.unwrap_or_else(|| ("canary_failed".into(), "The canary was ended. Deploy again.".into()));
            Err(Reason::new(failure::known_code(&code), sentence).into())
        }
        // Who waits for steps to end looks for this wish, and finds it.
        Outcome::Cancelled => std::future::pending().await,
    }
}

/// Gives the new release its first share.
async fn begin(drive: &mut Drive, row: canary::Model) -> Result<(), Halt> {
    steps::see(drive).await?;
    let app =
        application::Entity::find_by_id(drive.app.id.clone()).one(drive.panel.db.read()).await.because("looking up an application")?;
    let old = app.and_then(|app| app.live_deployment_id).ok_or("nothing is live").because("beginning a canary")?;
    let settings = row.settings.read()?;
    let first = settings.steps.first().copied().ok_or("it has no steps").because("beginning a canary")?;
    canary_numbers::gather(&drive.panel).await?;
    let now = drive.panel.now();
    let baseline = Sums::read(&drive.panel, &drive.app.id, &old, &drive.row.id, now).await?;
    let change = canary::ActiveModel {
        deployment_id: Set(drive.row.id.clone()),
        previous_deployment_id: Set(Some(old)),
        share: Set(i64::from(first.percent)),
        started_at: Set(Some(now)),
        ..Default::default()
    };
    let step = new_step(&drive.row.id, 0, i64::from(first.percent), &baseline, now)?;
    drive
        .panel
        .db
        .tx(async |tx| {
            ours(tx, drive).await?;
            change.update(tx).await.because("beginning a canary")?;
            canary_step::Entity::insert(step).exec_without_returning(tx).await.because("beginning a step")
        })
        .await?;
    say_share(drive, first.percent);
    Ok(())
}

fn say_share(drive: &Drive, percent: u32) {
    drive.say(&format!("{percent} % of the requests go to this release now."));
    drive.panel.changes.tell(Changed::Deployment(drive.row.id.clone()));
}

fn new_step(id: &DeploymentId, step: i64, percent: i64, baseline: &Sums, at: Timestamp) -> Result<canary_step::ActiveModel> {
    Ok(canary_step::ActiveModel {
        deployment_id: Set(id.clone()),
        step: Set(step),
        percent: Set(percent),
        baseline: Set(serde_json::to_string(baseline).because("writing a step's baseline")?),
        numbers: Set(JsonText::of(&Numbers::default())?),
        started_at: Set(at),
        finished_at: Set(None),
    })
}

async fn resume(drive: &Drive) -> Result<Run> {
    let row = find(&drive.panel, &drive.row.id).await?.ok_or("it is gone").because("going on with a canary")?;
    let last = canary_step::Entity::find()
        .filter(canary_step::Column::DeploymentId.eq(drive.row.id.clone()))
        .order_by_desc(canary_step::Column::Step);
    let step = last.one(drive.panel.db.read()).await.because("looking up a canary's step")?;
    let step = step.ok_or("it has no step").because("going on with a canary")?;
    let old = row.previous_deployment_id.clone().ok_or("it is compared with nothing").because("going on with a canary")?;
    Ok(Run {
        settings: row.settings.read()?,
        old,
        baseline: serde_json::from_str(&step.baseline).because("reading a step's baseline")?,
        numbers: step.numbers.read()?,
        step,
        row,
    })
}

/// Whoever comes late, after another panel took over, must not undo what has followed since.
async fn ours(tx: &Tx, drive: &Drive) -> Result<()> {
    let own = deployment::Entity::find_by_id(drive.row.id.clone()).one(tx).await.because("looking up a deployment")?;
    let own = own.filter(|own| own.lease_owner.as_ref() == Some(&drive.panel.owner) && own.finished_at.is_none());
    own.map(|_| ()).ok_or_else(|| Error::Conflict("Another panel goes on with this deployment.".into()))
}

/// The new release has as many copies as the live one, also when that is scaled meanwhile.
async fn follow_scale(drive: &mut Drive, copies: &mut Option<i64>) -> Result<(), Halt> {
    let app =
        application::Entity::find_by_id(drive.app.id.clone()).one(drive.panel.db.read()).await.because("looking up an application")?;
    let Some(app) = app.filter(|app| app.deleted_at.is_none() && *copies != Some(app.replicas)) else { return Ok(()) };
    match drive.swarm.scale(&drive.service(), app.replicas as u32).await {
        Ok(_) => *copies = Some(app.replicas),
        Err(why) => tracing::warn!(deployment.id = %drive.row.id, "scaling a canary: {why}"),
    }
    Ok(())
}

/// Looks at everything that can end a step or the canary; answers with the next phase where it is decided.
async fn look(drive: &mut Drive, run: &mut Run) -> Result<Option<Phase>, Halt> {
    // A wish goes before what the numbers say, and a newer deployment before both.
    run.row = find(&drive.panel, &drive.row.id).await?.ok_or("it is gone").because("going on with a canary")?;
    if is_outdated(drive).await? {
        drive.say("A newer deployment was asked for and takes the place of this one. All visitors get the release before again.");
        drive.take_away(Outcome::Superseded).await?;
        return Ok(Some(Phase::Superseded));
    }
    let who = run.row.wished_by.clone().unwrap_or_default();
    match run.row.wish {
        Some(Wish::Promote) => {
            count(drive, run, true).await?;
            drive.say(&format!("{who} lets all visitors have this release."));
            return promote(drive, run).await.map(Some);
        }
        Some(Wish::RollBack) => {
            count(drive, run, true).await?;
            let reason = format!("{who} took the release back while it had {} % of the requests.", run.step.percent);
            return Err(roll_back(drive, "canary_taken_back", reason).await?);
        }
        None => {}
    }
    refuse_dead(drive).await?;
    if count(drive, run, false).await? == Next::Wait {
        return Ok(None);
    }
    // Before anything is decided, the last requests count, too.
    match count(drive, run, true).await? {
        Next::Wait => Ok(None),
        Next::RollBack { code, sentence } => Err(roll_back(drive, code, sentence).await?),
        Next::Advance => match run.settings.steps.get(run.step.step as usize + 1).copied() {
            Some(step) => advance(drive, run, i64::from(step.percent)).await.map(|()| None),
            None => promote(drive, run).await.map(Some),
        },
    }
}

/// Whether a newer deployment waits.
async fn is_outdated(drive: &Drive) -> Result<bool> {
    let newer = deployment::Entity::find()
        .filter(deployment::Column::ApplicationId.eq(drive.app.id.clone()))
        .filter(deployment::Column::Phase.eq(Phase::Queued));
    Ok(newer.count(drive.panel.db.read()).await.because("looking for a newer deployment")? > 0)
}

/// A replica of the new release that ends by itself ends the canary. A machine that goes away is not its fault.
async fn refuse_dead(drive: &Drive) -> Result<(), Halt> {
    let tasks = match drive.swarm.tasks(Some(&drive.service())).await {
        Ok(tasks) => tasks,
        Err(why) => {
            tracing::warn!(deployment.id = %drive.row.id, "looking at a canary's tasks: {why}");
            return Ok(());
        }
    };
    let memory = steps::memory(drive)?;
    let has_ended = |task: &&crate::swarm::Task| matches!(task.state, TaskState::Failed | TaskState::Complete);
    let is_to_blame = |task: &&crate::swarm::Task| !drive.panel.was_interrupted(&drive.cluster.provider_id, task.since);
    let dead = tasks.iter().rev().filter(has_ended).filter(is_to_blame).find_map(|task| failure::task(task, memory));
    dead.map_or(Ok(()), |reason| Err(reason.into()))
}

/// Counts what both were asked in this step, writes it down where it is news, and judges it.
async fn count(drive: &Drive, run: &mut Run, to_the_last: bool) -> Result<Next> {
    let panel = &drive.panel;
    if to_the_last {
        canary_numbers::gather(panel).await?;
    }
    let sums = Sums::read(panel, &drive.app.id, &run.old, &drive.row.id, run.step.started_at).await?;
    let (old, new) = (sums.old.since(&run.baseline.old), sums.new.since(&run.baseline.new));
    let lasted = panel.now().since(run.step.started_at);
    let (verdict, next) = judge(&run.settings, run.step.step as usize, &old, &new, lasted);
    let seen = Numbers { old, new, verdict };
    if seen != run.numbers {
        let change = canary_step::ActiveModel {
            deployment_id: Set(drive.row.id.clone()),
            step: Set(run.step.step),
            numbers: Set(JsonText::of(&seen)?),
            ..Default::default()
        };
        panel
            .db
            .tx(async |tx| {
                ours(tx, drive).await?;
                change.update(tx).await.because("writing a step's numbers").map(|_| ())
            })
            .await?;
        run.numbers = seen;
        panel.changes.tell(Changed::Deployment(drive.row.id.clone()));
    }
    Ok(next)
}

/// Begins the next step. It counts from where this one ends, so that no request is lost between them.
async fn advance(drive: &mut Drive, run: &mut Run, percent: i64) -> Result<(), Halt> {
    let now = drive.panel.now();
    let baseline = Sums::read(&drive.panel, &drive.app.id, &run.old, &drive.row.id, now).await?;
    let step = new_step(&drive.row.id, run.step.step + 1, percent, &baseline, now)?;
    let done = finished(run, now);
    drive
        .panel
        .db
        .tx(async |tx| {
            ours(tx, drive).await?;
            done.update(tx).await.because("ending a step")?;
            canary_step::Entity::insert(step).exec_without_returning(tx).await.because("beginning a step")?;
            let change = canary::ActiveModel { deployment_id: Set(drive.row.id.clone()), share: Set(percent), ..Default::default() };
            change.update(tx).await.because("giving a release its share").map(|_| ())
        })
        .await?;
    *run = resume(drive).await?;
    routes::pass(&drive.panel).await?;
    say_share(drive, percent as u32);
    Ok(())
}

fn finished(run: &Run, at: Timestamp) -> canary_step::ActiveModel {
    canary_step::ActiveModel {
        deployment_id: Set(run.step.deployment_id.clone()),
        step: Set(run.step.step),
        finished_at: Set(Some(at)),
        ..Default::default()
    }
}

/// Everybody gets the release: first by its share, then by the switch that follows.
async fn promote(drive: &mut Drive, run: &Run) -> Result<Phase, Halt> {
    let change = canary::ActiveModel { share: Set(100), ..ended(drive, Outcome::Promoted, None)? };
    let done = finished(run, drive.panel.now());
    drive
        .panel
        .db
        .tx(async |tx| {
            ours(tx, drive).await?;
            done.update(tx).await.because("ending a step")?;
            change.update(tx).await.because("promoting a canary")?;
            tell(tx, drive, "deployment.canary_promoted", json!({ "numbers": run.numbers })).await
        })
        .await?;
    drive.say("The canary passed.");
    Ok(Phase::Switching)
}

/// Takes the release back and answers with the failure that says so.
async fn roll_back(drive: &mut Drive, code: &'static str, sentence: String) -> Result<Halt> {
    let change = canary::ActiveModel { share: Set(0), ..ended(drive, Outcome::RolledBack, Some((code, &sentence)))? };
    drive
        .panel
        .db
        .tx(async |tx| {
            ours(tx, drive).await?;
            end_steps(tx, &drive.row.id, drive.panel.now()).await?;
            change.update(tx).await.because("rolling a canary back")?;
            tell(tx, drive, "deployment.canary_rolled_back", json!({ "code": code, "reason": sentence })).await
        })
        .await?;
    Ok(Reason::new(code, sentence).into())
}

fn ended(drive: &Drive, outcome: Outcome, why: Option<(&str, &str)>) -> Result<canary::ActiveModel> {
    let why = why.map(|(code, sentence)| JsonText::of(&(code.to_string(), sentence.to_string()))).transpose()?;
    Ok(canary::ActiveModel {
        deployment_id: Set(drive.row.id.clone()),
        outcome: Set(Some(outcome)),
        failure: Set(why),
        finished_at: Set(Some(drive.panel.now())),
        ..Default::default()
    })
}

async fn end_steps(tx: &Tx, id: &DeploymentId, at: Timestamp) -> Result<()> {
    let open = canary_step::Entity::update_many()
        .set(canary_step::ActiveModel { finished_at: Set(Some(at)), ..Default::default() })
        .filter(canary_step::Column::DeploymentId.eq(id.clone()))
        .filter(canary_step::Column::FinishedAt.is_null());
    open.exec(tx).await.because("ending a step").map(|_| ())
}

/// Leaves a line in the trail: nobody did it, the numbers did.
async fn tell(tx: &Tx, drive: &Drive, name: &str, detail: serde_json::Value) -> Result<()> {
    let origin = Origin { address: String::new(), agent: String::new(), request_id: String::new() };
    let event = Event { name, target: drive.row.id.to_string(), detail };
    record_for(tx, &drive.app.organization_id, "system", &origin, drive.panel.now(), event).await
}

/// Gives all requests back to the release before, and lets those at the new one end. What was decided already stays decided.
pub async fn withdraw(drive: &mut Drive, outcome: Outcome, why: Option<&Reason>) -> Result<(), Halt> {
    let Some(row) = find(&drive.panel, &drive.row.id).await?.filter(|row| row.started_at.is_some()) else { return Ok(()) };
    // A promotion that came to nothing is none.
    let is_decided = row.outcome.is_some_and(|it| it != Outcome::Promoted || outcome == Outcome::Promoted);
    let change = match is_decided {
        true => canary::ActiveModel { deployment_id: Set(drive.row.id.clone()), share: Set(0), ..Default::default() },
        false => canary::ActiveModel { share: Set(0), ..ended(drive, outcome, why.map(|why| (why.code, why.sentence.as_str())))? },
    };
    drive
        .panel
        .db
        .tx(async |tx| {
            ours(tx, drive).await?;
            end_steps(tx, &drive.row.id, drive.panel.now()).await?;
            change.update(tx).await.because("taking a release's share away").map(|_| ())
        })
        .await?;
    routes::pass(&drive.panel).await?;
    let release = drive.row.id.clone();
    steps::let_end(drive, &release, "the new release").await?;
    last_numbers(drive).await?;
    Ok(())
}

/// Counts the requests that the new release had in hand when the canary was ended. What the old one was asked since is another matter.
async fn last_numbers(drive: &Drive) -> Result<()> {
    let mut run = resume(drive).await?;
    canary_numbers::gather(&drive.panel).await?;
    let sums = Sums::read(&drive.panel, &drive.app.id, &run.old, &drive.row.id, run.step.started_at).await?;
    run.numbers.new = sums.new.since(&run.baseline.new);
    let change = canary_step::ActiveModel {
        deployment_id: Set(drive.row.id.clone()),
        step: Set(run.step.step),
        numbers: Set(JsonText::of(&run.numbers)?),
        ..Default::default()
    };
    drive
        .panel
        .db
        .tx(async |tx| {
            ours(tx, drive).await?;
            change.update(tx).await.because("writing a step's numbers").map(|_| ())
        })
        .await
}

/// The switch is done: what leads to the release from now on is that it is live.
pub async fn landed(tx: &Tx, id: &DeploymentId) -> Result<()> {
    let over = canary::Entity::update_many()
        .set(canary::ActiveModel { share: Set(0), ..Default::default() })
        .filter(canary::Column::DeploymentId.eq(id.clone()));
    over.exec(tx).await.because("ending a canary").map(|_| ())
}
