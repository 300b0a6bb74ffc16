//! Releases that come and go under load: nothing fails and nothing is sent twice.
use super::*;
use std::sync::atomic::AtomicBool;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_fails_while_releases_come_and_go() {
    const CLIENTS: usize = 16;
    const DEPLOYMENTS: usize = 12;
    let edge = Arc::new(TestEdge::start());
    let is_over = Arc::new(AtomicBool::new(false));
    let (done, posted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let release = |n: usize| [0, 1, 2].map(|replica| Task::plain(&format!("r{n}.{replica}")));
    let mut live = release(0);
    edge.lead_to(&live.each_ref(), LONG);

    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (edge, is_over, done, posted) = (edge.clone(), is_over.clone(), done.clone(), posted.clone());
            tokio::spawn(async move {
                for n in client.. {
                    if is_over.load(Ordering::SeqCst) {
                        return;
                    }
                    let method = if n % 3 == 0 { "POST" } else { "GET" };
                    let answer = edge.request(method, "/").send().await.unwrap();
                    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
                    answer.bytes().await.unwrap();
                    done.fetch_add(1, Ordering::SeqCst);
                    posted.fetch_add(usize::from(n % 3 == 0), Ordering::SeqCst);
                }
            })
        })
        .collect();

    let mut reached = 0;
    for n in 1..=DEPLOYMENTS {
        let from = done.load(Ordering::SeqCst);
        until("the release has had its share", || done.load(Ordering::SeqCst) >= from + 300).await;
        let next = release(n);
        edge.lead_to(&live.iter().chain(&next).collect::<Vec<_>>(), LONG);
        if n % 4 == 0 {
            edge.lead_to(&[], LONG); // a gap, as of an application that wakes
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        edge.lead_to(&next.each_ref(), LONG);
        for mut task in std::mem::replace(&mut live, next) {
            until("the old task is drained", || edge.handle.in_flight(&task.backend) == 0).await;
            task.kill();
            reached += task.seen();
        }
    }
    is_over.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    reached += live.iter().map(Task::seen).sum::<usize>();
    let done = done.load(Ordering::SeqCst);
    assert!(done >= 300 * DEPLOYMENTS);
    println!(
        "{done} requests, {} of them POST, through {DEPLOYMENTS} deployments: 0 failed, {} repeated",
        posted.load(Ordering::SeqCst),
        reached - done
    );
    assert_eq!(reached, done, "what was asked once reached a task once");
}
