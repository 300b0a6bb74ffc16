//! Answers without a body, ends in the middle, trailers, and connections that somebody has closed.
use super::*;
use bytes::Bytes;

/// Reads a header and as much of a body as it says.
async fn read_answer(socket: &mut TcpStream, has_body: bool) -> (String, String) {
    let header = read_header(socket).await.expect("an answer");
    let length = header.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(|n| n.parse().unwrap()));
    let mut body = vec![0; length.filter(|_| has_body).unwrap_or(0)];
    socket.read_exact(&mut body).await.unwrap();
    (header, String::from_utf8(body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_a_body_leave_the_connection_in_step() {
    let edge = TestEdge::start();
    let task = Task::raw("r1.a", |mut socket, _| async move {
        while let Some(header) = read_header(&mut socket).await {
            let answer = match header.split(' ').nth(1).unwrap() {
                _ if header.starts_with("HEAD") => "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
                "/204" => "HTTP/1.1 204 No Content\r\n\r\n",
                "/304" => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 1000\r\n\r\n",
                "/chunked" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nbody\r\n0\r\n\r\n",
                _ => "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
            };
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    edge.lead_to(&[&task], LONG);
    let mut socket = TcpStream::connect(edge.address()).await.unwrap();
    for (request, status, has_body) in
        [("HEAD /", 200, false), ("GET /", 200, true), ("GET /204", 204, false), ("GET /304", 304, false), ("GET /", 200, true)].repeat(3)
    {
        socket.write_all(format!("{request} HTTP/1.1\r\nHost: app.localhost\r\n\r\n").as_bytes()).await.unwrap();
        let (header, body) = read_answer(&mut socket, has_body).await;
        assert!(header.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {header}");
        assert_eq!(body, if has_body { "body" } else { "" }, "{request}");
        assert_eq!(header.to_lowercase().contains("content-length: 1000"), status == 304 || request.starts_with("HEAD"), "{header}");
    }
    assert_eq!(edge.request("GET", "/chunked").send().await.unwrap().text().await.unwrap(), "body");
    let old = edge.answer_to(b"GET /chunked HTTP/1.0\r\nHost: app.localhost\r\n\r\n").await;
    assert!(old.ends_with("\r\n\r\nbody") && !old.to_lowercase().contains("transfer-encoding"), "{old}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_closes_kept_connections_in_time_costs_nobody_a_request() {
    let edge = TestEdge::start();
    let task = Task::raw("r1.a", |mut socket, _| async move {
        read_header(&mut socket).await;
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    });
    edge.lead_to(&[&task], Duration::ZERO);
    for n in 0..30 {
        assert_eq!(edge.request("POST", "/").send().await.unwrap().status(), 200, "{n}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(task.seen(), 30, "and each is sent once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_asked_for_is_no_answer_to_the_next() {
    let edge = TestEdge::start();
    let task = Task::raw("r1.a", |mut socket, n| async move {
        while let Some(header) = read_header(&mut socket).await {
            let path = header.split(' ').nth(1).unwrap().to_string();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len());
            let more = if n % 2 == 0 { "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison" } else { "" };
            let _ = socket.write_all(format!("{answer}{more}").as_bytes()).await;
        }
    });
    edge.lead_to(&[&task], LONG);
    for n in 0..40 {
        let (method, path) = (["GET", "POST"][n % 2], format!("/{n}"));
        assert_eq!(edge.request(method, &path).send().await.unwrap().text().await.unwrap(), path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_breaks_off_within_its_body_has_asked_for_nothing() {
    let edge = TestEdge::start();
    let (whole, cut) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (whole.clone(), cut.clone());
    let take = move |body: Result<Bytes, axum::extract::rejection::BytesRejection>| {
        let of = if body.is_ok() { &counts.0 } else { &counts.1 };
        of.fetch_add(1, Ordering::SeqCst);
        async {}
    };
    let task = Task::app("r1.a", Router::new().route("/", any(take)));
    edge.lead_to(&[&task], LONG);
    for (n, head) in ["Content-Length: 100\n\nhalf", "Transfer-Encoding: chunked\n\n4\nhalf\n", "Transfer-Encoding: chunked\n\n64\nhalf"]
        .iter()
        .enumerate()
    {
        let socket = edge.raw(&format!("POST / HTTP/1.1\nHost: app.localhost\n{head}")).await;
        until("the task has it", || task.seen() == n + 1).await;
        drop(socket);
        until("the task is told", || cut.load(Ordering::SeqCst) == n + 1).await;
        until("nothing is in flight", || edge.handle.in_flight(&task.backend) == 0).await;
    }
    assert_eq!(whole.load(Ordering::SeqCst), 0);
    let taken = edge.handle.take_signals();
    assert_eq!((taken.releases[0].requests, taken.releases[0].aborted), (3, 3), "{taken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_within_the_answer_frees_the_task() {
    let edge = TestEdge::start();
    let is_free = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let freed = is_free.clone();
    let task = Task::raw("r1.a", move |mut socket, _| {
        let freed = freed.clone();
        async move {
            read_header(&mut socket).await;
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").await;
            while socket.write_all(&[b'x'; 65_536]).await.is_ok() {}
            freed.store(true, Ordering::SeqCst);
        }
    });
    edge.lead_to(&[&task], LONG);
    let mut socket = edge.raw("GET / HTTP/1.1\nHost: app.localhost\n\n").await;
    socket.read_exact(&mut [0; 100_000]).await.unwrap();
    drop(socket);
    until("the task is free", || is_free.load(Ordering::SeqCst)).await;
    until("nothing is in flight", || edge.handle.in_flight(&task.backend) == 0).await;
    assert_eq!(task.seen(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_words_on_an_upgraded_connection_arrive_from_either_side() {
    let edge = TestEdge::start();
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let task = Task::raw("r1.a", move |socket, _| upgraded(socket, heard.clone()));
    async fn upgraded(mut socket: TcpStream, heard: tokio::sync::mpsc::UnboundedSender<String>) {
        read_header(&mut socket).await;
        let accept = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
        socket.write_all(accept).await.unwrap();
        let mut first = [0; 5];
        socket.read_exact(&mut first).await.unwrap();
        if &first == b"leave" {
            let _ = socket.write_all(b"goodbye").await;
            return;
        }
        let mut rest = String::new();
        let _ = socket.read_to_string(&mut rest).await;
        heard.send(rest).unwrap();
    }
    edge.lead_to(&[&task], LONG);
    let hello = "GET / HTTP/1.1\nHost: app.localhost\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGVzdA==\n\n";
    let mut socket = edge.raw(hello).await;
    assert!(read_header(&mut socket).await.unwrap().starts_with("HTTP/1.1 101 "));
    socket.write_all(b"leave").await.unwrap();
    let mut last = String::new();
    let _ = tokio::time::timeout(LONG, socket.read_to_string(&mut last)).await.unwrap();
    assert_eq!(last, "goodbye");
    let mut socket = edge.raw(hello).await;
    assert!(read_header(&mut socket).await.unwrap().starts_with("HTTP/1.1 101 "));
    socket.write_all(b"I go., and say so").await.unwrap();
    socket.shutdown().await.unwrap();
    assert_eq!(tokio::time::timeout(LONG, hears.recv()).await.unwrap().unwrap(), ", and say so");
    until("nothing is in flight", || edge.handle.in_flight(&task.backend) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_refused_is_not_asked_for() {
    let edge = TestEdge::start();
    let task = Task::plain("r1.a");
    edge.lead_under(&[&task], Policy { limits: RequestLimits { body: Some(10), ..RequestLimits::default() }, ..Policy::default() });
    let mut socket = edge.raw("POST / HTTP/1.1\nHost: app.localhost\nContent-Length: 100\nExpect: 100-continue\n\n").await;
    let header = read_header(&mut socket).await.unwrap();
    assert!(header.starts_with("HTTP/1.1 413 "), "{header}");
    // And a task may refuse without having asked for it, too.
    let task = Task::raw("r1.b", |mut socket, _| async move {
        read_header(&mut socket).await;
        let _ = socket.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno").await;
    });
    edge.lead_to(&[&task], LONG);
    let mut socket = edge.raw("POST / HTTP/1.1\nHost: app.localhost\nContent-Length: 100\nExpect: 100-continue\n\n").await;
    let (header, body) = read_answer(&mut socket, true).await;
    assert!(header.starts_with("HTTP/1.1 401 ") && body == "no", "{header}");
}

/// A gRPC service as far as HTTP/2 is concerned: it echoes, and tells its status in trailers.
fn grpc(name: &str) -> Task {
    let mut task = Task::raw(name, |socket, _| async move {
        let mut connection = h2::server::handshake(socket).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            tokio::spawn(async move {
                let te = request.headers().get("te").map(|te| te.to_str().unwrap().to_string()).unwrap_or_default();
                let answer = http::Response::builder().header("content-type", "application/grpc").header("x-te", te);
                let mut trailers = http::HeaderMap::new();
                if request.uri().path() == "/fails" {
                    let answer = answer.header("grpc-status", "5").body(()).unwrap();
                    respond.send_response(answer, true).unwrap();
                    return;
                }
                let mut send = respond.send_response(answer.body(()).unwrap(), false).unwrap();
                let mut body = request.into_body();
                while let Some(Ok(piece)) = body.data().await {
                    let _ = body.flow_control().release_capacity(piece.len());
                    send.send_data(piece, false).unwrap();
                }
                trailers.insert("grpc-status", "0".parse().unwrap());
                send.send_trailers(trailers).unwrap();
            });
        }
    });
    task.backend.h2c = true;
    task
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_call_streams_both_ways_and_keeps_its_trailers() {
    let edge = TestEdge::start();
    let task = grpc("r1.a");
    edge.lead_to(&[&task], LONG);
    let socket = TcpStream::connect(edge.address()).await.unwrap();
    let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    let ask = |path: &str| {
        let url = format!("http://app.localhost{path}");
        http::Request::post(url).header("te", "trailers").header("content-type", "application/grpc").body(()).unwrap()
    };
    let (answer, mut send) = client.send_request(ask("/echo"), false).unwrap();
    send.send_data(Bytes::from_static(b"one"), false).unwrap();
    let answer = answer.await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["x-te"].to_str().unwrap()), (200, "trailers"));
    let mut body = answer.into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "one", "it comes back before the call has ended");
    send.send_data(Bytes::from_static(b"two"), false).unwrap();
    assert_eq!(body.data().await.unwrap().unwrap(), "two");
    send.send_data(Bytes::new(), true).unwrap();
    while let Some(piece) = body.data().await {
        assert!(piece.unwrap().is_empty());
    }
    let trailers = body.trailers().await.unwrap().expect("trailers");
    assert_eq!(trailers["grpc-status"], "0");
    let (answer, _) = client.send_request(ask("/fails"), true).unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], "5");
    assert!(answer.into_body().data().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_ends_with_an_empty_frame_over_http2_ends_once_for_the_task() {
    let edge = TestEdge::start();
    let heads = Arc::new(std::sync::Mutex::new(Vec::new()));
    let task = {
        let heads = heads.clone();
        Task::raw("r1.a", move |mut socket, _| {
            let heads = heads.clone();
            async move {
                // What stands before a header would be what stood after the end of the body before it.
                while let Some(head) = read_header(&mut socket).await {
                    heads.lock().unwrap().push(head);
                    let mut body = Vec::new();
                    while !body.ends_with(b"0\r\n\r\n") {
                        body.push(socket.read_u8().await.unwrap());
                    }
                    socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                }
            }
        })
    };
    edge.lead_to(&[&task], LONG);
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().resolve("app.localhost", edge.address()).build().unwrap();
    let url = format!("http://app.localhost:{}/", edge.address().port());
    for _ in 0..5 {
        let chunks = futures::stream::iter([Ok::<_, std::convert::Infallible>("some"), Ok("thing")]);
        let answer = client.put(&url).body(reqwest::Body::wrap_stream(chunks)).timeout(LONG).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let heads = heads.lock().unwrap();
    assert_eq!((heads.len(), task.seen()), (5, 1), "all came over one connection");
    assert!(heads.iter().all(|head| head.starts_with("PUT / HTTP/1.1\r\n")), "{heads:?}");
}
