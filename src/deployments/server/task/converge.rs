//! Keeps what is live as it is wanted, whatever happened to the swarm meanwhile: a missing service is made again from its release, the
//! number of replicas is set, and services of ours that no live or active deployment needs are removed. Services of
//! applications that this database does not know belong to somebody else and are never touched.
use crate::clusters::server::SWARMS;
use crate::deployments::server::IMAGES;
use crate::orgs::server::APPLICATIONS;
use crate::{
    apps::{
        model::Wanted,
        server::view::{running, service_name},
    },
    clusters::server::service as clusters,
    deployments::server::{spec, task::steps},
    error::Result,
    fault::Because,
    id::{AppId, DeploymentId, ProviderId},
    runtime::{
        loops::{Loop, Outcome},
        panel::Panel,
    },
    store::{
        columns::readable,
        tables::{application, deployment, provider, release},
    },
    swarm::{LABEL_APP, Service, Swarm, SwarmError},
};
use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

/// The loop.
pub const LOOP: Loop = Loop::new("applications", Duration::from_secs(20), |panel| pass(panel).boxed()).woken_by(APPLICATIONS);

/// One look at every swarm, and what has to be done there.
#[expect(clippy::disallowed_methods, reason = "it sleeps and wakes a loop, and nothing else")]
pub async fn pass(panel: &Arc<Panel>) -> Result<Outcome> {
    let providers = provider::Entity::find().filter(provider::Column::IsEnabled.eq(true));
    let mut did = Vec::new();
    for provider in providers.all(panel.db.read()).await.because("looking up providers")? {
        let Ok(swarm) = panel.swarms.of(panel, &provider.id).await else { continue };
        // Listed before the database is asked: a service that is made meanwhile can't look like a leftover.
        let Ok(services) = swarm.services().await else { continue };
        did.extend(one(panel, &provider.id, &*swarm, services).await?);
    }
    if !did.is_empty() {
        panel.wake(SWARMS);
        // Once the last container has stopped, its image may have become one that nobody needs.
        let panel = panel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(u64::from(spec::STOP_GRACE) + 5)).await;
            panel.wake(IMAGES);
        });
    }
    Ok((!did.is_empty()).then(|| did.join(", ")))
}

async fn one(panel: &Panel, provider: &ProviderId, swarm: &dyn Swarm, services: Vec<Service>) -> Result<Vec<String>> {
    let clusters = clusters::providers(panel).await?;
    // Asked for before and after the applications: whatever moves on between the questions is in one of the answers.
    let mut active = under_way(panel).await?;
    let apps = readable(panel.db.read(), application::Entity::find(), "looking up applications").await?;
    active.extend(under_way(panel).await?);
    let there: HashMap<&str, &Service> = services.iter().map(|service| (service.name.as_str(), service)).collect();
    let mut did = Vec::new();
    for app in apps.iter().filter(|app| app.deleted_at.is_none() && clusters.get(&app.cluster_id) == Some(provider)) {
        let Some(live) = &app.live_deployment_id else { continue };
        let replicas = if app.wanted == Wanted::Running { app.replicas as u32 } else { 0 };
        let done = match there.get(service_name(live).as_str()) {
            None => make(panel, swarm, app, live, replicas).await?.map(|()| format!("made the service of {} again", app.id)),
            Some(service) if service.replicas != replicas => {
                swarm.scale(&service.name, replicas).await.map(|()| format!("set {} to {replicas} replicas", app.id))
            }
            Some(_) => continue,
        };
        note(&mut did, done);
    }
    let mut kept = kept(&apps, &active);
    // What moved to another swarm stays here only until it runs there.
    let moved = apps.iter().filter_map(|app| Some((app.live_deployment_id.as_ref()?, clusters.get(&app.cluster_id)?)));
    for (live, home) in moved.filter(|(_, home)| *home != provider) {
        let name = service_name(live);
        if running(panel.observed.load().tasks(home, &name)).next().is_some() {
            kept.remove(&name);
        }
    }
    let known: HashSet<&AppId> = apps.iter().map(|app| &app.id).collect();
    for service in services.iter().filter(|service| !kept.contains(&service.name)) {
        let app = service.labels.get(LABEL_APP).and_then(|id| id.parse::<AppId>().ok());
        if app.is_some_and(|app| known.contains(&app)) {
            note(&mut did, swarm.remove(&service.name).await.map(|()| format!("removed {}", service.name)));
        }
    }
    Ok(did)
}

async fn under_way(panel: &Panel) -> Result<Vec<deployment::Model>> {
    let active = deployment::Entity::find().filter(deployment::Column::FinishedAt.is_null());
    active.all(panel.db.read()).await.because("looking up active deployments")
}

fn note(did: &mut Vec<String>, done: Result<String, SwarmError>) {
    match done {
        Ok(what) => did.push(what),
        Err(why) => tracing::warn!("converging: {why}"),
    }
}

/// Services that somebody needs: the live ones, those under way, and those that are being drained.
fn kept(apps: &[application::Model], active: &[deployment::Model]) -> HashSet<String> {
    let live = apps.iter().filter(|app| app.deleted_at.is_none()).filter_map(|app| app.live_deployment_id.as_ref());
    let under_way = active.iter().filter(|row| steps::may_run(row)).map(|row| &row.id);
    let drained = active.iter().filter_map(|row| row.previous_deployment_id.as_ref());
    live.chain(under_way).chain(drained).map(service_name).collect()
}

async fn make(
    panel: &Panel,
    swarm: &dyn Swarm,
    app: &application::Model,
    live: &DeploymentId,
    replicas: u32,
) -> Result<Result<(), SwarmError>> {
    let row = deployment::Entity::find_by_id(live.clone()).one(panel.db.read()).await.because("looking up the live deployment")?;
    let Some(id) = row.and_then(|row| row.release_id) else { return Ok(Ok(())) };
    let release = release::Entity::find_by_id(id).one(panel.db.read()).await.because("looking up a release")?;
    let Some(release) = release else { return Ok(Ok(())) };
    let spec = spec::service(panel, app, &release, live, replicas).await?;
    let cluster = clusters::place(panel, &app.cluster_id).await?.cluster;
    if let Err(why) = swarm.ensure_network(&clusters::network(panel, &cluster).await?).await {
        return Ok(Err(why));
    }
    Ok(swarm.converge(&spec).await.map(|_| ()))
}
