//! Ends what belongs to organizations that were deleted. Deleting an organization only marks it: what is above organizations goes by that.
use crate::{
    apps::server::ending,
    error::Result,
    fault::Because,
    id::OrgId,
    orgs::server::{APPLICATIONS, DEPLOYMENTS, ORGANIZATIONS, ROUTES},
    runtime::{
        changes::Changed,
        loops::{Loop, Outcome},
        panel::Panel,
    },
    store::tables::{application, organization},
};
use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Query};
use std::{sync::Arc, time::Duration};

/// The loop.
pub const LOOP: Loop = Loop::new("organizations", Duration::from_secs(60), |panel| pass(panel).boxed()).woken_by(ORGANIZATIONS);

/// Deletes the applications of every organization that was deleted.
pub async fn pass(panel: &Arc<Panel>) -> Result<Outcome> {
    let mut ended = 0;
    for org in left_over(panel).await? {
        let apps = panel.db.tx(async |tx| ending::delete_all_of(tx, &org, panel.now()).await).await?;
        ended += apps.len();
        apps.into_iter().for_each(|app| panel.changes.tell(Changed::App(app)));
    }
    if ended == 0 {
        return Ok(None);
    }
    panel.wake(APPLICATIONS);
    panel.wake(ROUTES);
    panel.wake(DEPLOYMENTS);
    Ok(Some(format!("deleted {ended} applications with their organizations")))
}

/// Deleted organizations that still have applications.
async fn left_over(panel: &Panel) -> Result<Vec<OrgId>> {
    let owners = Query::select()
        .column(application::Column::OrganizationId)
        .from(application::Entity)
        .and_where(application::Column::DeletedAt.is_null())
        .to_owned();
    let orgs = organization::Entity::find()
        .select_only()
        .column(organization::Column::Id)
        .filter(organization::Column::DeletedAt.is_not_null())
        .filter(organization::Column::Id.in_subquery(owners))
        .order_by_asc(organization::Column::Id);
    orgs.into_tuple().all(panel.db.read()).await.because("looking for deleted organizations")
}
