//! What an edge elsewhere weighs: the remote half against a panel that says one thing, as a process of its own.
//!
//! ```text
//! edge-memory ROUTES CERTIFICATES [CHANGES]    says what is resident once all is live, and after so many changes
//! ```
#![allow(clippy::disallowed_methods, reason = "a measurement runs what it measures")]
use axum::{Router, body::Body, routing::get};
use edge::{
    Backend, Certificate, Policy, Route, Snapshot, Target,
    remote::{Control, KeyedChunk, RemoteSettings, chunks, digest, fingerprint, run},
};
use std::{collections::BTreeMap, convert::Infallible, error::Error, time::Duration};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn route(n: usize, port: u16) -> Route {
    let backend = |n: usize| Backend {
        task: format!("task{n:021}"),
        release: format!("dep_{n:022}"),
        address: ([127, 0, 0, 1], port).into(),
        h2c: false,
    };
    let target = Target::Tasks { backends: vec![backend(n), backend(n + 100_000)], hold: Duration::from_secs(15) };
    let policy = Policy { access_permille: 1000, ..Policy::default() };
    Route { policy: Some(Box::new(policy)), ..Route::new(format!("app-{n}.apps.example.com"), format!("app_{n:022}"), target) }
}

fn certificate(n: usize) -> Outcome<Certificate> {
    let name = format!("app-{n}.apps.example.com");
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([name.clone()])?;
    // An authority's chain has two more, of about this size.
    Ok(Certificate { names: vec![name], chain: cert.pem().repeat(3), key: signing_key.serialize_pem() })
}

fn keyed(snapshot: &Snapshot) -> Outcome<BTreeMap<String, KeyedChunk>> {
    let one = |chunk: edge::remote::Chunk| {
        let key = chunk.key();
        Ok((key.clone(), KeyedChunk { key, chunk: serde_json::value::to_raw_value(&chunk)? }))
    };
    chunks(snapshot).map(one).collect()
}

fn digest_of(all: &BTreeMap<String, KeyedChunk>) -> String {
    let fingerprints: Vec<_> = all.values().map(|keyed| fingerprint(&keyed.key, keyed.chunk.get())).collect();
    digest(fingerprints.iter())
}

/// The panel: everything, and then changes of one route each. It says on which port it listens.
async fn panel(routes: usize, certificates: usize, changes: usize) -> Outcome {
    let mut snapshot = Snapshot { routes: (0..routes).map(|n| route(n, 40_000)).collect(), ..Snapshot::default() };
    snapshot.certificates = (0..certificates).map(certificate).collect::<Outcome<_>>()?;
    let mut all = keyed(&snapshot)?;
    let mut from = digest_of(&all);
    let mut lines = vec![serde_json::to_string(&Control::Full {
        version: 1,
        digest: from.clone(),
        chunks: all.values().cloned().collect::<Vec<KeyedChunk>>(),
    })?];
    for n in 0..changes {
        let one = Snapshot { routes: vec![route(n, 40_001)], ..Snapshot::default() };
        let put: Vec<_> = keyed(&one)?.into_values().filter(|keyed| keyed.key.starts_with("route")).collect();
        all.extend(put.iter().map(|keyed| (keyed.key.clone(), keyed.clone())));
        let to = digest_of(&all);
        let change: Control = Control::Change { from, version: n as u64 + 2, digest: to.clone(), put, drop: Vec::new() };
        lines.push(serde_json::to_string(&change)?);
        from = to;
    }
    let stream = move || {
        let lines = lines.clone();
        async move {
            let lines = futures::stream::unfold(lines.into_iter(), |mut lines| async move {
                let Some(line) = lines.next() else { return std::future::pending().await };
                tokio::time::sleep(Duration::from_millis(50)).await;
                Some((Ok::<_, Infallible>(line + "\n"), lines))
            });
            Body::from_stream(lines)
        }
    };
    let router = Router::new().route("/api/edge/stream", get(stream));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    Ok(axum::serve(listener, router).await?)
}

fn resident(what: &str) -> Outcome {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_string();
    println!("{what}: resident {}, at most {}", field("VmRSS:"), field("VmHWM:"));
    Ok(())
}

#[tokio::main]
async fn main() -> Outcome {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| args.get(at).map_or(Ok(0), |text| text.parse::<usize>());
    if args.first().is_some_and(|word| word == "panel") {
        return panel(number(1)?, number(2)?, number(3)?).await;
    }
    let me = std::env::current_exe()?;
    let mut child =
        tokio::process::Command::new(me).arg("panel").args(&args).stdout(std::process::Stdio::piped()).kill_on_drop(true).spawn()?;
    let out = child.stdout.take().ok_or("the panel says nothing")?;
    let port = BufReader::new(out).lines().next_line().await?.ok_or("the panel has ended")?;
    let folder = std::env::temp_dir().join(format!("edge-memory-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let token_file = folder.join("token");
    std::fs::write(&token_file, "sky_edge_memory")?;
    let settings = RemoteSettings {
        data_dir: folder.clone(),
        panel_url: Some(format!("http://127.0.0.1:{port}")),
        token_file: Some(token_file),
        listen: vec![([127, 0, 0, 1], 0).into()],
        threads: 2,
        ..RemoteSettings::default()
    };
    resident("before")?;
    let edge = tokio::spawn(run(settings));
    tokio::time::sleep(Duration::from_secs(6)).await;
    resident("everything is live and kept")?;
    let changes = number(2)? as u64;
    if changes > 0 {
        tokio::time::sleep(Duration::from_millis(100 * changes) + Duration::from_secs(3)).await;
        resident("after the changes")?;
    }
    edge.abort();
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
