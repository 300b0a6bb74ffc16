//! Answers that come before the request's body was read: they arrive, although the client is still sending when the connection ends.
use super::*;

/// More than the buffers of both sockets together take while nobody reads.
const BODY: usize = 24 << 20;

/// Sends a request with a large body whole before it reads a byte, as simple clients do, and gives back what came.
async fn blind_post(edge: &TestEdge, host: &str, fields: &str) -> String {
    let mut socket = edge.raw(&format!("POST / HTTP/1.1\nHost: {host}\nContent-Length: {BODY}\n{fields}\n")).await;
    let body = vec![b'x'; 64 * 1024];
    let mut sent = 0;
    while sent < BODY {
        let count = socket.write(&body[..body.len().min(BODY - sent)]).await.expect("the edge reads on");
        sent += count;
    }
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        match tokio::time::timeout(LONG, socket.read(&mut piece)).await.expect("an answer comes").expect("the connection is not reset") {
            0 => break,
            count => answer.extend_from_slice(&piece[..count]),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_answer_arrives_while_the_client_is_still_sending() {
    let edge = TestEdge::start();
    let task = Task::plain("r1.a");
    let route = |host: &str, target: Target, policy: Policy| Route { policy: Some(Box::new(policy)), ..Route::new(host, "app_1", target) };
    let limits = RequestLimits { body: Some(1000), ..RequestLimits::default() };
    let small = Policy { limits, ..Policy::default() };
    let closed = Policy { logins: vec![Credentials::new("ada", "secret").unwrap()], ..Policy::default() };
    let rate = Some(RateLimit { per_second: 1, burst: 1 });
    let rare = Policy { limits: RequestLimits { rate, ..RequestLimits::default() }, ..Policy::default() };
    edge.publish(Snapshot {
        routes: vec![
            route("small.localhost", to(&[&task]), small),
            route("closed.localhost", to(&[&task]), closed),
            route("rare.localhost", Target::Stopped, rare),
            route("stopped.localhost", Target::Stopped, Policy::default()),
            route("other.localhost", Target::Redirect { host: "small.localhost".into() }, Policy::default()),
        ],
        ..Snapshot::default()
    });
    // The first one is counted, so that those that follow are too many.
    assert_eq!(edge.request_to("rare.localhost", "GET", "/").send().await.unwrap().status(), 503);
    for (host, status) in [
        ("small.localhost", 413),
        ("closed.localhost", 401),
        ("rare.localhost", 429),
        ("stopped.localhost", 503),
        ("other.localhost", 308),
        ("nobody.localhost", 404),
    ] {
        for fields in ["Connection: close\n", ""] {
            let mut answer = blind_post(&edge, host, fields).await;
            // On a busy machine a second may have passed since the last one that was counted.
            while status == 429 && answer.starts_with("HTTP/1.1 503 ") {
                answer = blind_post(&edge, host, fields).await;
            }
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host} {fields}: {answer}");
        }
    }
    assert_eq!(task.seen(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_a_task_that_does_not_want_the_body_arrives() {
    let edge = TestEdge::start();
    let task = Task::raw("r1.a", |mut socket, _| async move {
        read_header(&mut socket).await;
        let _ = socket.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno").await;
        let _ = tokio::io::copy(&mut socket, &mut tokio::io::sink()).await;
    });
    edge.lead_to(&[&task], LONG);
    let answer = blind_post(&edge, "app.localhost", "Connection: close\n").await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}
