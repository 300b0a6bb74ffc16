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

fn shares(weights: &[(&str, u32)]) -> Balance {
    Balance { weights: weights.iter().map(|(release, weight)| (release.to_string(), *weight)).collect(), ..Balance::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_gets_its_share_however_many_tasks_there_are() {
    let edge = TestEdge::start();
    let (new, old) = (Task::plain("r2.new"), ["a", "b", "c"].map(|n| Task::plain(&format!("r1.{n}"))));
    let other = Task::plain("r0.other");
    let tasks = [&new, &old[0], &old[1], &old[2], &other];
    edge.lead_under(&tasks, Policy { balance: shares(&[("r2", 20), ("r1", 80)]), ..Policy::default() });
    for _ in 0..500 {
        assert_eq!(edge.get().await.status(), 200);
    }
    assert!((60..150).contains(&new.seen()), "{} of 500 at 20 %", new.seen());
    assert_eq!(other.seen(), 0, "a release without a share gets nothing");
    edge.lead_under(&[&other], Policy { balance: shares(&[("r2", 20), ("r1", 80)]), ..Policy::default() });
    assert_eq!(edge.get().await.text().await.unwrap(), "r0.other", "unless there is no other");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_leads_back_to_the_task_or_the_release_and_cannot_be_made() {
    let edge = TestEdge::start();
    let tasks = ["r1.a", "r1.b", "r2.a", "r2.b"].map(Task::plain);
    for sticky in [Sticky::Task, Sticky::Release] {
        edge.lead_under(
            &tasks.each_ref(),
            Policy { balance: Balance { sticky: Some(sticky), ..shares(&[("r1", 1), ("r2", 1)]) }, ..Policy::default() },
        );
        let first = edge.get().await;
        let cookie = first.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_string();
        let name = first.text().await.unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..60 {
            let answer = edge.request("GET", "/").header("cookie", format!("a=b; {cookie}")).send().await.unwrap();
            assert!(!answer.headers().contains_key("set-cookie"));
            seen.insert(answer.text().await.unwrap());
        }
        assert!(seen.iter().all(|task| task[..2] == name[..2]), "{seen:?}");
        assert_eq!(seen.len(), if sticky == Sticky::Task { 1 } else { 2 });
        let forged = format!("{}0", &cookie[..cookie.len() - 1]).replace("=0", "=1");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..60 {
            let answer = edge.request("GET", "/").header("cookie", &forged).send().await.unwrap();
            assert!(answer.headers().contains_key("set-cookie"));
            seen.insert(answer.text().await.unwrap());
        }
        assert!(seen.len() >= 3, "{seen:?}");
        // A release that is taken out of the shares keeps nobody.
        let other = if &name[..2] == "r1" { "r2" } else { "r1" };
        edge.lead_under(
            &tasks.each_ref(),
            Policy { balance: Balance { sticky: Some(sticky), ..shares(&[(other, 1)]) }, ..Policy::default() },
        );
        let moved = edge.request("GET", "/").header("cookie", &cookie).send().await.unwrap();
        assert!(moved.headers().contains_key("set-cookie") && moved.text().await.unwrap().starts_with(other));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_only_fails_is_passed_over_but_never_the_last_one() {
    let edge = TestEdge::start();
    let bad = Task::app("r1.bad", Router::new().route("/", any(|| async { axum::http::StatusCode::INTERNAL_SERVER_ERROR })));
    let good = Task::plain("r1.good");
    edge.lead_to(&[&bad, &good], LONG);
    let mut failed = 0;
    for _ in 0..200 {
        failed += usize::from(edge.get().await.status() == 500);
    }
    assert_eq!(failed, 10, "after ten failures in a row it is left alone for some seconds");
    edge.lead_to(&[&bad], LONG);
    assert_eq!(edge.get().await.status(), 500, "where there is no other it is asked all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_joins_starts_slowly() {
    let edge = TestEdge::start();
    let (old, new) = (Task::plain("r1.old"), Task::plain("r1.new"));
    let policy = || Policy { balance: Balance { slow_start: Duration::from_secs(2), ..Balance::default() }, ..Policy::default() };
    edge.lead_under(&[&old], policy());
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    edge.lead_under(&[&old, &new], policy());
    let ask = async |count: usize| {
        let before = new.seen();
        for _ in 0..count {
            edge.get().await;
        }
        new.seen() - before
    };
    let first = ask(60).await;
    assert!(first < 25, "{first} of the first 60");
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let later = ask(200).await;
    assert!((60..140).contains(&later), "{later} of 200 later");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_led_to_the_release_that_it_asks_for_whatever_its_share() {
    let edge = TestEdge::start();
    let tasks = ["r1.a", "r1.b", "r2.a", "r2.b"].map(Task::plain);
    let cookie = Some(ReleaseCookie::of([("stable", "r1"), ("canary", "r2"), ("gone", "r0")]));
    for sticky in [None, Some(Sticky::Task), Some(Sticky::Release)] {
        let balance = Balance { cookie: cookie.clone(), sticky, ..shares(&[("r1", 100), ("r2", 0)]) };
        edge.lead_under(&tasks.each_ref(), Policy { balance, ..Policy::default() });
        let ask = async |cookie: &str| {
            let answer = edge.request("GET", "/").header("cookie", cookie).send().await.unwrap();
            (answer.headers().contains_key("set-cookie"), answer.text().await.unwrap()[..2].to_string())
        };
        for _ in 0..20 {
            assert_eq!(ask("a=b; skypanel-release=canary").await, (sticky == Some(Sticky::Task), "r2".into()));
            assert_eq!(ask("skypanel-release=stable").await.1, "r1");
            for nothing in ["skypanel-release=gone", "skypanel-release=", "skypanel-release=r2", "other=canary", "skypanel-release=Canary"]
            {
                assert_eq!(ask(nothing).await.1, "r1", "{nothing}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_is_asked_for_and_cannot_be_reached_costs_nobody_a_request() {
    let edge = TestEdge::start();
    let (stable, dead) = (Task::plain("r1.a"), Task::refusing("r2.dead"));
    let balance = Balance { cookie: Some(ReleaseCookie::of([("canary", "r2")])), ..shares(&[("r1", 1)]) };
    edge.lead_under(&[&stable, &dead], Policy { balance, ..Policy::default() });
    for _ in 0..5 {
        let answer = edge.request("GET", "/").header("cookie", "skypanel-release=canary").send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, "r1.a".into()));
    }
}
