//! How an application's new releases come before visitors, and what members can do while a canary runs: let everybody have it, or
//! take it back.
use crate::{
    audit::server::service::record,
    deployments::{
        model::{CanarySettings, Deployment, Kind, Phase, Rollout, RolloutInput, Strategy, Wish},
        server::{events, view},
    },
    error::{Error, Result},
    fault::Because,
    id::{AppId, DeploymentId},
    rights::Action,
    runtime::changes::Changed,
    store::{
        Db, EventKind, Tx,
        json::JsonText,
        tables::{application, canary, rollout},
    },
    web::ctx::{Ctx, Granted},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};
use serde_json::json;

/// What an application says of its new releases.
pub async fn rollout(ctx: &Ctx, id: &AppId) -> Result<Rollout> {
    let app = ctx.app(id).to(Action::View).await?;
    of(&ctx.panel.db, &app.id).await
}

async fn of(db: &Db, app: &AppId) -> Result<Rollout> {
    let row = rollout::Entity::find_by_id(app.clone()).one(db.read()).await.because("looking up a rollout")?;
    let Some(row) = row else { return Ok(Rollout::default()) };
    Ok(Rollout { strategy: row.strategy, canary: row.canary.read()? })
}

/// Changes it; what runs already goes on as it began.
pub async fn set_rollout(ctx: &Ctx, id: &AppId, input: &RolloutInput) -> Result<Rollout> {
    let app = ctx.app(id).to(Action::Configure).await?;
    let before = of(&ctx.panel.db, &app.id).await?;
    let after = input.parse(&before)?;
    if after == before {
        return Ok(after);
    }
    let row = rollout::ActiveModel {
        application_id: Set(app.id.clone()),
        strategy: Set(after.strategy),
        canary: Set(JsonText::of(&after.canary)?),
        updated_at: Set(ctx.panel.now()),
    };
    let over = OnConflict::column(rollout::Column::ApplicationId)
        .update_columns([rollout::Column::Strategy, rollout::Column::Canary, rollout::Column::UpdatedAt])
        .to_owned();
    ctx.panel
        .db
        .tx(async |tx| {
            record(tx, ctx, events::APPLICATION_ROLLOUT_CHANGED, &app.id, json!({ "before": before, "after": after })).await?;
            rollout::Entity::insert(row).on_conflict(over).exec_without_returning(tx).await.because("writing a rollout")
        })
        .await?;
    Ok(after)
}

/// The settings of the canary that a new deployment shall be; nothing where all visitors get it at once. What is known to work (a
/// rollback, a restart) is not tried out again.
pub async fn wanted(ctx: &Ctx, app: &Granted<application::Model>, kind: Kind, asked: Option<Strategy>) -> Result<Option<CanarySettings>> {
    if matches!(kind, Kind::Rollback | Kind::Restart) {
        return Ok(None);
    }
    let rollout = of(&ctx.panel.db, &app.id).await?;
    Ok((asked.unwrap_or(rollout.strategy) == Strategy::Canary).then_some(rollout.canary))
}

/// Notes that a new deployment shall be a canary.
pub async fn plan(tx: &Tx, app: &AppId, id: &DeploymentId, settings: &CanarySettings) -> Result<()> {
    let row = canary::ActiveModel {
        deployment_id: Set(id.clone()),
        application_id: Set(app.clone()),
        settings: Set(JsonText::of(settings)?),
        share: Set(0),
        ..Default::default()
    };
    canary::Entity::insert(row).exec_without_returning(tx).await.because("planning a canary").map(|_| ())
}

/// Asks that everybody gets the release now, whatever its numbers say.
pub async fn promote(ctx: &Ctx, id: &DeploymentId) -> Result<Deployment> {
    wish(ctx, id, Wish::Promote, events::DEPLOYMENT_PROMOTED).await
}

/// Asks that everybody gets the release before again.
pub async fn roll_back_now(ctx: &Ctx, id: &DeploymentId) -> Result<Deployment> {
    wish(ctx, id, Wish::RollBack, events::DEPLOYMENT_TAKEN_BACK).await
}

async fn wish(ctx: &Ctx, id: &DeploymentId, wish: Wish, event: EventKind) -> Result<Deployment> {
    let row = ctx.deployment(id).to(Action::Deploy).await?;
    let over = || Error::Conflict("This deployment is not a canary that runs: there is nothing to decide.".into());
    if row.phase != Phase::Canary || row.cancel_requested {
        return Err(over());
    }
    ctx.panel
        .db
        .tx(async |tx| {
            let undecided = canary::Entity::update_many()
                .col_expr(canary::Column::Wish, Expr::value(wish))
                .col_expr(canary::Column::WishedBy, Expr::value(ctx.who.name.clone()))
                .filter(canary::Column::DeploymentId.eq(id.clone()))
                .filter(canary::Column::StartedAt.is_not_null())
                .filter(canary::Column::Wish.is_null())
                .filter(canary::Column::Outcome.is_null());
            if undecided.exec(tx).await.because("deciding a canary")?.rows_affected != 1 {
                return Err(over());
            }
            record(tx, ctx, event, id, json!({ "application": row.application_id })).await
        })
        .await?;
    ctx.panel.changes.tell(Changed::App(row.application_id.clone()));
    ctx.panel.changes.tell(Changed::Deployment(id.clone()));
    view::shown(ctx, id, Action::Deploy).await
}
