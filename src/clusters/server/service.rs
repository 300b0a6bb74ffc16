//! Where an organization's things run: the registry of providers, the shared plan, and the ledger of subnets.
use crate::{
    error::{Error, Result, Thing},
    fault::Because,
    id::{ClusterId, Id, OrgId, PlanId, ProviderId},
    plans::model::{PLAN, PlanLimits},
    runtime::panel::Panel,
    store::{
        Db, Tx, is_taken,
        json::JsonText,
        random,
        tables::{cluster, plan, provider, subnet},
    },
    swarm::{LABEL_ORG, NetworkSpec, OURS, Swarm},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// The plan that every organization starts on.
pub const SHARED: &str = "Shared";
/// The provider that the configuration names.
pub const FIRST: &str = "first";

/// A cluster with what it hangs on.
#[derive(Debug, Clone)]
pub struct Place {
    pub cluster: cluster::Model,
    pub limits: PlanLimits,
}

/// Writes the provider of the configuration and the shared plan, where they are missing or changed. Runs at every start.
pub async fn found(panel: &Panel) -> Result<()> {
    let swarm = &panel.config.swarm;
    let tls = swarm.tls.as_ref().map(|tls| serde_json::to_string(tls).because("writing a provider's TLS files")).transpose()?;
    let known =
        provider::Entity::find().filter(provider::Column::Name.eq(FIRST)).one(panel.db.read()).await.because("looking up a provider")?;
    let plan = plan::Entity::find().filter(plan::Column::Name.eq(SHARED)).one(panel.db.read()).await.because("looking up a plan")?;
    panel
        .db
        .tx(async |tx| {
            if plan.is_none() {
                insert_shared_plan(tx, panel).await?;
            }
            match known {
                Some(known) if known.endpoint == swarm.endpoint && known.tls == tls && known.region == swarm.region => Ok(()),
                Some(known) => {
                    let row = provider::ActiveModel {
                        id: Set(known.id),
                        endpoint: Set(swarm.endpoint.clone()),
                        region: Set(swarm.region.clone()),
                        tls: Set(tls),
                        ..Default::default()
                    };
                    row.update(tx).await.because("changing the first provider").map(|_| ())
                }
                None => {
                    let row = provider::ActiveModel {
                        id: Set(random::id()),
                        name: Set(FIRST.into()),
                        region: Set(swarm.region.clone()),
                        endpoint: Set(swarm.endpoint.clone()),
                        tls: Set(tls),
                        is_enabled: Set(true),
                        max_clusters: Set(subnets(panel)),
                        created_at: Set(panel.now()),
                    };
                    provider::Entity::insert(row).exec_without_returning(tx).await.because("making the first provider").map(|_| ())
                }
            }
        })
        .await
}

async fn insert_shared_plan(tx: &Tx, panel: &Panel) -> Result<()> {
    let limits = JsonText::of(&PlanLimits::SHARED)?;
    let row = plan::ActiveModel { id: Set(random::id()), name: Set(SHARED.into()), limits: Set(limits), created_at: Set(panel.now()) };
    plan::Entity::insert(row).exec_without_returning(tx).await.because("making the shared plan").map(|_| ())
}

/// Whether a panel has worked on this database before.
pub async fn is_founded(db: &Db) -> Result<bool> {
    let known = provider::Entity::find().filter(provider::Column::Name.eq(FIRST)).count(db.read()).await;
    known.because("looking up a provider").map(|known| known > 0)
}

/// How many /24 the range of organizations' networks holds.
fn subnets(panel: &Panel) -> i64 {
    1 << (24 - panel.config.swarm.subnets.prefix_len().min(24))
}

/// The organization's clusters' first; one is made where there is none yet.
pub async fn of_organization(panel: &Panel, org: &OrgId) -> Result<cluster::Model> {
    let first = cluster::Entity::find().filter(cluster::Column::OrganizationId.eq(org.clone())).order_by_asc(cluster::Column::Id);
    if let Some(known) = first.clone().one(panel.db.read()).await.because("looking up a cluster")? {
        return Ok(known);
    }
    let made = panel
        .db
        .tx(async |tx| {
            let provider = pick(tx, None).await?;
            let plan = plan::Entity::find().filter(plan::Column::Name.eq(SHARED)).one(tx).await.because("looking up the shared plan")?;
            insert(tx, panel, org, &provider, plan.ok_or(Error::NotFound(PLAN))?.id).await
        })
        .await;
    match made {
        // Another panel made it at the same time.
        Err(Error::Conflict(_)) => first.one(panel.db.read()).await.because("looking up a cluster")?.ok_or(Error::NotFound(Thing::CLUSTER)),
        made => made,
    }
}

/// The provider with the most room, of a region where one is named.
async fn pick(tx: &Tx, region: Option<&str>) -> Result<provider::Model> {
    let mut all = provider::Entity::find().filter(provider::Column::IsEnabled.eq(true));
    if let Some(region) = region {
        all = all.filter(provider::Column::Region.eq(region));
    }
    let all = all.order_by_asc(provider::Column::Id).all(tx).await.because("looking up providers")?;
    let mut best: Option<(i64, provider::Model)> = None;
    for candidate in all {
        let used = cluster::Entity::find()
            .filter(cluster::Column::ProviderId.eq(candidate.id.clone()))
            .count(tx)
            .await
            .because("counting clusters")?;
        let room = candidate.max_clusters - used as i64;
        if room > 0 && best.as_ref().is_none_or(|(most, _)| room > *most) {
            best = Some((room, candidate));
        }
    }
    best.map(|(_, provider)| provider)
        .ok_or_else(|| Error::Unavailable("There is no room for another organization now. Ask the operator.".into()))
}

async fn insert(tx: &Tx, panel: &Panel, org: &OrgId, provider: &provider::Model, plan: PlanId) -> Result<cluster::Model> {
    let row = cluster::ActiveModel {
        id: Set(random::id()),
        organization_id: Set(org.clone()),
        provider_id: Set(provider.id.clone()),
        plan_id: Set(plan),
        name: Set("main".into()),
        created_at: Set(panel.now()),
    };
    let made = match row.insert(tx).await {
        Err(why) if is_taken(&why) => return Err(Error::Conflict("This cluster exists.".into())),
        made => made.because("making a cluster")?,
    };
    take_subnet(tx, panel, &provider.id, &made.id).await?;
    Ok(made)
}

/// Takes the lowest free number of the ledger; the primary key keeps two from taking the same.
async fn take_subnet(tx: &Tx, panel: &Panel, provider: &ProviderId, cluster: &ClusterId) -> Result<()> {
    let taken: Vec<i64> = subnet::Entity::find()
        .select_only()
        .column(subnet::Column::Number)
        .filter(subnet::Column::ProviderId.eq(provider.clone()))
        .order_by_asc(subnet::Column::Number)
        .into_tuple()
        .all(tx)
        .await
        .because("reading the ledger of subnets")?;
    let number = taken.iter().zip(0..).find(|(taken, at)| **taken != *at).map_or(taken.len() as i64, |(_, at)| at);
    let room = subnets(panel);
    if number >= room {
        return Err(Error::Unavailable("All networks are in use. The operator can widen swarm.subnets.".into()));
    }
    if number * 10 >= room * 7 {
        tracing::warn!(provider.id = %provider, number, room, "the range of organizations' networks is more than 70 % full");
    }
    let row = subnet::ActiveModel { provider_id: Set(provider.clone()), number: Set(number), cluster_id: Set(cluster.clone()) };
    match subnet::Entity::insert(row).exec_without_returning(tx).await {
        Err(why) if is_taken(&why) => Err(Error::Conflict("This subnet was taken meanwhile.".into())),
        done => done.because("taking a subnet").map(|_| ()),
    }
}

/// A cluster with the limits of its plan.
pub async fn place(panel: &Panel, id: &ClusterId) -> Result<Place> {
    let cluster = cluster::Entity::find_by_id(id.clone()).one(panel.db.read()).await.because("looking up a cluster")?;
    let cluster = cluster.ok_or(Error::NotFound(Thing::CLUSTER))?;
    let plan = plan::Entity::find_by_id(cluster.plan_id.clone()).one(panel.db.read()).await.because("looking up a plan")?;
    let limits = plan.ok_or(Error::NotFound(PLAN))?.limits.read()?;
    Ok(Place { cluster, limits })
}

/// Holds a cluster's row to the end of the transaction, for what is counted in it.
pub async fn hold(tx: &Tx, id: &ClusterId) -> Result<()> {
    let row = cluster::Entity::find_by_id(id.clone()).lock_exclusive().one(tx).await.because("holding a cluster")?;
    row.map(|_| ()).ok_or(Error::NotFound(Thing::CLUSTER))
}

/// The swarm that a cluster is a slice of.
pub async fn swarm(panel: &Panel, cluster: &cluster::Model) -> Result<Arc<dyn Swarm>> {
    panel.swarms.of(panel, &cluster.provider_id).await
}

/// The name of a cluster's overlay.
pub fn network_name(cluster: &ClusterId) -> String {
    format!("skypanel-{}", cluster.suffix())
}

/// A cluster's overlay, as the ledger has it.
pub async fn network(panel: &Panel, cluster: &cluster::Model) -> Result<NetworkSpec> {
    let line = subnet::Entity::find().filter(subnet::Column::ClusterId.eq(cluster.id.clone())).one(panel.db.read()).await;
    let number =
        line.because("reading the ledger of subnets")?.ok_or("no subnet was taken").because("reading the ledger of subnets")?.number;
    let first = u32::from(panel.config.swarm.subnets.network()) + ((number as u32) << 8);
    let subnet = format!("{}/24", std::net::Ipv4Addr::from(first));
    let labels = [(OURS.to_string(), "network".to_string()), (LABEL_ORG.to_string(), cluster.organization_id.to_string())];
    Ok(NetworkSpec { name: network_name(&cluster.id), subnet, labels: labels.into() })
}

/// Which provider each cluster is on.
pub async fn providers(panel: &Panel) -> Result<HashMap<ClusterId, ProviderId>> {
    where_are(panel, cluster::Entity::find()).await
}

/// The same for some clusters.
pub async fn providers_of(panel: &Panel, which: impl Iterator<Item = &ClusterId>) -> Result<HashMap<ClusterId, ProviderId>> {
    let which: HashSet<&ClusterId> = which.collect();
    where_are(panel, cluster::Entity::find().filter(cluster::Column::Id.is_in(which.into_iter().cloned()))).await
}

async fn where_are(panel: &Panel, which: Select<cluster::Entity>) -> Result<HashMap<ClusterId, ProviderId>> {
    let all = which.select_only().columns([cluster::Column::Id, cluster::Column::ProviderId]).into_tuple().all(panel.db.read()).await;
    Ok(all.because("looking up clusters")?.into_iter().collect())
}
