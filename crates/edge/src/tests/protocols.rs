//! HTTP/1.1 and HTTP/2 in, HTTP/1.1 and h2c out, and what leaves HTTP.
use super::*;
use axum::{
    body::Body,
    http::{HeaderMap, Request, Version},
};
use futures::StreamExt;

fn h2_client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap()
}

fn url(edge: &TestEdge, path: &str) -> String {
    // HTTP/2 has no Host to set apart from the address, hence a name that leads to loopback.
    format!("http://app.localhost:{}{path}", edge.address().port())
}

fn h2c(name: &str, routes: Router) -> Task {
    let mut task = Task::app(name, routes);
    task.backend.h2c = true;
    task
}

fn versions() -> Router {
    Router::new().route("/", any(|request: Request<Body>| async move { format!("{:?}", request.version()) }))
}

fn resolving() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().resolve("app.localhost", ([127, 0, 0, 1], 0).into())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_version_in_goes_to_each_version_out() {
    let edge = TestEdge::start();
    let (old, new) = (Task::app("r1.old", versions()), h2c("r1.new", versions()));
    for (task, expected) in [(&old, "HTTP/1.1"), (&new, "HTTP/2.0")] {
        edge.lead_to(&[task], LONG);
        let one = resolving().build().unwrap().get(url(&edge, "/")).send().await.unwrap();
        assert_eq!((one.version(), one.text().await.unwrap().as_str()), (Version::HTTP_11, expected));
        let two = resolving().http2_prior_knowledge().build().unwrap().get(url(&edge, "/")).send().await.unwrap();
        assert_eq!((two.version(), two.text().await.unwrap().as_str()), (Version::HTTP_2, expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_streams_share_a_connection_each_way() {
    let edge = TestEdge::start();
    let echo = || Router::new().route("/echo", any(|body: String| async move { body }));
    let (old, new) = (Task::app("r1.old", echo()), h2c("r1.new", echo()));
    let client = resolving().http2_prior_knowledge().build().unwrap();
    for task in [&old, &new] {
        edge.lead_to(&[task], LONG);
        let posts = (0..200).map(|n| {
            let request = client.post(url(&edge, "/echo")).body(format!("{n}").repeat(1_000));
            async move { (n, request.send().await.unwrap().text().await.unwrap()) }
        });
        for (n, body) in futures::future::join_all(posts).await {
            assert!(body == format!("{n}").repeat(1_000), "{n}");
        }
        assert_eq!(task.seen(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_that_come_in_pieces_go_to_http1_in_one() {
    let edge = TestEdge::start();
    let cookies = |headers: HeaderMap| async move {
        headers.get_all("cookie").iter().map(|value| value.to_str().unwrap().to_string()).collect::<Vec<_>>().join(" | ")
    };
    let task = Task::app("r1.a", Router::new().route("/", any(cookies)));
    edge.lead_to(&[&task], LONG);
    let client = resolving().http2_prior_knowledge().build().unwrap();
    let answer = client.get(url(&edge, "/")).header("cookie", "a=1").header("cookie", "b=2").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "a=1; b=2");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_large_bodies_stream_over_http2() {
    let edge = TestEdge::start();
    let routes = || {
        let ticks = || async {
            let ticks = futures::stream::unfold(0, |n| async move {
                tokio::time::sleep(Duration::from_millis(5)).await;
                (n < 20).then(|| (Ok::<_, std::convert::Infallible>(format!("data: {n}\n\n")), n + 1))
            });
            ([("content-type", "text/event-stream")], Body::from_stream(ticks))
        };
        let size = |body: Body| async move {
            let mut body = body.into_data_stream();
            let mut size = 0;
            while let Some(piece) = body.next().await {
                size += piece.unwrap().len();
            }
            size.to_string()
        };
        Router::new().route("/events", any(ticks)).route("/size", any(size))
    };
    let (old, new) = (Task::app("r1.old", routes()), h2c("r1.new", routes()));
    let client = resolving().http2_prior_knowledge().build().unwrap();
    for task in [&old, &new] {
        edge.lead_to(&[task], LONG);
        let mut events = client.get(url(&edge, "/events")).send().await.unwrap().bytes_stream();
        let mut pieces = 0;
        while let Some(piece) = events.next().await {
            piece.unwrap();
            pieces += 1;
        }
        assert!(pieces >= 10, "{pieces} pieces");
        let body = futures::stream::iter((0..160).map(|_| Ok::<_, std::convert::Infallible>(vec![b'x'; 65_536])));
        let answer = client.post(url(&edge, "/size")).body(reqwest::Body::wrap_stream(body)).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), (160 * 65_536).to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_upload_is_not_gathered_in_memory() {
    let edge = TestEdge::start();
    // A task that reads nothing: what the edge takes from the client stays in its hands.
    let task = Task::raw("r1.a", |mut socket, _| async move {
        read_header(&mut socket).await;
        std::future::pending::<()>().await;
    });
    edge.lead_to(&[&task], LONG);
    let mut socket = edge.raw("POST / HTTP/1.1\nHost: app.localhost\nContent-Length: 1000000000\n\n").await;
    let (mut sent, piece) = (0, vec![b'x'; 65_536]);
    while let Ok(Ok(count)) = tokio::time::timeout(Duration::from_secs(1), socket.write(&piece)).await {
        sent += count;
        assert!(sent < 64 << 20, "it goes on and on");
    }
}

/// A task that switches to a protocol of its own and then echoes.
fn switching(protocol: &'static str) -> Task {
    Task::raw("r1.a", move |mut socket, _| async move {
        let header = read_header(&mut socket).await.unwrap().to_lowercase();
        if !header.contains(&format!("upgrade: {protocol}")) {
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain").await;
            return;
        }
        assert!(header.contains("connection: upgrade") && !header.contains("x-hop"), "{header}");
        let _ = socket
            .write_all(format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: {protocol}\r\nConnection: Upgrade\r\n\r\n").as_bytes())
            .await;
        let (mut read, mut write) = socket.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn other_upgrades_pass_and_those_to_http_do_not() {
    let edge = TestEdge::start();
    let mut task = switching("echo/1");
    task.backend.h2c = true; // an upgrade goes as HTTP/1.1 all the same
    edge.lead_to(&[&task], LONG);
    let mut socket = edge.raw("GET / HTTP/1.1\nHost: app.localhost\nConnection: Upgrade, X-Hop\nX-Hop: 1\nUpgrade: echo/1\n\n").await;
    assert!(read_header(&mut socket).await.unwrap().starts_with("HTTP/1.1 101 "));
    socket.write_all(b"hello").await.unwrap();
    let mut back = [0; 5];
    socket.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"hello");

    let task = switching("h2c");
    edge.lead_to(&[&task], LONG);
    let answer = edge.answer_to(b"GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("plain"), "{answer}");
    for lines in ["Upgrade: foo\r\nUpgrade: h2c", "Upgrade: foo\r\nUpgrade: bar, H2C", "Upgrade: websocket\r\nUpgrade: h2c"] {
        let asked = format!(
            "GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: Upgrade, close\r\n{lines}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        );
        let answer = edge.answer_to(asked.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("plain"), "{lines}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn interim_answers_and_expectations_pass() {
    let edge = TestEdge::start();
    let task = Task::raw("r1.a", |mut socket, _| async move {
        read_header(&mut socket).await;
        let _ = socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
        let mut body = [0; 4];
        socket.read_exact(&mut body).await.unwrap();
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n").await;
        let _ = socket.write_all(&body).await;
    });
    edge.lead_to(&[&task], LONG);
    let mut socket = edge.raw("POST / HTTP/1.1\nHost: app.localhost\nContent-Length: 4\nExpect: 100-continue\nConnection: close\n\n").await;
    assert!(read_header(&mut socket).await.unwrap().starts_with("HTTP/1.1 100 "));
    socket.write_all(b"body").await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("body"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_to_a_host_that_is_not_ours_is_answered_404() {
    let edge = TestEdge::start();
    let answer = h2_client().get(format!("http://{}/", edge.address())).send().await.unwrap();
    assert_eq!((answer.version(), answer.status().as_u16()), (Version::HTTP_2, 404));
    assert!(answer.headers().contains_key("x-request-id"));
}
