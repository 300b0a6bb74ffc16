//! What is in flight, and how things end.
use super::*;

/// A task whose answer to `/` comes when it is told to, and whose answer to `/half` stops half-way.
fn gated(name: &str) -> (Task, Arc<tokio::sync::Semaphore>) {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let inner = gate.clone();
    let wait = move || {
        let gate = inner.clone();
        async move { gate.acquire_owned().await.unwrap().forget() }
    };
    let half = || async {
        use futures::StreamExt;
        let first = futures::stream::iter([Ok::<_, std::convert::Infallible>("half")]);
        axum::body::Body::from_stream(first.chain(futures::stream::pending()))
    };
    (Task::app(name, Router::new().route("/", any(wait)).route("/half", any(half))), gate)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_flight_outlive_the_route_and_are_counted_to_the_last() {
    let edge = TestEdge::start();
    let ((old, gate), new) = (gated("r1.old"), Task::plain("r2.new"));
    edge.lead_to(&[&old], LONG);
    let open: Vec<_> = (0..3).map(|_| tokio::spawn(edge.request("GET", "/").send())).collect();
    until("three are in flight", || edge.handle.in_flight(&old.backend) == 3).await;
    edge.lead_to(&[&new], LONG);
    edge.lead_to(&[&new], LONG); // and another table, which knows the old one from nowhere
    assert_eq!(edge.get().await.text().await.unwrap(), "r2.new");
    until("the new one has ended", || edge.handle.in_flight_of_release("r2") == 0).await; // a moment after the client has it
    assert_eq!((edge.handle.in_flight(&old.backend), edge.handle.in_flight_of_release("r1")), (3, 3));
    gate.add_permits(3);
    for request in open {
        assert_eq!(request.await.unwrap().unwrap().status(), 200);
    }
    until("none is in flight", || edge.handle.in_flight(&old.backend) == 0).await;
    assert_eq!(edge.handle.in_flight_of_release("r1"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_is_no_longer_in_flight() {
    let edge = TestEdge::start();
    let (task, _gate) = gated("r1.a");
    edge.lead_to(&[&task], LONG);
    let in_flight = || edge.handle.in_flight(&task.backend);

    let waiting = edge.raw("GET / HTTP/1.1\nHost: app.localhost\n\n").await;
    let mut reading = edge.raw("GET /half HTTP/1.1\nHost: app.localhost\n\n").await;
    let sending = edge.raw("POST / HTTP/1.1\nHost: app.localhost\nContent-Length: 1000\n\nonly this").await;
    until("all three are in flight", || in_flight() == 3).await;
    read_header(&mut reading).await.unwrap();
    drop(waiting);
    until("who waited for an answer has left", || in_flight() == 2).await;
    drop(reading);
    until("who read half an answer has left", || in_flight() == 1).await;
    drop(sending);
    until("who sent half a request has left", || in_flight() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_dies_leaves_nothing_in_flight() {
    let edge = TestEdge::start();
    let (mut task, _gate) = gated("r1.a");
    edge.lead_to(&[&task], Duration::ZERO);
    let open: Vec<_> = (0..4).map(|_| tokio::spawn(edge.request("GET", "/").send())).collect();
    until("four are in flight", || edge.handle.in_flight(&task.backend) == 4).await;
    task.kill();
    for request in open {
        assert_eq!(request.await.unwrap().unwrap().status(), 502);
    }
    until("none is in flight", || edge.handle.in_flight(&task.backend) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_was_removed_gets_nothing_though_connections_to_it_are_kept() {
    let edge = TestEdge::start();
    let (old, new) = (Task::plain("r1.old"), Task::plain("r2.new"));
    edge.lead_to(&[&old], LONG);
    assert_eq!(edge.get().await.text().await.unwrap(), "r1.old");
    edge.lead_to(&[&new], LONG);
    for _ in 0..20 {
        assert_eq!(edge.get().await.text().await.unwrap(), "r2.new");
    }
    assert_eq!(old.seen(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_snapshot_is_left_aside() {
    let edge = TestEdge::start();
    assert!(edge.handle.publish(Snapshot { version: 7, ..Snapshot::default() }));
    assert!(!edge.handle.publish(Snapshot { version: 6, ..Snapshot::default() }));
    assert!(edge.handle.publish(Snapshot { version: 7, ..Snapshot::default() }));
    assert_eq!(edge.handle.version(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_waits_for_the_last_request_and_takes_no_new_one() {
    let edge = TestEdge::start();
    let (task, gate) = gated("r1.a");
    edge.lead_to(&[&task], LONG);
    let open = tokio::spawn(edge.request("GET", "/").send());
    until("it is in flight", || edge.handle.in_flight(&task.backend) == 1).await;
    let handle = edge.handle.clone();
    let stopping = tokio::spawn(async move { handle.stop().await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!stopping.is_finished());
    assert!(TcpStream::connect(edge.address()).await.is_err());
    gate.add_permits(1);
    assert_eq!(open.await.unwrap().unwrap().status(), 200);
    stopping.await.unwrap();
    edge.handle.stop().await; // twice is as once
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_does_not_wait_longer_than_the_grace() {
    let edge = TestEdge::with(EdgeConfig { grace: Duration::from_millis(100), ..EdgeConfig::default() });
    let (task, _gate) = gated("r1.a");
    edge.lead_to(&[&task], LONG);
    let open = tokio::spawn(edge.request("GET", "/").send());
    until("it is in flight", || edge.handle.in_flight(&task.backend) == 1).await;
    let start = Instant::now();
    edge.handle.stop().await;
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(open.await.unwrap().is_err());
    assert_eq!(edge.handle.in_flight(&task.backend), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_named() {
    let edge = TestEdge::start();
    let taken = edge.address();
    let refused = Edge::start(EdgeConfig { listen: vec![free(), taken.into()], ..EdgeConfig::default() });
    let why = refused.err().unwrap().to_string();
    assert!(why.contains(&taken.to_string()) && why.contains("in use"), "{why}");
}
