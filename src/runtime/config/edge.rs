//! What the configuration says to an edge that runs on a machine of its own.
use crate::edge::remote::RemoteSettings;
use crate::runtime::config::{Config, EdgeConfig};
use std::net::SocketAddr;

impl Config {
    /// The settings of `skypanel edge`. Such an edge is there for others: where nothing else is said it listens on every address.
    pub fn remote_edge(&self) -> RemoteSettings {
        let (edge, usual) = (&self.edge, EdgeConfig::default());
        let on_all = |given: &[SocketAddr], usual: &[SocketAddr], port: u16| match given == usual {
            true => vec![SocketAddr::from(([0, 0, 0, 0], port))],
            false => given.to_vec(),
        };
        RemoteSettings {
            data_dir: self.data_dir.clone(),
            panel_url: edge.panel_url.clone(),
            panel_insecure: edge.panel_insecure,
            panel_ca_file: edge.panel_ca_file.clone(),
            token_file: edge.token_file.clone(),
            swarm_endpoint: edge.swarm_endpoint.clone(),
            listen: on_all(&edge.listen, &usual.listen, 80),
            listen_tls: on_all(&edge.listen_tls, &usual.listen_tls, 443),
            public_https_port: edge.public_https_port,
            proxy_protocol: edge.proxy_protocol,
            trusted_proxies: edge.trusted_proxies.clone(),
            threads: edge.threads,
        }
    }
}
