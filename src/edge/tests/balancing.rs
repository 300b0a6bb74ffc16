//! To whom requests go, and what happens where a task fails them.
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn requests_spread_over_the_tasks() {
    let edge = TestEdge::start();
    let tasks = [Task::plain("r1.a"), Task::plain("r1.b"), Task::plain("r1.c")];
    edge.lead_to(&tasks.each_ref(), LONG);
    for _ in 0..300 {
        assert_eq!(edge.get().await.status(), 200);
    }
    assert!(tasks.iter().all(|task| task.seen() > 50), "{:?}", tasks.each_ref().map(Task::seen));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_less_busy_task_is_chosen() {
    let edge = TestEdge::start();
    let (busy, idle) = (Task::slow("r1.busy", LONG), Task::plain("r1.idle"));
    edge.lead_to(&[&busy], LONG);
    let hanging = edge.raw("GET / HTTP/1.1\nHost: app.localhost\n\n").await;
    until("the busy task has it", || edge.handle.in_flight(&busy.backend) == 1).await;
    edge.lead_to(&[&busy, &idle], LONG);
    for _ in 0..50 {
        assert_eq!(edge.get().await.text().await.unwrap(), "r1.idle");
    }
    drop(hanging);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_refuses_costs_nobody_a_request() {
    let edge = TestEdge::start();
    let (dead, alive) = (Task::refusing("r1.dead"), Task::plain("r1.alive"));
    edge.lead_to(&[&dead, &alive], LONG);
    for n in 0..100 {
        let answer = edge.request(["GET", "POST"][n % 2], "/").body("x").send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(alive.seen(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_refuse_the_client_is_told_with_an_id() {
    let edge = TestEdge::start();
    let dead = [Task::refusing("r1.a"), Task::refusing("r1.b")];
    edge.lead_to(&dead.each_ref(), Duration::ZERO);
    let answer = edge.request("GET", "/").header("accept", "text/html").send().await.unwrap();
    assert_eq!(answer.status(), 502);
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_string();
    let page = answer.text().await.unwrap();
    assert!(page.contains(&id) && page.contains("did not answer"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_closed_without_a_byte_is_asked_elsewhere_only_if_that_does_no_harm() {
    let edge = TestEdge::start();
    let closing = Task::closing("r1.closing");
    edge.lead_to(&[&closing], Duration::ZERO);
    assert_eq!(edge.request("POST", "/").body("x").send().await.unwrap().status(), 502);
    assert_eq!(closing.seen(), 1, "a POST goes out once");
    assert_eq!(edge.get().await.status(), 502);
    assert_eq!(closing.seen(), 2, "a GET is not sent again to the same task");

    let good = Task::plain("r1.good");
    for _ in 0..20 {
        let edge = TestEdge::start(); // one that has not learnt yet
        edge.lead_to(&[&closing, &good], Duration::ZERO);
        assert_eq!(edge.get().await.text().await.unwrap(), "r1.good");
    }
    assert!(closing.seen() > 2, "the closing task was asked too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_body_is_sent_again_whole_to_a_task_that_comes_later() {
    let edge = TestEdge::start();
    // This one takes the whole request and dies over it.
    let dying = Task::raw("r1.dying", |mut socket, _| async move {
        read_header(&mut socket).await;
        let mut body = vec![0; 30_000];
        let _ = socket.read_exact(&mut body).await;
    });
    let echo = Task::app("r1.echo", Router::new().route("/", any(|body: String| async { body })));
    edge.lead_to(&[&dying], LONG);
    let body = "0123456789".repeat(3_000);
    let put = tokio::spawn(edge.request("PUT", "/").body(body.clone()).send());
    until("the dying task was asked", || dying.seen() == 1).await;
    edge.lead_to(&[&dying, &echo], LONG);
    let answer = put.await.unwrap().unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, body));
    assert_eq!((dying.seen(), echo.seen()), (1, 1));
}

/// A server that drops a kept connection at the very moment when the next request comes.
fn forgetful(requests: Arc<AtomicUsize>) -> Task {
    Task::raw("r1.forgetful", move |mut socket, _| {
        let requests = requests.clone();
        async move {
            for is_first in [true, false] {
                if read_header(&mut socket).await.is_none() {
                    return;
                }
                requests.fetch_add(1, Ordering::SeqCst);
                if is_first {
                    let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
                }
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_that_died_is_no_failure_of_the_task() {
    let (edge, requests) = (TestEdge::start(), Arc::new(AtomicUsize::new(0)));
    let task = forgetful(requests.clone());
    edge.lead_to(&[&task], Duration::ZERO);
    for _ in 0..20 {
        assert_eq!(edge.get().await.status(), 200);
    }
    assert!(requests.load(Ordering::SeqCst) > 20, "some were sent on a connection that died");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_sent_twice_is_not_sent_twice() {
    let (edge, requests) = (TestEdge::start(), Arc::new(AtomicUsize::new(0)));
    let task = forgetful(requests.clone());
    edge.lead_to(&[&task], Duration::ZERO);
    for _ in 0..20 {
        edge.request("POST", "/").send().await.unwrap();
    }
    assert_eq!(requests.load(Ordering::SeqCst), 20);
    // Such a request takes no connection that has been idle for long, and so does not meet its end.
    let before = task.seen();
    edge.request("GET", "/").send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert_eq!(edge.request("POST", "/").send().await.unwrap().status(), 200);
    assert!(task.seen() > before, "it went on a new connection");
}
