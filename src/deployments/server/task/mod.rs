//! The queue: claims deployments with a lease, walks them, and keeps the lease alive. A panel that dies stops beating; another (or the
//! same one, started again) takes the deployment over from the phase that it was in. Leases are told by the database's clock.
pub mod canary;
pub mod converge;
pub mod drive;
pub mod garbage;
pub mod log;
pub mod routes;
pub mod run;
pub mod start;
pub mod steps;

use crate::orgs::server::{APPLICATIONS, DEPLOYMENTS};
use crate::{
    deployments::model::Phase,
    error::Result,
    fault::Because,
    id::DeploymentId,
    runtime::{
        loops::{Loop, Outcome},
        panel::Panel,
    },
    store::{
        lease::{Lease, is_free, is_mine, release},
        tables::deployment,
    },
};
use futures::FutureExt;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinSet;

/// How long a lease holds without a beat.
pub const LEASE: Duration = Duration::from_secs(20);
/// How often it beats.
pub const BEAT: Duration = Duration::from_secs(4);

/// The loop. While the panel serves, each deployment is walked beside the others; a pass walks one after the other.
pub const LOOP: Loop =
    Loop::new("deployments", Duration::from_secs(3), |panel| pass(panel).boxed()).woken_by(DEPLOYMENTS).runs_as(|panel| run(panel).boxed());

/// Deployments that this panel works on now.
#[derive(Default)]
pub struct WorkerSlots {
    busy: Mutex<HashSet<DeploymentId>>,
}

impl WorkerSlots {
    fn take(&self, id: &DeploymentId) -> bool {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone())
    }

    fn let_go(&self, id: &DeploymentId) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    fn has(&self, id: &DeploymentId) -> bool {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }
}

/// Works on the queue until the panel stops.
pub async fn run(panel: Arc<Panel>) {
    let hands = Arc::new(WorkerSlots::default());
    let mut walks = JoinSet::new();
    while !panel.stop.is_cancelled() {
        match claim(&panel, &hands).await {
            Ok(Some(id)) => {
                let (panel, hands) = (panel.clone(), hands.clone());
                walks.spawn(async move {
                    drive::walk(&panel, &id).await;
                    hands.let_go(&id);
                    panel.wake(DEPLOYMENTS);
                    panel.wake(APPLICATIONS);
                });
                continue;
            }
            Ok(None) => {}
            Err(why) => tracing::warn!("deployments: {why}"),
        }
        while walks.try_join_next().is_some() {}
        tokio::select! {
            () = panel.waker(DEPLOYMENTS).notified() => {}
            () = tokio::time::sleep(Duration::from_secs(3)) => {}
            () = panel.stop.cancelled() => {}
        }
    }
    // What is under way is left where it is: its lease is given back, and who starts next goes on from its phase.
    walks.shutdown().await;
    if let Err(why) = release_all(&panel).await {
        tracing::warn!("giving leases back: {why}");
    }
}

/// Works on the queue until nothing is left to claim; for tests.
pub async fn pass(panel: &Arc<Panel>) -> Result<Outcome> {
    let hands = WorkerSlots::default();
    let mut done = 0;
    while let Some(id) = claim(panel, &hands).await? {
        drive::walk(panel, &id).await;
        hands.let_go(&id);
        done += 1;
    }
    Ok((done > 0).then(|| format!("walked {done} deployments")))
}

/// Takes the oldest deployment that nobody holds and whose application has none under way.
async fn claim(panel: &Panel, hands: &WorkerSlots) -> Result<Option<DeploymentId>> {
    let now = panel.db.now().await?;
    let rows: Vec<(DeploymentId, crate::id::AppId, Phase, bool)> = deployment::Entity::find()
        .select_only()
        .columns([deployment::Column::Id, deployment::Column::ApplicationId, deployment::Column::Phase])
        .column_as(Expr::expr(is_free::<deployment::Entity>(now)), "free")
        .filter(deployment::Column::FinishedAt.is_null())
        .order_by_asc(deployment::Column::Id)
        .limit(1_000)
        .into_tuple()
        .all(panel.db.read())
        .await
        .because("looking at the queue")?;
    let under_way: HashSet<_> = rows.iter().filter(|row| row.2 != Phase::Queued).map(|row| row.1.clone()).collect();
    // A canary takes hours and no strength: nobody else's deployment waits for it.
    let is_canary = |phase: Phase| phase == Phase::Canary;
    let at_work = rows.iter().filter(|row| !is_canary(row.2) && hands.has(&row.0)).count();
    let is_full = at_work >= panel.config.deploy.concurrent;
    for (id, app, phase, free) in rows {
        let waits = phase == Phase::Queued && under_way.contains(&app) || is_full && !is_canary(phase);
        if !free || waits || !hands.take(&id) {
            continue;
        }
        if lease(panel).claim::<deployment::Entity>(unfinished(&id), |claim| claim).await? {
            return Ok(Some(id));
        }
        hands.let_go(&id);
    }
    Ok(None)
}

fn lease(panel: &Panel) -> Lease<'_> {
    Lease { db: &panel.db, owner: &panel.owner, lasts: LEASE }
}

fn unfinished(id: &DeploymentId) -> Condition {
    Condition::all().add(deployment::Column::Id.eq(id.clone())).add(deployment::Column::FinishedAt.is_null())
}

/// Keeps the lease; answers whether it is still ours, and whether cancelling was asked for.
pub async fn beat(panel: &Panel, id: &DeploymentId) -> Result<Option<bool>> {
    let one = Condition::all().add(deployment::Column::Id.eq(id.clone()));
    let is_ours = lease(panel).renew::<deployment::Entity>(one).await?;
    if is_ours { cancel_requested(panel, id).await.map(Some) } else { Ok(None) }
}

/// Whether cancelling was asked for, the application was deleted, or its organization does not go on.
pub async fn cancel_requested(panel: &Panel, id: &DeploymentId) -> Result<bool> {
    use crate::store::tables::{application, organization};
    let row: Option<(bool, crate::id::AppId)> = deployment::Entity::find_by_id(id.clone())
        .select_only()
        .columns([deployment::Column::CancelRequested, deployment::Column::ApplicationId])
        .into_tuple()
        .one(panel.db.read())
        .await
        .because("looking for a wish to cancel")?;
    let Some((wish, app)) = row else { return Ok(true) };
    if wish {
        return Ok(true);
    }
    let app = application::Entity::find_by_id(app).one(panel.db.read()).await.because("looking up an application")?;
    let Some(app) = app.filter(|app| app.deleted_at.is_none()) else { return Ok(true) };
    let org = organization::Entity::find_by_id(app.organization_id).one(panel.db.read()).await.because("looking up an organization")?;
    Ok(org.is_none_or(|org| org.suspended_at.is_some() || org.deleted_at.is_some()))
}

async fn release_all(panel: &Panel) -> Result<()> {
    give_back(panel, is_mine::<deployment::Entity>(&panel.owner)).await
}

/// Gives back every lease: for the start of the only panel there can be, the one on an embedded database.
pub async fn take_over_all(panel: &Panel) -> Result<()> {
    give_back(panel, deployment::Column::LeaseOwner.is_not_null()).await
}

async fn give_back(panel: &Panel, which: sea_orm::sea_query::SimpleExpr) -> Result<()> {
    let free =
        release::<deployment::Entity>(deployment::Entity::update_many()).filter(which).filter(deployment::Column::FinishedAt.is_null());
    panel.db.tx(async |tx| free.exec(tx).await.because("giving leases back")).await.map(|_| ())
}
