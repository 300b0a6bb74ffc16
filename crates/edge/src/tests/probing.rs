//! Every answer that a probe can give.
use super::*;

fn ask(path: Option<&str>) -> Probe {
    Probe { host: "app.localhost".into(), path: path.map(Into::into), timeout: Duration::from_millis(500) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_must_be_answered_well_and_a_port_must_be_answered_at_all() {
    let status = |code: u16| any(move || async move { axum::http::StatusCode::from_u16(code).unwrap() });
    let routes = Router::new().route("/ok", status(204)).route("/moved", status(302)).route("/down", status(503)).route("/", status(404));
    let task = Task::app("r1.a", routes);
    for (path, code, is_healthy) in
        [(Some("/ok"), 204, true), (Some("/moved"), 302, true), (Some("/down"), 503, false), (Some("/"), 404, false), (None, 404, true)]
    {
        let answer = probe(task.backend.address, &ask(path)).await;
        assert!(matches!(answer, ProbeAnswer::Answered { status, .. } if status == code), "{answer:?}");
        assert_eq!(answer.is_healthy(&ask(path)), is_healthy, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_does_not_answer_is_told_apart_by_how() {
    let says = |bytes: &'static [u8]| {
        Task::raw("r1.a", move |mut socket, _| async move {
            read_header(&mut socket).await;
            let _ = socket.write_all(bytes).await;
        })
    };
    let silent = Task::raw("r1.a", |mut socket, _| async move {
        read_header(&mut socket).await;
        std::future::pending().await
    });
    let answer = async |task: &Task| probe(task.backend.address, &ask(None)).await;
    assert_eq!(answer(&Task::refusing("r1.a")).await, ProbeAnswer::Refused);
    assert_eq!(answer(&Task::closing("r1.a")).await, ProbeAnswer::Closed);
    assert_eq!(answer(&says(b"")).await, ProbeAnswer::Closed);
    assert_eq!(answer(&silent).await, ProbeAnswer::Timeout { millis: 500 });
    assert_eq!(answer(&says(b"SSH-2.0-OpenSSH_9\r\n")).await, ProbeAnswer::NotHttp);
    assert_eq!(answer(&says(b"HTTP/1.1 2")).await, ProbeAnswer::NotHttp);
    let interim = answer(&says(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")).await;
    assert!(matches!(interim, ProbeAnswer::Answered { status: 200, .. }));
    let split = probe(says(b"HTTP/1.1 200 OK\r\n\r\n").backend.address, &ask(Some("/a b\r\nX: y"))).await;
    assert!(matches!(split, ProbeAnswer::Error { .. }), "{split}");
}

/// A task that speaks HTTP/2 alone, as servers of gRPC do. It says so of its health.
fn grpc(health: u8, status: &'static str) -> Task {
    Task::raw("r1.a", move |socket, _| async move {
        let Ok(mut connection) = h2::server::handshake(socket).await else { return };
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let answer = http::Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            if request.uri().path() != GRPC_HEALTH {
                let _ = respond.send_response(answer, true);
                continue;
            }
            let Ok(mut stream) = respond.send_response(answer, false) else { continue };
            let _ = stream.send_data(bytes::Bytes::from(vec![0, 0, 0, 0, 2, 8, health]), false);
            let _ = stream.send_trailers(http::HeaderMap::from_iter([("grpc-status".parse().unwrap(), status.parse().unwrap())]));
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_asked_as_it_is_routed_and_told_apart_where_it_speaks_the_other_http_alone() {
    let answer = async |task: &Task, path: Option<&str>, is_http2| probe_as_routed(task.backend.address, &ask(path), is_http2).await;
    let is_well = |answer: &ProbeAnswer| matches!(answer, ProbeAnswer::Answered { status: 200, .. });
    let two = answer(&grpc(1, "0"), None, true).await;
    assert!(is_well(&two), "{two}");
    assert_eq!(answer(&grpc(1, "0"), None, false).await, ProbeAnswer::OtherHttp { http2: true });
    let one = Task::raw("r1.a", |mut socket, _| async move {
        read_header(&mut socket).await;
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    });
    assert!(is_well(&answer(&one, None, false).await));
    assert_eq!(answer(&one, None, true).await, ProbeAnswer::OtherHttp { http2: false });
    for is_http2 in [false, true] {
        assert_eq!(answer(&Task::refusing("r1.a"), None, is_http2).await, ProbeAnswer::Refused);
        assert_eq!(answer(&Task::closing("r1.a"), None, is_http2).await, ProbeAnswer::Closed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_grpc_is_asked_for_its_health() {
    let answer = async |health, status| {
        let task = grpc(health, status);
        probe_as_routed(task.backend.address, &ask(Some(GRPC_HEALTH)), true).await
    };
    assert!(matches!(answer(1, "0").await, ProbeAnswer::Answered { status: 200, .. }));
    assert_eq!(answer(2, "0").await, ProbeAnswer::NotServing, "it says NOT_SERVING");
    assert_eq!(answer(1, "12").await, ProbeAnswer::NotServing, "it has no such method");
}

/// A policy with a probe that is quick.
fn probed(check: ProbeCheck) -> Policy {
    let (interval, timeout) = (Duration::from_millis(100), Duration::from_millis(400));
    let probe = Some(HealthProbe { check, interval, timeout, failures: 2, successes: 2 });
    Policy { balance: Balance { probe, ..Balance::default() }, ..Policy::default() }
}

fn path(path: &str) -> ProbeCheck {
    ProbeCheck::Http { path: path.into(), host: String::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_hangs_is_taken_out_before_a_request_finds_out_and_put_back_when_it_answers() {
    let edge = TestEdge::start();
    let is_well = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let health = {
        let is_well = is_well.clone();
        move || async move { if is_well.load(Ordering::SeqCst) { "well" } else { std::future::pending().await } }
    };
    let (a, b) = (Task::app("r1.a", Router::new().route("/health", any(health))), Task::plain("r1.b"));
    edge.lead_under(&[&a, &b], probed(path("/health")));
    let ask = async || {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..40 {
            seen.insert(edge.get().await.text().await.unwrap());
        }
        seen
    };
    assert_eq!(ask().await.len(), 2);
    is_well.store(false, Ordering::SeqCst);
    until("the task is out", || edge.handle.backends_out() == [a.backend.clone()]).await;
    assert_eq!(ask().await.into_iter().collect::<Vec<_>>(), ["r1.b"]);
    is_well.store(true, Ordering::SeqCst);
    until("the task is back", || edge.handle.backends_out().is_empty()).await;
    assert_eq!(ask().await.len(), 2);
    // Where all are out, all are asked: a probe may be wrong.
    edge.lead_under(&[&a, &b], probed(ProbeCheck::Http { path: "health".into(), host: String::new() }));
    until("both are out", || edge.handle.backends_out().len() == 2).await;
    assert_eq!(ask().await.len(), 2);
    // Where nobody is to be probed any more, nobody is out.
    edge.lead_to(&[&a, &b], LONG);
    until("nobody is out", || edge.handle.backends_out().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_behind_which_nobody_listens_is_found_without_a_request() {
    let edge = TestEdge::start();
    let silent = Task::raw("r1.silent", |socket, _| async move {
        std::future::pending::<()>().await;
        drop(socket);
    });
    let tasks = [Task::plain("r1.well"), silent, Task::closing("r1.closing"), Task::refusing("r1.refusing")];
    edge.lead_under(&tasks.each_ref(), probed(ProbeCheck::Tcp));
    until("two are out", || edge.handle.backends_out().len() == 2).await;
    let out = edge.handle.backends_out();
    assert!(tasks[2..].iter().all(|task| out.contains(&task.backend)), "{out:?}");
    assert_eq!(tasks[0].seen(), 0, "a connection is not a request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_speaks_http2_alone_is_probed_in_it() {
    let edge = TestEdge::start();
    let health = |request: axum::extract::Request| async move {
        let is_right = request.version() == axum::http::Version::HTTP_2 && request.uri().authority().is_some_and(|a| a == "app.localhost");
        if is_right { axum::http::StatusCode::OK } else { axum::http::StatusCode::BAD_REQUEST }
    };
    let fails = any(|| async { axum::http::StatusCode::SERVICE_UNAVAILABLE });
    let mut tasks = [
        Task::app("r1.well", Router::new().route("/health", any(health))),
        Task::app("r1.ill", Router::new().route("/health", fails)),
        Task::closing("r1.closing"),
        Task::refusing("r1.refusing"),
    ];
    tasks.iter_mut().for_each(|task| task.backend.h2c = true);
    edge.lead_under(&tasks.each_ref(), probed(path("/health")));
    until("three are out", || edge.handle.backends_out().len() == 3).await;
    until("the well one was asked", || tasks[0].seen() > 3).await;
    assert!(!edge.handle.backends_out().contains(&tasks[0].backend));
}
