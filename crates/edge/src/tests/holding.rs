//! Hosts without a task: who waits, and who is told what.
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_held_until_a_task_comes() {
    let edge = TestEdge::start();
    edge.lead_to(&[], LONG);
    let held: Vec<_> = (0..20).map(|n| tokio::spawn(edge.request(["GET", "POST"][n % 2], "/").body("x").send())).collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(held.iter().all(|request| !request.is_finished()));
    edge.lead_to(&[], LONG); // another table that brings nothing
    let task = Task::plain("r1.a");
    edge.lead_to(&[&task], LONG);
    for request in held {
        assert_eq!(request.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(task.seen(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_not_held_for_ever() {
    let edge = TestEdge::start();
    edge.lead_to(&[], Duration::from_millis(150));
    let start = Instant::now();
    let answer = edge.request("GET", "/").header("accept", "application/json").send().await.unwrap();
    assert!((150..2_000).contains(&start.elapsed().as_millis()));
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_string();
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!((body["error"]["code"].as_str(), body["request_id"].as_str()), (Some("APPLICATION_UNAVAILABLE"), Some(&*id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_request_is_told_when_the_application_is_stopped() {
    let edge = TestEdge::start();
    edge.lead_to(&[], LONG);
    let held = tokio::spawn(edge.request("GET", "/").send());
    tokio::time::sleep(Duration::from_millis(50)).await;
    edge.lead(Target::Stopped);
    let answer = held.await.unwrap().unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.text().await.unwrap().contains("stopped"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_request_whose_client_left_reaches_nobody() {
    let edge = TestEdge::start();
    edge.lead_to(&[], LONG);
    drop(edge.raw("POST / HTTP/1.1\nHost: app.localhost\nContent-Length: 0\n\n").await);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let task = Task::plain("r1.a");
    edge.lead_to(&[&task], LONG);
    assert_eq!(edge.get().await.status(), 200);
    assert_eq!(task.seen(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_not_ours_is_answered_404_in_the_form_that_was_asked_for() {
    let edge = TestEdge::start();
    let ask = |accept: &'static str| edge.request_to("other.localhost", "GET", "/").header("accept", accept).send();
    for (accept, kind) in [("text/html,*/*", "text/html"), ("application/json", "application/json"), ("*/*", "text/plain")] {
        let answer = ask(accept).await.unwrap();
        assert_eq!(answer.status(), 404);
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with(kind));
        assert!(answer.text().await.unwrap().contains("Nothing lives"));
    }
    let head = edge.request("HEAD", "/").send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.text().await.unwrap().as_str()), (404, ""));
    let mut old = edge.raw("GET / HTTP/1.0\n\n").await;
    let mut answer = String::new();
    old.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(" 404 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_and_empty_applications_say_so() {
    let edge = TestEdge::start();
    for (target, word) in [(Target::Stopped, "is stopped"), (Target::Empty, "not been deployed")] {
        edge.lead(target);
        let answer = edge.get().await;
        assert_eq!(answer.status(), 503);
        assert!(answer.text().await.unwrap().contains(word));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_known_in_every_spelling() {
    let edge = TestEdge::start();
    let task = Task::plain("r1.a");
    edge.lead_to(&[&task], LONG);
    for host in ["app.localhost", "APP.localhost", "app.localhost.", "app.localhost:8080", "App.Localhost.:80"] {
        assert_eq!(edge.request_to(host, "GET", "/").send().await.unwrap().status(), 200, "{host}");
    }
    let mut proxied = edge.raw("GET http://app.localhost/ HTTP/1.1\nHost: app.localhost\nConnection: close\n\n").await;
    let mut answer = String::new();
    proxied.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_panel_is_reached_whatever_the_snapshot_says() {
    let panel = Task::plain("panel");
    let route = PanelRoute { hosts: vec!["panel.localhost".into()], address: panel.backend.address };
    let edge = TestEdge::with(EdgeConfig { panel: Some(route), ..EdgeConfig::default() });
    let ask = || edge.request_to("panel.localhost", "GET", "/").send();
    assert_eq!(ask().await.unwrap().status(), 200);
    edge.lead(Target::Empty);
    assert_eq!(ask().await.unwrap().text().await.unwrap(), "panel");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_have_a_limit() {
    let edge = TestEdge::start();
    let task = Task::plain("r1.a");
    edge.lead_to(&[&task], LONG);
    let ask = |size: usize| edge.request("GET", "/").header("cookie", "c".repeat(size)).send();
    assert_eq!(ask(8_000).await.unwrap().status(), 200);
    assert_eq!(ask(70_000).await.unwrap().status(), 431);
    assert_eq!(task.seen(), 1);
}
