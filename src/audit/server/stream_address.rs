//! Where a stream may lead. The name is looked up once, every address behind it is judged as those of repositories are, and those that
//! pass are the only ones that are spoken to.
use crate::{git::AddressPolicy, runtime::panel::Panel};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use url::{Host, Url};

/// How long a look-up may take.
const LOOKUP: Duration = Duration::from_secs(5);

/// A stream's place, judged.
pub struct Place {
    pub url: Url,
    pub host: String,
    /// Not empty.
    pub addresses: Vec<SocketAddr>,
}

/// Looks a place up; else a sentence that says why it is refused.
pub async fn find(panel: &Panel, url: &str) -> Result<Place, String> {
    let url = Url::parse(url).map_err(|_| "The address can’t be read.".to_string())?;
    let port = url.port_or_known_default().ok_or("The address has no port.")?;
    let found: Vec<IpAddr> = match url_host(&url).ok_or("The address has no host.")? {
        Host::Ipv4(ip) => vec![ip.into()],
        Host::Ipv6(ip) => vec![ip.into()],
        Host::Domain(name) => match tokio::time::timeout(LOOKUP, tokio::net::lookup_host((name.as_str(), port))).await {
            Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
            _ => return Err(format!("There is no host {name}.")),
        },
    };
    let named = &panel.config.git.allowed_networks;
    let policy = AddressPolicy { allow_private: false, allowed: named.clone() };
    // What is not encrypted may stay within the operator's own networks.
    let inside = |ip: &IpAddr| named.iter().any(|net| net.contains(ip));
    let plain = url.scheme() == "http";
    let fine = |ip: &IpAddr| policy.allows(*ip) && (!plain || inside(ip));
    let addresses: Vec<SocketAddr> = found.into_iter().filter(fine).take(4).map(|ip| SocketAddr::new(ip, port)).collect();
    match addresses.is_empty() {
        true if plain => Err("Use https: plain http is not sent out.".into()),
        true => Err("The host is in a private network, where nothing is sent. Ask the operator of the platform.".into()),
        false => Ok(Place { host: url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_string(), url, addresses }),
    }
}

/// The host; of schemes that the URL standard does not know an address is only text.
fn url_host(url: &Url) -> Option<Host<String>> {
    Host::parse(url.host_str()?).ok()
}
