//! One typed configuration. It comes, the later over the earlier, from the defaults, a TOML file, the environment
//! (`SKYPANEL_EDGE__LISTEN=…`, two underscores between levels; `DATABASE_URL` too) and the command line.
use crate::units::{Bytes, MilliCpu};
use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

mod edge;
mod mail;
pub use mail::{BounceConfig, MailConfig, Security, SmtpConfig};
mod brand;
pub use brand::BrandConfig;
mod walls;
pub use walls::WallsConfig;
mod oidc;
pub use oidc::OidcConfig;
mod domains;
pub use domains::{AcmeConfig, AcmeDnsConfig, DomainsConfig};
mod limits;
pub use limits::LimitsConfig;
mod metrics;
pub use metrics::MetricsConfig;

/// Everything that an operator can set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the master key, the embedded database and builds live.
    pub data_dir: PathBuf,
    /// `postgres://…`; without it the embedded database in `data_dir`.
    pub database_url: Option<String>,
    pub panel: PanelConfig,
    pub accounts: AccountsConfig,
    pub edge: EdgeConfig,
    pub swarm: SwarmConfig,
    pub deploy: DeployConfig,
    pub git: GitConfig,
    pub registry: Option<RegistryConfig>,
    /// Providers that people may sign in by.
    pub oidc: Vec<OidcConfig>,
    pub brand: BrandConfig,
    pub mail: MailConfig,
    pub limits: LimitsConfig,
    pub domains: DomainsConfig,
    pub acme: AcmeConfig,
    pub walls: WallsConfig,
    pub metrics: MetricsConfig,
    pub log: LogConfig,
}

/// The pages and the API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PanelConfig {
    pub listen: SocketAddr,
    /// How people reach it, for links and for the check of where a form came from. Without it `http://localhost:<port>`.
    pub public_url: Option<String>,
    /// Whether strangers may sign up once the first administrator exists.
    pub open_sign_up: bool,
    /// Days that a browser stays signed in.
    pub session_days: u32,
    /// Requests that are in work at the same time before others wait; 0 means unlimited. Open streams and assets are not counted.
    pub max_in_flight: usize,
    /// Networks of proxies in front, whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
}

/// What is asked of people and their passwords.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountsConfig {
    /// Whether nothing is created or deployed before the address is proven. Operators are exempt: they set up the mail.
    pub require_verified_email: bool,
    /// A file of SHA-1 hashes of passwords that are known to be stolen, one `HASH:count` a line, ordered by hash. It is searched where
    /// it lies; nothing is sent anywhere.
    pub breached_passwords_file: Option<PathBuf>,
}

/// The reverse proxy in front of the applications.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EdgeConfig {
    pub listen: Vec<SocketAddr>,
    /// Where it listens with TLS. A name without a certificate is shown one that the edge has signed itself.
    pub listen_tls: Vec<SocketAddr>,
    /// The port of addresses with TLS where it differs from the one listened on.
    pub public_https_port: Option<u16>,
    /// Networks of proxies and balancers in front, which are believed when they say whose request it is.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// Connections begin with the PROXY protocol, and come from `trusted_proxies` only.
    pub proxy_protocol: bool,
    /// Applications are reached at `<name>.<apps_domain>`.
    pub apps_domain: String,
    /// The port in applications' addresses where it differs from the one listened on.
    pub public_port: Option<u16>,
    pub threads: usize,
    /// Seconds that a request waits for an application that has no running replica yet.
    pub hold_seconds: u64,
    /// Where the panel is, for an edge that runs elsewhere.
    pub panel_url: Option<String>,
    /// A file that holds that edge's token.
    pub token_file: Option<PathBuf>,
    /// A PEM file with the authorities that the panel's certificate is verified by, where they are none of the machine's.
    pub panel_ca_file: Option<PathBuf>,
    /// Lets the panel's address begin with `http://` although it is another machine's. Private keys of certificates go that way.
    pub panel_insecure: bool,
    /// The engine of a manager, for an edge that runs elsewhere and stands beside one: while the panel is away it finds there where tasks
    /// have moved to. `unix:///path` or `tcp://host:port`.
    pub swarm_endpoint: Option<String>,
    /// The addresses that customers' domains shall point to: those under which the internet reaches the edges.
    pub public_addresses: Vec<std::net::IpAddr>,
}

/// The first swarm. More are rows of `providers`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SwarmConfig {
    /// `unix:///var/run/docker.sock`, `tcp://host:2376`, or `fake:` for a swarm in memory.
    pub endpoint: String,
    pub region: String,
    /// PEM files for TCP with TLS.
    pub tls: Option<TlsFiles>,
    /// The address under which other machines reach this one; loopback for a single machine.
    pub advertise: std::net::IpAddr,
    /// The range that organizations' networks are cut from, a /24 each.
    pub subnets: ipnet::Ipv4Net,
}

/// Paths of PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    pub ca: PathBuf,
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// How deployments are done.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeployConfig {
    /// Seconds that a new release must run and answer before visitors see it.
    pub stability_seconds: u64,
    /// Deployments that a panel works on at the same time.
    pub concurrent: usize,
    /// Releases of an application whose images are kept for rolling back.
    pub keep_releases: u32,
    /// Seconds that requests at the old release may take to end.
    pub drain_seconds: u64,
    pub build_memory: Bytes,
    pub build_cpu: MilliCpu,
    /// Seconds that starting and probing may take each.
    pub start_seconds: u64,
    /// Seconds that a task may stay without a machine that has room.
    pub room_seconds: u64,
}

/// How repositories are read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GitConfig {
    /// Networks that repositories may live in although they are private.
    pub allowed_networks: Vec<ipnet::IpNet>,
    pub max_repository: Bytes,
    pub timeout_seconds: u64,
}

/// Where images go so that every node can pull them. Not needed on one machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryConfig {
    /// `registry.example.com` or `host:5000`.
    pub server: String,
    pub username: Option<String>,
    /// A file that holds the password.
    pub password_file: Option<PathBuf>,
}

/// What is logged, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    pub format: LogFormat,
    /// Directives like `info,edge=debug`. The default silences what strangers at the edge could fill the log with.
    pub filter: String,
}

/// For a person, or for a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Pretty,
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            data_dir: "data".into(),
            database_url: None,
            panel: PanelConfig::default(),
            accounts: AccountsConfig::default(),
            edge: EdgeConfig::default(),
            swarm: SwarmConfig::default(),
            deploy: DeployConfig::default(),
            git: GitConfig::default(),
            registry: None,
            oidc: Vec::new(),
            brand: BrandConfig::default(),
            mail: MailConfig::default(),
            limits: LimitsConfig::default(),
            domains: DomainsConfig::default(),
            acme: AcmeConfig::default(),
            walls: WallsConfig::default(),
            metrics: MetricsConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Default for PanelConfig {
    fn default() -> Self {
        PanelConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            public_url: None,
            open_sign_up: true,
            session_days: 30,
            max_in_flight: 512,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Default for EdgeConfig {
    fn default() -> Self {
        EdgeConfig {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8080))],
            listen_tls: vec![SocketAddr::from(([127, 0, 0, 1], 8443))],
            public_https_port: None,
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            apps_domain: "localhost".into(),
            public_port: None,
            threads: 2,
            hold_seconds: 15,
            panel_url: None,
            token_file: None,
            panel_ca_file: None,
            panel_insecure: false,
            swarm_endpoint: None,
            public_addresses: Vec::new(),
        }
    }
}

impl Default for SwarmConfig {
    fn default() -> Self {
        SwarmConfig {
            endpoint: "unix:///var/run/docker.sock".into(),
            region: "local".into(),
            tls: None,
            advertise: [127, 0, 0, 1].into(),
            subnets: ipnet::Ipv4Net::new_assert([10, 208, 0, 0].into(), 12),
        }
    }
}

impl Default for DeployConfig {
    fn default() -> Self {
        DeployConfig {
            stability_seconds: 10,
            concurrent: 2,
            keep_releases: 5,
            drain_seconds: 30,
            build_memory: Bytes::mib(2_048),
            build_cpu: MilliCpu(2_000),
            start_seconds: 180,
            room_seconds: 10,
        }
    }
}

impl Default for GitConfig {
    fn default() -> Self {
        GitConfig { allowed_networks: Vec::new(), max_repository: Bytes::mib(500), timeout_seconds: 120 }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig { format: LogFormat::Pretty, filter: "info,pingora_core=off,pingora_proxy=off,sea_orm_migration=warn".into() }
    }
}

impl Config {
    /// Reads the configuration. A file that was named must exist; `skypanel.toml` may. `over` holds what the command line says.
    pub fn load(file: Option<&Path>, over: Vec<(String, String)>) -> Result<Config, String> {
        let mut figment = Figment::from(Serialized::defaults(Config::default()));
        match file {
            Some(path) if !path.exists() => return Err(format!("There is no file {}.", path.display())),
            Some(path) => figment = figment.merge(Toml::file_exact(path)),
            None if Path::new("skypanel.toml").exists() => figment = figment.merge(Toml::file_exact("skypanel.toml")),
            None => {}
        }
        // The tests' and the start-up's own settings are none of the configuration.
        let own = Env::prefixed("SKYPANEL_").ignore(&["config"]).filter(|key| !key.as_str().to_lowercase().starts_with("test_"));
        figment = figment.merge(Env::raw().only(&["DATABASE_URL"])).merge(own.split("__"));
        for (key, value) in over {
            figment = figment.merge((key, value));
        }
        let config: Config = figment.extract().map_err(|why| format!("The configuration can't be taken: {why}."))?;
        config.check()?;
        Ok(config)
    }

    /// What types alone don't say.
    pub fn check(&self) -> Result<(), String> {
        let claim = |holds: bool, why: &str| if holds { Ok(()) } else { Err(why.to_string()) };
        claim(!self.edge.listen.is_empty(), "edge.listen: name at least one address, like 0.0.0.0:80.")?;
        let mut both = self.edge.listen.iter().chain(&self.edge.listen_tls);
        claim(both.all(|address| *address != self.panel.listen), "edge.listen and panel.listen can't be the same address.")?;
        let is_twice = self.edge.listen_tls.iter().any(|address| address.port() != 0 && self.edge.listen.contains(address));
        claim(!is_twice, "edge.listen_tls: an address that edge.listen does not have.")?;
        let speaks = !self.edge.proxy_protocol || !self.edge.trusted_proxies.is_empty();
        claim(speaks, "edge.proxy_protocol: name the balancers' networks in edge.trusted_proxies.")?;
        let domain = &self.edge.apps_domain;
        let good = !domain.is_empty() && domain.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'));
        claim(good, "edge.apps_domain: a domain in lower case without a leading “*.”, like apps.example.com.")?;
        claim((1..=64).contains(&self.deploy.concurrent), "deploy.concurrent: 1 to 64.")?;
        claim(self.deploy.keep_releases >= 1, "deploy.keep_releases: at least 1, or nothing could be rolled back.")?;
        claim(self.swarm.subnets.prefix_len() <= 24, "swarm.subnets: at least a /24.")?;
        claim((1..=365).contains(&self.panel.session_days), "panel.session_days: 1 to 365.")?;
        let is_file = self.accounts.breached_passwords_file.as_ref().is_none_or(|path| path.is_file());
        claim(is_file, "accounts.breached_passwords_file: there is no such file.")?;
        let known = ["unix://", "tcp://", "fake:"].iter().any(|scheme| self.swarm.endpoint.starts_with(scheme));
        claim(known, "swarm.endpoint: unix:///path, tcp://host:port or fake:.")?;
        for (index, provider) in self.oidc.iter().enumerate() {
            provider.check()?;
            let twice = self.oidc[..index].iter().any(|other| other.id == provider.id);
            claim(!twice, &format!("oidc: two providers have the id “{}”.", provider.id))?;
        }
        let url = self.database_url.as_deref().unwrap_or("sqlite:");
        claim(["sqlite:", "postgres://", "postgresql://"].iter().any(|s| url.starts_with(s)), "database_url: postgres://… or sqlite://….")?;
        self.domains.check()?;
        self.acme.check()?;
        claim(
            url::Url::parse(&self.public_url()).is_ok_and(|url| url.has_host()),
            "panel.public_url: an address like https://panel.example.com.",
        )?;
        self.brand.check()?;
        self.metrics.check()?;
        self.mail.check()
    }

    /// The configuration in force as indented JSON, without the database's password.
    pub fn printed(&self) -> String {
        let mut shown = self.clone();
        if let Some(Ok(mut url)) = shown.database_url.as_deref().map(url::Url::parse)
            && url.password().is_some()
        {
            url.set_password(Some("…")).ok();
            shown.database_url = Some(url.into());
        }
        serde_json::to_string_pretty(&shown).unwrap_or_default()
    }

    /// The database's address.
    pub fn database(&self) -> String {
        self.database_url.clone().unwrap_or_else(|| format!("sqlite://{}?mode=rwc", self.data_dir.join("skypanel.db").display()))
    }

    /// How people reach the panel, without a slash at the end.
    pub fn public_url(&self) -> String {
        let url = self.panel.public_url.clone().unwrap_or_else(|| format!("http://localhost:{}", self.panel.listen.port()));
        url.trim_end_matches('/').to_string()
    }

    /// How visitors reach an application.
    pub fn app_url(&self, host: &str) -> String {
        let port = self.edge.public_port.unwrap_or_else(|| self.edge.listen.first().map_or(80, |address| address.port()));
        let port = if port == 80 { String::new() } else { format!(":{port}") };
        format!("http://{host}.{}{port}", self.edge.apps_domain)
    }

    /// How long a request waits for a replica.
    pub fn hold(&self) -> Duration {
        Duration::from_secs(self.edge.hold_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_source_wins_and_a_wrong_name_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.toml");
        std::fs::write(&file, "[edge]\napps_domain = \"apps.example.com\"\n").unwrap();
        let config = Config::load(Some(&file), vec![("panel.listen".into(), "0.0.0.0:9000".into())]).unwrap();
        assert_eq!(config.edge.apps_domain, "apps.example.com");
        assert_eq!(config.panel.listen.port(), 9000);
        std::fs::write(&file, "[edge]\napp_domain = \"x\"\n").unwrap();
        assert!(Config::load(Some(&file), vec![]).unwrap_err().contains("app_domain"));
        assert!(Config::load(Some(&dir.path().join("none")), vec![]).unwrap_err().contains("no file"));
    }

    #[test]
    fn an_address_has_a_port_only_where_it_needs_one() {
        let mut config = Config::default();
        assert_eq!(config.app_url("web"), "http://web.localhost:8080");
        config.edge.public_port = Some(80);
        assert_eq!(config.app_url("web"), "http://web.localhost");
    }
}
