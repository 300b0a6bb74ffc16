//! The platform in figures.
use crate::{
    admin::model::Overview,
    agent::WallStatus,
    deployments::model::Phase,
    error::Result,
    fault::Because,
    mail::model::MailStatus,
    store::tables::{application, deployment, mail, organization, user},
    units::Timestamp,
    web::ctx::Operator,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

const DAY: i64 = 86_400_000;

/// The figures of now.
pub async fn overview(ctx: &Operator) -> Result<Overview> {
    let db = ctx.panel.db.read();
    let midnight = Timestamp(ctx.panel.now().millis().div_euclid(DAY) * DAY);
    let (users, orgs, today) = (
        user::Entity::find(),
        organization::Entity::find().filter(organization::Column::DeletedAt.is_null()),
        deployment::Entity::find().filter(deployment::Column::CreatedAt.gte(midnight)),
    );
    let apps = application::Entity::find().filter(application::Column::DeletedAt.is_null());
    let counting = "counting what there is";
    Ok(Overview {
        users: users.clone().count(db).await.because(counting)?,
        suspended_users: users.filter(user::Column::SuspendedAt.is_not_null()).count(db).await.because(counting)?,
        organizations: orgs.clone().count(db).await.because(counting)?,
        suspended_organizations: orgs.filter(organization::Column::SuspendedAt.is_not_null()).count(db).await.because(counting)?,
        applications: apps.count(db).await.because(counting)?,
        deployments_today: today.clone().count(db).await.because(counting)?,
        failed_deployments_today: today.filter(deployment::Column::Phase.eq(Phase::Failed)).count(db).await.because(counting)?,
        mails_waiting: mail::Entity::find().filter(mail::Column::Status.eq(MailStatus::Queued)).count(db).await.because(counting)?,
        walls: match ctx.panel.walls.standing() {
            WallStatus::Down(why) => Some(why),
            _ => None,
        },
    })
}
