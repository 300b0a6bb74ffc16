//! What an operator can set about domains and certificates.
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf};

/// Customers' domains.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DomainsConfig {
    /// How many an organization may have.
    pub per_organization: u64,
    /// Name servers that are asked about domains; the machine's own where there are none.
    pub name_servers: Vec<SocketAddr>,
    /// Networks that a domain may point to although they are private.
    pub allowed_networks: Vec<ipnet::IpNet>,
    /// The port that visitors and the certificate authority come to without TLS.
    pub http_port: u16,
    /// Whether `*.example.com` may be added. Without `acme.dns` its certificate has to be uploaded.
    pub wildcards: bool,
}

impl Default for DomainsConfig {
    fn default() -> Self {
        DomainsConfig { per_organization: 100, name_servers: Vec::new(), allowed_networks: Vec::new(), http_port: 80, wildcards: true }
    }
}

impl DomainsConfig {
    /// What types alone don't say.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.per_organization == 0 { Err("domains.per_organization: at least 1.".into()) } else { Ok(()) }
    }
}

/// Where certificates come from (RFC 8555).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcmeConfig {
    /// The authority's directory, like `https://acme-v02.api.letsencrypt.org/directory`. Without it no certificate is ordered.
    pub directory: Option<String>,
    /// Where the authority writes to.
    pub email: Option<String>,
    /// A PEM file with the root that the authority's own address is trusted by, where it is none of the machine's.
    pub ca_file: Option<PathBuf>,
    /// A PEM file with the roots that visitors trust, where they are not the machine's: those of an authority of one's own.
    pub trusted_roots: Option<PathBuf>,
    /// What a CAA record must say for this authority (RFC 8659).
    pub caa_identities: Vec<String>,
    /// Seconds that pass before the authority is told that a challenge is answered: every edge must have heard of it.
    pub settle_seconds: u64,
    /// Orders certificates for the panel's own address and, with `dns`, for `*.<edge.apps_domain>`.
    pub platform: bool,
    /// Without `dns`: orders one for each application's own name instead, which the authority's limits bound (50 a week of a domain).
    pub applications: bool,
    /// Where answers to DNS challenges are written.
    pub dns: Option<AcmeDnsConfig>,
}

/// A name server that takes signed updates (RFC 2136, RFC 8945) of a zone of the operator's. Customers point `_acme-challenge.<domain>` into
/// that zone, and the operator `_acme-challenge.<edge.apps_domain>` at `platform.<zone>`, where the domain is not of that zone itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcmeDnsConfig {
    /// The server that updates are sent to, over TCP.
    pub server: SocketAddr,
    /// The zone, like `acme.example.com`.
    pub zone: String,
    /// The name of the TSIG key.
    pub key_name: String,
    /// A file that holds the key in base64, for HMAC-SHA256.
    pub key_file: PathBuf,
}

impl Default for AcmeConfig {
    fn default() -> Self {
        AcmeConfig {
            directory: None,
            email: None,
            ca_file: None,
            trusted_roots: None,
            caa_identities: vec!["letsencrypt.org".into()],
            settle_seconds: 2,
            platform: true,
            applications: true,
            dns: None,
        }
    }
}

impl AcmeConfig {
    /// What types alone don't say.
    pub(super) fn check(&self) -> Result<(), String> {
        let claim = |holds: bool, why: &str| if holds { Ok(()) } else { Err(why.to_string()) };
        let directory = self.directory.as_deref().unwrap_or("https://");
        claim(directory.starts_with("https://"), "acme.directory: an address that begins with https://.")?;
        claim(self.settle_seconds <= 60, "acme.settle_seconds: at most 60.")?;
        let files = [("acme.ca_file", &self.ca_file), ("acme.trusted_roots", &self.trusted_roots)];
        for (what, file) in files {
            claim(file.as_ref().is_none_or(|file| file.is_file()), &format!("{what}: there is no such file."))?;
        }
        let zone = self.dns.as_ref().map_or("a.b", |dns| &dns.zone);
        let plain = zone.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'));
        claim(plain && !zone.starts_with('.') && !zone.ends_with('.'), "acme.dns.zone: a name in lower case, like acme.example.com.")
    }
}
