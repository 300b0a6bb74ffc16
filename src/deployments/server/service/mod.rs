//! What members do with deployments: ask for one, roll back, restart, cancel, look.
pub mod canary;

use crate::{
    apps::model::{Branch, Settings, Source},
    audit::server::service::record,
    deployments::{
        model::{CanarySettings, DeployRequest, Deployment, Kind, LogLine, Phase, RELEASE, Strategy, check_commit},
        server::{events, service::canary as canaries, view},
    },
    error::{Error, Fields, Result},
    fault::Because,
    id::{AppId, DeploymentId},
    orgs::server::{DEPLOYMENTS, hold::goes_on},
    rights::Action,
    runtime::changes::{ChangeBus, Changed},
    store::{
        Tx, is_taken,
        json::JsonText,
        random,
        tables::{application, deployment, deployment_log, deployment_phase, release},
    },
    units::Timestamp,
    web::{
        api::{Pagination, Paging},
        ctx::{Ctx, Granted},
        in_flight,
    },
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use serde_json::json;
use std::time::Duration;

/// Asks for a deployment of the source as it is now.
pub async fn deploy(ctx: &Ctx, id: &AppId, request: &DeployRequest) -> Result<Deployment> {
    let app = ctx.app(id).to(Action::Deploy).await?;
    let settings = app.settings.read()?;
    let mut fields = Fields::default();
    let commit = request.commit_hash.as_ref().and_then(|text| fields.take("commit_hash", check_commit(text.trim())));
    let branch = request.branch.as_ref().and_then(|text| fields.take("branch", text.trim().parse::<Branch>()));
    let strategy = request.strategy.as_ref().and_then(|text| fields.take("strategy", text.parse::<Strategy>()));
    if matches!(settings.source, Source::Image { .. }) && (commit.is_some() || branch.is_some()) {
        fields.refuse("commit_hash", "This application is made from an image; it has no commits or branches.");
    }
    fields.done()?;
    let branch = match &settings.source {
        Source::Git { branch: own, .. } => Some(branch.map_or_else(|| own.to_string(), |branch| branch.to_string())),
        Source::Image { .. } => None,
    };
    let canary = canaries::wanted(ctx, &app, Kind::Deploy, strategy).await?;
    let new = New { request: request.clone(), commit, branch, canary, ..New::of(Kind::Deploy, &app) };
    enqueue(ctx, &app, new).await
}

/// Asks for the live image with the settings and the environment that are wanted now.
pub async fn configure(ctx: &Ctx, id: &AppId) -> Result<Deployment> {
    let app = ctx.app(id).to(Action::Deploy).await?;
    let release = live_release(ctx, &app).await?;
    let image = (release.image, release.port);
    let source = (release.commit_hash, release.commit_subject, release.branch);
    let canary = canaries::wanted(ctx, &app, Kind::Configure, None).await?;
    let new = New { image: Some(image), subject: source.1, commit: source.0, branch: source.2, canary, ..New::of(Kind::Configure, &app) };
    enqueue(ctx, &app, new).await
}

/// Asks for the live release in fresh containers, the old ones serving until the new ones do.
pub async fn restart(ctx: &Ctx, id: &AppId) -> Result<Deployment> {
    let app = ctx.app(id).to(Action::Deploy).await?;
    let release = live_release(ctx, &app).await?;
    enqueue(ctx, &app, New::again(Kind::Restart, &app, release)).await
}

/// Asks for the release of an earlier deployment: its image, configuration and environment.
pub async fn rollback(ctx: &Ctx, id: &DeploymentId) -> Result<Deployment> {
    let old = ctx.deployment(id).to(Action::Deploy).await?;
    let app = ctx.app(&old.application_id).to(Action::Deploy).await?;
    let nothing = || Error::Conflict("This deployment never went live; there is nothing to roll back to.".into());
    if old.phase != Phase::Live {
        return Err(nothing());
    }
    let release = find_release(ctx, old.release_id.clone().ok_or_else(nothing)?).await?;
    if app.live_deployment_id.as_ref() == Some(id) {
        return Err(Error::Conflict("This deployment is live already.".into()));
    }
    if !release.image_kept {
        let why = format!("The image of release {} is no longer kept. Deploy its commit again.", release.number);
        return Err(Error::Conflict(why));
    }
    enqueue(ctx, &app, New::again(Kind::Rollback, &app, release)).await
}

async fn live_release(ctx: &Ctx, app: &application::Model) -> Result<release::Model> {
    let nothing = || Error::Conflict("Nothing is live yet. Deploy the application first.".into());
    let id = app.live_deployment_id.clone().ok_or_else(nothing)?;
    let live = deployment::Entity::find_by_id(id).one(ctx.panel.db.read()).await.because("looking up the live deployment")?;
    find_release(ctx, live.and_then(|live| live.release_id).ok_or_else(nothing)?).await
}

async fn find_release(ctx: &Ctx, id: crate::id::ReleaseId) -> Result<release::Model> {
    let found = release::Entity::find_by_id(id).one(ctx.panel.db.read()).await.because("looking up a release")?;
    found.ok_or(Error::NotFound(RELEASE))
}

/// What a new deployment begins with.
struct New {
    kind: Kind,
    request: DeployRequest,
    settings: JsonText<Settings>,
    env_version: i64,
    image: Option<(String, i64)>,
    release: Option<crate::id::ReleaseId>,
    branch: Option<String>,
    commit: Option<String>,
    subject: Option<String>,
    canary: Option<CanarySettings>,
}

impl New {
    fn of(kind: Kind, app: &application::Model) -> Self {
        New {
            kind,
            request: DeployRequest::default(),
            settings: app.settings.clone(),
            env_version: app.env_version,
            image: None,
            release: None,
            branch: None,
            commit: None,
            subject: None,
            canary: None,
        }
    }

    fn again(kind: Kind, app: &application::Model, release: release::Model) -> Self {
        New {
            settings: release.settings,
            env_version: release.env_version,
            image: Some((release.image, release.port)),
            release: Some(release.id),
            branch: release.branch,
            commit: release.commit_hash,
            subject: release.commit_subject,
            ..New::of(kind, app)
        }
    }
}

/// Puts a deployment into the queue; an older one that still waits there is superseded.
async fn enqueue(ctx: &Ctx, app: &Granted<application::Model>, new: New) -> Result<Deployment> {
    let panel = &ctx.panel;
    let (id, now): (DeploymentId, Timestamp) = (random::id(), panel.now());
    let request = JsonText::of(&new.request)?;
    panel
        .db
        .tx(async |tx| {
            goes_on(tx, &app.organization_id).await?;
            supersede(tx, app, now).await?;
            let count = deployment::Entity::find().filter(deployment::Column::ApplicationId.eq(app.id.clone())).count(tx).await;
            let row = deployment::ActiveModel {
                id: Set(id.clone()),
                organization_id: Set(app.organization_id.clone()),
                application_id: Set(app.id.clone()),
                number: Set(count.because("counting deployments")? as i64 + 1),
                kind: Set(new.kind),
                phase: Set(Phase::Queued),
                request: Set(request),
                settings: Set(new.settings),
                env_version: Set(new.env_version),
                image_port: Set(new.image.as_ref().map(|(_, port)| *port)),
                image: Set(new.image.map(|(image, _)| image)),
                branch: Set(new.branch),
                commit_hash: Set(new.commit),
                commit_subject: Set(new.subject),
                release_id: Set(new.release),
                cancel_requested: Set(false),
                created_by: Set(ctx.who.name.clone()),
                created_at: Set(now),
                phase_at: Set(now),
                ..Default::default()
            };
            match deployment::Entity::insert(row).exec_without_returning(tx).await {
                Err(why) if is_taken(&why) => {
                    return Err(Error::Conflict("Another deployment was asked for at the same moment. Try again.".into()));
                }
                done => done.because("making a deployment")?,
            };
            enter(tx, &id, Phase::Queued, now).await?;
            let strategy = if new.canary.is_some() { Strategy::Canary } else { Strategy::BlueGreen };
            if let Some(canary) = &new.canary {
                canaries::plan(tx, &app.id, &id, canary).await?;
            }
            record(tx, ctx, events::DEPLOYMENT_REQUESTED, &id, json!({ "application": app.id, "kind": new.kind, "strategy": strategy }))
                .await
        })
        .await?;
    panel.wake(DEPLOYMENTS);
    panel.changes.tell(Changed::App(app.id.clone()));
    view::shown(ctx, &id, Action::Deploy).await
}

async fn supersede(tx: &Tx, app: &application::Model, now: Timestamp) -> Result<()> {
    let waiting = deployment::Entity::find()
        .filter(deployment::Column::ApplicationId.eq(app.id.clone()))
        .filter(deployment::Column::Phase.eq(Phase::Queued));
    for old in waiting.all(tx).await.because("looking for a waiting deployment")? {
        let change = deployment::ActiveModel {
            id: Set(old.id.clone()),
            phase: Set(Phase::Superseded),
            phase_at: Set(now),
            finished_at: Set(Some(now)),
            ..Default::default()
        };
        change.update(tx).await.because("superseding a deployment")?;
        enter(tx, &old.id, Phase::Superseded, now).await?;
    }
    Ok(())
}

/// Notes when a phase was entered; entering it again after a takeover keeps the first time.
pub async fn enter(tx: &Tx, id: &DeploymentId, phase: Phase, at: Timestamp) -> Result<()> {
    let row = deployment_phase::ActiveModel { deployment_id: Set(id.clone()), phase: Set(phase), started_at: Set(at) };
    let keep = sea_orm::sea_query::OnConflict::columns([deployment_phase::Column::DeploymentId, deployment_phase::Column::Phase])
        .do_nothing()
        .to_owned();
    match deployment_phase::Entity::insert(row).on_conflict(keep).exec_without_returning(tx).await {
        Err(sea_orm::DbErr::RecordNotInserted) => Ok(()),
        done => done.because("noting a phase").map(|_| ()),
    }
}

/// Asks to end a deployment; what visitors see stays as it is.
pub async fn cancel(ctx: &Ctx, id: &DeploymentId) -> Result<Deployment> {
    let row = ctx.deployment(id).to(Action::Deploy).await?;
    let phase = row.phase;
    if phase.is_final() {
        return Err(Error::Conflict(format!("This deployment is over already: {}.", phase.word().to_lowercase())));
    }
    if !phase.can_cancel() {
        return Err(Error::Conflict("Visitors see the new release already. Roll back instead.".into()));
    }
    let now = ctx.panel.now();
    ctx.panel
        .db
        .tx(async |tx| {
            record(tx, ctx, events::DEPLOYMENT_CANCELLED, id, json!({})).await?;
            let wish = deployment::Entity::update_many()
                .col_expr(deployment::Column::CancelRequested, Expr::value(true))
                .filter(deployment::Column::Id.eq(id.clone()))
                .filter(deployment::Column::FinishedAt.is_null());
            wish.exec(tx).await.because("asking to cancel")?;
            // One that still waits is over at once; nobody works on it.
            let waiting = deployment::Entity::update_many()
                .col_expr(deployment::Column::Phase, Expr::value(Phase::Cancelled))
                .col_expr(deployment::Column::PhaseAt, Expr::value(now.0))
                .col_expr(deployment::Column::FinishedAt, Expr::value(now.0))
                .filter(deployment::Column::Id.eq(id.clone()))
                .filter(deployment::Column::Phase.eq(Phase::Queued));
            if waiting.exec(tx).await.because("cancelling a waiting deployment")?.rows_affected == 1 {
                enter(tx, id, Phase::Cancelled, now).await?;
            }
            Ok(())
        })
        .await?;
    ctx.panel.waker(DEPLOYMENTS).notify_waiters();
    ctx.panel.changes.tell(Changed::Deployment(id.clone()));
    view::shown(ctx, id, Action::Deploy).await
}

/// One deployment with its phases and dossier.
pub async fn get(ctx: &Ctx, id: &DeploymentId) -> Result<Deployment> {
    view::shown(ctx, id, Action::View).await
}

/// The deployment once it is final, or as it stands when the time is up.
pub async fn wait(ctx: &Ctx, id: &DeploymentId, at_most: Duration) -> Result<Deployment> {
    in_flight::let_go();
    let mut listener = ctx.panel.changes.listen();
    let until = tokio::time::Instant::now() + at_most;
    loop {
        let deployment = get(ctx, id).await?;
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        if deployment.phase.is_final() || left.is_zero() || ctx.panel.stop.is_cancelled() {
            return Ok(deployment);
        }
        let ours = |changed: &Changed| *changed == Changed::Deployment(id.clone());
        ChangeBus::wait(&mut listener, left.min(Duration::from_secs(2)), ours).await;
    }
}

/// A page of an application's deployments, the newest first.
pub async fn list(ctx: &Ctx, id: &AppId, paging: Paging) -> Result<(Vec<Deployment>, Pagination)> {
    let app = ctx.app(id).to(Action::View).await?;
    let all = ctx.deployments().filter(deployment::Column::ApplicationId.eq(id.clone()));
    let db = ctx.panel.db.read();
    let total = all.clone().count(db).await.because("counting deployments")?;
    let page = all.order_by_desc(deployment::Column::Number).offset(paging.offset()).limit(paging.limit);
    let rows = page.all(db).await.because("listing deployments")?;
    Ok((view::views(&ctx.panel, &app, rows).await?, paging.of(total)))
}

/// Lines of the log after `after`, at most `limit`.
pub async fn log(ctx: &Ctx, id: &DeploymentId, after: i64, limit: u64) -> Result<Vec<LogLine>> {
    ctx.deployment(id).to(Action::View).await?;
    lines(ctx, id, after, limit).await
}

/// The last lines of the log.
pub async fn log_tail(ctx: &Ctx, id: &DeploymentId, limit: u64) -> Result<Vec<LogLine>> {
    ctx.deployment(id).to(Action::View).await?;
    let last = deployment_log::Entity::find()
        .filter(deployment_log::Column::DeploymentId.eq(id.clone()))
        .order_by_desc(deployment_log::Column::Seq)
        .limit(limit);
    let mut rows = last.all(ctx.panel.db.read()).await.because("reading a log")?;
    rows.reverse();
    Ok(rows.into_iter().map(line).collect())
}

/// Lines without asking for the right again: for a stream that asked once.
pub async fn lines(ctx: &Ctx, id: &DeploymentId, after: i64, limit: u64) -> Result<Vec<LogLine>> {
    let rows = deployment_log::Entity::find()
        .filter(deployment_log::Column::DeploymentId.eq(id.clone()))
        .filter(deployment_log::Column::Seq.gt(after))
        .order_by_asc(deployment_log::Column::Seq)
        .limit(limit);
    Ok(rows.all(ctx.panel.db.read()).await.because("reading a log")?.into_iter().map(line).collect())
}

fn line(row: deployment_log::Model) -> LogLine {
    LogLine { seq: row.seq, at: row.at, phase: row.phase, text: row.text }
}
