//! What is told to tasks of where a request comes from, and whom the edge believes.
use super::*;
use axum::http::HeaderMap;

fn telling() -> Task {
    let tell = |headers: HeaderMap| async move {
        headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect::<String>()
    };
    Task::app("r1.a", Router::new().route("/", any(tell)))
}

fn believing() -> EdgeConfig {
    EdgeConfig { trusted: vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()], ..EdgeConfig::default() }
}

fn speaking() -> Listener {
    Listener { proxy_protocol: true, ..free() }
}

fn has(told: &str, line: &str) {
    assert!(told.lines().any(|it| it == line), "{line} is missing in\n{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_of_ours_is_believed_and_added_to() {
    let (edge, task) = (TestEdge::with(believing()), telling());
    edge.lead_to(&[&task], LONG);
    let answer = edge
        .request_to("app.localhost:8080", "GET", "/")
        .header("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.0.0.7")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "www.example.com")
        .header("forwarded", "for=203.0.113.9")
        .header("x-request-id", "given-1")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["x-request-id"], "given-1");
    let told = answer.text().await.unwrap();
    for line in [
        "x-forwarded-for: 6.6.6.6, 203.0.113.9, 10.0.0.7, 127.0.0.1",
        "x-forwarded-proto: https",
        "x-forwarded-host: www.example.com",
        "x-forwarded-port: 443",
        "forwarded: for=203.0.113.9, for=127.0.0.1;host=\"app.localhost:8080\";proto=http",
        "x-request-id: given-1",
    ] {
        has(&told, line);
    }
    let odd = edge.request("GET", "/").header("x-request-id", "a b\"c").header("x-forwarded-proto", "gopher").send().await.unwrap();
    assert_ne!(odd.headers()["x-request-id"], "a b\"c");
    has(&odd.text().await.unwrap(), "x-forwarded-proto: http");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_for_the_client_behind_the_proxy() {
    let (edge, task) = (TestEdge::with(believing()), Task::plain("r1.a"));
    let rate = Some(RateLimit { per_second: 1, burst: 1 });
    edge.lead_under(&[&task], Policy { limits: RequestLimits { rate, ..RequestLimits::default() }, ..Policy::default() });
    let ask = |from: &'static str| edge.request("GET", "/").header("x-forwarded-for", from).send();
    for (from, status) in [("203.0.113.1", 200), ("203.0.113.2", 200), ("203.0.113.2, 10.1.1.1", 429), ("6.6.6.6, 203.0.113.1", 429)] {
        assert_eq!(ask(from).await.unwrap().status(), status, "{from}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outside_is_told_of_in_full() {
    let (edge, task) = (TestEdge::start(), telling());
    edge.lead_to(&[&task], LONG);
    let told =
        edge.request_to("app.localhost:8080", "GET", "/").header("forwarded", "for=6.6.6.6").send().await.unwrap().text().await.unwrap();
    for line in [
        "x-forwarded-port: 8080",
        "forwarded: for=127.0.0.1;host=\"app.localhost:8080\";proto=http",
        "x-forwarded-host: app.localhost:8080",
    ] {
        has(&told, line);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_concerns_one_connection_does_not_pass() {
    let (edge, task) = (TestEdge::start(), telling());
    edge.lead_to(&[&task], LONG);
    let request = "GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: gzip\r\nX-Mine: 2\r\n\r\n";
    let told = edge.answer_to(request.as_bytes()).await;
    has(&told, "x-mine: 2");
    for name in ["x-secret", "keep-alive: 5", "proxy-connection", "te: gzip"] {
        assert!(!told.contains(name), "{name} in\n{told}");
    }
}

async fn told_after(edge: &TestEdge, header: &[u8]) -> String {
    let mut socket = TcpStream::connect(edge.handle.addresses()[1]).await.unwrap();
    // In two pieces, and with the request at its heels.
    socket.write_all(&header[..header.len() / 2]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    // Who is not heard finds the connection closed before the rest.
    let rest = [&header[header.len() / 2..], b"GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n"].concat();
    let _ = socket.write_all(&rest).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(LONG, socket.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balancer_says_whose_connection_it_is_in_either_version() {
    let edge = TestEdge::with(EdgeConfig { listen: vec![speaking()], ..believing() });
    let task = telling();
    edge.lead_to(&[&task], LONG);
    let told = told_after(&edge, b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n").await;
    has(&told, "x-forwarded-for: 203.0.113.9");
    let two = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x0a\0\0\x01\x12\x67\0\x50";
    has(&told_after(&edge, two).await, "x-forwarded-for: 203.0.113.7");
    has(
        &told_after(&edge, b"PROXY TCP6 2001:db8::9 2001:db8::1 4711 80\r\n").await,
        "forwarded: for=\"[2001:db8::9]\";host=\"app.localhost\";proto=http",
    );
    assert_eq!(told_after(&edge, b"GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await, "", "who does not say is not heard");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_trusted_cannot_speak_for_others() {
    let edge = TestEdge::with(EdgeConfig { listen: vec![speaking()], ..EdgeConfig::default() });
    let task = telling();
    edge.lead_to(&[&task], LONG);
    let header = b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n";
    assert_eq!(told_after(&edge, header).await, "");
    // And where nobody is to speak, the announcement is no HTTP.
    let answer = edge.answer_to(&[&header[..], b"GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n"].concat()).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(task.seen(), 0);
}
