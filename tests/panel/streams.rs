//! Streams resume where the reader was: without a gap, without a repeat.
use crate::support::{
    client::Event,
    panel::TestPanel,
    shop::{GOOD, Shop},
};
use skypanel::{
    deployments::model::Phase,
    id::Id,
    swarm::{Stream, fake::BuildPlan},
};
use std::time::Duration;

fn lines(events: &[Event]) -> Vec<i64> {
    events.iter().filter(|event| event.name == "line").map(|event| event.data["seq"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn the_log_of_a_deployment_is_followed_to_its_end() {
    let shop = Shop::open().await;
    let t = &shop.t;
    shop.change(&format!("{GOOD}# again\n"));
    let id = t.ask_to_deploy(&shop.app).await;
    let plan = BuildPlan { lines: (0..20).map(|n| format!("line {n}")).collect(), takes: Duration::from_millis(600), failure: None };
    t.fake.plan_build(id.as_str(), plan);
    let url = format!("/api/paas/deployments/{id}/logs?follow=true");
    let follow = shop.app.owner.events(&url).await.rest();
    let (events, walked) = tokio::join!(follow, t.work());
    walked.unwrap().unwrap();
    let seqs = lines(&events);
    assert_eq!(seqs, (1..=seqs.len() as i64).collect::<Vec<_>>());
    assert!(
        seqs.len() > 20
            && events.iter().filter(|event| event.name == "line").all(|event| event.data["seq"].as_i64() == event.id.parse().ok())
    );
    let last = events.last().unwrap();
    assert_eq!((last.name.as_str(), &last.data), ("end", &serde_json::json!("live")));
    let states: Vec<&str> =
        events.iter().filter(|event| event.name == "state").map(|event| event.data["phase"].as_str().unwrap()).collect();
    assert_eq!(states.last(), Some(&"live"));

    // Read once more in pieces, as if the connection broke after each few lines.
    let mut pieced = Vec::new();
    let mut seen = String::new();
    loop {
        let reader = if seen.is_empty() { shop.app.owner.script.clone() } else { shop.app.owner.with("last-event-id", &seen) };
        let mut stream = reader.events(&url).await;
        let mut piece = Vec::new();
        for _ in 0..7 {
            piece.extend(stream.next().await);
        }
        seen = piece.last().unwrap().id.clone();
        let over = piece.iter().any(|event| event.name == "end");
        pieced.extend(piece);
        if over {
            break;
        }
    }
    assert_eq!(lines(&pieced), seqs);
    let after = shop.app.owner.get(&format!("/api/paas/deployments/{id}/logs?after=5&limit=3")).await;
    let seqs: Vec<i64> = after.data().as_array().unwrap().iter().map(|line| line["seq"].as_i64().unwrap()).collect();
    assert_eq!(seqs, [6, 7, 8]);
    for wrong in ["x", "-1", "1=2"] {
        assert_eq!(shop.app.owner.with("last-event-id", wrong).get(&url).await.status(), 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_panel_and_strangers_get_none() {
    let shop = Shop::open().await;
    let t = &shop.t;
    let id = t.ask_to_deploy(&shop.app).await;
    let url = format!("/api/paas/deployments/{id}/logs?follow=true");
    let eve = t.member("globex", skypanel::rights::Role::Owner).await;
    assert_eq!(eve.get(&url).await.status(), 404);
    assert_eq!(eve.get(&shop.app.url("logs?follow=true")).await.status(), 404);
    let mut stream = shop.app.owner.events(&url).await;
    assert_eq!(stream.next().await.unwrap().name, "state");
    t.panel.stop.cancel();
    assert_eq!(stream.next().await, None);
    assert_eq!(t.row(&id).await.phase, Phase::Queued);
}

/// An application with two copies that write only what the test lets them.
async fn talking() -> (TestPanel, crate::support::panel::App, String) {
    let t = TestPanel::start().await;
    let app = t.app_with("acme", serde_json::json!({ "replicas": 2 })).await;
    let live = t.deploy_well(&app).await.id;
    (t, app, live.to_string())
}

fn texts(events: &[Event]) -> Vec<(String, String)> {
    let of = |event: &Event, field: &str| event.data[field].as_str().unwrap().to_string();
    let mut all: Vec<_> =
        events.iter().filter(|event| event.name == "line").map(|event| (of(event, "replica"), of(event, "text"))).collect();
    all.sort();
    all
}

#[tokio::test]
async fn the_logs_of_all_copies_resume_by_their_cursors() {
    let (t, app, live) = talking().await;
    let say = |text: &str| t.fake.say(&live, Stream::Out, text);
    say("one");
    say("two");
    let mut stream = app.owner.events(&app.url("logs?follow=true")).await;
    let mut events = Vec::new();
    for _ in 0..4 {
        events.extend(stream.next().await);
    }
    let first = texts(&events);
    assert_eq!(first.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["one", "two", "one", "two"]);
    assert_ne!(first[0].0, first[2].0);
    say("three");
    events.extend(stream.next().await);
    drop(stream);
    // One copy's third line was read, the other's was not; more comes while nobody reads.
    say("four");
    let seen = events.last().unwrap().id.clone();
    let mut stream = app.owner.with("last-event-id", &seen).events(&app.url("logs?follow=true")).await;
    for _ in 0..3 {
        events.extend(stream.next().await);
    }
    say("five");
    for _ in 0..2 {
        events.extend(stream.next().await);
    }
    let all = texts(&events);
    let replicas: std::collections::BTreeSet<&String> = all.iter().map(|(replica, _)| replica).collect();
    assert_eq!(replicas.len(), 2);
    for replica in replicas {
        let mut of: Vec<&str> = all.iter().filter(|(it, _)| it == replica).map(|(_, text)| text.as_str()).collect();
        of.sort_unstable();
        assert_eq!(of, ["five", "four", "one", "three", "two"], "{replica}");
    }
    assert_eq!(app.owner.with("last-event-id", "../x=1").get(&app.url("logs?follow=true")).await.status(), 400);
}

#[tokio::test]
async fn logs_are_searched_and_narrowed() {
    let (t, app, live) = talking().await;
    t.fake.say(&live, Stream::Out, "GET /basket 200");
    t.fake.say(&live, Stream::Err, "Basket is empty");
    let read = async |query: &str| {
        let reply = app.owner.get(&app.url(&format!("logs?{query}"))).await;
        assert_eq!(reply.status(), 200, "{query}: {}", reply.text());
        reply.data().as_array().unwrap().len()
    };
    assert_eq!((read("").await, read("search=BASKET").await, read("search=empty").await), (4, 4, 2));
    assert_eq!((read("level=err").await, read("replica=1").await, read("limit=3").await), (2, 2, 3));
    assert_eq!((read("since=2100-01-01T00:00:00Z").await, read("until=2000-01-01T00:00:00Z").await), (0, 0));
    let wrong = app.owner.get(&app.url("logs?since=x&until=y&limit=0&level=loud")).await;
    assert_eq!(wrong.fields(), ["since", "until", "limit", "level"]);
}
