//! Visitors of every kind, without a pause, while an application on three machines deploys again and again, is scaled up and down, rolled
//! back, and loses a machine: first one that is drained, as for maintenance, then one whose cable is cut.
//!
//! What may fail is exactly what nobody can know: a machine that falls silent keeps the requests that it had in hand. Those that may be sent
//! twice are sent to another; of the others nobody knows whether they were done, so they are failed and never repeated. They are counted by
//! themselves: at most one for each visitor, none but around the cut, none noted twice. Everything else must be answered.
use crate::{
    panel::{App, Panel, text, until},
    several::{self, Ends, NODES, OUTSIDE, agent, beside, cable, containers},
    support::git_server::{GitServer, Repo},
};
use serde_json::json;
use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const COLLECTOR: u16 = 7001;
/// How long after the cut a request may have begun that is lost with the machine: by then it has been found out.
const SILENCE: Duration = Duration::from_secs(15);

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Get,
    Post,
    Get2,
    Post2,
    Message,
}

#[derive(Debug)]
struct Failure {
    kind: Kind,
    id: String,
    begun: Instant,
    why: String,
}

#[derive(Default)]
struct Tally {
    sent: AtomicU64,
    by_kind: Mutex<HashMap<Kind, u64>>,
    /// Ids that were answered well and must have been noted.
    done: Mutex<HashSet<String>>,
    failed: Mutex<Vec<Failure>>,
    slowest: Mutex<Duration>,
    over: AtomicBool,
}

impl Tally {
    fn note(&self, kind: Kind, id: String, begun: Instant, result: Result<(), String>) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        *self.by_kind.lock().unwrap().entry(kind).or_default() += 1;
        let mut slowest = self.slowest.lock().unwrap();
        *slowest = (*slowest).max(begun.elapsed());
        match result {
            Ok(()) if !matches!(kind, Kind::Get | Kind::Get2) => drop(self.done.lock().unwrap().insert(id)),
            Ok(()) => {}
            Err(why) => {
                let why = format!("after {:.2} s: {why}", begun.elapsed().as_secs_f32());
                self.failed.lock().unwrap().push(Failure { kind, id, begun, why });
            }
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

async fn read(request: reqwest::RequestBuilder, is_good: impl Fn(&str) -> bool) -> Result<(), String> {
    let answer = request.send().await.map_err(|why| format!("{why:?}"))?;
    let status = answer.status();
    let body = answer.text().await.map_err(|why| format!("{why:?}"))?;
    if status.is_success() && is_good(body.trim()) {
        Ok(())
    } else {
        Err(format!("{status}: {}", body.chars().take(200).collect::<String>()))
    }
}

/// A visitor who reads and writes in turn, over HTTP/1.1 or HTTP/2.
async fn visitor(app: App, tally: Arc<Tally>, number: usize, two: bool, keeps: bool) {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).pool_max_idle_per_host(usize::from(keeps));
    // HTTP/2 has no header for the host beside the address.
    let edge: SocketAddr = app.api.edge.trim_start_matches("http://").parse().unwrap();
    let client = client.resolve(&app.host, edge);
    let client = if two { client.http2_prior_knowledge() } else { client }.build().unwrap();
    let (get, post) = if two { (Kind::Get2, Kind::Post2) } else { (Kind::Get, Kind::Post) };
    for n in 0.. {
        if tally.is_over() {
            return;
        }
        let (begun, id) = (Instant::now(), format!("v{number}-{n}"));
        let request = |method, path: &str| client.request(method, format!("http://{}:{}/{path}", app.host, edge.port()));
        if n % 3 == 2 {
            let asked = read(request(reqwest::Method::POST, "note").body(id.clone()), |body| body == id).await;
            tally.note(post, id, begun, asked);
        } else {
            let asked = read(request(reqwest::Method::GET, ""), |body| body.starts_with("version ")).await;
            tally.note(get, id, begun, asked);
        }
    }
}

/// How a message went: answered, or refused by a task that said goodbye first and so never took it.
enum Told {
    Answered,
    Goodbye,
}

/// A WebSocket, as much of RFC 6455 as is needed: short texts, one at a time.
struct Socket(TcpStream);

impl Socket {
    async fn open(app: &App) -> Result<Socket, String> {
        let address = app.api.edge.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.map_err(|why| why.to_string())?;
        let fields =
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        let request = format!("GET /ws HTTP/1.1\r\nHost: {}\r\n{fields}\r\n\r\n", app.host);
        stream.write_all(request.as_bytes()).await.map_err(|why| why.to_string())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.map_err(|why| format!("opening a WebSocket: {why}"))?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        if head.starts_with("HTTP/1.1 101") { Ok(Socket(stream)) } else { Err(head) }
    }

    async fn say(&mut self, text: &str) -> Result<Told, String> {
        let mut frame = vec![0x81, 0x80 | text.len() as u8, 1, 2, 3, 4];
        frame.extend(text.bytes().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, mask)| byte ^ mask));
        let broke = |why: std::io::Error| format!("a WebSocket broke: {why}");
        // A goodbye may be there already, with the connection closed after it.
        let written = self.0.write_all(&frame).await;
        let mut head = [0; 2];
        if let Err(why) = self.0.read_exact(&mut head).await {
            return Err(broke(written.err().unwrap_or(why)));
        }
        let mut body = vec![0; usize::from(head[1] & 0x7f)];
        self.0.read_exact(&mut body).await.map_err(broke)?;
        match head[0] & 0x0f {
            1 if body == text.as_bytes() => Ok(Told::Answered),
            8 => Ok(Told::Goodbye),
            _ => Err(format!("a strange frame: {head:?} {body:?}")),
        }
    }
}

/// One who talks over a WebSocket; where a task says goodbye she opens another and says the same again, as the task never took it.
async fn talker(app: App, tally: Arc<Tally>, number: usize) {
    let mut socket: Option<Socket> = None;
    for n in 0.. {
        if tally.is_over() {
            return;
        }
        let (begun, id) = (Instant::now(), format!("w{number}-{n}"));
        let talk = async {
            loop {
                let open = match &mut socket {
                    Some(open) => open,
                    None => socket.insert(Socket::open(&app).await?),
                };
                match open.say(&id).await? {
                    Told::Answered => return Ok(()),
                    Told::Goodbye => socket = None,
                }
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(60), talk).await.unwrap_or_else(|_| Err("no answer within a minute".into()));
        if told.is_err() {
            socket = None;
        }
        tally.note(Kind::Message, id, begun, told);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn version(repo: &Repo, number: u64, port: u16) {
    let file = format!(
        "FROM backend:latest\nENV VERSION={number}\nEXPOSE {port}\nCMD [\"/backend\", \"serve\", \"{port}\", \"{OUTSIDE}:{COLLECTOR}\"]\n"
    );
    repo.commit(&[("Dockerfile", &file)], &format!("Version {number}"));
}

/// What was noted, how often each; the same note said again counts once.
fn notes(file: &std::path::Path) -> HashMap<String, u32> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines: HashSet<&str> = text.lines().collect();
    let mut counts = HashMap::new();
    for line in lines {
        *counts.entry(line.split_whitespace().next().unwrap().to_string()).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_deployments_scaling_and_the_loss_of_a_machine() {
    let (requests, deployments) = (number("SKYPANEL_TEST_REQUESTS", 20_000), number("SKYPANEL_TEST_DEPLOYMENTS", 4));
    let _registry = several::registry().await;
    let settings = several::settings("10.242.0.0/16");
    let mut env: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let nodes = format!("[{}]", (1..=NODES).map(|node| format!("\"{}/32\"", several::address(node))).collect::<Vec<_>>().join(","));
    env.extend([("WALLS__NODES", nodes.as_str()), ("DEPLOY__DRAIN_SECONDS", "2")]);
    let panel = Panel::start(&env).await;
    several::join().await;
    let dir = tempfile::tempdir().unwrap();
    let _agents: Vec<Ends> = (2..=NODES).map(|node| agent(node, &[], &dir.path().join(format!("agent{node}")))).collect();
    let file = dir.path().join("notes");
    let program = std::env::var("SKYPANEL_TEST_BACKEND").expect("scripts/test/engine.sh builds it");
    let _collector = Ends(beside("outside").arg(&program).args(["collect", &format!("{OUTSIDE}:{COLLECTOR}")]).arg(&file).spawn().unwrap());
    let git = GitServer::start().await;
    let repo = git.repo("busy");
    version(&repo, 0, 8080);
    let api = panel.api();
    let app = api.create("busy", &git.url("busy"), json!({ "replicas": NODES })).await;
    let first = app.live().await;

    let (tally, mut busy) = (Arc::new(Tally::default()), Vec::new());
    for n in 0..8 {
        busy.push(tokio::spawn(visitor(app.clone(), tally.clone(), n, n >= 5, n != 4)));
    }
    for n in 0..3 {
        busy.push(tokio::spawn(talker(app.clone(), tally.clone(), n)));
    }
    let begun = Instant::now();
    let tell = |what: &str| {
        let failed = tally.failed.lock().unwrap().len();
        println!(
            "{:6.1} s: {what}; {} requests so far, {failed} failed",
            begun.elapsed().as_secs_f64(),
            tally.sent.load(Ordering::Relaxed)
        );
    };
    let mut last = first.clone();
    let mut before_last = first;
    for number in 1..=deployments {
        version(&repo, number, 8080);
        before_last = std::mem::replace(&mut last, app.live().await);
    }
    tell("deployed");
    let running = async || app.get().await["replicas"]["running"].as_u64().unwrap();
    for replicas in [1, 5, 1, NODES as u64] {
        api.post(&format!("/api/paas/applications/{}/scale", app.id), json!({ "replicas": replicas })).await;
        until("it is scaled", 60, async || running().await == replicas && containers(&app.id).len() as u64 == replicas).await;
    }
    tell("scaled");
    let back = api.post(&format!("/api/paas/deployments/{}/rollback", text(&before_last["id"])), json!({})).await;
    assert_eq!(api.done(text(&back["id"])).await["phase"], "live");
    tell("rolled back");
    // A machine that is taken away on purpose.
    let on = |node: usize| containers(&app.id).into_iter().filter(|(at, _)| *at == node).count();
    crate::panel::docker(&["node", "update", "--availability", "drain", &node_id(NODES)]);
    until("it runs elsewhere", 60, async || on(NODES) == 0 && running().await == NODES as u64).await;
    tell("drained a machine");
    crate::panel::docker(&["node", "update", "--availability", "active", &node_id(NODES)]);
    let planned = std::mem::take(&mut *tally.failed.lock().unwrap());
    assert!(planned.is_empty(), "{} failed: {:#?}", planned.len(), &planned[..planned.len().min(10)]);

    // One that falls silent. Scaled up so that it surely has a copy.
    api.post(&format!("/api/paas/applications/{}/scale", app.id), json!({ "replicas": 5 })).await;
    until("it is on the machine that will be lost", 60, async || on(NODES) > 0 && running().await == 5).await;
    let lost = on(NODES);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let cut = Instant::now();
    cable("cut", NODES);
    until("its copies run elsewhere", 90, async || (1..NODES).map(on).sum::<usize>() == 5 && running().await == 5).await;
    println!("{lost} of 5 copies were lost, and five run again after {:.1} s", cut.elapsed().as_secs_f64());
    tell("lost a machine");
    until("enough requests were sent", 1_200, async || tally.sent.load(Ordering::Relaxed) >= requests).await;
    tally.over.store(true, Ordering::Relaxed);
    for one in busy {
        one.await.unwrap();
    }
    let took = begun.elapsed();
    // What the lost machine still has to tell, it tells now.
    cable("heal", NODES);
    until("the machine is back", 60, async || {
        crate::panel::docker(&["node", "inspect", &node_id(NODES), "-f", "{{.Status.State}}"]) == "ready" && on(NODES) == 0
    })
    .await;

    let noted = notes(&file);
    let sent = tally.sent.load(Ordering::Relaxed);
    let (failed, done) = (std::mem::take(&mut *tally.failed.lock().unwrap()), std::mem::take(&mut *tally.done.lock().unwrap()));
    let (unknowable, wrong): (Vec<_>, Vec<_>) = failed.into_iter().partition(|failure| {
        let in_hand = failure.begun < cut + SILENCE && failure.begun + Duration::from_secs(60) > cut;
        matches!(failure.kind, Kind::Post | Kind::Post2 | Kind::Message) && in_hand
    });
    println!(
        "{sent} requests in {:.0} s ({:?}); the slowest took {:.1} s; {} failed, {} more were in the hands of the lost machine, {} of them noted",
        took.as_secs_f64(),
        tally.by_kind.lock().unwrap(),
        tally.slowest.lock().unwrap().as_secs_f64(),
        wrong.len(),
        unknowable.len(),
        unknowable.iter().filter(|failure| noted.contains_key(&failure.id)).count(),
    );
    for failure in &unknowable {
        println!("{:?} {:+.1} s from the cut: {}", failure.kind, failure.begun.duration_since(cut).as_secs_f64(), failure.why);
    }
    assert!(wrong.is_empty(), "{} failed: {:#?}", wrong.len(), &wrong[..wrong.len().min(10)]);
    assert!(unknowable.len() <= 11, "more than one for each visitor: {unknowable:#?}");
    let twice: Vec<_> = noted.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "done twice: {twice:?}");
    let missing: Vec<_> = done.iter().filter(|id| !noted.contains_key(*id)).collect();
    assert!(missing.is_empty(), "answered and never done: {missing:?}");
    app.delete().await;
    until("nothing is left", 60, async || containers(&app.id).is_empty()).await;
}

fn node_id(node: usize) -> String {
    several::ask(node, &["info", "-f", "{{.Swarm.NodeID}}"])
}
