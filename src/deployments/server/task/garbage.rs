//! Removes images that nobody can roll back to any more. What is kept is told by the database: the live release, the last few of
//! each application, and whatever a deployment under way uses. Only images with our label, of applications that we know. Also
//! what a crash left behind.
use crate::deployments::server::IMAGES;
use crate::{
    deployments::model::Phase,
    error::Result,
    fault::Because,
    id::{AppId, DeploymentId, Id},
    runtime::{
        loops::{Loop, Outcome},
        panel::Panel,
    },
    store::tables::{application, deployment, provider, release},
    swarm::LABEL_APP,
    units::Timestamp,
};
use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

/// How long a container of a build or of a program may lie about after its end, once the panel runs.
const CRASHED: Duration = Duration::from_secs(600);

/// Removes what a crash left behind: checkouts that no deployment goes on with, and containers of builds. For the start of the only
/// panel there can be, before it makes anything.
pub async fn after_crash(panel: &Panel) -> Result<()> {
    let folder = panel.config.data_dir.join("builds");
    let active = deployment::Entity::find().filter(deployment::Column::FinishedAt.is_null());
    let active = active.all(panel.db.read()).await.because("looking up deployments")?;
    let kept: HashSet<&str> = active.iter().map(|row| row.id.suffix()).collect();
    for left in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        // A git that outlived its panel may still write there for a moment: what resists is found at the next start.
        if !left.file_name().to_str().is_some_and(|name| kept.contains(name))
            && let Err(why) = std::fs::remove_dir_all(left.path())
        {
            tracing::warn!("an old checkout is left for the next start: {why}");
        }
    }
    let providers = provider::Entity::find().filter(provider::Column::IsEnabled.eq(true));
    for provider in providers.all(panel.db.read()).await.because("looking up providers")? {
        let Ok(swarm) = panel.swarms.of(panel, &provider.id).await else { continue };
        match swarm.sweep(Duration::ZERO).await {
            Ok(0) => {}
            Ok(count) => tracing::info!("removed {count} containers that a crash had left"),
            Err(why) => tracing::warn!("looking for what a crash left: {why}"),
        }
    }
    Ok(())
}

/// The loop.
pub const LOOP: Loop = Loop::new("images", Duration::from_secs(600), |panel| pass(panel).boxed()).woken_by(IMAGES);

/// One round on every swarm.
pub async fn pass(panel: &Arc<Panel>) -> Result<Outcome> {
    let providers = provider::Entity::find().filter(provider::Column::IsEnabled.eq(true));
    let mut removed = 0;
    for provider in providers.all(panel.db.read()).await.because("looking up providers")? {
        let Ok(swarm) = panel.swarms.of(panel, &provider.id).await else { continue };
        if let Err(why) = swarm.sweep(CRASHED).await {
            tracing::warn!("looking for what a crash left: {why}");
        }
        let Ok(images) = swarm.images().await else { continue };
        if images.is_empty() {
            continue;
        }
        let (kept, known) = keep_set(panel).await?;
        for image in images {
            let app = image.labels.get(LABEL_APP).and_then(|id| id.parse::<AppId>().ok());
            let ours = app.is_some_and(|app| known.contains(&app));
            if ours && !kept.contains(&image.id) && swarm.remove_image(&image.id).await.is_ok() {
                removed += 1;
            }
        }
    }
    Ok((removed > 0).then(|| format!("removed {removed} images")))
}

/// Images to keep, and the applications that are ours. Releases that fall out of the set are marked so.
async fn keep_set(panel: &Panel) -> Result<(HashSet<String>, HashSet<AppId>)> {
    let db = panel.db.read();
    // What is wanted of an application does not matter here: a row that says something else is kept like any other.
    let apps: Vec<(AppId, Option<DeploymentId>, Option<Timestamp>)> = application::Entity::find()
        .select_only()
        .columns([application::Column::Id, application::Column::LiveDeploymentId, application::Column::DeletedAt])
        .into_tuple()
        .all(db)
        .await
        .because("looking up applications")?;
    let active =
        deployment::Entity::find().filter(deployment::Column::FinishedAt.is_null()).all(db).await.because("looking up deployments")?;
    let live: Vec<_> = apps.iter().filter(|(_, _, deleted)| deleted.is_none()).filter_map(|(_, live, _)| live.clone()).collect();
    let live =
        deployment::Entity::find().filter(deployment::Column::Id.is_in(live)).all(db).await.because("looking up live deployments")?;
    let held: HashSet<_> = live.iter().chain(&active).filter_map(|row| row.release_id.clone()).collect();
    let gone: HashSet<_> = apps.iter().filter(|(_, _, deleted)| deleted.is_some()).map(|(id, ..)| id.clone()).collect();
    // Only what was live once can be rolled back to; what failed takes no place from it.
    let went_live = deployment::Entity::find()
        .select_only()
        .column(deployment::Column::ReleaseId)
        .filter(deployment::Column::Phase.eq(Phase::Live))
        .into_tuple::<Option<crate::id::ReleaseId>>();
    let went_live: HashSet<_> = went_live.all(db).await.because("looking up deployments")?.into_iter().flatten().collect();
    let all = release::Entity::find().filter(release::Column::ImageKept.eq(true)).order_by_desc(release::Column::Number);
    let mut count: HashMap<AppId, u32> = HashMap::new();
    let (mut kept, mut dropped) = (HashSet::new(), Vec::new());
    for release in all.all(db).await.because("looking up releases")? {
        let of_app = count.entry(release.application_id.clone()).or_default();
        let wanted = went_live.contains(&release.id) && !gone.contains(&release.application_id);
        let recent = wanted && *of_app < panel.config.deploy.keep_releases;
        if recent || held.contains(&release.id) {
            *of_app += 1;
            kept.insert(release.image);
        } else {
            dropped.push(release.id);
        }
    }
    if !dropped.is_empty() {
        let mark = release::Entity::update_many()
            .col_expr(release::Column::ImageKept, Expr::value(false))
            .filter(release::Column::Id.is_in(dropped));
        panel.db.tx(async |tx| mark.exec(tx).await.because("marking old releases")).await?;
    }
    // A build that is under way has an image before it has a release.
    kept.extend(active.iter().filter_map(|row| row.image.clone()));
    let building: HashSet<_> = active.iter().filter(|row| row.phase == Phase::Building).map(|row| row.application_id.clone()).collect();
    let known = apps.into_iter().map(|(id, ..)| id).filter(|id| !building.contains(id)).collect();
    Ok((kept, known))
}
