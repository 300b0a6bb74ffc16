//! What edges are told: which host leads to which running tasks, or to another host, with which certificates, and what authorities are
//! answered. Made from what is wanted and what was last seen; published only when it differs from what is live, so that a quiet platform
//! costs nothing.
use crate::edges::server::distribution::EdgeDistribution;
use crate::edges::server::material::EdgeMaterial;
use crate::orgs::server::ROUTES;
use crate::{
    apps::{
        model::Wanted,
        server::view::{running, service_name},
    },
    clusters::server::service::providers,
    deployments::server::canary_share,
    edge::{Backend, Certificate, Challenge, Route, Snapshot, Target},
    edges::server::{material::Material, service::versions},
    error::Result,
    id::{AppId, DeploymentId, OrgId, ProviderId},
    routing::server::{policies, policies::Path},
    runtime::{
        loops::{Loop, Outcome},
        panel::Panel,
    },
    store::{columns::readable, tables::application},
};
use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

/// The loop.
pub const LOOP: Loop =
    Loop::new("routes", Duration::from_secs(30), |panel| pass(panel).boxed()).calm(Duration::from_millis(10)).woken_by(ROUTES);

/// Tells the edge of this process, and those elsewhere, what differs from what they have.
pub async fn pass(panel: &Arc<Panel>) -> Result<Outcome> {
    // Held over the look and the telling, so that an older look can't be told after a newer one.
    let mut live = panel.routes.lock().await;
    let told = panel.of::<EdgeDistribution>().live();
    let Composed { mut snapshot, is_whole } = compose(panel).await?;
    snapshot.version = live.version;
    // An edge that heard more from another panel, which may be gone, takes nothing older.
    let is_told = told.version > 0 && told.version == live.version && told.version >= panel.of::<EdgeDistribution>().heard();
    if *live == snapshot && (is_told || !is_whole) && panel.edge.as_ref().is_none_or(|edge| edge.version() == live.version) {
        return Ok(None);
    }
    let mut streams = 0;
    if is_whole {
        let draft = panel.of::<EdgeDistribution>().draft(&snapshot);
        snapshot.version = versions::claim(panel, &draft.digest, panel.of::<EdgeDistribution>().heard()).await?;
        streams = panel.of::<EdgeDistribution>().publish(draft, snapshot.version);
    }
    let is_news = *live != snapshot;
    *live = snapshot.clone();
    let (routes, version) = (snapshot.routes.len(), snapshot.version);
    if let Some(edge) = &panel.edge {
        edge.publish(snapshot);
    }
    let elsewhere = if streams > 0 { format!(", told to {streams} edges elsewhere") } else { String::new() };
    Ok(is_news.then(|| format!("{routes} routes are live as version {version}{elsewhere}")))
}

/// A snapshot that has no version yet.
struct Composed {
    snapshot: Snapshot,
    /// Whether every swarm that has something to say has been asked since the start. An edge elsewhere that knows more must not be told
    /// that there are no tasks.
    is_whole: bool,
}

async fn compose(panel: &Panel) -> Result<Composed> {
    let (routes, is_whole) = routes(panel).await?;
    let material = panel.of::<EdgeMaterial>().load();
    let snapshot = Snapshot {
        version: 0,
        routes,
        certificates: certificates(&material),
        challenges: challenges(&material),
        cookie_key: panel.secrets.cookie_key().to_vec(),
    };
    Ok(Composed { snapshot, is_whole })
}

fn certificates(material: &Material) -> Vec<Certificate> {
    let certificate = |served: &crate::edges::server::material::Served| Certificate {
        names: vec![served.name.clone()],
        chain: served.chain.clone(),
        key: served.key.0.clone(),
    };
    material.certificates.iter().map(certificate).collect()
}

/// Answers are told by token: an authority, or we, ask for one that nobody can guess, so that the host need not be compared.
fn challenges(material: &Material) -> Vec<Challenge> {
    let answer =
        |it: &crate::edges::server::material::Answer| Challenge::Http { token: it.token.clone(), key_authorization: it.body.clone() };
    let handshake = |it: &crate::edges::server::material::Handshake| Challenge::TlsAlpn {
        certificate: Certificate { names: vec![it.host.clone()], chain: it.certificate.clone(), key: it.key.0.clone() },
    };
    material.answers.iter().map(answer).chain(material.handshakes.iter().map(handshake)).collect()
}

/// The tasks of a release that take requests.
fn backends(tasks: &[crate::swarm::Task], release: &DeploymentId, h2c: bool) -> Vec<Backend> {
    let backend =
        |task: &crate::swarm::Task| Some(Backend { task: task.id.clone(), release: release.to_string(), address: task.address?, h2c });
    running(tasks).filter_map(backend).collect()
}

async fn routes(panel: &Panel) -> Result<(Vec<Route>, bool)> {
    let apps = application::Entity::find().filter(application::Column::DeletedAt.is_null()).order_by_asc(application::Column::Id);
    let apps = readable(panel.db.read(), apps, "looking up applications").await?;
    let providers = providers(panel).await?;
    let shares = canary_share::all(panel).await?;
    let rules = policies(panel).await?;
    let material = panel.of::<EdgeMaterial>().load();
    let certified = Certified::of(panel, &material);
    let observed = panel.observed.load();
    let is_seen = |provider: &ProviderId| observed.swarms.get(provider).is_some_and(|view| view.at.millis() > 0);
    let mut is_whole = true;
    let route = |app: application::Model| {
        let beside = shares.get(&app.id).filter(|share| app.live_deployment_id.as_ref() == Some(&share.old));
        let target = match (&app.live_deployment_id, app.wanted) {
            (None, _) => Target::Empty,
            (_, Wanted::Stopped | Wanted::Deleted) => Target::Stopped,
            (Some(live), Wanted::Running) => {
                let provider = providers.get(&app.cluster_id);
                is_whole &= provider.is_none_or(is_seen);
                let tasks = |release: &DeploymentId| provider.map_or(&[][..], |provider| observed.tasks(provider, &service_name(release)));
                let backends = |release: &DeploymentId| backends(tasks(release), release, rules.is_h2c(&app.id));
                let releases = std::iter::once(live).chain(beside.map(|share| &share.new));
                Target::Tasks { backends: releases.flat_map(backends).collect(), hold: panel.config.hold() }
            }
        };
        let host = format!("{}.{}", app.host, panel.config.edge.apps_domain);
        let mut policy = rules.policy(&app.id, certified.has(&host));
        if let Some(share) = beside {
            policy.balance = share.over(policy.balance);
        }
        Route { policy: Some(Box::new(policy)), ..Route::new(host, app.id.to_string(), target) }
    };
    let known: Vec<(AppId, OrgId)> = apps.iter().map(|app| (app.id.clone(), app.organization_id.clone())).collect();
    let mut routes: Vec<Route> = apps.into_iter().map(route).collect();
    let by_app: HashMap<&AppId, usize> = known.iter().enumerate().map(|(at, (id, _))| (id, at)).collect();
    // What holds for an application under another host than its own.
    let under = |at: usize, name: &str| {
        let mut policy = routes[at].policy.clone().unwrap_or_default();
        policy.https_only = rules.is_https_only(&known[at].0, certified.has(name));
        Route { host: name.to_string(), policy: Some(policy), ..routes[at].clone() }
    };
    // Customers' own names lead where their applications' names do, or to the application's primary name.
    let own = material.hosts.iter().filter_map(|host| {
        let of_app = under(*by_app.get(&host.app)?, &host.name);
        let target = host.redirect.as_ref().map_or_else(|| of_app.target.clone(), |host| Target::Redirect { host: host.clone() });
        Some(Route { target, ..of_app })
    });
    let own: Vec<Route> = own.collect();
    let paths = path_routes(&rules.paths, &routes, &known, &material, &by_app, &under);
    routes.extend(own);
    routes.extend(paths);
    Ok((routes, is_whole))
}

/// The routes of paths under hosts. `known` are the applications of the first `routes`, in their order.
fn path_routes(
    paths: &[Path],
    routes: &[Route],
    known: &[(AppId, OrgId)],
    material: &Material,
    by_app: &HashMap<&AppId, usize>,
    under: &dyn Fn(usize, &str) -> Route,
) -> Vec<Route> {
    if paths.is_empty() {
        return vec![];
    }
    let mut owners: HashMap<&str, usize> = (0..known.len()).map(|at| (routes[at].host.as_str(), at)).collect();
    owners.extend(material.hosts.iter().filter_map(|host| Some((host.name.as_str(), *by_app.get(&host.app)?))));
    paths.iter().filter_map(|path| path_route(path, known, &owners, by_app, under)).collect()
}

/// A path leads on only under a host that is still its organization's, and still the one that it was taken under. `under` gives the route of an
/// application under another host than its own; applications are told by their place in `known`.
fn path_route(
    path: &Path,
    known: &[(AppId, OrgId)],
    owners: &HashMap<&str, usize>,
    by_app: &HashMap<&AppId, usize>,
    under: &dyn Fn(usize, &str) -> Route,
) -> Option<Route> {
    let owner = &known[*owners.get(path.host.as_str())?];
    let is_same = path.organization == owner.1 && path.host_app.as_ref().is_none_or(|app| *app == owner.0);
    let at = *by_app.get(&path.app).filter(|at| is_same && known[**at].1 == path.organization)?;
    let mut route = Route { path: path.path.clone(), ..under(at, &path.host) };
    route.policy.get_or_insert_default().strip_path = path.strip;
    Some(route)
}

/// The names that edges have a certificate for.
struct Certified<'a>(HashSet<&'a str>);

impl<'a> Certified<'a> {
    /// None where nothing is served with TLS.
    fn of(panel: &Panel, material: &'a Material) -> Self {
        let serves = panel.edge.is_none() || !panel.config.edge.listen_tls.is_empty();
        Certified(material.certificates.iter().filter(|_| serves).map(|it| it.name.as_str()).collect())
    }

    /// Whether one of them is for a host.
    fn has(&self, host: &str) -> bool {
        self.0.contains(host) || host.split_once('.').is_some_and(|(_, base)| self.0.contains(format!("*.{base}").as_str()))
    }
}
