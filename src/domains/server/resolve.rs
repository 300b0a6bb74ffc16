//! Questions to the DNS, without a cache: what somebody has just changed is what counts. “There is none” and “no answer” are told apart,
//! because only the first says something about the domain.
use crate::{error::Result, fault::Because, runtime::config::Config};
use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{Name, RData, RecordType},
};
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// How long one name server may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// Records of one answer that are looked at.
const MOST: usize = 32;

/// No name server answered, or it could not: nothing is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer(pub String);

/// Where a name leads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    pub all: BTreeSet<IpAddr>,
    /// The names that it is an alias for, in order.
    pub aliases: Vec<String>,
}

/// A CAA record (RFC 8659).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caa {
    pub critical: bool,
    /// In lower case.
    pub tag: String,
    pub value: String,
}

impl Caa {
    /// The authority that an `issue` or `issuewild` names; nobody where it is empty.
    pub fn authority(&self) -> &str {
        self.value.split(';').next().unwrap_or_default().trim()
    }
}

/// The way to the DNS.
pub struct Dns(TokioResolver);

impl Dns {
    /// By the configured name servers, or the machine's.
    pub fn open(config: &Config) -> Result<Self> {
        let servers: Vec<NameServerConfig> = config.domains.name_servers.iter().map(server).collect();
        let mut builder = if servers.is_empty() {
            TokioResolver::builder_tokio().because("reading the machine's name servers")?
        } else {
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            Resolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        options.timeout = PATIENCE;
        options.attempts = 1;
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        options.try_tcp_on_error = true;
        Ok(Dns(builder.build().because("making a resolver")?))
    }

    /// The texts at a name, each in one piece.
    pub async fn texts(&self, name: &str) -> Result<Vec<String>, NoAnswer> {
        let text = |data: &RData| match data {
            RData::TXT(txt) => Some(txt.txt_data.iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect::<String>()),
            _ => None,
        };
        Ok(self.ask(name, RecordType::TXT).await?.iter().filter_map(text).collect())
    }

    /// The addresses of a name, by way of its aliases.
    pub async fn addresses(&self, name: &str) -> Result<Addresses, NoAnswer> {
        let (v4, v6) = tokio::join!(self.ask(name, RecordType::A), self.ask(name, RecordType::AAAA));
        let mut found = Addresses::default();
        for data in v4?.into_iter().chain(v6?) {
            match data {
                RData::A(ip) => drop(found.all.insert(IpAddr::V4(ip.0))),
                RData::AAAA(ip) => drop(found.all.insert(IpAddr::V6(ip.0))),
                RData::CNAME(to) => {
                    let to = plain(&to.0);
                    if !found.aliases.contains(&to) {
                        found.aliases.push(to);
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// The name that a name is an alias for.
    pub async fn alias(&self, name: &str) -> Result<Option<String>, NoAnswer> {
        let all = self.ask(name, RecordType::CNAME).await?;
        Ok(all.iter().find_map(|data| match data {
            RData::CNAME(to) => Some(plain(&to.0)),
            _ => None,
        }))
    }

    /// The CAA records that hold for a name: its own, or those of the nearest name above that has some; and whose they are.
    pub async fn authorities(&self, name: &str) -> Result<(String, Vec<Caa>), NoAnswer> {
        let mut at = name;
        loop {
            let caa = |data: &RData| match data {
                RData::CAA(caa) => Some(Caa {
                    critical: caa.issuer_critical,
                    tag: caa.tag.to_ascii_lowercase(),
                    value: String::from_utf8_lossy(&caa.value).into_owned(),
                }),
                _ => None,
            };
            let found: Vec<Caa> = self.ask(at, RecordType::CAA).await?.iter().filter_map(caa).collect();
            match at.split_once('.') {
                Some((_, above)) if found.is_empty() => at = above,
                _ => return Ok((at.to_string(), found)),
            }
        }
    }

    async fn ask(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, NoAnswer> {
        let mut whole = Name::from_ascii(name).map_err(|why| NoAnswer(why.to_string()))?;
        whole.set_fqdn(true);
        match self.0.lookup(whole, kind).await {
            Ok(found) => Ok(found.answers().iter().take(MOST).map(|record| record.data.clone()).collect()),
            Err(why) if is_none(&why) => Ok(Vec::new()),
            Err(why) => Err(NoAnswer(why.to_string())),
        }
    }
}

/// Whether the name server said that there is nothing. That it failed, or refused to say, is no such answer.
fn is_none(why: &NetError) -> bool {
    use hickory_resolver::{net::DnsError, proto::op::ResponseCode};
    match why {
        NetError::Dns(DnsError::NoRecordsFound(none)) => matches!(none.response_code, ResponseCode::NoError | ResponseCode::NXDomain),
        _ => false,
    }
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut it| {
        it.port = address.port();
        it
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_lowercase()
}
