//! Sudden deaths: of the panel in every phase of a deployment, and of the engine in three of them. Afterwards each deployment reaches an
//! end that is true, nothing lies about on the engine, and nothing that was written is lost. These run alone.
use crate::{
    panel::{App, Panel, dockerfile, lines, serving, text, until},
    support::git_server::{GitServer, Repo},
};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// Those who kill take turns.
static TURN: Mutex<()> = Mutex::const_new(());
/// Attempts to meet a phase that lasts a few milliseconds.
const ATTEMPTS: u32 = 6;

/// An application in the hands of a panel that will be killed.
struct Stage {
    panel: Panel,
    db: DatabaseConnection,
    git: GitServer,
    repo: Repo,
    app: App,
    version: u32,
    /// The version that the live release serves.
    live: u32,
}

impl Stage {
    /// `subnets` are its own, for networks of panels that are gone may still be there.
    async fn set(name: &str, subnets: &str) -> Stage {
        let panel = Panel::start(&[("DEPLOY__DRAIN_SECONDS", "8"), ("SWARM__SUBNETS", subnets)]).await;
        let git = GitServer::start().await;
        let repo = serving(&git, name, "version 0");
        let more = json!({ "environment_variables": { "GREETING": "hello", "TOKEN": { "value": "s3cret", "secret": true } } });
        let app = panel.api().create(name, &git.url(name), more).await;
        let db = Database::connect(format!("sqlite://{}?mode=ro", panel.data().join("skypanel.db").display())).await.unwrap();
        let mut stage = Stage { panel, db, git, repo, app, version: 0, live: 0 };
        stage.commit("", "");
        stage.app.live().await;
        stage.live = stage.version;
        stage
    }

    /// Commits the next version. `build` is run while it is built, `start` before it serves.
    fn commit(&mut self, build: &str, start: &str) {
        self.version += 1;
        let run = if build.is_empty() { String::new() } else { format!("RUN {build}\n") };
        let file = dockerfile(8080)
            .replace("CMD [", "CMD [\"/start\", ")
            .replace("EXPOSE", &format!("RUN chmod 755 /start /www/cgi-bin/slow\n{run}EXPOSE"));
        let file = file.replace("COPY www /www", "COPY www /www\nCOPY start /start");
        let start = format!("#!/bin/sh\n{start}\nexec \"$@\"\n");
        let page = format!("version {}", self.version);
        let slow = "#!/bin/sh\nsleep 3\nprintf 'Content-Type: text/plain\\r\\n\\r\\nslow'\n";
        let files = [("Dockerfile", file.as_str()), ("www/index.html", &page), ("start", &start), ("www/cgi-bin/slow", slow)];
        self.repo.commit(&files, &page);
    }

    /// Waits until the deployment is in the phase, by the row itself. False where the phase was over before it was seen.
    async fn meets(&self, id: &str, phase: &str) -> bool {
        const ORDER: [&str; 10] =
            ["queued", "preparing", "building", "releasing", "starting", "probing", "switching", "draining", "live", "failed"];
        let rank = |phase: &str| ORDER.iter().position(|name| *name == phase).unwrap_or(ORDER.len());
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let sql = Statement::from_sql_and_values(DbBackend::Sqlite, "SELECT phase FROM deployments WHERE id = ?", [id.into()]);
            let row = self.db.query_one_raw(sql).await.unwrap().unwrap();
            let now: String = row.try_get("", "phase").unwrap();
            if rank(&now) >= rank(phase) {
                return now == phase;
            }
            assert!(Instant::now() < end, "the deployment stays in {now}");
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
    }

    /// After a crash: the deployment ends, and everything is as its end says.
    async fn ends_true(&mut self, id: &str) -> Value {
        let end = self.app.api.done(id).await;
        match text(&end["phase"]) {
            "live" => self.live = self.version,
            "failed" => assert!(text(&end["failure"]["sentence"]).ends_with('.'), "{end:#}"),
            other => panic!("it ended as {other}: {end:#}"),
        }
        let expected = format!("version {}", self.live);
        until("the application answers with the release that is live", 60, async || self.app.page().await == expected).await;
        self.is_tidy().await;
        let app = self.app.get().await;
        assert_eq!(app["live_deployment_id"] == end["id"], end["phase"] == "live", "{app:#}");
        let env = self.app.api.get(&format!("/api/paas/applications/{}/env", self.app.id)).await;
        assert_eq!((env.as_array().unwrap().len(), &env[0]["value"]), (2, &json!("hello")), "{env:#}");
        let all = self.app.api.get(&format!("/api/paas/applications/{}/deployments", self.app.id)).await;
        let numbers: Vec<i64> = all.as_array().unwrap().iter().map(|one| one["number"].as_i64().unwrap()).collect();
        assert!(numbers.iter().rev().copied().eq(1..=numbers.len() as i64), "{numbers:?}");
        end
    }

    /// One service, one container, images of releases only; no checkout, no scratch, no container of a build.
    async fn is_tidy(&self) {
        let begun = Instant::now();
        loop {
            let left = self.left();
            if left.is_empty() {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(40), "left over: {left:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        let mut say = |what: &str, found: Vec<String>, most: usize| {
            if found.len() > most {
                left.push(format!("{what}: {found:?}"));
            }
        };
        say("services", self.app.services(), 1);
        say("running containers", self.app.running_containers(), 1);
        // Of the containers on the engine, those of builds have no labels.
        let all = lines(&["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Label \"skypanel\"}}"]);
        say("containers of builds", all.into_iter().filter(|line| !line.ends_with("true")).collect(), 0);
        let networks = lines(&["network", "ls", "--format", "{{.Name}}", "--filter", "label=skypanel.org"]);
        say("networks", networks.into_iter().filter(|name| !name.starts_with("skypanel-")).collect(), 0);
        let folder = |name: &str| {
            let entries = std::fs::read_dir(self.panel.data().join(name)).into_iter().flatten().flatten();
            entries.map(|entry| entry.path().display().to_string()).collect::<Vec<_>>()
        };
        say("checkouts", folder("builds"), 0);
        say("scratch", folder("tmp"), 0);
        left
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_panel_dies_in_every_phase() {
    let _turn = TURN.lock().await;
    let mut stage = Stage::set("mortal", "10.244.0.0/16").await;
    let mut told = Vec::new();
    for phase in ["preparing", "building", "releasing", "starting", "probing", "switching", "draining"] {
        let mut met = false;
        for _ in 0..ATTEMPTS {
            let build = if phase == "building" { "sleep 2; date" } else { "" };
            stage.commit(build, "");
            if phase == "preparing" {
                // Some megabytes at 3 MB a second.
                stage.repo.write("noise", &(0..3_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>());
                stage.repo.commit(&[], "Add noise");
            }
            let waiting = (phase == "draining").then(|| {
                let app = stage.app.clone();
                tokio::spawn(async move { while app.visit("/cgi-bin/slow").await.is_ok() {} })
            });
            let id = stage.app.deploy().await;
            met = stage.meets(&id, phase).await;
            if met && phase == "building" {
                // In the middle of a step.
                tokio::time::sleep(Duration::from_millis(700)).await;
            }
            stage.panel.kill();
            if let Some(waiting) = waiting {
                waiting.await.unwrap();
            }
            let dead = Instant::now();
            stage.panel.again().await;
            let back = dead.elapsed();
            let end = stage.ends_true(&id).await;
            let log = stage.app.api.get(&format!("/api/paas/deployments/{id}/logs")).await;
            let log: Vec<&str> = log.as_array().unwrap().iter().map(|line| text(&line["text"])).collect();
            if met {
                assert!(log.iter().any(|line| line.contains("started again")), "{log:#?}");
                let whole = dead.elapsed().as_secs_f64();
                told.push(format!(
                    "{phase}: the panel is back after {:.1} s, {} after {whole:.1} s",
                    back.as_secs_f64(),
                    text(&end["phase"])
                ));
                assert_eq!(end["phase"], "live", "nothing was wrong with it: {end:#}");
                break;
            }
        }
        assert!(met, "{phase} could not be met in {ATTEMPTS} attempts");
    }
    println!("{told:#?}");
    let _ = &stage.git;
    stage.app.delete().await;
    let app = stage.app.clone();
    until("nothing is left of it", 60, async || app.services().is_empty() && app.containers().is_empty() && app.images().is_empty()).await;
}

/// Runs our own script for private engines on the engine of the tests.
async fn engine(command: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/engine.sh");
    let dir = std::env::var("SKYPANEL_TEST_ENGINE").expect("these tests need an engine of their own: run `make test`");
    let status = tokio::process::Command::new(script).arg(command).arg(dir).status().await.unwrap();
    assert!(status.success(), "engine.sh {command}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_dies_in_three_phases() {
    let _turn = TURN.lock().await;
    let mut stage = Stage::set("engine", "10.245.0.0/16").await;
    for phase in ["building", "probing", "draining"] {
        stage.commit(if phase == "building" { "sleep 3; date" } else { "" }, "");
        let waiting = (phase == "draining").then(|| {
            let app = stage.app.clone();
            tokio::spawn(async move { app.visit("/cgi-bin/slow").await.ok() })
        });
        let id = stage.app.deploy().await;
        assert!(stage.meets(&id, phase).await, "{phase} was not met");
        if phase == "building" {
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
        engine("kill").await;
        if let Some(waiting) = waiting {
            waiting.await.unwrap();
        }
        engine("restart").await;
        let end = stage.ends_true(&id).await;
        println!("{phase}: {} {}", text(&end["phase"]), text(&end["failure"]["sentence"]));
        assert_eq!(end["phase"], "live", "nothing was wrong with it: {end:#}");
    }
    // The machine loses power, and everything starts again in an order that nobody chose.
    stage.app.api.post(&format!("/api/paas/applications/{}/scale", stage.app.id), json!({ "replicas": 3 })).await;
    until("there are three", 60, async || stage.app.running_containers().len() == 3).await;
    let expected = format!("version {}", stage.live);
    for is_panel_first in [true, false] {
        stage.panel.kill();
        engine("crash").await;
        let on = Instant::now();
        if is_panel_first {
            stage.panel.again().await;
        }
        engine("restart").await;
        if !is_panel_first {
            stage.panel.again().await;
        }
        until("it answers after the machine lost power", 90, async || stage.app.page().await == expected).await;
        let answers = on.elapsed().as_secs_f64();
        until("all of it runs again", 90, async || stage.app.running_containers().len() == 3).await;
        println!("power lost: it answers after {answers:.1} s, all three run after {:.1} s", on.elapsed().as_secs_f64());
        let walls = || {
            let rules = std::process::Command::new("iptables").args(["-t", "mangle", "-S", "FORWARD"]).output().unwrap();
            String::from_utf8_lossy(&rules.stdout).contains("SKYPANEL-FWD")
        };
        until("the walls stand again", 35, async || walls()).await;
    }
    // Both at once, and the panel comes back first.
    engine("kill").await;
    stage.panel.kill();
    stage.panel.again().await;
    assert_eq!(stage.app.get().await["status"], "unknown");
    engine("restart").await;
    until("it serves again", 60, async || stage.app.page().await == expected).await;
}
