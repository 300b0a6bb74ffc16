//! Edges that run elsewhere: the program as the operator starts it, against a panel that comes and goes.
use crate::support::{
    client::{Client, Person},
    panel::{App, TestPanel},
};
use axum::{Router, extract::Query, http::HeaderMap, response::IntoResponse, routing::get};
use serde_json::{Value, json};
use skypanel::edges::server::distribution::EdgeDistribution;
use skypanel::{
    clusters::server::observe,
    deployments::server::task::routes,
    edge::{
        Route, Target,
        remote::{Chunk, Control, KeyedChunk, digest, fingerprint},
    },
    edges::server::{service, task as edges},
    runtime::panel::Panel,
    traffic::server::service as traffic,
};
use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(30);

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Asks again until the answer is yes.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < end, "it does not come about that {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A panel that listens, with the loops that edges need.
struct Open {
    port: u16,
    panel: Arc<Panel>,
    work: JoinSet<()>,
}

impl Open {
    async fn at(t: &TestPanel, port: u16) -> Open {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let (panel, mut work) = (t.panel.clone(), JoinSet::new());
        let port = listener.local_addr().unwrap().port();
        let service = t.router.clone().into_make_service_with_connect_info::<SocketAddr>();
        work.spawn(async move { drop(axum::serve(listener, service).await) });
        let calm = Duration::from_millis(5);
        for one in [routes::LOOP, observe::LOOP, edges::LOOP] {
            work.spawn(one.calm(calm).run(panel.clone()));
        }
        Open { port, panel, work }
    }

    async fn new(t: &TestPanel) -> Open {
        Open::at(t, 0).await
    }

    /// Ends it as a kill would: nobody is told anything but by the connections' end.
    async fn kill(mut self) -> u16 {
        self.work.shutdown().await;
        self.panel.stop.cancel();
        self.port
    }
}

/// The token of a new edge, and its id.
async fn add(operator: &Client, name: &str) -> (String, String) {
    let made = operator.post("/api/admin/edges", json!({ "name": name })).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let text = |value: &Value| value.as_str().unwrap().to_string();
    (text(&made.data()["token"]), text(&made.data()["edge"]["id"]))
}

/// A running `skypanel edge`, which ends with the test.
struct Process {
    child: Child,
    data: PathBuf,
    panel: u16,
    http: u16,
    https: u16,
    said: Arc<Mutex<String>>,
    /// Answers by an application.
    served: AtomicU64,
}

fn command(data: &Path, panel: u16, http: u16, https: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skypanel"));
    command
        .args(["edge", "--panel", &format!("http://127.0.0.1:{panel}"), "--token-file"])
        .arg(data.join("token"))
        .arg("--data")
        .arg(data.join("kept"))
        .current_dir(data)
        .env("SKYPANEL_EDGE__LISTEN", format!("[\"127.0.0.1:{http}\"]"))
        .env("SKYPANEL_EDGE__LISTEN_TLS", format!("[\"127.0.0.1:{https}\"]"))
        .env("SKYPANEL_EDGE__THREADS", "1")
        .env_remove("DATABASE_URL")
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

impl Process {
    fn start(data: &Path, panel: u16, token: &str) -> Process {
        std::fs::write(data.join("token"), format!("{token}\n")).unwrap();
        Process::again(data.to_path_buf(), panel, free_port(), free_port())
    }

    fn again(data: PathBuf, panel: u16, http: u16, https: u16) -> Process {
        let mut child = command(&data, panel, http, https).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (lines, heard) = (BufReader::new(child.stderr.take().unwrap()).lines(), said.clone());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                heard.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        Process { child, data, panel, http, https, said, served: AtomicU64::new(0) }
    }

    /// Kills it and starts it again.
    fn restart(mut self) -> Process {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        Process::again(self.data.clone(), self.panel, self.http, self.https)
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    async fn says(&self, words: &str) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while !self.said().contains(words) {
            assert!(tokio::time::Instant::now() < end, "it does not say “{words}”, but: {}", self.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The status and the body that a visitor of a host gets; 0 where there is no answer.
    async fn visit(&self, host: &str) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
        match client.get(format!("http://127.0.0.1:{}/", self.http)).header("host", host).send().await {
            Ok(answer) => {
                self.served.fetch_add((answer.status() == 200).into(), Relaxed);
                (answer.status().as_u16(), answer.text().await.unwrap_or_default())
            }
            Err(_) => (0, String::new()),
        }
    }

    async fn answers(&self, host: &str, status: u16) {
        until(&format!("{host} answers {status}"), async || self.visit(host).await.0 == status).await;
    }

    /// Waits until it has written down what it has.
    async fn keeps_something(&self) {
        let file = self.data.join("kept/edge.snapshot");
        until("something is kept", async || file.exists()).await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

async fn host(t: &TestPanel, app: &App) -> String {
    format!("{}.{}", t.app_row(app).await.host, t.panel.config.edge.apps_domain)
}

async fn shown(operator: &Person, id: &str) -> Value {
    operator.get(&format!("/api/admin/edges/{id}")).await.data().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_is_live_on_every_edge_and_stays_when_the_panel_and_the_edge_are_killed() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let t = TestPanel::start().await;
    let (operator, app) = (t.operator().await, t.app_in("acme").await);
    t.deploy_well(&app).await;
    let host = host(&t, &app).await;
    let open = Open::new(&t).await;
    let (dirs, mut all) = ([tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()], Vec::new());
    for (name, dir) in ["fra-1", "fra-2"].iter().zip(&dirs) {
        let (token, id) = add(&operator, name).await;
        all.push((Process::start(dir.path(), open.port, &token), id));
    }
    for (edge, id) in &all {
        edge.answers(&host, 200).await;
        assert_eq!(edge.visit("nobody.example").await.0, 404);
        until("it is current", async || shown(&operator, id).await["state"] == "current").await;
        let it = shown(&operator, id).await;
        assert_eq!((it["software"].as_str(), &it["version"]), (Some(env!("CARGO_PKG_VERSION")), &it["newest_version"]), "{it}");
        edge.keeps_something().await;
        // Without a certificate yet, a handshake is answered all the same.
        let client = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true);
        let client = client.resolve(&host, ([127, 0, 0, 1], 0).into()).build().unwrap();
        assert_eq!(client.get(format!("https://{host}:{}/", edge.https)).send().await.unwrap().status(), 200);
    }
    assert_eq!(app.owner.post(&app.url("stop"), json!({})).await.status(), 200);
    for (edge, _) in &all {
        edge.answers(&host, 503).await;
        assert!(edge.visit(&host).await.1.contains("stopped"), "{}", edge.visit(&host).await.1);
    }
    assert_eq!(app.owner.post(&app.url("start"), json!({})).await.status(), 200);
    t.settle().await;
    for (edge, _) in &all {
        edge.answers(&host, 200).await;
        let version = t.panel.of::<EdgeDistribution>().live().version;
        edge.says(&format!("version {version} is live")).await;
    }
    // What is written down is the newest: the calm of a moment is over once the file is younger than that.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let port = open.kill().await;
    let (first, second) = (all.remove(0).0, all.remove(0).0);
    first.says("Serving on with version").await;
    assert_eq!((first.visit(&host).await.0, second.visit(&host).await.0), (200, 200));
    let first = first.restart();
    first.says("from the disk").await;
    assert_eq!(first.visit(&host).await.0, 200, "{}", first.said());
    // Another panel on the same database takes over, with the same version for the same routes.
    let version = t.panel.of::<EdgeDistribution>().live().version;
    let another = t.another().await;
    observe::pass(&another.panel).await.unwrap();
    let _open = Open::at(&another, port).await;
    first.says("the panel is there again").await;
    until("it tells the same version", async || another.panel.of::<EdgeDistribution>().live().version == version).await;
    assert_eq!(stop_by(&another, &app).await, 200);
    first.answers(&host, 503).await;
    second.answers(&host, 503).await;
}

/// Stops an application by way of a panel.
async fn stop_by(t: &TestPanel, app: &App) -> u16 {
    t.sign_in(&app.owner.user, &app.owner.org).await.post(&app.url("stop"), json!({})).await.status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_edge_is_cut_off_says_why_and_comes_back_with_a_new_token() {
    let t = TestPanel::start().await;
    let (operator, app) = (t.operator().await, t.app_in("acme").await);
    t.deploy_well(&app).await;
    let host = host(&t, &app).await;
    let open = Open::new(&t).await;
    let dir = tempfile::tempdir().unwrap();
    let (token, id) = add(&operator, "fra-1").await;
    let edge = Process::start(dir.path(), open.port, &token);
    edge.answers(&host, 200).await;
    assert_eq!(operator.post(&format!("/api/admin/edges/{id}/revoke"), json!({})).await.status(), 200);
    edge.says("The panel refuses this edge").await;
    edge.says("revoked").await;
    assert_eq!(t.panel.of::<EdgeDistribution>().streams(), 0);
    assert_eq!(shown(&operator, &id).await["state"], "revoked");
    // What changes is not its business any more; what it has it serves.
    assert_eq!(app.owner.post(&app.url("stop"), json!({})).await.status(), 200);
    until("the panel has told it", async || t.panel.routes.lock().await.routes.iter().all(|it| it.target == Target::Stopped)).await;
    assert_eq!(edge.visit(&host).await.0, 200);
    let new = operator.post(&format!("/api/admin/edges/{id}/rotate"), json!({})).await;
    std::fs::write(dir.path().join("token"), new.data()["token"].as_str().unwrap()).unwrap();
    // SAFETY: the process is our own child and has not been waited for.
    unsafe { libc::kill(edge.child.id() as i32, libc::SIGHUP) };
    edge.answers(&host, 503).await;
    // Another panel on the database does it: this one finds out by itself.
    let another = t.another().await;
    let elsewhere = another.sign_in(&operator.user, &operator.org).await;
    until("it listens", async || t.panel.of::<EdgeDistribution>().streams() == 1).await;
    assert_eq!(elsewhere.delete(&format!("/api/admin/edges/{id}")).await.status(), 200);
    until("it is cut off", async || t.panel.of::<EdgeDistribution>().streams() == 0).await;
    edge.says("is no edge’s").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_and_damaged_is_refused_and_fetched_anew() {
    let t = TestPanel::start().await;
    let (operator, app) = (t.operator().await, t.app_in("acme").await);
    t.deploy_well(&app).await;
    let host = host(&t, &app).await;
    let open = Open::new(&t).await;
    let dir = tempfile::tempdir().unwrap();
    let edge = Process::start(dir.path(), open.port, &add(&operator, "fra-1").await.0);
    edge.answers(&host, 200).await;
    edge.keeps_something().await;
    let port = open.kill().await;
    let file = dir.path().join("kept/edge.snapshot");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let edge = edge.restart();
    edge.says("is damaged").await;
    assert_eq!(edge.visit(&host).await.0, 404);
    let another = t.another().await;
    observe::pass(&another.panel).await.unwrap();
    let _open = Open::at(&another, port).await;
    edge.answers(&host, 200).await;
}

/// Lines of a panel that is none, one list a connection; and what the edge said to have each time.
type Played = Arc<Mutex<(Vec<Vec<String>>, Vec<String>)>>;

async fn play(lists: Vec<Vec<String>>) -> (u16, Played) {
    let played: Played = Arc::new(Mutex::new((lists, Vec::new())));
    let at = played.clone();
    let stream = move |Query(has): Query<HashMap<String, String>>, headers: HeaderMap| {
        let at = at.clone();
        async move {
            assert!(headers["authorization"].to_str().unwrap().starts_with("Bearer sky_edge_"));
            let mut at = at.lock().unwrap();
            at.1.push(has["digest"].clone());
            let lines = if at.0.is_empty() { Vec::new() } else { at.0.remove(0) };
            let is_last = at.0.is_empty();
            let lines = futures::stream::iter(lines.into_iter().map(Ok::<_, std::io::Error>));
            let end: futures::stream::BoxStream<'static, Result<String, std::io::Error>> =
                if is_last { Box::pin(futures::stream::pending()) } else { Box::pin(futures::stream::empty()) };
            axum::body::Body::from_stream(futures::StreamExt::chain(lines, end)).into_response()
        }
    };
    let router = Router::new().route("/api/edge/stream", get(stream));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (port, played)
}

fn keyed(host: &str) -> KeyedChunk {
    let chunk = Chunk::Route(Route::new(host, "app_a", Target::Stopped));
    KeyedChunk { key: chunk.key(), chunk: serde_json::value::to_raw_value(&chunk).unwrap() }
}

fn digest_of(hosts: &[&str]) -> String {
    let mut all: Vec<KeyedChunk> = hosts.iter().map(|host| keyed(host)).collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    digest(all.iter().map(|it| fingerprint(&it.key, it.chunk.get())).collect::<Vec<_>>().iter())
}

fn said(control: &Control) -> String {
    format!("{}\n", serde_json::to_string(control).unwrap())
}

fn full(version: u64, hosts: &[&str]) -> String {
    let chunks = hosts.iter().map(|host| keyed(host)).collect();
    said(&Control::Full { version, digest: digest_of(hosts), chunks })
}

fn change(version: u64, from: &[&str], put: &str, to: &[&str]) -> String {
    said(&Control::Change { version, from: digest_of(from), digest: digest_of(to), put: vec![keyed(put)], drop: Vec::new() })
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_line_is_not_taken_and_what_was_missed_is_asked_for_again() {
    let half = full(2, &["a.example", "b.example"]);
    let lists = vec![
        // A line, and half of the next one.
        vec![full(1, &["a.example"]), half[..half.len() / 2].to_string()],
        // It goes on from what the edge has never heard of.
        vec![change(3, &["x.example"], "b.example", &["x.example", "b.example"])],
        // What comes of it is not what it should be.
        vec![full(4, &["a.example"]), change(5, &["a.example"], "b.example", &["a.example", "c.example"])],
        // No word at all, and nonsense.
        vec!["\n".into()],
        vec!["{\"full\":7}\n".into()],
        vec![full(6, &["a.example"]), change(7, &["a.example"], "b.example", &["a.example", "b.example"])],
    ];
    let (port, played) = play(lists).await;
    let dir = tempfile::tempdir().unwrap();
    let edge = Process::start(dir.path(), port, "sky_edge_for_a_play");
    edge.says("version 7 is live: 2 routes").await;
    edge.answers("b.example", 503).await;
    let said = played.lock().unwrap().1.clone();
    let a = digest_of(&["a.example"]);
    assert_eq!(said[..4], [String::new(), a.clone(), String::new(), String::new()], "{}", edge.said());
    assert!(said[4..].iter().all(|it| *it == a || it.is_empty()) && said.len() == 6, "{said:?}");
}

#[tokio::test]
async fn a_report_that_comes_twice_is_counted_once_and_one_that_is_too_large_not_at_all() {
    let t = TestPanel::start().await;
    let operator = t.operator().await;
    let (token, id) = add(&operator, "fra-1").await;
    let (other, _) = add(&operator, "fra-2").await;
    let edge = |token: &str| t.stranger().with("authorization", &format!("Bearer {token}"));
    let app = t.app_in("acme").await;
    let release = json!({ "app": app.id, "release": "", "requests": 3, "classes": [0, 3, 0, 0, 0], "aborted": 0, "bytes_in": 0,
        "bytes_out": 30, "retried": 0, "held": 0, "in_flight": 0, "latency": { "counts": [] } });
    let report = |boot: &str, sequence: u64| {
        json!({ "boot": boot, "sequence": sequence, "software": "0.1.0", "version": 0, "at": 5_000,
            "signals": { "since": 4_000, "until": 4_500, "releases": [release], "unrouted": 0 } })
    };
    let counted = async |token: &str, boot: &str, sequence: u64| {
        let reply = edge(token).post("/api/edge/report", report(boot, sequence)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        reply.data()["counted"].as_bool().unwrap()
    };
    assert!(counted(&token, "a1", 1).await && counted(&token, "a1", 2).await);
    assert!(!counted(&token, "a1", 2).await && !counted(&token, "a1", 1).await, "they were sent twice");
    assert!(counted(&other, "a1", 1).await, "another edge's are its own");
    assert!(counted(&token, "b2", 1).await, "the edge was started again");
    // Of two at once one is counted.
    let (one, two) = tokio::join!(counted(&token, "b2", 2), counted(&token, "b2", 2));
    assert_ne!(one, two);
    assert_eq!(shown(&operator, &id).await["software"], "0.1.0");
    // Five reports of three requests each.
    traffic::flush(&t.panel).await.unwrap();
    let day = t.panel.now() - Duration::from_secs(86_000);
    let total = async || traffic::totals(t.panel.db.read(), &app.id, "", day).await.unwrap().requests;
    assert_eq!(total().await, 15);
    // What can't be taken.
    let refused = async |body: Value| {
        let reply = edge(&token).post("/api/edge/report", body).await;
        (reply.status(), reply.fields().iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(refused(report("", 3)).await, (400, vec!["boot".into()]));
    assert_eq!(refused(report("a b", 3)).await, (400, vec!["boot".into()]));
    assert_eq!(refused(report("b2", 0)).await, (400, vec!["sequence".into()]));
    assert_eq!(refused(json!({ "boot": "b2", "software": "0", "version": u64::MAX })).await, (400, vec!["version".into()]));
    assert_eq!(refused(json!({ "boot": "b2", "software": "0", "version": 1, "teapot": 1 })).await, (400, vec!["teapot".into()]));
    let mut long = report("b2", 3);
    long["signals"]["releases"] = vec![release.clone(); 501].into();
    assert_eq!(refused(long).await, (400, vec!["signals.releases".into()]));
    let mut strange = report("b2", 3);
    strange["signals"]["releases"][0]["latency"]["counts"] = vec![1; 100_000].into();
    assert_eq!(refused(strange).await, (400, vec!["signals.releases".into()]));
    let mut huge = report("b2", 3);
    huge["problem"] = "x".repeat(2 * 1024 * 1024).into();
    assert_eq!(refused(huge).await.0, 413);
    assert!(counted(&token, "b2", 3).await, "none of those was counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_edges_measured_arrives_exactly_once_although_the_panel_was_away() {
    let t = TestPanel::start().await;
    let (operator, app) = (t.operator().await, t.app_in("acme").await);
    let release = t.deploy_well(&app).await.id;
    let host = host(&t, &app).await;
    let open = Open::new(&t).await;
    let (dirs, mut all) = ([tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()], Vec::new());
    for (name, dir) in ["fra-1", "fra-2"].iter().zip(&dirs) {
        all.push(Process::start(dir.path(), open.port, &add(&operator, name).await.0));
    }
    for edge in &all {
        edge.answers(&host, 200).await;
        for _ in 0..20 {
            assert_eq!(edge.visit(&host).await.0, 200);
        }
    }
    let port = open.kill().await;
    for edge in &all {
        edge.says("Serving on with version").await;
        for _ in 0..20 {
            assert_eq!(edge.visit(&host).await.0, 200);
        }
    }
    let another = t.another().await;
    observe::pass(&another.panel).await.unwrap();
    let _open = Open::at(&another, port).await;
    let mut served = 0;
    for edge in &mut all {
        edge.says("the panel is there again").await;
        served += edge.served.load(Relaxed);
        // The last measures are handed over at the end.
        // SAFETY: the process is our own child and has not been waited for.
        unsafe { libc::kill(edge.child.id() as i32, libc::SIGTERM) };
        let end = std::time::Instant::now() + PATIENCE;
        while edge.child.try_wait().unwrap().is_none() {
            assert!(std::time::Instant::now() < end, "{}", edge.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    traffic::flush(&t.panel).await.unwrap();
    traffic::flush(&another.panel).await.unwrap();
    let day = t.panel.now() - Duration::from_secs(86_000);
    let total = traffic::totals(another.panel.db.read(), &app.id, release.to_string().as_str(), day).await.unwrap();
    assert_eq!((total.requests, total.classes[1]), (served, served), "{}", all[0].said());
}

#[tokio::test]
async fn an_edges_token_opens_nothing_else_and_nothing_else_opens_an_edges_doors() {
    let t = TestPanel::start().await;
    let operator = t.operator().await;
    let (token, id) = add(&operator, "fra-1").await;
    let edge = t.stranger().with("authorization", &format!("Bearer {token}"));
    for path in ["/api/auth/me", "/api/admin/edges", "/api/paas/applications", "/api/openapi.json", "/admin/edges", "/api/edges"] {
        assert_eq!(edge.get(path).await.status(), 401, "{path}");
    }
    assert_eq!(edge.post("/api/paas/applications", json!({ "name": "web" })).await.status(), 401);
    assert_eq!(t.stranger().with("x-api-key", &token).get("/api/auth/me").await.status(), 401);
    let report = json!({ "boot": "a1", "software": "0.1.0", "version": 0 });
    assert_eq!(edge.post("/api/edge/report", report.clone()).await.status(), 200);
    for wrong in ["sky_edge_", "sky_edge_nobodys", &format!("{token}x"), &token[..token.len() - 1], "sk_live_x"] {
        let reply = t.stranger().with("authorization", &format!("Bearer {wrong}")).post("/api/edge/report", report.clone()).await;
        assert_eq!((reply.status(), reply.code()), (401, "AUTHENTICATION_REQUIRED"), "{wrong}");
    }
    // Nor in an address, where it would stand in logs.
    let reply = t.stranger().get(&format!("/api/edge/stream?token={token}")).await;
    assert!([400, 401].contains(&reply.status()), "{}", reply.status());
    assert_eq!(edge.get("/api/edge/stream?digest=zz").await.status(), 400);
    assert_eq!(operator.script.get("/api/edge/stream").await.status(), 401);
    assert!(!t.stored().await.contains(&token), "only its hash is stored");
    operator.post(&format!("/api/admin/edges/{id}/revoke"), json!({})).await;
    let reply = edge.post("/api/edge/report", report).await;
    assert_eq!(reply.status(), 401);
    assert!(reply.text().contains("revoked"), "{}", reply.text());
}

#[tokio::test]
async fn an_old_release_is_not_removed_before_every_edge_has_let_go_of_it() {
    let t = TestPanel::start().await;
    let operator = t.operator().await;
    let (token, _) = add(&operator, "fra-1").await;
    let edge = t.stranger().with("authorization", &format!("Bearer {token}"));
    let app = t.app_in("acme").await;
    let old = t.deploy_well(&app).await.id;
    let report = async |version: u64, draining: Value| {
        let body = json!({ "boot": "a1", "software": "0.1.0", "version": version, "draining": draining });
        assert_eq!(edge.post("/api/edge/report", body).await.status(), 200);
        service::draining(&t.panel, old.to_string().as_str()).await.unwrap()
    };
    let version = t.panel.of::<EdgeDistribution>().live().version;
    assert!(version > 0);
    assert_eq!(report(version - 1, json!({})).await, (0, 1), "it has not heard yet");
    assert_eq!(report(version, json!({ old.to_string(): 2 })).await, (2, 0));
    assert_eq!(report(version, json!({})).await, (0, 0));
    t.clock.advance(Duration::from_secs(60));
    assert_eq!(service::draining(&t.panel, "x").await.unwrap(), (0, 0), "one that is away is not waited for");
}

#[tokio::test]
async fn versions_only_grow_and_panels_agree_on_them() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    t.deploy_well(&app).await;
    let (version, digest) = (t.panel.of::<EdgeDistribution>().live().version, t.panel.of::<EdgeDistribution>().live().digest.clone());
    // A panel that has seen no swarm yet tells edges elsewhere nothing: they know more.
    let another = t.another().await;
    routes::pass(&another.panel).await.unwrap();
    assert_eq!(another.panel.of::<EdgeDistribution>().live().version, 0);
    observe::pass(&another.panel).await.unwrap();
    routes::pass(&another.panel).await.unwrap();
    assert_eq!(
        (another.panel.of::<EdgeDistribution>().live().version, another.panel.of::<EdgeDistribution>().live().digest.clone()),
        (version, digest.clone())
    );
    assert_eq!(routes::pass(&another.panel).await.unwrap(), None, "nothing changed");
    // What the other one tells is newer; what is so again gets a new number.
    assert_eq!(app.owner.post(&app.url("stop"), json!({})).await.status(), 200);
    routes::pass(&another.panel).await.unwrap();
    let stopped = another.panel.of::<EdgeDistribution>().live().version;
    assert!(stopped > version);
    routes::pass(&t.panel).await.unwrap();
    assert_eq!(t.panel.of::<EdgeDistribution>().live().version, stopped, "both see the same");
    // A number that no panel gave is not believed.
    t.panel.of::<EdgeDistribution>().heard_of(stopped + 10_000_000);
    routes::pass(&t.panel).await.unwrap();
    assert_eq!(t.panel.of::<EdgeDistribution>().live().version, stopped);
    // The database was restored from an old copy: an edge remembers more.
    t.panel.of::<EdgeDistribution>().heard_of(stopped + 40);
    routes::pass(&t.panel).await.unwrap();
    assert_eq!(t.panel.of::<EdgeDistribution>().live().version, stopped + 40);
    routes::pass(&another.panel).await.unwrap();
    assert_eq!(app.owner.post(&app.url("start"), json!({})).await.status(), 200);
    assert_eq!(app.owner.post(&app.url("scale"), json!({ "replicas": 2 })).await.status(), 200);
    t.settle().await;
    assert!(t.panel.of::<EdgeDistribution>().live().version > stopped + 40);
    // Who has what was live gets the change alone; who has something else, everything.
    let live = t.panel.of::<EdgeDistribution>().live();
    let told = |has: &str| live.since(has, 0).iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect::<Vec<_>>();
    assert_ne!(live.digest, digest, "it runs as more tasks");
    assert!(live.since(&digest, live.version + 1)[0].starts_with(b"{\"full\""), "what was told under older numbers is not taken any more");
    assert!(told(&live.digest)[0].starts_with("{\"now\"") && told("0")[0].starts_with("{\"full\""));
    assert!(told(&digest).iter().all(|line| line.starts_with("{\"change\"") || line.starts_with("{\"now\"")), "{:?}", told(&digest));
}

#[tokio::test]
async fn the_operator_adds_an_edge_on_a_page_and_sees_its_token_once() {
    let t = TestPanel::start().await;
    let operator = t.operator().await;
    let post = async |page: &str, action: &str, fields: &[(&str, &str)]| {
        let token = operator.browser.header("x-csrf-token");
        operator.browser.submit(page, &[&[("_action", action), ("_csrf", token)], fields].concat()).await
    };
    let empty = operator.browser.get("/admin/edges").await.text();
    assert!(empty.contains("No edges elsewhere"));
    let reply = post("/admin/edges", "add_edge", &[("name", "fra-1")]).await;
    assert_eq!(reply.status(), 303, "{}", reply.text());
    let once = reply.cookie("skypanel_edge_once").unwrap();
    let session = operator.browser.header("cookie").to_string();
    let page = operator.browser.with("cookie", &format!("{session}; {}", once.split(';').next().unwrap())).get("/admin/edges").await;
    let text = page.text();
    assert!(text.contains("sky_edge_") && text.contains("skypanel edge --panel") && text.contains("Not started yet"), "{text}");
    assert!(page.cookie("skypanel_edge_once").unwrap().contains("Max-Age=0"));
    assert!(!operator.browser.get("/admin/edges").await.text().contains("sky_edge_"));
    let twice = post("/admin/edges", "add_edge", &[("name", "fra-1")]).await;
    assert!(twice.text().contains("There is an edge of this name"), "{}", twice.text());
    let list = operator.get("/api/admin/edges").await;
    assert_eq!(list.json()["pagination"]["total"], 1);
    let id = list.data()[0]["id"].as_str().unwrap().to_string();
    let here = format!("/admin/edges/{id}");
    let renamed = post(&here, "rename_edge", &[("id", &id), ("name", "fra-9")]).await;
    assert_eq!(renamed.status(), 303, "{}", renamed.text());
    let wrong = post(&here, "remove_edge", &[("id", &id), ("confirm", "fra-1")]).await;
    assert!(wrong.text().contains("as it stands above"), "{}", wrong.text());
    let removed = post(&here, "remove_edge", &[("id", &id), ("confirm", "fra-9")]).await;
    assert_eq!(removed.status(), 303, "{}", removed.text());
    assert_eq!(operator.get(&format!("/api/admin/edges/{id}")).await.code(), "EDGE_NOT_FOUND");
    assert_eq!(operator.browser.get(&here).await.status(), 404);
}

#[test]
fn what_keeps_an_edge_from_starting_is_told_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let said = || {
        let done = command(dir.path(), 1, free_port(), free_port()).output().unwrap();
        assert!(!done.status.success());
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    assert!(said().contains("The token’s file"));
    std::fs::write(dir.path().join("token"), "hunter2").unwrap();
    let words = said();
    assert!(words.contains("holds no edge’s token") && !words.contains("hunter2"), "{words}");
    std::fs::write(dir.path().join("token"), "sky_edge_x").unwrap();
    let mut far = Command::new(env!("CARGO_BIN_EXE_skypanel"));
    far.args(["edge", "--panel", "http://panel.example.com", "--token-file"]).arg(dir.path().join("token")).current_dir(dir.path());
    let words = String::from_utf8_lossy(&far.output().unwrap().stderr).into_owned();
    assert!(words.contains("has to begin with https://"), "{words}");
    let edge = Process::again(dir.path().to_path_buf(), 1, free_port(), free_port());
    let end = std::time::Instant::now() + PATIENCE;
    while !edge.said().contains("waiting for the panel") {
        assert!(std::time::Instant::now() < end, "{}", edge.said());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(said().contains("Another edge is running on"));
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("token"), "sky_edge_x").unwrap();
    let done = command(other.path(), 1, edge.http, free_port()).output().unwrap();
    let words = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && words.contains("cannot listen on"), "{words}");
}

/// How long a change takes to every edge, with as many routes and certificates as there may be. Measured, not judged:
/// `cargo test --release --features ssr --test panel edges:: -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn measure_a_change_among_ten_thousand_routes() {
    let t = TestPanel::start().await;
    let operator = t.operator().await;
    let backend = |n: usize| skypanel::edge::Backend {
        task: format!("task{n}"),
        release: format!("dep_{n}"),
        address: ([127, 0, 0, 1], 40_000).into(),
        h2c: false,
    };
    let tasks = |n: usize| Target::Tasks { backends: vec![backend(n), backend(n + 100_000)], hold: Duration::from_secs(15) };
    let all = (0..10_000).map(|n| Route::new(format!("app-{n}.apps.example.com"), format!("app_{n}"), tasks(n)));
    let mut snapshot = skypanel::edge::Snapshot { routes: all.collect(), cookie_key: vec![7; 32], ..Default::default() };
    let since = std::time::Instant::now();
    let draft = t.panel.of::<EdgeDistribution>().draft(&snapshot);
    println!("first draft of 10 000 routes: {:?}", since.elapsed());
    t.panel.of::<EdgeDistribution>().publish(draft, 1);
    println!("everything is {} KiB", t.panel.of::<EdgeDistribution>().live().full().len() / 1024);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let service = t.router.clone().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let (dirs, mut edges) = ([tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()], Vec::new());
    for dir in &dirs {
        let (token, _) = add(&operator, dir.path().to_str().unwrap()).await;
        edges.push(Process::start(dir.path(), port, &token));
    }
    for edge in &edges {
        edge.says("version 1 is live").await;
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut took = Vec::new();
    for version in 2..32 {
        let at = version as usize * 300;
        snapshot.routes[at].target = Target::Stopped;
        let host = snapshot.routes[at].host.clone();
        let since = std::time::Instant::now();
        let draft = t.panel.of::<EdgeDistribution>().draft(&snapshot);
        t.panel.of::<EdgeDistribution>().publish(draft, version);
        let drafted = since.elapsed();
        for edge in &edges {
            let url = format!("http://127.0.0.1:{}/", edge.http);
            loop {
                let answer = client.get(&url).header("host", &host).send().await.unwrap();
                if answer.text().await.unwrap().contains("stopped") {
                    break;
                }
            }
        }
        took.push((since.elapsed(), drafted));
    }
    took.sort();
    let line = t.panel.of::<EdgeDistribution>().live().since("", 0).len();
    println!("live on two edges: median {:?}, longest {:?} (of it the panel's part: {:?}); {line}", took[15].0, took[29].0, took[15].1);
    let memory = |edge: &Process| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", edge.child.id())).unwrap();
        status.lines().find(|line| line.starts_with("VmRSS")).unwrap().to_string()
    };
    edges.iter().for_each(|edge| println!("an edge with 10 000 routes: {}", memory(edge)));
}
