//! What the edge is told: which host leads to which running tasks. Made from what is wanted and what was last seen; published only
//! when it differs from what is live, so that a quiet platform costs nothing.
use crate::{
    apps::{
        model::Wanted,
        server::view::{running, service_name, wanted},
    },
    clusters::server::service::providers,
    edge::{Backend, Route, Snapshot, Target},
    error::Result,
    id::Id,
    platform::{db::tables::application, fault::Because, panel::Panel, tasks::Outcome},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use std::{collections::HashMap, sync::Arc};

/// Tells the edge of this process what differs from what it has.
pub async fn pass(panel: &Arc<Panel>) -> Result<Outcome> {
    let Some(edge) = &panel.edge else { return Ok(None) };
    // Held over the look and the telling, so that an older look can't be told after a newer one.
    let mut live = panel.routes.lock().await;
    let routes = routes(panel).await?;
    if live.routes == routes && live.version > 0 {
        return Ok(None);
    }
    let snapshot = Snapshot { version: live.version + 1, routes, ..Snapshot::default() };
    *live = snapshot.clone();
    let told = format!("routes of {} applications are live as version {}", snapshot.routes.len(), snapshot.version);
    edge.publish(snapshot);
    Ok(Some(told))
}

async fn routes(panel: &Panel) -> Result<Vec<Route>> {
    let apps = application::Entity::find().filter(application::Column::DeletedAt.is_null()).order_by_asc(application::Column::Id);
    let apps = apps.all(panel.db.read()).await.because("looking up applications")?;
    let providers = providers(panel).await?;
    let observed = panel.observed.load();
    let route = |app: application::Model| {
        let target = match (&app.live_deployment_id, wanted(&app)) {
            (None, _) => Target::Empty,
            (_, Wanted::Stopped | Wanted::Deleted) => Target::Stopped,
            (Some(live), Wanted::Running) => {
                let tasks = providers.get(&app.cluster_id).map_or(&[][..], |provider| observed.tasks(provider, &service_name(live)));
                let backend = |task: &crate::swarm::Task| {
                    Some(Backend { task: task.id.clone(), release: live.to_string(), address: task.address?, h2c: false })
                };
                Target::Tasks { backends: running(tasks).filter_map(backend).collect(), hold: panel.config.hold() }
            }
        };
        Route::new(format!("{}.{}", app.host, panel.config.edge.apps_domain), app.id.to_string(), target)
    };
    let mut routes: Vec<Route> = apps.into_iter().map(route).collect();
    let by_app: HashMap<&str, usize> = routes.iter().enumerate().map(|(at, route)| (route.app.as_str(), at)).collect();
    // Customers' own names lead where their applications' names do.
    let material = panel.material.load();
    let own = material.hosts.iter().filter(|host| !host.name.starts_with("*."));
    let own = own.filter_map(|host| Some(Route { host: host.name.clone(), ..routes[*by_app.get(host.app.as_str())?].clone() }));
    let own: Vec<Route> = own.collect();
    routes.extend(own);
    Ok(routes)
}
