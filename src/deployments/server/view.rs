//! How rows become the deployments that members see.
use crate::{
    deployments::{
        model::{Deployment, Phase, PhaseTime, Strategy},
        server::canary_view as canaries,
    },
    error::{Error, Result, Thing},
    fault::Because,
    id::{DeploymentId, ReleaseId},
    rights::Action,
    runtime::panel::Panel,
    store::{
        json::JsonText,
        tables::{application, deployment, deployment_phase, release},
    },
    web::ctx::Ctx,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::HashMap;

/// A deployment for whoever may do `deed`: she is told what came of it, also where she may not look otherwise.
pub async fn shown(ctx: &Ctx, id: &DeploymentId, deed: Action) -> Result<Deployment> {
    let row = ctx.deployment(id).to(deed).await?;
    let app =
        application::Entity::find_by_id(row.application_id.clone()).one(ctx.panel.db.read()).await.because("looking up an application")?;
    view(&ctx.panel, &app.ok_or(Error::NotFound(Thing::APPLICATION))?, (*row).clone()).await
}

/// Deployments of one application, without phases and dossiers.
pub async fn views(panel: &Panel, app: &application::Model, rows: Vec<deployment::Model>) -> Result<Vec<Deployment>> {
    let ids: Vec<ReleaseId> = rows.iter().filter_map(|row| row.release_id.clone()).collect();
    let releases: Vec<(ReleaseId, i64, bool)> = release::Entity::find()
        .select_only()
        .columns([release::Column::Id, release::Column::Number, release::Column::ImageKept])
        .filter(release::Column::Id.is_in(ids))
        .into_tuple()
        .all(panel.db.read())
        .await
        .because("looking up releases")?;
    let releases: HashMap<ReleaseId, (i64, bool)> = releases.into_iter().map(|(id, number, kept)| (id, (number, kept))).collect();
    let canaries = canaries::which(panel, rows.iter().map(|row| row.id.clone()).collect()).await?;
    rows.into_iter()
        .map(|row| {
            let strategy = if canaries.contains(&row.id) { Strategy::Canary } else { Strategy::BlueGreen };
            one(app, row, strategy, &releases)
        })
        .collect()
}

/// One deployment with its phases and, where it failed, its dossier.
pub async fn view(panel: &Panel, app: &application::Model, row: deployment::Model) -> Result<Deployment> {
    let dossier = row.dossier.as_ref().map(JsonText::read).transpose()?;
    let phases = phases(panel, &row.id).await?;
    let finished = row.finished_at;
    let mut all = views(panel, app, vec![row]).await?;
    let mut deployment = all.pop().ok_or("nothing came of a row").because("showing a deployment")?;
    let ends: Vec<_> = phases.iter().skip(1).map(|(_, at)| Some(*at)).chain([finished]).collect();
    deployment.phases =
        phases.into_iter().zip(ends).map(|((phase, started_at), finished_at)| PhaseTime { phase, started_at, finished_at }).collect();
    deployment.dossier = dossier;
    if deployment.strategy == Strategy::Canary {
        deployment.canary = canaries::view(panel, &deployment.id).await?;
    }
    Ok(deployment)
}

async fn phases(panel: &Panel, id: &DeploymentId) -> Result<Vec<(Phase, crate::units::Timestamp)>> {
    let all = deployment_phase::Entity::find().filter(deployment_phase::Column::DeploymentId.eq(id.clone()));
    let rows = all.order_by_asc(deployment_phase::Column::StartedAt).all(panel.db.read()).await.because("looking up phases")?;
    let mut phases: Vec<_> = rows.into_iter().map(|row| (row.phase, row.started_at)).collect();
    phases.sort_by_key(|(phase, at)| (*at, *phase));
    Ok(phases)
}

fn one(
    app: &application::Model,
    row: deployment::Model,
    strategy: Strategy,
    releases: &HashMap<ReleaseId, (i64, bool)>,
) -> Result<Deployment> {
    let phase = row.phase;
    let failure = row.failure.as_ref().map(JsonText::read).transpose()?;
    let release = row.release_id.as_ref().and_then(|id| releases.get(id));
    let is_live = app.live_deployment_id.as_ref() == Some(&row.id);
    Ok(Deployment {
        cancelling: row.cancel_requested && !phase.is_final(),
        can_roll_back: phase == Phase::Live && !is_live && release.is_some_and(|(_, kept)| *kept),
        release_number: release.map(|(number, _)| *number),
        id: row.id,
        application_id: row.application_id,
        number: row.number,
        kind: row.kind,
        strategy,
        phase,
        branch: row.branch,
        commit_hash: row.commit_hash,
        commit_subject: row.commit_subject,
        release_id: row.release_id,
        failure,
        is_live,
        created_by: row.created_by,
        created_at: row.created_at,
        finished_at: row.finished_at,
        phases: Vec::new(),
        canary: None,
        dossier: None,
    })
}
