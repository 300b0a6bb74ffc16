//! What routes need of all applications' rules, in two questions however many there are: rows that did not change are not read again.
use crate::routing::server::rules::Rulebook;
use crate::{
    edge::{
        Balance, Credentials, HeaderRule, HealthProbe, HstsRule, LoginExceptions, MaintenancePage, Policy, ProbeCheck, RateLimit,
        RequestLimits, Sticky,
    },
    error::Result,
    fault::Because,
    id::{AppId, OrgId},
    routing::{
        model::{Balancing, Header, HttpsMode, ProbeKind, Protocol, Rules, Stickiness},
        server::rules::{AppRules, HttpsWish},
    },
    runtime::panel::Panel,
    store::tables::{path_route, routing},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// The rules of all applications, and the paths.
#[derive(Debug, Clone)]
pub struct Policies {
    apps: Arc<HashMap<AppId, Arc<AppRules>>>,
    /// What holds for applications that ask for nothing.
    usual: Arc<AppRules>,
    /// By host and path.
    pub paths: Vec<Path>,
}

/// A path under a host, of which the organization is to be the owner: where it is not, the path leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub organization: OrgId,
    pub host: String,
    /// The application whose own host it was; none where it is a domain.
    pub host_app: Option<AppId>,
    pub path: String,
    pub app: AppId,
    pub strip: bool,
}

impl Policies {
    fn of(&self, app: &AppId) -> &AppRules {
        self.apps.get(app).unwrap_or(&self.usual)
    }

    /// What holds for an application under a host that has a certificate, or has none.
    pub fn policy(&self, app: &AppId, has_certificate: bool) -> Policy {
        Policy { https_only: self.is_https_only(app, has_certificate), ..self.of(app).policy.clone() }
    }

    /// Whether requests without TLS are sent to it under such a host.
    pub fn is_https_only(&self, app: &AppId, has_certificate: bool) -> bool {
        match self.of(app).https {
            HttpsWish::WhereCertified => has_certificate,
            HttpsWish::Always => true,
            HttpsWish::Never => false,
        }
    }

    /// Whether an application's replicas speak HTTP/2 without TLS.
    pub fn is_h2c(&self, app: &AppId) -> bool {
        self.of(app).h2c
    }
}

/// Reads what changed since the last time.
pub async fn policies(panel: &Panel) -> Result<Policies> {
    let db = panel.db.read();
    let versions = routing::Entity::find().select_only().columns([routing::Column::ApplicationId, routing::Column::Version]);
    let versions: Vec<(AppId, i64)> = versions.into_tuple().all(db).await.because("looking up routing's versions")?;
    let known = panel.of::<Rulebook>().known();
    let is_known = |id: &AppId, version: i64| known.get(id).is_some_and(|rules| rules.version == version);
    let stale: Vec<AppId> = versions.iter().filter(|(id, version)| !is_known(id, *version)).map(|(id, _)| id.clone()).collect();
    let apps = if stale.is_empty() && versions.len() == known.len() {
        known
    } else {
        let mut next: HashMap<AppId, Arc<AppRules>> = HashMap::with_capacity(versions.len());
        next.extend(versions.iter().filter_map(|(id, _)| Some((id.clone(), known.get(id)?.clone()))));
        // A statement takes only so many values.
        for some in stale.chunks(500) {
            let rows = routing::Entity::find().filter(routing::Column::ApplicationId.is_in(some.iter().cloned()));
            for row in rows.all(db).await.because("looking up routing")? {
                next.insert(row.application_id.clone(), Arc::new(app_rules(&row)?));
            }
        }
        let next = Arc::new(next);
        panel.of::<Rulebook>().replace(next.clone());
        next
    };
    let paths = path_route::Entity::find().order_by_asc(path_route::Column::Host).order_by_asc(path_route::Column::Path);
    let path = |row: path_route::Model| Path {
        organization: row.organization_id,
        host: row.host,
        host_app: row.host_application_id,
        path: row.path,
        app: row.application_id,
        strip: row.strip_path,
    };
    let paths = paths.all(db).await.because("looking up paths")?.into_iter().map(path).collect();
    Ok(Policies { apps, usual: Arc::new(ready(&Rules::default(), Vec::new(), 0)), paths })
}

/// The rules in a row.
pub fn rules(row: &routing::Model) -> Result<Rules> {
    serde_json::from_str(&row.rules).because("reading an application's routing")
}

/// The logins in a row.
pub fn logins(row: &routing::Model) -> Result<Vec<Credentials>> {
    serde_json::from_str(&row.logins).because("reading an application's logins")
}

fn app_rules(row: &routing::Model) -> Result<AppRules> {
    Ok(ready(&rules(row)?, logins(row)?, row.version))
}

/// Rules as the edge takes them.
fn ready(rules: &Rules, logins: Vec<Credentials>, version: i64) -> AppRules {
    let headers = |all: &[Header]| all.iter().map(|it| HeaderRule { name: it.name.clone(), value: it.value.clone() }).collect();
    let seconds = |it: Option<u32>| it.map(|it| Duration::from_secs(it.into()));
    let (maintenance, limits, balancing) = (&rules.maintenance, &rules.limits, &rules.balancing);
    let policy = Policy {
        hsts: rules.hsts.map(|it| HstsRule { max_age: it.max_age_seconds, include_subdomains: it.include_subdomains, preload: it.preload }),
        logins,
        login_exceptions: LoginExceptions {
            preflights: rules.basic_auth_exceptions.preflights,
            bearer_tokens: rules.basic_auth_exceptions.bearer_tokens,
        },
        request_headers: headers(&rules.request_headers),
        response_headers: headers(&rules.response_headers),
        limits: RequestLimits {
            body: limits.body_bytes,
            rate: limits.rate.map(|it| RateLimit { per_second: it.per_second, burst: it.burst }),
            body_timeout: seconds(limits.body_timeout_seconds),
            response_timeout: seconds(limits.response_timeout_seconds),
        },
        maintenance: maintenance.enabled.then(|| MaintenancePage {
            page: maintenance.page.clone(),
            retry_after: maintenance.retry_after_seconds,
            bypass: maintenance.bypass.clone(),
        }),
        pages: rules.error_pages.iter().filter_map(|(status, page)| Some((status.parse().ok()?, page.clone()))).collect(),
        balance: Balance {
            sticky: match balancing.sticky {
                Stickiness::None => None,
                Stickiness::Replica => Some(Sticky::Task),
                Stickiness::Release => Some(Sticky::Release),
            },
            slow_start: Duration::from_secs(balancing.slow_start_seconds.into()),
            probe: probe(balancing),
            ..Balance::default()
        },
        access_permille: rules.access_log_permille,
        ..Policy::default()
    };
    let https = match rules.https {
        HttpsMode::Auto => HttpsWish::WhereCertified,
        HttpsMode::Always => HttpsWish::Always,
        HttpsMode::Off => HttpsWish::Never,
    };
    AppRules { version, https, h2c: balancing.protocol == Protocol::Http2, policy }
}

fn probe(balancing: &Balancing) -> Option<HealthProbe> {
    let check = match balancing.probe {
        ProbeKind::None => return None,
        ProbeKind::Tcp => ProbeCheck::Tcp,
        ProbeKind::Http => ProbeCheck::Http { path: balancing.probe_path.clone().unwrap_or_else(|| "/".into()), host: String::new() },
    };
    let usual = HealthProbe::default();
    let interval = balancing.probe_interval_seconds.map_or(usual.interval, |seconds| Duration::from_secs(seconds.into()));
    Some(HealthProbe { check, interval, ..usual })
}
