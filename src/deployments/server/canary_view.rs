//! How rows become the canary that members see.
use crate::{
    deployments::model::{Canary, CanaryStep},
    error::Result,
    fault::Because,
    id::DeploymentId,
    runtime::panel::Panel,
    store::tables::{canary, canary_step},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

/// Which of these deployments are or shall be canaries.
pub async fn which(panel: &Panel, ids: Vec<DeploymentId>) -> Result<HashSet<DeploymentId>> {
    let found: Vec<DeploymentId> = canary::Entity::find()
        .select_only()
        .column(canary::Column::DeploymentId)
        .filter(canary::Column::DeploymentId.is_in(ids))
        .into_tuple()
        .all(panel.db.read())
        .await
        .because("looking up canaries")?;
    Ok(found.into_iter().collect())
}

/// The canary of a deployment, once it has begun.
pub async fn view(panel: &Panel, id: &DeploymentId) -> Result<Option<Canary>> {
    let row = canary::Entity::find_by_id(id.clone()).one(panel.db.read()).await.because("looking up a canary")?;
    let Some((row, started_at)) = row.and_then(|row| row.started_at.map(|at| (row, at))) else { return Ok(None) };
    let all = canary_step::Entity::find().filter(canary_step::Column::DeploymentId.eq(id.clone())).order_by_asc(canary_step::Column::Step);
    let rows = all.all(panel.db.read()).await.because("looking up a canary's steps")?;
    let settings = row.settings.read()?;
    let least: HashMap<i64, u32> = settings.steps.iter().zip(0..).map(|(step, at)| (at, step.seconds)).collect();
    let mut steps = Vec::with_capacity(rows.len());
    for step in rows {
        let numbers = step.numbers.read()?;
        let least = Duration::from_secs(u64::from(least.get(&step.step).copied().unwrap_or_default()));
        steps.push(CanaryStep {
            number: step.step + 1,
            percent: step.percent,
            started_at: step.started_at,
            finished_at: step.finished_at,
            next_at: step.started_at + least,
            numbers,
        });
    }
    let outcome = row.outcome;
    // A step may have begun between the two looks; while nothing is decided the share is the last one's.
    let share = steps.last().filter(|_| outcome.is_none() && row.share > 0).map_or(row.share, |step| step.percent);
    Ok(Some(Canary {
        outcome,
        settings,
        previous_deployment_id: row.previous_deployment_id,
        share,
        started_at,
        finished_at: row.finished_at,
        decided_by: row.wished_by,
        steps,
    }))
}
