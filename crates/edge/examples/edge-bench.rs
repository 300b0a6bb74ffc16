//! The edge by itself, to be measured beside other proxies:
//!
//! ```text
//! edge-bench certificate FOLDER HOST                                     writes cert.pem and key.pem
//! edge-bench serve HTTP TLS BACKEND FOLDER HOST ROUTES CERTIFICATES      leads HOST to the backend, until it is killed
//! edge-bench change BACKEND FOLDER HOST ROUTES CERTIFICATES              says how many ms a change takes until it is answered by
//! ```
//!
//! Routes and certificates beyond the first are for other names, and lead to backends where nobody is.
use edge::{Backend, Certificate, Edge, EdgeConfig, Listener, Route, Snapshot, Target};
use std::{
    error::Error,
    fs,
    io::{Read, Write},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

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
        ["change", backend, folder, host, routes, certificates] => {
            change(backend.parse()?, Path::new(folder), host, routes.parse()?, certificates.parse()?)
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
    })
    .map_err(|why| why.to_string())?;
    let snapshot = snapshot(backend, folder, host, routes, certificates)?;
    let start = std::time::Instant::now();
    edge.publish(snapshot);
    eprintln!("{routes} routes and {certificates} certificates are live after {:?}", start.elapsed());
    loop {
        std::thread::park();
    }
}

/// As many routes and certificates, of which one of each is for HOST.
fn snapshot(backend: SocketAddr, folder: &Path, host: &str, routes: usize, certificates: usize) -> Outcome<Snapshot> {
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
    Ok(Snapshot {
        version: 1,
        routes: (1..routes)
            .map(|n| lead(n, format!("app-{n}.bench.localhost"), nobody(n)))
            .chain([lead(0, host.into(), backend)])
            .collect(),
        certificates: (1..certificates).map(other).chain([Ok(own)]).collect::<Outcome<_>>()?,
        ..Snapshot::default()
    })
}

/// Turns the route of HOST into a redirect and back, ten times, as a document that comes in and is read; the slowest counts.
fn change(backend: SocketAddr, folder: &Path, host: &str, routes: usize, certificates: usize) -> Outcome {
    let edge = Edge::start(EdgeConfig { listen: vec![SocketAddr::from(([127, 0, 0, 1], 0)).into()], threads: 2, ..EdgeConfig::default() })
        .map_err(|why| why.to_string())?;
    let mut snapshot = snapshot(backend, folder, host, routes, certificates)?;
    edge.publish(snapshot.clone());
    let mut slowest = Duration::ZERO;
    for n in 0..10 {
        let lead = if n % 2 == 0 {
            Route::new(host, "app_0", Target::Redirect { host: "elsewhere.localhost".into() })
        } else {
            let backends = vec![Backend { task: "task_0".into(), release: "rel_0".into(), address: backend, h2c: false }];
            Route::new(host, "app_0", Target::Tasks { backends, hold: Duration::from_secs(15) })
        };
        snapshot.version += 1;
        *snapshot.routes.last_mut().ok_or("no route")? = lead;
        let document = serde_json::to_vec(&snapshot)?;
        let start = std::time::Instant::now();
        edge.publish(serde_json::from_slice(&document)?);
        while !answer(edge.addresses()[0], host)?.starts_with(if n % 2 == 0 { "HTTP/1.1 308" } else { "HTTP/1.1 200" }) {}
        slowest = slowest.max(start.elapsed());
    }
    println!("{:.1}", slowest.as_secs_f64() * 1000.0);
    Ok(())
}

fn answer(edge: SocketAddr, host: &str) -> Outcome<String> {
    let mut socket = std::net::TcpStream::connect(edge)?;
    write!(socket, "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    Ok(answer)
}
