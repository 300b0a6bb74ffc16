//! From a repository to a page that answers, on a real engine: through the API, and what the engine was made to hold.
use crate::{
    panel::{App, docker, dockerfile, lines, serving, shared, text, until},
    support::git_server::GitServer,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;

#[tokio::test]
async fn the_whole_path_with_curl_alone() {
    let shared = shared().await;
    let git = GitServer::start().await;
    let repo = serving(&git, "shop", "one");
    repo.branch("next").commit(&[("www/index.html", "two")], "Two");
    repo.branch("broken").commit(&[("Dockerfile", "FROM busybox:latest\nRUN echo no; exit 3\n")], "Break it");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/curl.sh");
    let mut command = tokio::process::Command::new(script);
    command.env("PANEL", &shared.bare.base).env("EDGE", &shared.bare.edge).env("REPOSITORY", git.url("shop"));
    let ended = command.env("SETUP", shared.setup.rsplit('/').next().unwrap()).output().await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    println!("{said}");
    assert!(ended.status.success(), "{said}");
}

#[tokio::test]
async fn a_container_is_bound_limited_and_alone() {
    let api = shared().await.api;
    let git = GitServer::start().await;
    serving(&git, "bounds", "one");
    let more = json!({ "replicas": 2, "resource_limits": { "memory_bytes": 64 << 20, "cpu_millis": 250 } });
    let app = api.create("bounds", &git.url("bounds"), more).await;
    app.live().await;
    let running = app.running_containers();
    assert_eq!(running.len(), 2);
    for container in &running {
        let there: Value = serde_json::from_str(&docker(&["inspect", container])).unwrap();
        let there = &there[0];
        let host = &there["HostConfig"];
        assert_eq!(
            (host["Memory"].as_u64(), host["NanoCpus"].as_u64(), host["PidsLimit"].as_u64()),
            (Some(64 << 20), Some(250_000_000), Some(512))
        );
        assert_eq!((host["Privileged"].as_bool(), text(&host["NetworkMode"]), text(&host["PidMode"])), (Some(false), "default", ""));
        assert!(host["CapDrop"].as_array().unwrap().contains(&json!("CAP_NET_RAW")), "{host:#}");
        assert_eq!((there["Mounts"].clone(), host["Binds"].clone(), host["Devices"].clone()), (json!([]), Value::Null, Value::Null));
        // Its own overlay only, and the bridge that leads out.
        let networks: Vec<&String> = there["NetworkSettings"]["Networks"].as_object().unwrap().keys().collect();
        assert!(networks.len() == 1 && networks[0].starts_with("skypanel-"), "{networks:?}");
    }
    // Every port of a task that listens on this machine does so on loopback.
    let address = |line: &str| line.split_whitespace().nth(3).unwrap_or_default().to_string();
    let listening = tokio::process::Command::new("ss").args(["-Hltnp"]).output().await.unwrap();
    let listening = String::from_utf8_lossy(&listening.stdout).into_owned();
    let proxies: Vec<String> = listening.lines().filter(|line| line.contains("docker-proxy")).map(address).collect();
    assert!(proxies.len() >= 2 && proxies.iter().all(|address| address.starts_with("127.0.0.1:")), "{listening}");
    let rules = tokio::process::Command::new("iptables").args(["-t", "nat", "-S", "DOCKER"]).output().await.unwrap();
    let rules = String::from_utf8_lossy(&rules.stdout).into_owned();
    let open: Vec<&str> = rules.lines().filter(|rule| rule.contains("DNAT") && !rule.contains("-d 127.0.0.1/32")).collect();
    assert!(open.is_empty(), "open to the world: {open:#?}");
    app.delete().await;
    until("nothing is left of it", 30, async || is_gone(&app)).await;
}

fn is_gone(app: &App) -> bool {
    app.services().is_empty() && app.containers().is_empty()
}

#[tokio::test]
async fn another_organizations_image_looks_like_none() {
    let api = shared().await.api;
    let git = GitServer::start().await;
    serving(&git, "secret", "one");
    let app = api.create("secret", &git.url("secret"), json!({})).await;
    app.live().await;
    let image = app.images().remove(0);
    // Under the panel's own names nobody may ask at all; the same content has other names.
    docker(&["tag", &image, "elsewhere/shop:1"]);

    let mut stranger = api.clone();
    stranger.token.clear();
    let form = json!({ "name": "Eve", "email": "eve@example.com", "password": "correct horse battery" });
    let (_, made) = stranger.send(Method::POST, "/api/auth/register", Some(form)).await;
    stranger.token = text(&made["data"]["access_token"]).into();
    let source = |reference: &str| json!({ "name": "thief", "source": { "image": { "reference": reference } }, "port": 8080 });
    let (status, made) = stranger.send(Method::POST, "/api/paas/applications", Some(source("elsewhere/shop:1"))).await;
    assert!(status.is_success(), "{made}");
    let id = text(&made["data"]["id"]);
    let asked = stranger.post(&format!("/api/paas/applications/{id}/deploy"), json!({})).await;
    let end = stranger.done(text(&asked["id"])).await;
    assert_eq!((text(&end["phase"]), text(&end["failure"]["code"])), ("failed", "image_not_found"), "{end:#}");

    // To its owner it is an image like any other.
    let (_, made) = api.send(Method::POST, "/api/paas/applications", Some(source("elsewhere/shop:1"))).await;
    let asked = api.post(&format!("/api/paas/applications/{}/deploy", text(&made["data"]["id"])), json!({})).await;
    let end = api.done(text(&asked["id"])).await;
    assert_eq!(end["phase"], "live", "{end:#}");
}

#[tokio::test]
async fn siblings_find_each_other_by_name() {
    let api = shared().await.api;
    let git = GitServer::start().await;
    serving(&git, "sibling", "found");
    api.create("sibling", &git.url("sibling"), json!({})).await.live().await;
    // A static busybox resolves names by `nslookup` alone.
    let look = r#"#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
address=$(nslookup sibling | awk '/^Address/ { last = $2 } END { print last }')
printf 'GET / HTTP/1.0\r\n\r\n' | nc "$address" 8080
"#;
    let file = format!("{}RUN chmod 755 /www/cgi-bin/look\n", dockerfile(8080));
    let files = [("Dockerfile", file.as_str()), ("www/index.html", "one"), ("www/cgi-bin/look", look)];
    git.repo("looker").commit(&files, "Look");
    let app = api.create("looker", &git.url("looker"), json!({})).await;
    app.live().await;
    let (status, said) = app.visit("/cgi-bin/look").await.unwrap();
    assert!(status == 200 && said.ends_with("found"), "{said}");
    let networks = lines(&["network", "ls", "--format", "{{.Name}}", "--filter", "label=skypanel"]);
    assert!(networks.iter().all(|name| name.starts_with("skypanel-")), "{networks:?}");
}

/// Where the time of a warm deployment goes. Printed by `--nocapture`; the bound is generous, for machines are loaded.
#[tokio::test]
async fn a_warm_deployment_wastes_no_time() {
    let api = shared().await.api;
    let git = GitServer::start().await;
    serving(&git, "quick", "one");
    let app = api.create("quick", &git.url("quick"), json!({})).await;
    app.live().await;
    let mut best = f64::MAX;
    for _ in 0..3 {
        let end = app.live().await;
        let at = |value: &Value| time::OffsetDateTime::parse(text(value), &time::format_description::well_known::Rfc3339).unwrap();
        let mut told = Vec::new();
        for phase in end["phases"].as_array().unwrap().iter().filter(|phase| !phase["finished_at"].is_null()) {
            let took = at(&phase["finished_at"]) - at(&phase["started_at"]);
            told.push(format!("{} {:.2}", text(&phase["phase"]), took.as_seconds_f64()));
        }
        let whole = (at(&end["finished_at"]) - at(&end["created_at"])).as_seconds_f64();
        println!("{whole:.2} s: {}", told.join(", "));
        best = best.min(whole);
    }
    assert!(best < 12.0, "{best} s");
}
