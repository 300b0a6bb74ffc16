//! Deployments under load: visitors of every kind, without a pause, while releases come and go. None of them notices.
use crate::{
    panel::{App, dockerfile, shared, text, until},
    support::git_server::{GitServer, Repo},
};
use futures::StreamExt;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

const REQUESTS: u64 = 10_000;
/// Notes the id that it is sent, in its log and in its answer.
const NOTE: &str = "#!/bin/sh\nread -r id\necho \"noted $id\" >&2\nprintf 'Content-Type: text/plain\\r\\n\\r\\n%s' \"$id\"\n";

fn version(repo: &Repo, number: u32) {
    let file = format!("{}RUN chmod 755 /www/cgi-bin/note\n", dockerfile(8080));
    repo.commit(
        &[("Dockerfile", &file), ("www/index.html", &format!("version {number}")), ("www/cgi-bin/note", NOTE)],
        &format!("Version {number}"),
    );
}

#[derive(Default)]
struct Tally {
    sent: AtomicU64,
    posted: AtomicU64,
    failed: Mutex<Vec<String>>,
    over: AtomicBool,
}

/// A visitor who comes again and again, on one connection or on a new one each time.
async fn visitor(app: App, tally: Arc<Tally>, keeps: bool, number: u64) {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).pool_max_idle_per_host(usize::from(keeps));
    let client = client.build().unwrap();
    let begun = Instant::now();
    while !tally.over.load(Ordering::Relaxed) {
        let n = tally.sent.fetch_add(1, Ordering::Relaxed);
        let asked = if n % 4 == 3 {
            let id = format!("{number}x{n}");
            tally.posted.fetch_add(1, Ordering::Relaxed);
            let request = client.post(format!("{}/cgi-bin/note", app.api.edge)).header("host", &app.host).body(format!("{id}\n"));
            read(request, |body| body == id).await
        } else {
            read(client.get(format!("{}/", app.api.edge)).header("host", &app.host), |body| body.starts_with("version ")).await
        };
        if let Err(why) = asked {
            tally.failed.lock().unwrap().push(format!("after {:.1} s: {why}", begun.elapsed().as_secs_f64()));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn read(request: reqwest::RequestBuilder, is_good: impl Fn(&str) -> bool) -> Result<(), String> {
    let answer = request.send().await.map_err(|why| format!("{why:?}"))?;
    let status = answer.status();
    let body = answer.text().await.map_err(|why| format!("{why:?}"))?;
    if status.is_success() && is_good(body.trim()) { Ok(()) } else { Err(format!("{status}: {body}")) }
}

/// Follows the log of all copies and counts how often each id was noted.
async fn count(app: App, seen: Arc<Mutex<HashMap<String, u32>>>) {
    let follow = app.api.http.get(format!("{}/api/paas/applications/{}/logs?follow=true&limit=5000", app.api.base, app.id));
    let mut events = follow.timeout(Duration::from_secs(600)).bearer_auth(&app.api.token).send().await.unwrap().bytes_stream();
    let mut text = String::new();
    while let Some(Ok(part)) = events.next().await {
        text.push_str(&String::from_utf8_lossy(&part));
        while let Some(end) = text.find('\n') {
            let line: String = text.drain(..=end).collect();
            let line: Option<Value> = line.strip_prefix("data:").and_then(|data| serde_json::from_str(data).ok());
            let noted = line.and_then(|line| line["text"].as_str()?.strip_prefix("noted ").map(String::from));
            if let Some(id) = noted {
                *seen.lock().unwrap().entry(id).or_default() += 1;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_deployments_and_a_rollback_go_unnoticed() {
    let api = shared().await.api;
    let git = GitServer::start().await;
    let repo = git.repo("busy");
    version(&repo, 0);
    let app = api.create("busy", &git.url("busy"), json!({ "replicas": 2 })).await;
    app.live().await;
    let (tally, seen) = (Arc::new(Tally::default()), Arc::new(Mutex::new(HashMap::new())));
    let counting = tokio::spawn(count(app.clone(), seen.clone()));
    let visitors: Vec<_> = (0..8).map(|n| tokio::spawn(visitor(app.clone(), tally.clone(), n < 5, n))).collect();
    let begun = Instant::now();
    // Of the six releases the images of five are kept.
    let mut oldest_kept = None;
    for number in 1..=5 {
        version(&repo, number);
        let done = app.live().await;
        oldest_kept.get_or_insert(done);
        assert_eq!(app.page().await, format!("version {number}"));
    }
    let oldest_kept = oldest_kept.expect("five were deployed");
    let back = api.post(&format!("/api/paas/deployments/{}/rollback", text(&oldest_kept["id"])), json!({})).await;
    let back = api.done(text(&back["id"])).await;
    assert_eq!(back["phase"], "live", "{back:#}");
    assert_eq!(app.page().await, "version 1");
    let took = begun.elapsed();
    let during = tally.sent.load(Ordering::Relaxed);
    until("enough requests were sent", 120, async || tally.sent.load(Ordering::Relaxed) >= REQUESTS).await;
    tally.over.store(true, Ordering::Relaxed);
    for visitor in visitors {
        visitor.await.unwrap();
    }
    let (sent, posted) = (tally.sent.load(Ordering::Relaxed), tally.posted.load(Ordering::Relaxed));
    let failed = std::mem::take(&mut *tally.failed.lock().unwrap());
    println!("{sent} requests ({during} during {:.1} s of deployments), {} failed", took.as_secs_f64(), failed.len());
    assert!(failed.is_empty(), "{} of {sent} failed: {:#?}", failed.len(), &failed[..failed.len().min(10)]);
    // The last lines of a container that goes may go with it; none may be there twice.
    until("the notes are read", 20, async || seen.lock().unwrap().len() as u64 * 10 >= posted * 9).await;
    counting.abort();
    let seen = seen.lock().unwrap();
    println!("{} of {posted} posts were seen in the logs", seen.len());
    let twice: Vec<_> = seen.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "answered twice: {twice:?}");
}
