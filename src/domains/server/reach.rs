//! A visit from outside: an own request over plain HTTP to each address that a domain leads to, for an answer that only our edges know.
//! An address is judged before it is spoken to: a domain must not be a way into the panel's own network.
use crate::{domains::model::DomainName, git::AddressPolicy, runtime::config::Config, store::random};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// How long an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Addresses of a domain that are visited.
const MOST: usize = 6;

/// What a visit of one address came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visit {
    /// Ours.
    Ours,
    /// Something else answered, with this status.
    Other(u16),
    /// It sent the visitor on, to here.
    Redirect(String),
    /// Nothing answered.
    Silent,
    /// It is an address that we don't speak to.
    Refused,
}

impl Visit {
    /// What happened, as the check tells it.
    pub fn words(&self) -> String {
        match self {
            Visit::Ours => "answered by this platform".into(),
            Visit::Other(status) => format!("answered by something else (status {status})"),
            Visit::Redirect(to) => format!("sends visitors on to {}", to.chars().filter(|c| !c.is_control()).take(120).collect::<String>()),
            Visit::Silent => "no answer".into(),
            Visit::Refused => "a private address, which the internet can’t reach".into(),
        }
    }
}

/// The name of the probe's answer, and the answer: told from the claim's token, so that edges know it as long as the claim exists.
pub fn probe(token: &str) -> (String, String) {
    let hash = random::hash(&format!("probe {token}"));
    (format!("skypanel-{}", &hash[..32]), hash[32..].to_string())
}

/// Which addresses may be visited.
pub fn policy(config: &Config) -> AddressPolicy {
    let own = config.edge.public_addresses.iter().map(|ip| ipnet::IpNet::from(*ip));
    AddressPolicy { allow_private: false, allowed: config.domains.allowed_networks.iter().copied().chain(own).collect() }
}

/// Visits a domain at each of its addresses.
pub async fn visit(config: &Config, name: &DomainName, token: &str, addresses: impl Iterator<Item = IpAddr>) -> Vec<(IpAddr, Visit)> {
    let (file, answer) = probe(token);
    let policy = policy(config);
    // Of a wildcard any name below is visited.
    let host = if name.is_wildcard() { format!("skypanel-check.{}", name.base()) } else { name.to_string() };
    let visits = addresses.take(MOST).map(async |ip| {
        if !policy.allows(ip) {
            return (ip, Visit::Refused);
        }
        let seen = one(&host, SocketAddr::new(ip, config.domains.http_port), &file, &answer).await;
        (ip, seen.unwrap_or(Visit::Silent))
    });
    futures::future::join_all(visits).await
}

async fn one(host: &str, to: SocketAddr, file: &str, answer: &str) -> Option<Visit> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .resolve(host, to)
        .user_agent("SkyPanel domain check")
        .build()
        .ok()?;
    let url = format!("http://{host}:{}/.well-known/acme-challenge/{file}", to.port());
    let mut response = client.get(url).send().await.ok()?;
    let status = response.status();
    if status.is_redirection() {
        let to = response.headers().get("location").and_then(|value| value.to_str().ok()).unwrap_or("an unknown place");
        return Some(Visit::Redirect(to.to_string()));
    }
    // Never more than the answer could be.
    let mut body = Vec::new();
    while let Ok(Some(part)) = response.chunk().await {
        body.extend_from_slice(&part);
        if body.len() > 1024 {
            break;
        }
    }
    let ours = status.is_success() && body.trim_ascii() == answer.as_bytes();
    Some(if ours { Visit::Ours } else { Visit::Other(status.as_u16()) })
}
