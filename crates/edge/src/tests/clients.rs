//! Clients that mean harm or are slow, and how many of them there may be.
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_drips_is_given_a_time_in_all() {
    let edge = TestEdge::with(EdgeConfig { header_timeout: Duration::from_millis(600), ..EdgeConfig::default() });
    let task = Task::plain("r1.a");
    edge.lead_to(&[&task], LONG);
    for before in ["", "GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n"] {
        let mut socket = TcpStream::connect(edge.address()).await.unwrap();
        if !before.is_empty() {
            socket.write_all(before.as_bytes()).await.unwrap();
            read_header(&mut socket).await.unwrap();
            socket.read_exact(&mut [0; 4]).await.unwrap();
            // A connection at rest is not under the deadline.
            tokio::time::sleep(Duration::from_millis(1_000)).await;
        }
        let (mut read, mut write) = socket.into_split();
        let drip = tokio::spawn(async move {
            for byte in b"GET / HTTP/1.1\r\nHost: app.localhost\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'x')) {
                if write.write_all(&[*byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let start = Instant::now();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(LONG, read.read_to_end(&mut answer)).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", answer.escape_ascii());
        assert!(start.elapsed() > Duration::from_millis(500));
        drip.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_slow_clients_keep_nobody_out() {
    let edge = TestEdge::with(EdgeConfig { max_connections_per_client: 300, ..EdgeConfig::default() });
    let task = Task::plain("r1.a");
    edge.lead_to(&[&task], LONG);
    let mut slow = Vec::new();
    for _ in 0..200 {
        slow.push(edge.raw("GET / HTTP/1.1\nHost: app.localhost\nX-Slow: ").await);
    }
    for _ in 0..50 {
        assert_eq!(edge.get().await.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_has_so_many_connections_and_no_more() {
    let edge = TestEdge::with(EdgeConfig { max_connections_per_client: 10, ..EdgeConfig::default() });
    let task = Task::plain("r1.a");
    edge.lead_to(&[&task], LONG);
    let get = "GET / HTTP/1.1\nHost: app.localhost\n\n";
    let mut kept = Vec::new();
    for _ in 0..10 {
        let mut socket = edge.raw(get).await;
        assert!(read_header(&mut socket).await.is_some());
        kept.push(socket);
    }
    assert!(read_header(&mut edge.raw(get).await).await.is_none());
    drop(kept);
    let start = Instant::now();
    while read_header(&mut edge.raw(get).await).await.is_none() {
        assert!(start.elapsed() < LONG);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_wait_are_limited_for_one_application_and_in_all() {
    let edge = TestEdge::with(EdgeConfig { max_held_per_app: 3, max_held: 5, ..EdgeConfig::default() });
    let none = || Target::Tasks { backends: Vec::new(), hold: LONG };
    let task = Task::plain("r1.a");
    let routes = |target: &dyn Fn() -> Target| ["a", "b", "c"].map(|app| Route::new(format!("{app}.localhost"), app, target())).to_vec();
    edge.publish(Snapshot { routes: routes(&none), ..Snapshot::default() });
    let ask =
        |host: &'static str, count: usize| (0..count).map(|_| tokio::spawn(edge.request_to(host, "GET", "/").send())).collect::<Vec<_>>();
    let finished = |all: &[tokio::task::JoinHandle<_>]| all.iter().filter(|one| one.is_finished()).count();
    let a = ask("a.localhost", 8);
    until("five are refused", || finished(&a) == 5).await;
    let b = ask("b.localhost", 8);
    until("six are refused, because five wait in all", || finished(&b) == 6).await;
    edge.publish(Snapshot { routes: routes(&|| to(&[&task])), ..Snapshot::default() });
    let mut statuses = Vec::new();
    for request in a.into_iter().chain(b) {
        statuses.push(request.await.unwrap().unwrap().status().as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [[200; 5].to_vec(), [503; 11].to_vec()].concat());
    // Those that waited are counted out again.
    edge.publish(Snapshot { routes: routes(&none), ..Snapshot::default() });
    let again = ask("c.localhost", 3);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(finished(&again), 0);
}

#[test]
fn a_network_of_ipv6_is_one_client() {
    let of = |ip: &str| super::super::limits::client_key(ip.parse().unwrap());
    assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
    assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    assert_eq!(of("::ffff:203.0.113.9"), of("203.0.113.9"));
    assert_ne!(of("203.0.113.10"), of("203.0.113.9"));
}
