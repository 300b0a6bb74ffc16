//! What passes through: upgrades, streams, large bodies, and the header fields that are ours.
use super::*;
use axum::{body::Body, http::HeaderMap};
use futures::StreamExt;

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_echoes_through() {
    let edge = TestEdge::start();
    let task = Task::raw("r1.a", |mut socket, _| async move {
        let header = read_header(&mut socket).await.unwrap().to_lowercase();
        assert!(header.contains("connection: upgrade") && header.contains("upgrade: websocket") && header.contains("sec-websocket-key"));
        let accept = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n";
        socket.write_all(accept).await.unwrap();
        let (mut read, mut write) = socket.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    });
    edge.lead_to(&[&task], LONG);
    let hello = "GET /chat HTTP/1.1\nHost: app.localhost\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGVzdA==\n\n";
    let mut socket = edge.raw(hello).await;
    assert!(read_header(&mut socket).await.unwrap().starts_with("HTTP/1.1 101 "));
    for n in 0..200_u8 {
        let frame = vec![n; 1 + usize::from(n) * 50];
        socket.write_all(&frame).await.unwrap();
        let mut back = vec![0; frame.len()];
        socket.read_exact(&mut back).await.unwrap();
        assert_eq!(back, frame);
    }
    // A table without the task leaves the open socket alone.
    edge.lead_to(&[], Duration::ZERO);
    socket.write_all(b"still here").await.unwrap();
    let mut back = [0; 10];
    socket.read_exact(&mut back).await.unwrap();
    assert_eq!(edge.handle.in_flight(&task.backend), 1);
    drop(socket);
    until("the socket is no longer in flight", || edge.handle.in_flight(&task.backend) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_waits_for_an_answer_that_takes_its_time() {
    let edge = TestEdge::start();
    let task = Task::raw("r1.a", |mut socket, _| async move {
        // The connection has answered a request before, as kept ones have.
        while !read_header(&mut socket).await.unwrap().to_lowercase().contains("upgrade: websocket") {
            socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        }
        let accept = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
        socket.write_all(accept).await.unwrap();
        let mut frame = [0; 8];
        while socket.read_exact(&mut frame).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(150)).await;
            socket.write_all(&frame).await.unwrap();
        }
    });
    edge.lead_to(&[&task], LONG);
    let hello = "GET /chat HTTP/1.1\nHost: app.localhost\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGVzdA==\n\n";
    let talk = async || {
        assert_eq!(edge.request("GET", "/").send().await.unwrap().text().await.unwrap(), "ok");
        let mut socket = edge.raw(hello).await;
        assert!(read_header(&mut socket).await.unwrap().starts_with("HTTP/1.1 101 "));
        for n in 0..3_u8 {
            socket.write_all(&[n; 8]).await.unwrap();
            let mut back = [0; 8];
            socket.read_exact(&mut back).await.unwrap();
            assert_eq!(back, [n; 8]);
        }
    };
    futures::future::join_all((0..20).map(|_| talk())).await;
}

/// The answer is there before the edge looks for it, as it is where a busy machine takes the edge off its processor at the wrong moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_stays_open_however_early_it_is_accepted() {
    let edge = TestEdge::start();
    let task = Task::raw("r1.a", |mut socket, _| async move {
        let accept = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
        socket.write_all(accept).await.unwrap();
        read_header(&mut socket).await.unwrap();
        let (mut read, mut write) = socket.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    });
    edge.lead_to(&[&task], LONG);
    let hello = "GET /chat HTTP/1.1\nHost: app.localhost\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGVzdA==\n\n";
    let mut broken = 0;
    for _ in 0..300 {
        let mut socket = edge.raw(hello).await;
        assert!(read_header(&mut socket).await.unwrap().starts_with("HTTP/1.1 101 "));
        let _ = socket.write_all(b"hello").await;
        let mut back = [0; 5];
        broken += usize::from(socket.read_exact(&mut back).await.is_err());
    }
    assert_eq!(broken, 0, "of 300");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_when_they_are_sent() {
    let edge = TestEdge::start();
    let (send, receive) = tokio::sync::mpsc::unbounded_channel::<String>();
    let receive = Arc::new(tokio::sync::Mutex::new(receive));
    let events = move || {
        let receive = receive.clone();
        async move {
            let events = futures::stream::unfold(receive, |receive| async move {
                let event = receive.lock().await.recv().await?;
                Some((Ok::<_, std::convert::Infallible>(event), receive))
            });
            ([("content-type", "text/event-stream")], Body::from_stream(events))
        }
    };
    let task = Task::app("r1.a", Router::new().route("/events", any(events)));
    edge.lead_to(&[&task], LONG);
    let mut stream = edge.request("GET", "/events").send().await.unwrap().bytes_stream();
    for n in 0..5 {
        let event = format!("data: {n}\n\n");
        send.send(event.clone()).unwrap(); // the next one is not sent before this one has come
        let piece = tokio::time::timeout(LONG, stream.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(piece, event);
    }
    drop(send);
    assert!(stream.next().await.is_none(), "the end comes through too");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_megabytes_pass_both_ways_at_once() {
    let edge = TestEdge::start();
    let task = Task::app("r1.a", Router::new().route("/echo", any(|body: Body| async { body })));
    edge.lead_to(&[&task], LONG);
    let piece = |n: u32| (0..16_384).flat_map(|i: u32| (i.wrapping_mul(n)).to_le_bytes()).collect::<Vec<u8>>();
    let upload = futures::stream::iter((0..320).map(move |n| Ok::<_, std::convert::Infallible>(piece(n))));
    let answer = edge.request("POST", "/echo").body(reqwest::Body::wrap_stream(upload)).send().await.unwrap();
    let mut stream = answer.bytes_stream();
    let expected: Vec<u8> = (0..320).flat_map(piece).collect();
    let mut at = 0;
    while let Some(part) = stream.next().await {
        let part = part.unwrap();
        assert!(part == expected[at..at + part.len()]);
        at += part.len();
    }
    assert_eq!(at, 20 * 1024 * 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_outside_says_of_itself_is_not_believed() {
    let edge = TestEdge::start();
    let tell = |headers: HeaderMap| async move {
        let tell = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| format!("{name}={}", value.to_str().unwrap());
        headers.iter().map(tell).collect::<Vec<_>>().join("\n")
    };
    let task = Task::app("r1.a", Router::new().route("/", any(tell)));
    edge.lead_to(&[&task], LONG);
    let mut request = edge.request_to("App.localhost:80", "GET", "/");
    for name in [
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Real-IP",
        "Forwarded",
        "X-Request-Id",
        "X_Forwarded_For",
        "x-forwarded_host",
    ] {
        request = request.header(name, "spoofed");
    }
    let answer = request.header("Keep-Alive", "spoofed").header("X-Mine", "kept").send().await.unwrap();
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_string();
    let told = answer.text().await.unwrap();
    assert!(!told.contains("spoofed"), "{told}");
    for line in
        ["x-forwarded-for=127.0.0.1", "x-forwarded-proto=http", "x-forwarded-host=App.localhost:80", "host=App.localhost:80", "x-mine=kept"]
    {
        assert!(told.lines().any(|told| told == line), "{line} is missing in\n{told}");
    }
    assert!(told.contains(&format!("x-request-id={id}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_not_made_whole() {
    let edge = TestEdge::start();
    let task = Task::raw("r1.a", |mut socket, _| async move {
        read_header(&mut socket).await;
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
    });
    edge.lead_to(&[&task], LONG);
    let answer = edge.get().await;
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.is_err());
    assert_eq!(task.seen(), 1, "and it is not asked for again");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_sent_before_the_answer_are_answered_in_turn() {
    let edge = TestEdge::start();
    let task = Task::app("r1.a", Router::new().route("/echo", any(|body: String| async { body })));
    edge.lead_to(&[&task], LONG);
    let post = |body: &str| format!("POST /echo HTTP/1.1\nHost: app.localhost\nContent-Length: {}\n\n{body}", body.len());
    let last = "GET /last HTTP/1.1\nHost: other.localhost\nConnection: close\n\n";
    let mut socket = edge.raw(&[&post("first"), &post("second"), last].concat()).await;
    let mut answers = String::new();
    tokio::time::timeout(LONG, socket.read_to_string(&mut answers)).await.unwrap().unwrap();
    let places = ["first", "second", "404 Not Found"].map(|word| answers.find(word));
    assert!(places.is_sorted() && places[0].is_some(), "{answers}");
}
