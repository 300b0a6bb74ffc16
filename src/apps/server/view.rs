//! How rows become the applications that members see: what is wanted from the database, how it stands from what was last observed.
//! A list takes a fixed number of statements however long it is.
use crate::{
    apps::model::{AppStatus, Application, Replica, ReplicaCount, Settings, Wanted},
    clusters::server::service::providers_of,
    error::Result,
    fault::Because,
    id::{AppId, ClusterId, DeploymentId, Id, ProviderId},
    runtime::panel::Panel,
    store::{
        json::JsonText,
        tables::{
            application,
            deployment::{self, Phase},
        },
    },
    swarm::{Task, TaskState},
    units::Timestamp,
};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};
use std::collections::HashMap;

/// The name of the service that a deployment runs as.
pub fn service_name(id: &DeploymentId) -> String {
    format!("sky-{}", id.suffix())
}

struct Facts {
    /// Settings and environment that the live release was made with.
    live: HashMap<DeploymentId, (JsonText<Settings>, i64)>,
    active: HashMap<AppId, DeploymentId>,
    providers: HashMap<ClusterId, ProviderId>,
}

async fn facts(panel: &Panel, rows: &[application::Model]) -> Result<Facts> {
    let live: Vec<DeploymentId> = rows.iter().filter_map(|row| row.live_deployment_id.clone()).collect();
    let apps: Vec<AppId> = rows.iter().map(|row| row.id.clone()).collect();
    // One question for both: what is live, and what is not over yet.
    let unfinished = Condition::all().add(deployment::Column::FinishedAt.is_null()).add(deployment::Column::ApplicationId.is_in(apps));
    let meant = match live.is_empty() {
        true => unfinished,
        false => Condition::any().add(deployment::Column::Id.is_in(live)).add(unfinished),
    };
    type Row = (DeploymentId, AppId, Phase, JsonText<Settings>, i64, Option<Timestamp>);
    let found: Vec<Row> = deployment::Entity::find()
        .select_only()
        .columns([
            deployment::Column::Id,
            deployment::Column::ApplicationId,
            deployment::Column::Phase,
            deployment::Column::Settings,
            deployment::Column::EnvVersion,
            deployment::Column::FinishedAt,
        ])
        .filter(meant)
        .into_tuple()
        .all(panel.db.read())
        .await
        .because("looking up deployments")?;
    let (mut live, mut active) = (HashMap::new(), HashMap::new());
    for (id, app, phase, settings, env, finished_at) in found {
        // One that is under way goes before one that waits.
        if finished_at.is_none() && (phase != Phase::Queued || !active.contains_key(&app)) {
            active.insert(app, id.clone());
        }
        live.insert(id, (settings, env));
    }
    Ok(Facts { live, active, providers: providers_of(panel, rows.iter().map(|row| &row.cluster_id)).await? })
}

/// Applications as members see them, in the order of the rows.
pub async fn views(panel: &Panel, rows: Vec<application::Model>) -> Result<Vec<Application>> {
    let facts = facts(panel, &rows).await?;
    rows.into_iter().map(|row| one(panel, row, &facts)).collect()
}

/// One application as members see it.
pub async fn view(panel: &Panel, row: application::Model) -> Result<Application> {
    let mut all = views(panel, vec![row]).await?;
    all.pop().ok_or("nothing came of a row").because("showing an application")
}

fn one(panel: &Panel, row: application::Model, facts: &Facts) -> Result<Application> {
    let observed = panel.observed.load();
    let provider = facts.providers.get(&row.cluster_id);
    let tasks = match (provider, &row.live_deployment_id) {
        (Some(provider), Some(live)) => observed.tasks(provider, &service_name(live)),
        _ => &[],
    };
    let running = running(tasks).count() as u32;
    let replicas = row.replicas as u32;
    let active = facts.active.get(&row.id).cloned();
    let seen = provider.is_some_and(|provider| observed.reachable(provider));
    let live = row.live_deployment_id.as_ref().and_then(|id| facts.live.get(id));
    let status = AppStatus::tell(row.wanted, row.live_deployment_id.is_some(), active.is_some(), seen, replicas, running);
    Ok(Application {
        url: panel.config.app_url(&row.host),
        name: row.name.parse().because("reading an application's name")?,
        settings: row.settings.read()?,
        replicas: ReplicaCount { wanted: if row.wanted == Wanted::Stopped { 0 } else { replicas }, running },
        status,
        needs_deploy: live.is_some_and(|(settings, env)| *settings != row.settings || *env != row.env_version),
        active_deployment_id: active,
        live_deployment_id: row.live_deployment_id,
        id: row.id,
        organization_id: row.organization_id,
        cluster_id: row.cluster_id,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// Tasks that run and are meant to.
pub fn running(tasks: &[Task]) -> impl Iterator<Item = &Task> {
    tasks.iter().filter(|task| task.state == TaskState::Running && task.wanted)
}

/// The first letters of a task's id, by which people know a replica.
pub fn short(task: &str) -> String {
    task.chars().take(8).collect()
}

/// The replicas of the live release: those that are meant to run, by number.
pub async fn replicas(panel: &Panel, row: &application::Model) -> Result<Vec<Replica>> {
    let Some(live) = &row.live_deployment_id else { return Ok(Vec::new()) };
    let providers = providers_of(panel, std::iter::once(&row.cluster_id)).await?;
    let Some(provider) = providers.get(&row.cluster_id) else { return Ok(Vec::new()) };
    let observed = panel.observed.load();
    let view = observed.swarms.get(provider);
    let host = |id: &Option<String>| {
        let node = view.and_then(|view| view.nodes.iter().find(|node| Some(&node.id) == id.as_ref()));
        node.map_or_else(|| "not placed yet".to_string(), |node| node.hostname.clone())
    };
    let mut all: Vec<Replica> = observed
        .tasks(provider, &service_name(live))
        .iter()
        .filter(|task| task.wanted)
        .map(|task| Replica {
            id: short(&task.id),
            slot: task.slot,
            running: task.state == TaskState::Running,
            state: words(task),
            node: host(&task.node),
            since: task.since,
        })
        .collect();
    all.sort_by_key(|replica| (replica.slot, std::cmp::Reverse(replica.since)));
    all.dedup_by_key(|replica| replica.slot);
    Ok(all)
}

/// A task's state in a word, with Swarm's own where it explains something.
pub fn words(task: &Task) -> String {
    let word = match task.state {
        TaskState::Pending => "waiting for a machine",
        TaskState::Starting => "starting",
        TaskState::Running => "running",
        TaskState::Complete => "ended",
        TaskState::Failed if task.out_of_memory => "out of memory",
        TaskState::Failed => "failed",
        TaskState::Rejected => "rejected",
        TaskState::Shutdown => "stopped",
        TaskState::Orphaned => "its machine is away",
    };
    match task.exit_code {
        Some(code) if code != 0 => format!("{word} (exit code {code})"),
        _ => word.to_string(),
    }
}

/// When the swarm of an application last answered; nothing while it does.
pub async fn silent_since(panel: &Panel, row: &application::Model) -> Result<Option<Timestamp>> {
    let providers = providers_of(panel, std::iter::once(&row.cluster_id)).await?;
    let observed = panel.observed.load();
    let view = providers.get(&row.cluster_id).and_then(|provider| observed.swarms.get(provider));
    Ok(view.filter(|view| !view.reachable).map(|view| view.at))
}
