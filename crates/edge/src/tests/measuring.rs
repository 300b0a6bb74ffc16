//! Numbers: they equal what the clients counted.
use super::*;
use axum::http::StatusCode;

fn release<'a>(signals: &'a Signals, name: &str) -> &'a ReleaseSignals {
    signals.releases.iter().find(|one| one.release == name).unwrap_or_else(|| panic!("{name} in {signals:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_is_what_was_asked() {
    let edge = TestEdge::start();
    let routes = || {
        let slow = || async { tokio::time::sleep(Duration::from_millis(100)).await };
        Router::new()
            // They read what they are sent: a server that does not may close the connection, and say so too late for the next request.
            .route("/404", any(|_: String| async { StatusCode::NOT_FOUND }))
            .route("/500", any(|_: String| async { StatusCode::INTERNAL_SERVER_ERROR }))
            .route("/echo", any(|body: String| async { body }))
            .route("/slow", any(move |_: String| slow()))
    };
    let task = Task::app("r1.a", routes());
    edge.lead_to(&[&task], LONG);
    for n in 0..40 {
        let (path, status) = [("/echo", 200), ("/404", 404), ("/500", 500), ("/slow", 200)][n % 4];
        let answer = edge.request("POST", path).body("0123456789").send().await.unwrap();
        let got = answer.status().as_u16();
        let page = answer.text().await.unwrap();
        assert_eq!(got, status, "{n}: {path}: {page}");
    }
    edge.request_to("nowhere.localhost", "GET", "/").send().await.unwrap();
    until("all have ended", || edge.handle.in_flight_of_release("r1") == 0).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (text, _) = edge.handle.prometheus(1000);
    let signals = edge.handle.take_signals();
    let one = release(&signals, "r1");
    assert_eq!((one.app.as_str(), one.requests, one.classes), ("app_1", 40, [0, 20, 0, 10, 10]));
    assert_eq!((one.bytes_in, one.bytes_out, one.retried, one.held, one.in_flight), (400, 100, 0, 0, 0));
    assert_eq!((one.latency.count(), signals.unrouted), (40, 1));
    let (p50, p99) = (one.latency.quantile(0.5).unwrap(), one.latency.quantile(0.99).unwrap());
    assert!(p50 < p99 && p99.as_millis() >= 90, "{p50:?} {p99:?}");
    assert!(text.contains("skypanel_edge_requests_total{app=\"app_1\",release=\"r1\",class=\"5xx\"} 10"), "{text}");
    assert!(text.contains("skypanel_edge_unrouted_requests_total 1"), "{text}");
    let again = edge.handle.take_signals();
    assert!(again.releases.is_empty() && again.unrouted == 0 && again.since == signals.until, "{again:?}");
    assert_eq!(edge.handle.prometheus(1000).0.lines().count(), text.lines().count(), "what was taken still stands there");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_what_is_tried_again_and_what_is_open_is_counted() {
    let edge = TestEdge::start();
    let (dead, slow) = (Task::refusing("r1.dead"), Task::slow("r2.slow", Duration::from_secs(1)));
    edge.lead_to(&[], LONG);
    let waiting = tokio::spawn(edge.request("GET", "/").send());
    tokio::time::sleep(Duration::from_millis(50)).await;
    edge.lead_to(&[&dead], LONG);
    tokio::time::sleep(Duration::from_millis(50)).await;
    edge.lead_to(&[&dead, &slow], LONG);
    until("it is in flight", || edge.handle.in_flight_of_release("r2") == 1).await;
    let signals = edge.handle.take_signals();
    assert_eq!((release(&signals, "r2").requests, release(&signals, "r2").in_flight), (0, 1));
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    until("it has ended", || edge.handle.in_flight_of_release("r2") == 0).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let signals = edge.handle.take_signals();
    let one = release(&signals, "r2");
    assert_eq!((one.requests, one.held, one.retried), (1, 1, 1));
    edge.lead(Target::Stopped);
    edge.get().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(release(&edge.handle.take_signals(), "").classes, [0, 0, 0, 0, 1], "what the edge answers by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_has_every_request_or_a_share_of_them_and_never_a_query() {
    let edge = TestEdge::start();
    let task = Task::plain("r1.a");
    let policy = |access_permille| Policy { access_permille, ..Policy::default() };
    let mut log = edge.handle.take_access_log().unwrap();
    assert!(edge.handle.take_access_log().is_none());
    edge.lead_under(&[&task], policy(1000));
    let answer = edge.request("POST", "/path?token=secret").header("user-agent", "tester").body("12345").send().await.unwrap();
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_string();
    let entry = tokio::time::timeout(LONG, log.recv()).await.unwrap().unwrap();
    assert_eq!((entry.id, entry.app.as_str(), entry.release.as_str(), entry.task.as_str()), (id, "app_1", "r1", "r1.a"));
    assert_eq!((entry.method.as_str(), entry.host.as_str(), entry.path.as_str()), ("POST", "app.localhost", "/path"));
    assert_eq!(
        (entry.status, entry.bytes_out, entry.user_agent.as_str(), entry.client.to_string().as_str()),
        (200, 4, "tester", "127.0.0.1")
    );
    edge.lead_under(&[&task], policy(200));
    for _ in 0..300 {
        edge.get().await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut count = 0;
    while log.try_recv().is_ok() {
        count += 1;
    }
    assert!((25..110).contains(&count), "{count} of 300 at 20 %");
    edge.lead_under(&[&task], policy(0));
    edge.get().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(log.try_recv().is_err() && edge.handle.dropped_access_entries() == 0);
}
