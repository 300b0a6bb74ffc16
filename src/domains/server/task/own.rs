//! Certificates of the platform's own names: the panel's address and the applications'. Where DNS challenges can be answered, one wildcard
//! covers all applications; elsewhere each application that was deployed gets its own, as far as the authority's limits go.
use crate::{
    domains::{
        model::{CertificateSource, CertificateState, DomainName, Method},
        server::names,
    },
    error::Result,
    fault::Because,
    runtime::{config::Config, panel::Panel},
    store::{
        random,
        tables::{application, certificate},
    },
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{BinOper, Expr, ExprTrait, OnConflict, Query},
};
use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

/// Applications' certificates that one pass asks for.
const BATCH: u64 = 20;

/// Asks for certificates of the platform's names that have none, and lets go of those whose application is gone. Says whether it did
/// anything: edges hear of it before anybody comes to look.
pub async fn ensure(panel: &Panel) -> Result<bool> {
    let config = &panel.config;
    if !config.acme.platform || config.acme.directory.is_none() {
        return Ok(false);
    }
    let mut wanted: Vec<(String, Method)> = of_panel(config).into_iter().map(|host| (host, Method::Http)).collect();
    let apps = &config.edge.apps_domain;
    match config.acme.dns.is_some() {
        true => wanted.push((format!("*.{apps}"), Method::Dns)),
        false if config.acme.applications => wanted.extend(applications(panel).await?.into_iter().map(|host| (host, Method::Http))),
        false => {}
    }
    wanted.retain(|(name, _)| can_have(name));
    let gone = let_go(panel).await?;
    let names: Vec<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
    let known: HashSet<String> = certificate::Entity::find()
        .select_only()
        .column(certificate::Column::Name)
        .filter(certificate::Column::Name.is_in(names))
        .into_tuple()
        .all(panel.db.read())
        .await
        .because("looking up the platform's certificates")?
        .into_iter()
        .collect();
    wanted.retain(|(name, _)| !known.contains(name));
    if wanted.is_empty() {
        return Ok(gone > 0);
    }
    let now = panel.now();
    let new = wanted.into_iter().map(|(name, method)| certificate::ActiveModel {
        id: Set(random::id()),
        name: Set(name),
        source: Set(CertificateSource::Acme),
        method: Set(method),
        state: Set(CertificateState::Preflight),
        // The edges answer our own visit by then.
        next_try_at: Set(now + Duration::from_secs(config.acme.settle_seconds)),
        created_at: Set(now),
        ..Default::default()
    });
    let once = OnConflict::column(certificate::Column::Name).do_nothing().to_owned();
    let insert = certificate::Entity::insert_many(new).on_conflict(once);
    let asked = panel.db.tx(async |tx| match insert.exec_without_returning(tx).await {
        Err(sea_orm::DbErr::RecordNotInserted) => Ok(()),
        done => done.because("asking for the platform's certificates").map(|_| ()),
    });
    asked.await.map(|()| true)
}

/// The panel's own host, where people come to it by TLS.
pub fn of_panel(config: &Config) -> Option<String> {
    names::panel_host(config).filter(|host| config.public_url().starts_with("https://") && can_have(host))
}

/// Where the edge of this process reaches the panel.
pub fn address(config: &Config) -> SocketAddr {
    let mut at = config.panel.listen;
    match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => at.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => at.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    at
}

/// Names of one machine (localhost) get none.
fn can_have(name: &str) -> bool {
    name.parse::<DomainName>().is_ok_and(|name| names::registered(name.base()).is_some() && !names::is_special(name.base()))
}

/// Names of applications that were deployed and have no certificate, the oldest first.
async fn applications(panel: &Panel) -> Result<Vec<String>> {
    let apps = &panel.config.edge.apps_domain;
    let host = || Expr::col((application::Entity, application::Column::Host));
    let certified = Query::select()
        .column(certificate::Column::Name)
        .from(certificate::Entity)
        .and_where(certificate::Column::DomainId.is_null())
        .to_owned();
    let hosts: Vec<String> = application::Entity::find()
        .select_only()
        .column(application::Column::Host)
        .filter(application::Column::DeletedAt.is_null())
        .filter(application::Column::LiveDeploymentId.is_not_null())
        .filter(host().binary(BinOper::Custom("||"), Expr::val(format!(".{apps}"))).in_subquery(certified).not())
        .order_by_asc(application::Column::Id)
        .limit(BATCH)
        .into_tuple()
        .all(panel.db.read())
        .await
        .because("looking for applications without a certificate")?;
    Ok(hosts.into_iter().map(|host| format!("{host}.{apps}")).collect())
}

/// Removes what nobody needs any more: certificates of applications that were deleted, and all of applications once there is a wildcard.
async fn let_go(panel: &Panel) -> Result<u64> {
    let below = format!(".{}", panel.config.edge.apps_domain);
    let held: Vec<(String, Option<String>)> = certificate::Entity::find()
        .select_only()
        .columns([certificate::Column::Name, certificate::Column::Fingerprint])
        .filter(certificate::Column::DomainId.is_null())
        .into_tuple()
        .all(panel.db.read())
        .await
        .because("looking up the platform's certificates")?;
    let has_wildcard = held.iter().any(|(name, print)| *name == format!("*{below}") && print.is_some());
    let of_apps: Vec<String> =
        held.into_iter().filter_map(|(name, _)| name.strip_suffix(&below).filter(|host| *host != "*").map(str::to_string)).collect();
    if of_apps.is_empty() {
        return Ok(0);
    }
    let alive: HashSet<String> = application::Entity::find()
        .select_only()
        .column(application::Column::Host)
        .filter(application::Column::DeletedAt.is_null())
        .into_tuple()
        .all(panel.db.read())
        .await
        .because("looking up applications' names")?
        .into_iter()
        .collect();
    let panel_host = of_panel(&panel.config);
    let over: Vec<String> = of_apps
        .into_iter()
        .filter(|host| has_wildcard || !alive.contains(host))
        .map(|host| host + &below)
        .filter(|name| Some(name) != panel_host.as_ref())
        .take(500)
        .collect();
    if over.is_empty() {
        return Ok(0);
    }
    let remove =
        certificate::Entity::delete_many().filter(certificate::Column::DomainId.is_null()).filter(certificate::Column::Name.is_in(over));
    panel.db.tx(async |tx| remove.exec(tx).await.because("letting certificates go").map(|done| done.rows_affected)).await
}
