//! What a test can tell the fake, and that the fake obeys. What it has in common with the real swarm is tested in `tests/`.
use super::*;
use futures::FutureExt;

fn spec(name: &str) -> ServiceSpec {
    ServiceSpec {
        name: name.into(),
        image: "shop:1".into(),
        command: None,
        env: vec![],
        port: None,
        replicas: 1,
        cpu: MilliCpu(500),
        memory: Bytes::mib(512),
        pids: 64,
        network: None,
        constraints: vec![],
        labels: [(LABEL_APP.to_string(), "app_1".to_string())].into(),
        stop_grace: 1,
        registry: None,
    }
}

fn states(fake: &Fake) -> Vec<TaskState> {
    fake.look().tasks.iter().map(|t| t.state).collect()
}

const LITTLE: Duration = Duration::from_millis(50);

#[tokio::test]
async fn time_moves_by_hand() {
    let fake = Fake::new();
    fake.set_pace(Duration::from_secs(60), Duration::from_secs(10));
    fake.converge(&spec("web")).await.unwrap();
    assert_eq!(states(&fake), [TaskState::Starting]);
    fake.advance(Duration::from_secs(61));
    assert_eq!(states(&fake), [TaskState::Running]);
    fake.remove("web").await.unwrap();
    assert_eq!(states(&fake), [TaskState::Running], "it has its grace");
    fake.advance(Duration::from_secs(11));
    assert_eq!(states(&fake), []);
}

#[tokio::test]
async fn a_crashing_task_comes_back_after_two_seconds_and_history_stays_short() {
    let fake = Fake::new();
    fake.behave("app_1", Behaviour::Exit { code: 1, after: Duration::ZERO });
    fake.converge(&spec("web")).await.unwrap();
    fake.advance(LITTLE);
    assert_eq!(states(&fake), [TaskState::Starting, TaskState::Failed]);
    fake.advance(Duration::from_secs(1));
    assert_eq!(states(&fake), [TaskState::Starting, TaskState::Failed]);
    fake.advance(Duration::from_secs(60));
    assert_eq!(states(&fake).len(), 3);
    fake.behave("app_1", Behaviour::Run);
    fake.advance(Duration::from_secs(3));
    assert_eq!(states(&fake)[0], TaskState::Running);
    fake.crash("web", 9);
    assert_eq!(fake.look().tasks[1].exit_code, Some(9));
    fake.advance(Duration::from_secs(3));
    fake.exhaust("shop:1");
    assert!(fake.look().tasks[1].out_of_memory);
}

#[tokio::test]
async fn tasks_are_rejected_and_dawdle_as_told() {
    let fake = Fake::new();
    fake.behave("web", Behaviour::Reject("No such image: shop:1".into()));
    fake.behave("slow", Behaviour::Slow(Duration::MAX));
    fake.converge(&spec("web")).await.unwrap();
    fake.converge(&spec("slow")).await.unwrap();
    fake.advance(Duration::from_secs(1));
    let tasks = fake.look().tasks;
    let of = |name: &str| tasks.iter().filter(|t| t.service == name).map(|t| (t.state, t.message.as_str())).collect::<Vec<_>>();
    assert_eq!(of("web")[1], (TaskState::Rejected, "preparing: No such image: shop:1"));
    assert_eq!(of("slow"), [(TaskState::Starting, "preparing")]);
}

#[tokio::test]
async fn a_lost_node_makes_orphans_and_its_tasks_run_elsewhere() {
    let fake = Fake::with_nodes(2, MilliCpu(4000), Bytes::mib(1024));
    fake.converge(&ServiceSpec { replicas: 4, ..spec("web") }).await.unwrap();
    fake.advance(LITTLE);
    assert_eq!(states(&fake), [TaskState::Running; 4]);
    let lost = fake.look().tasks[0].node.clone().unwrap();
    fake.lose_node(&lost);
    let count = |state| states(&fake).into_iter().filter(|s| *s == state).count();
    assert_eq!((count(TaskState::Orphaned), count(TaskState::Pending), count(TaskState::Running)), (2, 2, 2));
    let waiting = fake.look().tasks.into_iter().find(|t| t.state == TaskState::Pending).unwrap();
    let words = "pending task scheduling: no suitable node (1 node not available for new tasks; insufficient resources on 1 node)";
    assert_eq!(waiting.message, words);
    let orphan = fake.look().tasks.into_iter().find(|t| t.state == TaskState::Orphaned).unwrap();
    let logs = fake.logs(&orphan.id, LogQuery { after: None, tail: None, follow: true }).await;
    assert!(matches!(logs.err(), Some(SwarmError::Unreachable(_))));
    fake.return_node(&lost);
    fake.advance(LITTLE);
    assert_eq!((count(TaskState::Orphaned), count(TaskState::Running)), (0, 4));
    fake.drain_node(&lost, true);
    assert_eq!(count(TaskState::Pending), 2);
}

#[tokio::test]
async fn constraints_hold() {
    let fake = Fake::with_nodes(3, MilliCpu(4000), Bytes::mib(1024));
    let node = fake.nodes().await.unwrap()[2].id.clone();
    let eu = ServiceSpec { constraints: vec!["node.labels.region==eu".into()], ..spec("web") };
    fake.converge(&eu).await.unwrap();
    assert!(fake.look().tasks[0].message.ends_with("no suitable node (scheduling constraints not satisfied on 3 nodes)"));
    fake.label_node(&node, "region", "eu");
    fake.advance(LITTLE);
    assert_eq!((states(&fake), fake.look().tasks[0].node.clone()), (vec![TaskState::Running], Some(node)));
}

#[tokio::test]
async fn calls_fail_and_linger_as_told() {
    let fake = Fake::new();
    fake.conflict("converge", 2);
    for _ in 0..2 {
        assert!(matches!(fake.converge(&spec("web")).await, Err(SwarmError::Conflict(_))));
    }
    assert_eq!(fake.converge(&spec("web")).await.unwrap(), Converged::Created);
    fake.set_unreachable(true);
    assert!(matches!(fake.facts().await, Err(SwarmError::Unreachable(_))));
    fake.set_unreachable(false);
    fake.delay_verb("tasks", Duration::from_secs(30));
    let mut asked = Box::pin(fake.tasks(None));
    assert!(asked.as_mut().now_or_never().is_none());
    fake.advance(Duration::from_secs(31));
    assert_eq!(asked.await.unwrap().len(), 1);
    fake.set_silent(true);
    let mut asked = Box::pin(fake.nodes());
    assert!(asked.as_mut().now_or_never().is_none());
    fake.advance(CALL);
    assert!(matches!(asked.await, Err(SwarmError::Unreachable(_))));
    fake.set_silent(false);
    let calls = fake.look().calls;
    assert_eq!((calls["converge"], calls["facts"], calls["tasks"]), (3, 1, 1));
}

#[tokio::test]
async fn tasks_answer_as_told() {
    let fake = Fake::new();
    fake.serve();
    let network = NetworkSpec { name: "net".into(), subnet: "10.201.0.0/24".into(), labels: Labels::new() };
    fake.ensure_network(&network).await.unwrap();
    let web = ServiceSpec { port: Some(8080), ..spec("web") };
    assert!(matches!(fake.converge(&web).await, Err(SwarmError::Refused(_))), "its port would be open to the world");
    fake.converge(&ServiceSpec { network: Some(("net".into(), "web".into())), ..web }).await.unwrap();
    fake.advance(LITTLE);
    let url = format!("http://{}/", fake.look().tasks[0].address.unwrap());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(Duration::from_millis(300)).build().unwrap();
    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().starts_with("web 1 0"));
    fake.answer("app_1", Answer::status(503));
    assert_eq!(client.get(&url).send().await.unwrap().status(), 503);
    fake.answer("app_1", Answer::Silence);
    assert!(client.get(&url).send().await.unwrap_err().is_timeout());
    fake.answer("app_1", Answer::Refusal);
    assert!(client.post(&url).body("hello").send().await.is_err());
    fake.answer("app_1", Answer::Status { status: 200, body: Some("mine".into()), after: Duration::ZERO });
    assert_eq!(client.post(&url).body("hello").send().await.unwrap().text().await.unwrap(), "mine");
    fake.scale("web", 0).await.unwrap();
    fake.advance(LITTLE);
    tokio::task::yield_now().await;
    assert!(client.get(&url).send().await.is_err(), "who has stopped answers nobody");
}

#[tokio::test]
async fn builds_go_as_planned_and_can_be_dropped() {
    let fake = Fake::new();
    let failure = BuildFailure::Step { message: "it broke".into(), exit_code: Some(2) };
    fake.plan_build(
        "shop:2",
        BuildPlan { lines: vec!["a".into(), "b".into()], takes: Duration::from_secs(60), failure: Some(failure.clone()) },
    );
    let build = || BuildSpec {
        tag: "shop:2".into(),
        context: "/nowhere".into(),
        dockerfile: "Dockerfile".into(),
        build_args: vec![],
        labels: Labels::new(),
        memory: Bytes::mib(512),
        cpu: MilliCpu(1000),
        max_context: Bytes::mib(1),
        no_cache: false,
    };
    let mut dropped = fake.build(build()).await.unwrap();
    assert!(dropped.next().now_or_never().is_none());
    assert_eq!(fake.look().builds, 1);
    drop(dropped);
    assert_eq!(fake.look().builds, 0);
    let whole = fake.build(build()).await.unwrap().collect::<Vec<_>>();
    let passing = async {
        while fake.look().builds > 0 {
            fake.advance(Duration::from_secs(10));
            tokio::task::yield_now().await;
        }
    };
    let (events, ()) = futures::join!(whole, passing);
    assert_eq!(events, [BuildEvent::Line("a".into()), BuildEvent::Line("b".into()), BuildEvent::Failed(failure)]);
}

#[tokio::test]
async fn thousands_of_nodes_are_cheap() {
    let begun = std::time::Instant::now();
    let fake = Fake::with_nodes(3000, MilliCpu(8000), Bytes::mib(16 * 1024));
    for n in 0..300 {
        fake.converge(&ServiceSpec { replicas: 10, ..spec(&format!("web-{n}")) }).await.unwrap();
    }
    fake.advance(Duration::from_secs(1));
    let tasks = fake.tasks(None).await.unwrap();
    assert_eq!(tasks.iter().filter(|t| t.state == TaskState::Running).count(), 3000);
    let nodes: std::collections::BTreeSet<_> = tasks.iter().filter_map(|t| t.node.as_ref()).collect();
    assert_eq!(nodes.len(), 3000, "spread evenly");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
