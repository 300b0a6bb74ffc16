//! A canary under way: its release runs beside the live one and gets a share of the requests, step by step, while both are measured over
//! the same span. Everything that was decided stands in the database before it is done, so that another panel goes on from there.
use crate::{
    apps::model::Wanted,
    audit::server::service::{Event, record_for},
    deployments::{
        model::{CanarySettings, Next, Numbers, Outcome, Phase, Wish, judge},
        server::{
            canary_numbers::{self, Sums},
            events,
            failure::{self, Reason},
            task::{
                routes,
                run::{Run, Stop},
                steps,
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
        EventKind, Tx,
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
pub async fn after_probing(run: &mut Run) -> Result<Phase> {
    if run.canary.is_none() {
        return Ok(Phase::Switching);
    }
    let app = application::Entity::find_by_id(run.app.id.clone()).one(run.panel.db.read()).await.because("looking up an application")?;
    if app.is_some_and(|app| app.live_deployment_id.is_some_and(|live| live != run.row.id) && app.wanted == Wanted::Running) {
        return Ok(Phase::Canary);
    }
    run.say("No release serves that this one could be compared with, so all visitors get it at once.");
    Ok(Phase::Switching)
}

/// A canary on its current step, with what both releases were asked since the step began.
struct Trial {
    row: canary::Model,
    settings: CanarySettings,
    old: DeploymentId,
    step: canary_step::Model,
    baseline: Sums,
    numbers: Numbers,
}

/// Leads a growing share of the requests to the new release until it is judged.
pub async fn canary(run: &mut Run) -> Result<Phase, Stop> {
    let row = find(&run.panel, &run.row.id).await?.ok_or("it was never planned").because("going on with a canary")?;
    if let Some(outcome) = row.outcome {
        return over(run, &row, outcome).await;
    }
    if row.started_at.is_none() {
        begin(run, row).await?;
    }
    let mut trial = resume(run).await?;
    routes::pass(&run.panel).await?;
    let mut words = run.panel.changes.listen();
    let mut replicas = None;
    loop {
        follow_scale(run, &mut replicas).await?;
        if let Some(next) = look(run, &mut trial).await? {
            return Ok(next);
        }
        let app = run.app.id.clone();
        ChangeBus::wait(&mut words, LOOK, |what| *what == Changed::App(app.clone())).await;
    }
}

/// What follows from an outcome that was written by a panel that is gone.
async fn over(run: &mut Run, row: &canary::Model, outcome: Outcome) -> Result<Phase, Stop> {
    match outcome {
        Outcome::Promoted => Ok(Phase::Switching),
        Outcome::Superseded => {
            take_away(run, outcome).await?;
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
async fn begin(run: &mut Run, row: canary::Model) -> Result<(), Stop> {
    steps::see(run).await?;
    let app = application::Entity::find_by_id(run.app.id.clone()).one(run.panel.db.read()).await.because("looking up an application")?;
    let old = app.and_then(|app| app.live_deployment_id).ok_or("nothing is live").because("beginning a canary")?;
    let settings = row.settings.read()?;
    let first = settings.steps.first().copied().ok_or("it has no steps").because("beginning a canary")?;
    canary_numbers::gather(&run.panel).await?;
    let now = run.panel.now();
    let baseline = Sums::read(&run.panel, &run.app.id, &old, &run.row.id, now).await?;
    let change = canary::ActiveModel {
        deployment_id: Set(run.row.id.clone()),
        previous_deployment_id: Set(Some(old)),
        share: Set(i64::from(first.percent)),
        started_at: Set(Some(now)),
        ..Default::default()
    };
    let step = new_step(&run.row.id, 0, i64::from(first.percent), &baseline, now)?;
    run.panel
        .db
        .tx(async |tx| {
            ours(tx, run).await?;
            change.update(tx).await.because("beginning a canary")?;
            canary_step::Entity::insert(step).exec_without_returning(tx).await.because("beginning a step")
        })
        .await?;
    say_share(run, first.percent);
    Ok(())
}

fn say_share(run: &Run, percent: u32) {
    run.say(&format!("{percent} % of the requests go to this release now."));
    run.panel.changes.tell(Changed::Deployment(run.row.id.clone()));
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

async fn resume(run: &Run) -> Result<Trial> {
    let row = find(&run.panel, &run.row.id).await?.ok_or("it is gone").because("going on with a canary")?;
    let last = canary_step::Entity::find()
        .filter(canary_step::Column::DeploymentId.eq(run.row.id.clone()))
        .order_by_desc(canary_step::Column::Step);
    let step = last.one(run.panel.db.read()).await.because("looking up a canary's step")?;
    let step = step.ok_or("it has no step").because("going on with a canary")?;
    let old = row.previous_deployment_id.clone().ok_or("it is compared with nothing").because("going on with a canary")?;
    Ok(Trial {
        settings: row.settings.read()?,
        old,
        baseline: serde_json::from_str(&step.baseline).because("reading a step's baseline")?,
        numbers: step.numbers.read()?,
        step,
        row,
    })
}

/// Whoever comes late, after another panel took over, must not undo what has followed since.
async fn ours(tx: &Tx, run: &Run) -> Result<()> {
    let own = deployment::Entity::find_by_id(run.row.id.clone()).one(tx).await.because("looking up a deployment")?;
    let own = own.filter(|own| own.lease_owner.as_ref() == Some(&run.panel.owner) && own.finished_at.is_none());
    own.map(|_| ()).ok_or_else(|| Error::Conflict("Another panel goes on with this deployment.".into()))
}

/// The new release has as many replicas as the live one, also when that is scaled meanwhile.
async fn follow_scale(run: &mut Run, replicas: &mut Option<i64>) -> Result<(), Stop> {
    let app = application::Entity::find_by_id(run.app.id.clone()).one(run.panel.db.read()).await.because("looking up an application")?;
    let Some(app) = app.filter(|app| app.deleted_at.is_none() && *replicas != Some(app.replicas)) else { return Ok(()) };
    match run.swarm.scale(&run.service(), app.replicas as u32).await {
        Ok(_) => *replicas = Some(app.replicas),
        Err(why) => tracing::warn!(deployment.id = %run.row.id, "scaling a canary: {why}"),
    }
    Ok(())
}

/// Looks at everything that can end a step or the canary; answers with the next phase where it is decided.
async fn look(run: &mut Run, trial: &mut Trial) -> Result<Option<Phase>, Stop> {
    // A wish goes before what the numbers say, and a newer deployment before both.
    trial.row = find(&run.panel, &run.row.id).await?.ok_or("it is gone").because("going on with a canary")?;
    if is_outdated(run).await? {
        run.say("A newer deployment was asked for and takes the place of this one. All visitors get the release before again.");
        take_away(run, Outcome::Superseded).await?;
        return Ok(Some(Phase::Superseded));
    }
    let who = trial.row.wished_by.clone().unwrap_or_default();
    match trial.row.wish {
        Some(Wish::Promote) => {
            count(run, trial, true).await?;
            run.say(&format!("{who} lets all visitors have this release."));
            return promote(run, trial).await.map(Some);
        }
        Some(Wish::RollBack) => {
            count(run, trial, true).await?;
            let reason = format!("{who} took the release back while it had {} % of the requests.", trial.step.percent);
            return Err(roll_back(run, "canary_taken_back", reason).await?);
        }
        None => {}
    }
    refuse_dead(run).await?;
    if count(run, trial, false).await? == Next::Wait {
        return Ok(None);
    }
    // Before anything is decided, the last requests count, too.
    match count(run, trial, true).await? {
        Next::Wait => Ok(None),
        Next::RollBack { code, sentence } => Err(roll_back(run, code, sentence).await?),
        Next::Advance => match trial.settings.steps.get(trial.step.step as usize + 1).copied() {
            Some(step) => advance(run, trial, i64::from(step.percent)).await.map(|()| None),
            None => promote(run, trial).await.map(Some),
        },
    }
}

/// Whether a newer deployment waits.
async fn is_outdated(run: &Run) -> Result<bool> {
    let newer = deployment::Entity::find()
        .filter(deployment::Column::ApplicationId.eq(run.app.id.clone()))
        .filter(deployment::Column::Phase.eq(Phase::Queued));
    Ok(newer.count(run.panel.db.read()).await.because("looking for a newer deployment")? > 0)
}

/// A replica of the new release that ends by itself ends the canary. A machine that goes away is not its fault.
async fn refuse_dead(run: &Run) -> Result<(), Stop> {
    let tasks = match run.swarm.tasks(Some(&run.service())).await {
        Ok(tasks) => tasks,
        Err(why) => {
            tracing::warn!(deployment.id = %run.row.id, "looking at a canary's tasks: {why}");
            return Ok(());
        }
    };
    let memory = run.memory()?;
    let has_ended = |task: &&crate::swarm::Task| matches!(task.state, TaskState::Failed | TaskState::Complete);
    let is_to_blame = |task: &&crate::swarm::Task| !run.panel.was_interrupted(&run.cluster.provider_id, task.since);
    let dead = tasks.iter().rev().filter(has_ended).filter(is_to_blame).find_map(|task| failure::task(task, memory));
    dead.map_or(Ok(()), |reason| Err(reason.into()))
}

/// Counts what both were asked in this step, writes it down where it is news, and judges it.
async fn count(run: &Run, trial: &mut Trial, to_the_last: bool) -> Result<Next> {
    let panel = &run.panel;
    if to_the_last {
        canary_numbers::gather(panel).await?;
    }
    let sums = Sums::read(panel, &run.app.id, &trial.old, &run.row.id, trial.step.started_at).await?;
    let (old, new) = (sums.old.since(&trial.baseline.old), sums.new.since(&trial.baseline.new));
    let lasted = panel.now().since(trial.step.started_at);
    let (verdict, next) = judge(&trial.settings, trial.step.step as usize, &old, &new, lasted);
    let seen = Numbers { old, new, verdict };
    if seen != trial.numbers {
        let change = canary_step::ActiveModel {
            deployment_id: Set(run.row.id.clone()),
            step: Set(trial.step.step),
            numbers: Set(JsonText::of(&seen)?),
            ..Default::default()
        };
        panel
            .db
            .tx(async |tx| {
                ours(tx, run).await?;
                change.update(tx).await.because("writing a step's numbers").map(|_| ())
            })
            .await?;
        trial.numbers = seen;
        panel.changes.tell(Changed::Deployment(run.row.id.clone()));
    }
    Ok(next)
}

/// Begins the next step. It counts from where this one ends, so that no request is lost between them.
async fn advance(run: &mut Run, trial: &mut Trial, percent: i64) -> Result<(), Stop> {
    let now = run.panel.now();
    let baseline = Sums::read(&run.panel, &run.app.id, &trial.old, &run.row.id, now).await?;
    let step = new_step(&run.row.id, trial.step.step + 1, percent, &baseline, now)?;
    let done = finished(trial, now);
    run.panel
        .db
        .tx(async |tx| {
            ours(tx, run).await?;
            done.update(tx).await.because("ending a step")?;
            canary_step::Entity::insert(step).exec_without_returning(tx).await.because("beginning a step")?;
            let change = canary::ActiveModel { deployment_id: Set(run.row.id.clone()), share: Set(percent), ..Default::default() };
            change.update(tx).await.because("giving a release its share").map(|_| ())
        })
        .await?;
    *trial = resume(run).await?;
    routes::pass(&run.panel).await?;
    say_share(run, percent as u32);
    Ok(())
}

fn finished(trial: &Trial, at: Timestamp) -> canary_step::ActiveModel {
    canary_step::ActiveModel {
        deployment_id: Set(trial.step.deployment_id.clone()),
        step: Set(trial.step.step),
        finished_at: Set(Some(at)),
        ..Default::default()
    }
}

/// Everybody gets the release: first by its share, then by the switch that follows.
async fn promote(run: &mut Run, trial: &Trial) -> Result<Phase, Stop> {
    let change = canary::ActiveModel { share: Set(100), ..ended(run, Outcome::Promoted, None)? };
    let done = finished(trial, run.panel.now());
    run.panel
        .db
        .tx(async |tx| {
            ours(tx, run).await?;
            done.update(tx).await.because("ending a step")?;
            change.update(tx).await.because("promoting a canary")?;
            tell(tx, run, events::DEPLOYMENT_CANARY_PROMOTED, json!({ "numbers": trial.numbers })).await
        })
        .await?;
    run.say("The canary passed.");
    Ok(Phase::Switching)
}

/// Takes the release back and answers with the failure that says so.
async fn roll_back(run: &mut Run, code: &'static str, sentence: String) -> Result<Stop> {
    let change = canary::ActiveModel { share: Set(0), ..ended(run, Outcome::RolledBack, Some((code, &sentence)))? };
    run.panel
        .db
        .tx(async |tx| {
            ours(tx, run).await?;
            end_steps(tx, &run.row.id, run.panel.now()).await?;
            change.update(tx).await.because("rolling a canary back")?;
            tell(tx, run, events::DEPLOYMENT_CANARY_ROLLED_BACK, json!({ "code": code, "reason": sentence })).await
        })
        .await?;
    Ok(Reason::new(code, sentence).into())
}

fn ended(run: &Run, outcome: Outcome, why: Option<(&str, &str)>) -> Result<canary::ActiveModel> {
    let why = why.map(|(code, sentence)| JsonText::of(&(code.to_string(), sentence.to_string()))).transpose()?;
    Ok(canary::ActiveModel {
        deployment_id: Set(run.row.id.clone()),
        outcome: Set(Some(outcome)),
        failure: Set(why),
        finished_at: Set(Some(run.panel.now())),
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
async fn tell(tx: &Tx, run: &Run, kind: EventKind, detail: serde_json::Value) -> Result<()> {
    let event = Event { kind, target: run.row.id.to_string(), detail };
    record_for(tx, &run.app.organization_id, "system", &Origin::system(), run.panel.now(), event).await
}

/// Gives all requests back to the release before, and lets those at the new one end. What was decided already stays decided.
pub async fn withdraw(run: &mut Run, outcome: Outcome, why: Option<&Reason>) -> Result<(), Stop> {
    let Some(row) = find(&run.panel, &run.row.id).await?.filter(|row| row.started_at.is_some()) else { return Ok(()) };
    // A promotion that came to nothing is none.
    let is_decided = row.outcome.is_some_and(|it| it != Outcome::Promoted || outcome == Outcome::Promoted);
    let change = match is_decided {
        true => canary::ActiveModel { deployment_id: Set(run.row.id.clone()), share: Set(0), ..Default::default() },
        false => canary::ActiveModel { share: Set(0), ..ended(run, outcome, why.map(|why| (why.code, why.sentence.as_str())))? },
    };
    run.panel
        .db
        .tx(async |tx| {
            ours(tx, run).await?;
            end_steps(tx, &run.row.id, run.panel.now()).await?;
            change.update(tx).await.because("taking a release's share away").map(|_| ())
        })
        .await?;
    routes::pass(&run.panel).await?;
    let release = run.row.id.clone();
    steps::let_end(run, &release, "the new release").await?;
    last_numbers(run).await?;
    Ok(())
}

/// Gives visitors back to the release before, where some saw this one, and only then removes what was made.
pub async fn take_away(run: &mut Run, outcome: Outcome) -> Result<(), Stop> {
    withdraw(run, outcome, None).await?;
    steps::clean_up(run).await;
    Ok(())
}

/// Counts the requests that the new release had in hand when the canary was ended. What the old one was asked since is another matter.
async fn last_numbers(run: &Run) -> Result<()> {
    let mut trial = resume(run).await?;
    canary_numbers::gather(&run.panel).await?;
    let sums = Sums::read(&run.panel, &run.app.id, &trial.old, &run.row.id, trial.step.started_at).await?;
    trial.numbers.new = sums.new.since(&trial.baseline.new);
    let change = canary_step::ActiveModel {
        deployment_id: Set(run.row.id.clone()),
        step: Set(trial.step.step),
        numbers: Set(JsonText::of(&trial.numbers)?),
        ..Default::default()
    };
    run.panel
        .db
        .tx(async |tx| {
            ours(tx, run).await?;
            change.update(tx).await.because("writing a step's numbers").map(|_| ())
        })
        .await
}
