//! The exact records that the owner of a domain sets.
use crate::{
    domains::{
        model::{DomainName, Method, Purpose, Record},
        server::names,
    },
    runtime::config::Config,
    store::{random, tables::domain},
};
use std::net::IpAddr;

/// Where in the platform's zone the challenges of its own names are answered.
pub const PLATFORM: &str = "platform";

fn record(kind: &str, name: impl Into<String>, value: impl Into<String>, purpose: Purpose) -> Record {
    Record { kind: kind.into(), name: name.into(), value: value.into(), purpose }
}

/// What to set for a domain of the application with this host label.
pub fn records(config: &Config, row: &domain::Model, name: &DomainName, method: Method, app_host: &str) -> Vec<Record> {
    let mut all = vec![record("TXT", name.ownership(), &row.token, Purpose::Ownership)];
    let target = target(config, app_host);
    let addresses = &config.edge.public_addresses;
    let address =
        |purpose| addresses.iter().map(move |ip| record(if ip.is_ipv4() { "A" } else { "AAAA" }, name.as_str(), ip.to_string(), purpose));
    // A registered domain itself can't be an alias (RFC 1912).
    let is_apex = names::registered(name.base()) == Some(name.base()) && !name.is_wildcard();
    if is_apex && !addresses.is_empty() {
        all.extend(address(Purpose::Address));
    } else {
        all.push(record("CNAME", name.as_str(), target, Purpose::Address));
        all.extend(address(Purpose::AddressInstead));
    }
    if method == Method::Dns
        && let Some(at) = challenge_at(config, &label(row, name), name)
        && at != name.challenge()
    {
        all.push(record("CNAME", name.challenge(), at, Purpose::Challenge));
    }
    all
}

/// The application's name under the platform's domain.
pub fn target(config: &Config, app_host: &str) -> String {
    format!("{app_host}.{}", config.edge.apps_domain)
}

/// Where in the platform's zone an organization's challenges are answered for a name and for the wildcard below it: both ask under one name,
/// which can be an alias for one other only.
pub fn label(row: &domain::Model, name: &DomainName) -> String {
    random::hash(&format!("{} {}", row.organization_id, name.base())).chars().take(32).collect()
}

/// Where the DNS challenge of a name is answered: in the platform's zone. A name of that zone itself is answered in its place.
pub fn challenge_at(config: &Config, of: &str, name: &DomainName) -> Option<String> {
    let zone = &config.acme.dns.as_ref()?.zone;
    let own = name.challenge();
    Some(if own.ends_with(&format!(".{zone}")) { own } else { format!("{of}.{zone}") })
}

/// Addresses as lines.
pub fn lines<'a>(all: impl IntoIterator<Item = &'a IpAddr>) -> Vec<String> {
    all.into_iter().map(ToString::to_string).collect()
}
