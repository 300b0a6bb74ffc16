//! How what an application runs ends, for one application and for all of an organization. Whatever is being deployed ends with it: going
//! live would start again what was just stopped. Deployments are held before applications, as by the switch that puts one live.
use crate::{
    apps::{model::Wanted, server::events},
    audit::server::service::{Event, record_for, record_in},
    error::Result,
    fault::Because,
    id::{AppId, OrgId},
    store::{
        Tx,
        tables::{application, deployment},
    },
    units::Timestamp,
    web::ctx::{Ctx, Origin},
};
use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, Query, SimpleExpr},
};
use serde_json::json;

/// Asks for the end of what is being deployed in one application.
pub async fn cancel_deployments(tx: &Tx, id: &AppId) -> Result<()> {
    cancel(tx, deployment::Column::ApplicationId.eq(id.clone())).await
}

/// Asks for the end of what is being deployed in an organization.
pub async fn cancel_deployments_of(tx: &Tx, org: &OrgId) -> Result<()> {
    cancel(tx, deployment::Column::OrganizationId.eq(org.clone())).await
}

async fn cancel(tx: &Tx, whose: SimpleExpr) -> Result<()> {
    let wish = deployment::Entity::update_many()
        .col_expr(deployment::Column::CancelRequested, Expr::value(true))
        .filter(whose)
        .filter(deployment::Column::FinishedAt.is_null());
    wish.exec(tx).await.because("cancelling deployments").map(|_| ())
}

/// Stops everything of an organization that is being suspended, also what is only about to go live. Answers with the applications.
pub async fn stop_all_of(tx: &Tx, ctx: &Ctx, org: &OrgId) -> Result<Vec<AppId>> {
    use application::Column;
    let runs = Column::OrganizationId.eq(org.clone()).and(Column::Wanted.eq(Wanted::Running)).and(Column::DeletedAt.is_null());
    let deploying = Query::select()
        .column(deployment::Column::ApplicationId)
        .from(deployment::Entity)
        .and_where(deployment::Column::OrganizationId.eq(org.clone()))
        .and_where(deployment::Column::FinishedAt.is_null())
        .to_owned();
    let runs = runs.and(Column::LiveDeploymentId.is_not_null().or(Column::Id.in_subquery(deploying)));
    cancel_deployments_of(tx, org).await?;
    let apps = find(tx, runs).await?;
    want(tx, &apps, Wanted::Stopped, ctx.panel.now(), true).await?;
    for app in &apps {
        let detail = json!({ "before": "running", "after": "stopped", "suspended": true });
        record_in(tx, ctx, org, events::APPLICATION_STOPPED, app, detail).await?;
    }
    Ok(apps)
}

/// Starts again what was stopped when an organization was suspended. Answers with the applications.
pub async fn start_all_of(tx: &Tx, ctx: &Ctx, org: &OrgId) -> Result<Vec<AppId>> {
    use application::Column;
    let stopped = Column::OrganizationId.eq(org.clone()).and(Column::StoppedBySuspension.eq(true)).and(Column::DeletedAt.is_null());
    let apps = find(tx, stopped).await?;
    want(tx, &apps, Wanted::Running, ctx.panel.now(), false).await?;
    for app in &apps {
        let detail = json!({ "before": "stopped", "after": "running", "resumed": true });
        record_in(tx, ctx, org, events::APPLICATION_STARTED, app, detail).await?;
    }
    Ok(apps)
}

/// Deletes every application of an organization that was deleted. Answers with them.
pub async fn delete_all_of(tx: &Tx, org: &OrgId, at: Timestamp) -> Result<Vec<AppId>> {
    use application::Column;
    cancel_deployments_of(tx, org).await?;
    let apps = find(tx, Column::OrganizationId.eq(org.clone()).and(Column::DeletedAt.is_null())).await?;
    want(tx, &apps, Wanted::Deleted, at, false).await?;
    let end =
        application::Entity::update_many().col_expr(Column::DeletedAt, Expr::value(at)).filter(Column::Id.is_in(apps.iter().cloned()));
    end.exec(tx).await.because("deleting applications")?;
    for app in &apps {
        let event = Event { kind: events::APPLICATION_DELETED, target: app.to_string(), detail: json!({ "with_organization": true }) };
        record_for(tx, org, "system", &Origin::system(), at, event).await?;
    }
    Ok(apps)
}

async fn find(tx: &Tx, which: SimpleExpr) -> Result<Vec<AppId>> {
    let apps = application::Entity::find().select_only().column(application::Column::Id).filter(which);
    let apps = apps.order_by_asc(application::Column::Id).lock_exclusive();
    apps.into_tuple().all(tx).await.because("looking up an organization's applications")
}

async fn want(tx: &Tx, apps: &[AppId], to: Wanted, at: Timestamp, by_suspension: bool) -> Result<()> {
    use application::Column;
    let change = application::Entity::update_many()
        .col_expr(Column::Wanted, Expr::value(to))
        .col_expr(Column::StoppedBySuspension, Expr::value(by_suspension))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::UpdatedAt, Expr::value(at))
        .filter(Column::Id.is_in(apps.iter().cloned()));
    change.exec(tx).await.because("changing what is wanted of applications").map(|_| ())
}
