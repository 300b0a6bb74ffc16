//! The edge by itself, to be measured beside other proxies:
//!
//! ```text
//! edge-bench certificate FOLDER HOST                                     writes cert.pem and key.pem
//! edge-bench serve HTTP TLS BACKEND FOLDER HOST ROUTES CERTIFICATES      leads HOST to the backend, until it is killed
//! ```
//!
//! Routes and certificates beyond the first are for other names, and lead to backends where nobody is.
#[path = "../../../../src/edge/mod.rs"]
#[allow(dead_code, unused_imports)]
mod edge;

/// What the edge takes from the panel.
mod error {
    /// See the panel's.
    #[derive(Debug, thiserror::Error)]
    pub enum Error {
        #[error("{0}")]
        Unavailable(String),
    }
    pub type Result<T, E = Error> = std::result::Result<T, E>;
}
mod units {
    /// See the panel's.
    pub fn spoken(length: std::time::Duration) -> String {
        format!("{} ms", length.as_millis())
    }
}

use edge::{Backend, Certificate, Edge, EdgeConfig, Listener, Route, Snapshot, Target};
use std::{error::Error, fs, net::SocketAddr, path::Path, time::Duration};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A certificate that nobody has to believe, and its key, as PEM.
fn certificate(name: &str) -> Outcome<(String, String)> {
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([name.to_string()])?;
    Ok((cert.pem(), signing_key.serialize_pem()))
}

fn main() -> Outcome {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["certificate", folder, host] => {
            let (chain, key) = certificate(host)?;
            fs::write(Path::new(folder).join("cert.pem"), chain)?;
            Ok(fs::write(Path::new(folder).join("key.pem"), key)?)
        }
        ["serve", http, tls, backend, folder, host, routes, certificates] => {
            serve(http.parse()?, tls.parse()?, backend.parse()?, Path::new(folder), host, routes.parse()?, certificates.parse()?)
        }
        _ => Err("see the head of scripts/bench/edge/src/main.rs".into()),
    }
}

fn serve(http: SocketAddr, tls: SocketAddr, backend: SocketAddr, folder: &Path, host: &str, routes: usize, certificates: usize) -> Outcome {
    let edge = Edge::start(EdgeConfig {
        listen: vec![http.into(), Listener { tls: true, ..tls.into() }],
        threads: 2,
        max_connections_per_client: 10_000,
        ..EdgeConfig::default()
    })?;
    let lead = |n: usize, host: String, address: SocketAddr| {
        let backends = vec![Backend { task: format!("task_{n}"), release: format!("rel_{n}"), address, h2c: false }];
        Route::new(host, format!("app_{n}"), Target::Tasks { backends, hold: Duration::from_secs(15) })
    };
    let nobody = |n: usize| SocketAddr::from(([10, 255, (n >> 8) as u8, n as u8], 80));
    let own = Certificate {
        // wrk names no host as it shakes hands.
        names: vec![host.into(), "*".into()],
        chain: fs::read_to_string(folder.join("cert.pem"))?,
        key: fs::read_to_string(folder.join("key.pem"))?,
    };
    let other = |n: usize| -> Outcome<Certificate> {
        let name = format!("c{n}.bench.localhost");
        let (chain, key) = certificate(&name)?;
        Ok(Certificate { names: vec![name], chain, key })
    };
    let snapshot = Snapshot {
        version: 1,
        routes: (1..routes)
            .map(|n| lead(n, format!("app-{n}.bench.localhost"), nobody(n)))
            .chain([lead(0, host.into(), backend)])
            .collect(),
        certificates: (1..certificates).map(other).chain([Ok(own)]).collect::<Outcome<_>>()?,
        ..Snapshot::default()
    };
    let start = std::time::Instant::now();
    edge.publish(snapshot);
    eprintln!("{routes} routes and {certificates} certificates are live after {:?}", start.elapsed());
    loop {
        std::thread::park();
    }
}
