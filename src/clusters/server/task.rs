//! Gives every organization its cluster.
use crate::accounts::server::CLUSTERS;
use crate::{
    clusters::server::service,
    error::Result,
    fault::Because,
    runtime::{
        loops::{Loop, Outcome},
        panel::Panel,
    },
    store::tables::{cluster, organization},
};
use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, sea_query::Query};
use std::{sync::Arc, time::Duration};

/// The loop.
pub const LOOP: Loop = Loop::new("clusters", Duration::from_secs(60), |panel| pass(panel).boxed()).woken_by(CLUSTERS);

/// Makes a cluster for each organization that has none.
pub async fn pass(panel: &Arc<Panel>) -> Result<Outcome> {
    let with = Query::select().column(cluster::Column::OrganizationId).from(cluster::Entity).to_owned();
    let without = organization::Entity::find().filter(organization::Column::Id.not_in_subquery(with)).limit(100);
    let without = without.all(panel.db.read()).await.because("looking for organizations without a cluster")?;
    for org in &without {
        service::of_organization(panel, &org.id).await?;
    }
    Ok((!without.is_empty()).then(|| format!("gave {} organizations a cluster", without.len())))
}
