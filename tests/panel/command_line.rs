//! The program as an operator starts it: its configuration, its first words, its end.
use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

fn skypanel(data: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skypanel"));
    command
        .current_dir(data)
        .env("SKYPANEL_DATA_DIR", data)
        .env("SKYPANEL_SWARM__ENDPOINT", "fake:")
        .env("SKYPANEL_EDGE__LISTEN", "[\"127.0.0.1:0\"]")
        .env("LEPTOS_OUTPUT_NAME", "skypanel")
        .env_remove("DATABASE_URL")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A panel that is killed with the test.
struct Running {
    child: Child,
    port: u16,
    /// What it printed up to the setup link.
    link: String,
}

impl Running {
    fn start(data: &std::path::Path) -> Running {
        let port = free_port();
        let mut child = skypanel(data).arg("serve").env("SKYPANEL_PANEL__LISTEN", format!("127.0.0.1:{port}")).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let link = lines.find_map(|line| line.ok().filter(|line| line.contains("/setup/"))).expect("it prints the setup link");
        std::thread::spawn(move || lines.for_each(drop));
        let mut log = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Running { child, port, link: link.trim().to_string() }
    }

    fn signal(&self, signal: i32) {
        // SAFETY: the process is our own child and has not been waited for.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    fn ended_within(&mut self, most: Duration) -> std::process::ExitStatus {
        let since = Instant::now();
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status,
                None => assert!(since.elapsed() < most, "it is still running after {most:?}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn the_configuration_is_checked_and_shown_without_passwords() {
    let data = tempfile::tempdir().unwrap();
    let done = skypanel(data.path()).args(["config", "check"]).env("DATABASE_URL", "postgres://u:hunter2@db/x").output().unwrap();
    let shown = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(shown.contains("\"apps_domain\": \"localhost\"") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_wrong_setting_is_named() {
    let data = tempfile::tempdir().unwrap();
    for (name, value, told) in [
        ("SKYPANEL_EDGE__APPS_DOMAIN", "*.example.com", "edge.apps_domain"),
        ("SKYPANEL_PANEL__LISTEN", "nonsense", "listen"),
        ("SKYPANEL_PANNEL__LISTEN", "127.0.0.1:1", "pannel"),
        ("SKYPANEL_SWARM__ENDPOINT", "ssh://host", "swarm.endpoint"),
        ("SKYPANEL_MAIL__FROM", "nobody", "mail.from"),
        ("SKYPANEL_MAIL__SMTP__HOST", "smtp.example.com", "mail.from"),
        ("SKYPANEL_MAIL__WEBHOOK_SECRET_FILE", "/nowhere", "mail.webhook_secret_file"),
        ("SKYPANEL_BRAND__ACCENT", "red; background: url(x)", "brand.accent"),
    ] {
        let done = skypanel(data.path()).args(["config", "check"]).env(name, value).output().unwrap();
        assert!(!done.status.success(), "{name}={value} was taken");
        let said = String::from_utf8_lossy(&done.stderr).to_lowercase();
        assert!(said.contains(told), "{said}");
    }
}

#[test]
fn a_second_panel_on_the_same_data_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let _first = Running::start(data.path());
    let second = skypanel(data.path()).arg("serve").env("SKYPANEL_PANEL__LISTEN", format!("127.0.0.1:{}", free_port())).output().unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("Another panel is running"));
}

#[tokio::test]
async fn it_ends_in_order_although_a_stream_is_open() {
    let data = tempfile::tempdir().unwrap();
    let mut panel = Running::start(data.path());
    let url = format!("http://127.0.0.1:{}", panel.port);
    let token = panel.link.rsplit('/').next().unwrap().to_string();
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = serde_json::json!({ "name": "Ada", "email": "ada@example.com", "password": "correct horse", "setup_token": token });
    let me: serde_json::Value = client.post(format!("{url}/api/auth/register")).json(&body).send().await.unwrap().json().await.unwrap();
    let bearer = me["data"]["access_token"].as_str().expect("an access token").to_string();
    let body = serde_json::json!({ "name": "web", "source": { "image": { "reference": "nginx:1" } } });
    let made = client.post(format!("{url}/api/paas/applications")).bearer_auth(&bearer).json(&body).send().await.unwrap();
    let made: serde_json::Value = made.json().await.unwrap();
    let id = made["data"]["id"].as_str().expect("an application").to_string();
    let logs = client.get(format!("{url}/api/paas/applications/{id}/logs?follow=true")).bearer_auth(&bearer).send().await.unwrap();
    assert_eq!(logs.status(), 200);
    panel.signal(libc::SIGTERM);
    // The stream ends with the panel instead of holding it up.
    logs.text().await.ok();
    assert!(panel.ended_within(Duration::from_secs(15)).success());
    // What it knew is there again, and no second link is printed.
    let again = skypanel(data.path()).arg("serve").env("SKYPANEL_PANEL__LISTEN", format!("127.0.0.1:{}", panel.port)).spawn().unwrap();
    let mut again = Running { child: again, port: panel.port, link: String::new() };
    let mut lines = BufReader::new(again.child.stdout.take().unwrap()).lines();
    let said = lines.find_map(|line| line.ok().filter(|line| line.contains("Sign in at") || line.contains("/setup/"))).unwrap();
    assert!(said.contains("Sign in at"), "{said}");
    again.signal(libc::SIGTERM);
    assert!(again.ended_within(Duration::from_secs(15)).success());
    let mut rest = String::new();
    again.child.stderr.take().unwrap().read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("correct horse") && !rest.contains(&token));
}
