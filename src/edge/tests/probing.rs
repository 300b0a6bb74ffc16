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
