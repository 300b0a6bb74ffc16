//! The panel as a process of its own, as operators run it: configured by the environment, driven over HTTP and by signals, its edge
//! asked as visitors do. What it left on the engine is looked up with Docker's own client.
use crate::support::git_server::{GitServer, Repo};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The seconds that a new release is watched.
pub const STABLE: u64 = 2;
/// Phases in which nothing moves any more.
const FINAL: [&str; 4] = ["live", "failed", "cancelled", "superseded"];

/// A panel that can be killed and started again.
pub struct Panel {
    child: std::process::Child,
    home: TempDir,
    number: u16,
    env: Vec<(String, String)>,
    token: String,
    /// The one-time link that the first start printed, until it was used.
    pub setup: Option<String>,
}

impl Panel {
    /// A panel with a data folder, ports and networks of its own and its first administrator.
    pub async fn start(env: &[(&str, &str)]) -> Panel {
        let mut panel = Panel::bare(env).await;
        let setup = panel.setup.take().expect("a first start prints a link");
        let token = setup.rsplit('/').next().unwrap();
        let form = json!({ "name": "Ada Lovelace", "email": "ada@example.com", "password": "correct horse battery", "setup_token": token });
        let made = panel.api().send(Method::POST, "/api/auth/register", Some(form)).await;
        panel.token = made.1["data"]["access_token"].as_str().unwrap_or_else(|| panic!("{made:?}")).into();
        panel
    }

    /// The same without an administrator.
    pub async fn bare(env: &[(&str, &str)]) -> Panel {
        static NUMBER: AtomicU16 = AtomicU16::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let home = tempfile::tempdir().unwrap();
        let env: Vec<(String, String)> = env.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let child = spawn(home.path(), number, &env);
        let mut panel = Panel { child, home, number, env, token: String::new(), setup: None };
        panel.ready().await;
        panel.setup = panel.output().lines().find_map(|line| line.trim().starts_with("http").then(|| line.trim().to_string()));
        panel
    }

    /// Starts it again after [`Panel::kill`], and waits until it answers.
    pub async fn again(&mut self) {
        self.child = spawn(self.home.path(), self.number, &self.env);
        self.ready().await;
    }

    async fn ready(&mut self) {
        let api = self.api();
        until("the panel answers", 60, async || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the panel ended ({status}): {}\n{}", self.output(), self.log());
            }
            matches!(api.http.get(format!("{}/healthz", api.base)).send().await, Ok(answer) if answer.status().is_success())
        })
        .await;
    }

    /// SIGKILL: it gets no say in it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The folder of its data.
    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn output(&self) -> String {
        std::fs::read_to_string(self.home.path().join("out")).unwrap_or_default()
    }

    /// What it logged, over all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    pub fn api(&self) -> Api {
        Api::new(self.number, self.token.clone())
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("--- the panel's log\n{}", self.log());
        }
    }
}

/// Outside of the ephemeral range, which is the tasks'.
fn ports(number: u16) -> (u16, u16) {
    (21_000 + number * 2, 21_001 + number * 2)
}

fn spawn(home: &Path, number: u16, env: &[(String, String)]) -> std::process::Child {
    let (panel, edge) = ports(number);
    let append = |name: &str| std::fs::File::options().create(true).append(true).open(home.join(name)).unwrap();
    // Ends with the thread that started it, however the tests end.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", env!("CARGO_BIN_EXE_skypanel"), "serve"]);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", home).env("RUST_BACKTRACE", "1").current_dir(home);
    for (key, value) in [
        ("DATA_DIR", home.join("data").display().to_string()),
        ("PANEL__LISTEN", format!("127.0.0.1:{panel}")),
        ("EDGE__LISTEN", format!("[\"127.0.0.1:{edge}\"]")),
        ("EDGE__APPS_DOMAIN", "apps.test".into()),
        ("SWARM__ENDPOINT", socket()),
        ("SWARM__SUBNETS", format!("10.{}.0.0/16", 208 + number % 40)),
        ("GIT__ALLOWED_NETWORKS", "[\"127.0.0.0/8\"]".into()),
        ("DEPLOY__STABILITY_SECONDS", STABLE.to_string()),
        ("DEPLOY__CONCURRENT", "6".into()),
        ("LOG__FILTER", "info".into()),
    ] {
        command.env(format!("SKYPANEL_{key}"), value);
    }
    command.envs(env.iter().map(|(key, value)| (format!("SKYPANEL_{key}"), value)));
    command.stdin(Stdio::null()).stdout(append("out")).stderr(append("log")).spawn().expect("apt-get install util-linux")
}

/// The engine of the tests, as `unix:///…`.
pub fn socket() -> String {
    std::env::var("SKYPANEL_TEST_DOCKER").expect("these tests need an engine of their own and not yours: run `make test`")
}

/// The panel that most tests share, and one on which nobody has an account yet. They live as long as the tests do.
pub async fn shared() -> Shared {
    static SHARED: OnceLock<(u16, String, PathBuf, u16, String)> = OnceLock::new();
    let start = || {
        let (to, from) = std::sync::mpsc::channel();
        // A thread of its own that stays: the panels end with it. Both start before anything is built, for they sweep then.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let env = [
                ("GIT__MAX_REPOSITORY", "4000000"),
                ("DEPLOY__START_SECONDS", "15"),
                ("DEPLOY__ROOM_SECONDS", "2"),
                ("DEPLOY__DRAIN_SECONDS", "10"),
            ];
            let panel = runtime.block_on(Panel::start(&env));
            let bare = runtime.block_on(Panel::bare(&[]));
            to.send((panel.number, panel.token.clone(), panel.data(), bare.number, bare.setup.clone().unwrap())).unwrap();
            loop {
                std::thread::park();
            }
        });
        from.recv().expect("the panels start")
    };
    let (number, token, data, bare, setup) = tokio::task::spawn_blocking(move || SHARED.get_or_init(start).clone()).await.unwrap();
    Shared { api: Api::new(number, token), data, bare: Api::new(bare, String::new()), setup }
}

/// What [`shared`] answers with.
pub struct Shared {
    pub api: Api,
    /// Its data folder.
    pub data: PathBuf,
    /// The doors of the panel without accounts, and its one-time link.
    pub bare: Api,
    pub setup: String,
}

/// The panel's doors: its API, and the edge as visitors reach it.
#[derive(Clone)]
pub struct Api {
    pub base: String,
    pub edge: String,
    pub token: String,
    pub http: reqwest::Client,
}

impl Api {
    fn new(number: u16, token: String) -> Api {
        rustls::crypto::ring::default_provider().install_default().ok();
        let (panel, edge) = ports(number);
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(310)).build().unwrap();
        Api { base: format!("http://127.0.0.1:{panel}"), edge: format!("http://127.0.0.1:{edge}"), token, http }
    }

    /// One request of the API, as it is answered.
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    async fn good(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, mut body) = self.send(method, path, body).await;
        assert!(status.is_success(), "{path}: {status} {body:#}");
        body["data"].take()
    }

    pub async fn get(&self, path: &str) -> Value {
        self.good(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.good(Method::POST, path, Some(body)).await
    }

    /// Makes an application of a repository, with whatever else `more` holds.
    pub async fn create(&self, name: &str, url: &str, more: Value) -> App {
        let mut form = json!({ "name": name, "source": { "git": { "repository_url": url } } });
        form.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = self.post("/api/paas/applications", form).await;
        let url = made["url"].as_str().unwrap();
        let host = url.trim_start_matches("http://").split(':').next().unwrap().to_string();
        App { api: self.clone(), id: made["id"].as_str().unwrap().into(), host }
    }

    /// The deployment once nothing moves any more.
    pub async fn done(&self, id: &str) -> Value {
        let mut last = Value::Null;
        until(&format!("deployment {id} ends"), 150, async || {
            last = self.get(&format!("/api/paas/deployments/{id}?wait=5")).await;
            FINAL.contains(&text(&last["phase"]))
        })
        .await;
        last
    }
}

/// An application.
#[derive(Clone)]
pub struct App {
    pub api: Api,
    pub id: String,
    pub host: String,
}

impl App {
    pub async fn get(&self) -> Value {
        self.api.get(&format!("/api/paas/applications/{}", self.id)).await
    }

    /// Asks for a deployment and answers with its id.
    pub async fn deploy(&self) -> String {
        let made = self.api.post(&format!("/api/paas/applications/{}/deploy", self.id), json!({})).await;
        text(&made["id"]).into()
    }

    /// Deploys and waits for the end.
    pub async fn deployed(&self) -> Value {
        self.api.done(&self.deploy().await).await
    }

    /// Deploys, and it goes live.
    pub async fn live(&self) -> Value {
        let end = self.deployed().await;
        assert_eq!(end["phase"], "live", "{end:#}");
        end
    }

    /// What a visitor gets.
    pub async fn visit(&self, path: &str) -> reqwest::Result<(u16, String)> {
        let answer = self.api.http.get(format!("{}{path}", self.api.edge)).header("host", &self.host).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?.trim().to_string()))
    }

    /// What a visitor reads on the first page.
    pub async fn page(&self) -> String {
        match self.visit("/").await {
            Ok((200, text)) => text,
            other => format!("{other:?}"),
        }
    }

    pub async fn delete(&self) {
        self.api.good(Method::DELETE, &format!("/api/paas/applications/{}", self.id), None).await;
    }

    /// The names of its services on the engine.
    pub fn services(&self) -> Vec<String> {
        lines(&["service", "ls", "--format", "{{.Name}}", "--filter", &self.label()])
    }

    /// Its containers on the engine, those that have ended too.
    pub fn containers(&self) -> Vec<String> {
        lines(&["ps", "-aq", "--no-trunc", "--filter", &self.label()])
    }

    pub fn running_containers(&self) -> Vec<String> {
        lines(&["ps", "-q", "--no-trunc", "--filter", &self.label()])
    }

    /// Its images on the engine.
    pub fn images(&self) -> Vec<String> {
        lines(&["images", "-q", "--no-trunc", "--filter", &self.label()])
    }

    fn label(&self) -> String {
        format!("label=skypanel.app={}", self.id)
    }
}

/// Asks the engine by Docker's own client.
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").arg("-H").arg(socket()).args(arguments).output().unwrap();
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

pub fn lines(arguments: &[&str]) -> Vec<String> {
    docker(arguments).lines().map(String::from).collect()
}

/// A JSON text; anything else is empty.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Waits until something is so.
pub async fn until(what: &str, seconds: u64, mut is_so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !is_so().await {
        assert!(Instant::now() < end, "{what}: not within {seconds} s");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A Dockerfile that serves `www` on a port.
pub fn dockerfile(port: u16) -> String {
    format!("FROM busybox:latest\nCOPY www /www\nEXPOSE {port}\nCMD [\"httpd\", \"-f\", \"-v\", \"-p\", \"{port}\", \"-h\", \"/www\"]\n")
}

/// A repository whose application serves this text.
pub fn serving(git: &GitServer, name: &str, text: &str) -> Repo {
    let repo = git.repo(name);
    repo.commit(&[("Dockerfile", &dockerfile(8080)), ("www/index.html", text)], text);
    repo
}
