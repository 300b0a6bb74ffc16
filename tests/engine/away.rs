//! The panel is away, and nobody notices: an edge of its own serves on, finds tasks that Swarm started elsewhere meanwhile, and when it is
//! itself started anew it has its routes before there is a panel to ask.
use crate::{
    panel::{App, Panel, serving, text, until},
    several::{self, Ends, NODES, ask, containers},
    support::git_server::GitServer,
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

const EDGE: &str = "127.0.0.1:21700";

fn edge(home: &Path, panel: &str) -> Ends {
    let log = std::fs::File::options().create(true).append(true).open(home.join("log")).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", env!("CARGO_BIN_EXE_skypanel"), "edge", "--panel", panel]).args(["--token-file"]);
    command.arg(home.join("token")).arg("--data").arg(home.join("data")).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command
        .env("HOME", home)
        .env("SKYPANEL_EDGE__LISTEN", format!("[\"{EDGE}\"]"))
        .env("SKYPANEL_EDGE__LISTEN_TLS", "[\"127.0.0.1:21701\"]");
    command.env("SKYPANEL_EDGE__SWARM_ENDPOINT", crate::panel::socket()).current_dir(home);
    Ends(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
}

async fn visit(http: &reqwest::Client, app: &App) -> Result<String, String> {
    let answer = http.get(format!("http://{EDGE}/")).header("host", &app.host).send().await.map_err(|why| format!("{why:?}"))?;
    let status = answer.status();
    let body = answer.text().await.map_err(|why| format!("{why:?}"))?;
    if status.is_success() { Ok(body.trim().to_string()) } else { Err(format!("{status}")) }
}

/// A visitor who comes again and again until she is dropped.
struct Visitor {
    task: tokio::task::JoinHandle<()>,
    count: Arc<AtomicU64>,
    failed: Arc<Mutex<Vec<String>>>,
}

impl Visitor {
    fn come(app: &App) -> Visitor {
        let (app, count, failed) = (app.clone(), Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (counted, noted, http) = (count.clone(), failed.clone(), app.api.http.clone());
        let task = tokio::spawn(async move {
            loop {
                if let Err(why) = visit(&http, &app).await {
                    noted.lock().unwrap().push(why);
                }
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        Visitor { task, count, failed }
    }

    /// Nothing went wrong so far.
    fn is_content(&self, when: &str) -> u64 {
        let failed = self.failed.lock().unwrap();
        assert!(failed.is_empty(), "{when}: {failed:#?}");
        self.count.load(Ordering::Relaxed)
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where the copies run: node and port.
fn places(app: &App) -> BTreeSet<(usize, String)> {
    containers(&app.id).iter().map(|(node, id)| (*node, several::container(*node, id).1)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_serves_on_and_finds_tasks_that_moved_while_the_panel_is_dead() {
    let _registry = several::registry().await;
    let settings = several::settings("10.243.0.0/16");
    let nodes = format!("[{}]", (1..=NODES).map(|node| format!("\"{}/32\"", several::address(node))).collect::<Vec<_>>().join(","));
    let mut env: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    env.push(("WALLS__NODES", &nodes));
    let mut panel = Panel::start(&env).await;
    several::join().await;
    let git = GitServer::start().await;
    let _repo = serving(&git, "steady", "steady");
    let api = panel.api();
    let app = api.create("steady", &git.url("steady"), json!({ "replicas": 2 })).await;
    app.live().await;
    let home = tempfile::tempdir().unwrap();
    let made = api.post("/api/admin/edges", json!({ "name": "first" })).await;
    std::fs::write(home.path().join("token"), text(&made["token"])).unwrap();
    let running = edge(home.path(), &api.base);
    until("the edge serves", 30, async || visit(&api.http, &app).await == Ok("steady".into())).await;
    let visitor = Visitor::come(&app);

    panel.kill();
    let before = places(&app);
    // One copy after the other ends and starts elsewhere; in the end none is where the panel saw it.
    for (node, id) in containers(&app.id) {
        ask(node, &["kill", &id]);
        until("another copy runs", 60, async || {
            let now = containers(&app.id);
            now.len() == 2 && now.iter().all(|(_, other)| *other != id)
        })
        .await;
        let killed = Instant::now();
        until("the edge has heard of it", 20, async || {
            // Each of some requests is answered, whichever copy it is led to.
            futures::future::join_all((0..8).map(|_| visit(&api.http, &app))).await.iter().all(Result::is_ok)
        })
        .await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        println!("a copy moved; the edge answered {:.1} s later", killed.elapsed().as_secs_f64() - 3.0);
    }
    assert!(places(&app).is_disjoint(&before), "{before:?} {:?}", places(&app));
    let count = visitor.is_content("while the panel was dead");
    println!("{count} requests while the panel was dead and every task moved: 0 failed");
    drop(visitor);

    // The edge dies, too, and comes back before the panel: routes from the disk, tasks from the swarm.
    drop(running);
    assert!(visit(&api.http, &app).await.is_err());
    let started = Instant::now();
    let _running = edge(home.path(), &api.base);
    until("the edge serves without a panel", 30, async || visit(&api.http, &app).await == Ok("steady".into())).await;
    println!("started anew, the edge answered after {:.1} s without a panel", started.elapsed().as_secs_f64());
    let visitor = Visitor::come(&app);
    panel.again().await;
    until("the panel hears of the edge", 60, async || api.get("/api/admin/edges").await[0]["state"] == "current").await;
    api.post(&format!("/api/paas/applications/{}/scale", app.id), json!({ "replicas": 3 })).await;
    until("there are three", 60, async || containers(&app.id).len() == 3).await;
    visitor.is_content("as the panel came back");
    app.delete().await;
    until("the edge heard that it is gone", 30, async || visit(&api.http, &app).await.is_err()).await;
}
