//! How an edge finds tasks that moved while no panel tells it: an edge beside a manager looks at the swarm itself. It learns no new
//! route that way, only where the tasks are of releases that its routes lead to already: which release is live is the panel's to say.
use crate::{Backend, Route, Snapshot, Target};
use futures::StreamExt;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use swarm::{LABEL_DEPLOYMENT, Swarm, Task, TaskState};
use tokio_util::sync::CancellationToken;

/// How often it looks where no event wakes it.
const EVERY: Duration = Duration::from_secs(2);
/// Events that come together are one look.
const TOGETHER: Duration = Duration::from_millis(100);
/// So many looks after it is back, a panel has seen the swarm itself.
const SETTLED: u32 = 10;
/// How long after a failure it tries again.
const PATIENCE: Duration = Duration::from_secs(1);

/// The releases that routes lead to, remembered when the last of a release's tasks is gone: its next one must be known again.
#[derive(Debug, Default)]
pub struct Lookout {
    /// By host and path: releases, and whether their tasks speak HTTP/2 without TLS.
    known: HashMap<(String, String), (BTreeSet<String>, bool)>,
}

impl Lookout {
    /// The snapshot with the tasks as they are now; none where nothing differs. The version stays: nothing was decided anew.
    pub fn refreshed(&mut self, snapshot: &Snapshot, tasks: &[Task]) -> Option<Snapshot> {
        self.remember(snapshot);
        let mut running: HashMap<&str, Vec<&Task>> = HashMap::new();
        for task in tasks.iter().filter(|task| task.state == TaskState::Running && task.wanted && task.address.is_some()) {
            if let Some(release) = task.labels.get(LABEL_DEPLOYMENT) {
                running.entry(release).or_default().push(task);
            }
        }
        let mut fresh = snapshot.clone();
        for route in &mut fresh.routes {
            let Some((releases, h2c)) = self.known.get(&key(route)) else { continue };
            let Target::Tasks { backends, .. } = &mut route.target else { continue };
            let now =
                releases.iter().flat_map(|release| running.get(release.as_str()).into_iter().flatten().map(move |task| (release, task)));
            let backend = |(release, task): (&String, &&Task)| {
                Some(Backend { task: task.id.clone(), release: release.clone(), address: task.address?, h2c: *h2c })
            };
            let mut now: Vec<Backend> = now.filter_map(backend).collect();
            let order = |a: &Backend, b: &Backend| a.task.cmp(&b.task);
            now.sort_by(order);
            let mut before = backends.clone();
            before.sort_by(order);
            if now != before {
                *backends = now;
            }
        }
        (fresh != *snapshot).then_some(fresh)
    }

    fn remember(&mut self, snapshot: &Snapshot) {
        let mut known = HashMap::new();
        for route in &snapshot.routes {
            let Target::Tasks { backends, .. } = &route.target else { continue };
            let weights = route.policy.iter().flat_map(|policy| policy.balance.weights.keys().cloned());
            let releases: BTreeSet<String> = backends.iter().map(|backend| backend.release.clone()).chain(weights).collect();
            let h2c = backends.iter().any(|backend| backend.h2c);
            let entry = if releases.is_empty() { self.known.remove(&key(route)) } else { Some((releases, h2c)) };
            known.extend(entry.map(|entry| (key(route), entry)));
        }
        self.known = known;
    }
}

fn key(route: &Route) -> (String, String) {
    (route.host.clone(), route.path.clone())
}

/// An edge, as far as a lookout needs one.
pub trait FollowedEdge: Send + Sync {
    /// Whether the panel is away.
    fn is_away(&self) -> bool;
    /// The version that the panel told last.
    fn version(&self) -> u64;
    /// What the panel told last.
    fn told(&self) -> Snapshot;
    /// Serves this from now on, until the panel tells something.
    fn serve(&self, snapshot: Snapshot);
}

/// Looks at the swarm for an edge whose panel is away, until it is cancelled.
pub async fn watch(swarm: Arc<dyn Swarm>, edge: Arc<dyn FollowedEdge>, stop: CancellationToken) {
    let mut watch = SwarmWatch::default();
    while !stop.is_cancelled() {
        let events = tokio::select! { events = swarm.events() => events, () = stop.cancelled() => return };
        let Ok(mut events) = events else {
            tokio::select! { () = tokio::time::sleep(PATIENCE) => {}, () = stop.cancelled() => {} }
            continue;
        };
        loop {
            watch.look(&*swarm, &*edge).await;
            let is_over = tokio::select! {
                event = events.next() => event.is_none(),
                () = tokio::time::sleep(EVERY) => false,
                () = stop.cancelled() => return,
            };
            if is_over {
                break;
            }
            tokio::time::sleep(TOGETHER).await;
        }
    }
}

#[derive(Default)]
struct SwarmWatch {
    lookout: Lookout,
    /// What we let it serve in place of what it was told, and the version of that.
    ours: Option<(u64, Snapshot)>,
    /// Looks since the panel is back.
    back: u32,
}

impl SwarmWatch {
    async fn look(&mut self, swarm: &dyn Swarm, edge: &dyn FollowedEdge) {
        if !edge.is_away() {
            return self.yield_to_panel(edge);
        }
        self.back = 0;
        let told = edge.told();
        let tasks = match swarm.tasks(None).await {
            Ok(tasks) => tasks,
            Err(why) => return tracing::debug!("the swarm does not answer: {why}"),
        };
        let fresh = self.lookout.refreshed(&told, &tasks);
        let live = self.ours.as_ref().filter(|(version, _)| *version == told.version).map(|(_, ours)| ours);
        let is_news = match (&fresh, live) {
            (Some(fresh), Some(live)) => fresh != live,
            (None, None) => false,
            _ => true,
        };
        // The panel may have spoken meanwhile.
        if is_news && edge.is_away() && edge.version() == told.version {
            tracing::info!("the panel is away, and tasks have moved: leading requests to where they are now");
            edge.serve(fresh.clone().unwrap_or_else(|| told.clone()));
            self.ours = fresh.map(|fresh| (told.version, fresh));
        }
    }

    /// The panel is back. What we found holds until it speaks, or until it is clear that it has nothing to say.
    fn yield_to_panel(&mut self, edge: &dyn FollowedEdge) {
        let Some((version, _)) = &self.ours else { return };
        self.back += 1;
        if *version != edge.version() {
            self.ours = None;
        } else if self.back > SETTLED {
            edge.serve(edge.told());
            self.ours = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Balance, Policy};
    use base::units::{Bytes, MilliCpu};
    use std::sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    };
    use swarm::{NetworkSpec, ServiceSpec, fake::Fake};

    fn task(id: &str, release: &str, port: u16) -> Task {
        Task {
            id: id.into(),
            service: format!("rel-{release}"),
            slot: 1,
            node: Some("n1".into()),
            state: TaskState::Running,
            wanted: true,
            message: String::new(),
            exit_code: None,
            out_of_memory: false,
            unhealthy: None,
            container: None,
            address: Some(([10, 0, 0, 2], port).into()),
            labels: [(LABEL_DEPLOYMENT.to_string(), release.to_string())].into(),
            since: base::units::Timestamp(0),
        }
    }

    fn backend(task: &str, release: &str, port: u16) -> Backend {
        Backend { task: task.into(), release: release.into(), address: ([10, 0, 0, 2], port).into(), h2c: true }
    }

    fn snapshot(backends: Vec<Backend>) -> Snapshot {
        let target = Target::Tasks { backends, hold: Duration::from_secs(5) };
        Snapshot { version: 7, routes: vec![Route::new("shop.test", "app", target)], ..Snapshot::default() }
    }

    fn ports(snapshot: &Snapshot) -> Vec<u16> {
        let Target::Tasks { backends, .. } = &snapshot.routes[0].target else { panic!() };
        backends.iter().map(|backend| backend.address.port()).collect()
    }

    #[test]
    fn a_task_that_moved_is_found_and_what_did_not_move_is_no_news() {
        let mut lookout = Lookout::default();
        let live = snapshot(vec![backend("t1", "r1", 1), backend("t2", "r1", 2)]);
        assert_eq!(lookout.refreshed(&live, &[task("t2", "r1", 2), task("t1", "r1", 1)]), None, "order is no difference");
        let other = Task { wanted: false, ..task("t2", "r1", 2) };
        let fresh = lookout.refreshed(&live, &[task("t1", "r1", 1), other, task("t3", "r1", 3)]).unwrap();
        assert_eq!((ports(&fresh), fresh.version), (vec![1, 3], 7));
        let Target::Tasks { backends, .. } = &fresh.routes[0].target else { panic!() };
        assert!(backends.iter().all(|backend| backend.h2c), "what is known of the release holds for its new tasks");
    }

    #[test]
    fn another_release_is_not_led_to_by_itself() {
        let mut lookout = Lookout::default();
        let live = snapshot(vec![backend("t1", "r1", 1)]);
        assert_eq!(lookout.refreshed(&live, &[task("t1", "r1", 1), task("t9", "r2", 9)]), None);
    }

    #[test]
    fn a_release_without_tasks_is_remembered_until_one_is_back() {
        let mut lookout = Lookout::default();
        let gone = lookout.refreshed(&snapshot(vec![backend("t1", "r1", 1)]), &[]).unwrap();
        assert!(ports(&gone).is_empty());
        assert_eq!(lookout.refreshed(&gone, &[]), None);
        assert_eq!(ports(&lookout.refreshed(&gone, &[task("t2", "r1", 2)]).unwrap()), [2]);
        // With shares the release is known although it never had a task.
        let mut weighed = snapshot(vec![]);
        let weights = [("r5".to_string(), 5)].into();
        weighed.routes[0].policy = Some(Box::new(Policy { balance: Balance { weights, ..Balance::default() }, ..Policy::default() }));
        assert_eq!(ports(&Lookout::default().refreshed(&weighed, &[task("t5", "r5", 5)]).unwrap()), [5]);
    }

    #[derive(Default)]
    struct FakeEdge {
        is_here: AtomicBool,
        told: Mutex<Snapshot>,
        served: Mutex<Vec<Vec<u16>>>,
    }

    impl FollowedEdge for FakeEdge {
        fn is_away(&self) -> bool {
            !self.is_here.load(Ordering::Relaxed)
        }
        fn version(&self) -> u64 {
            self.told.lock().unwrap().version
        }
        fn told(&self) -> Snapshot {
            self.told.lock().unwrap().clone()
        }
        fn serve(&self, snapshot: Snapshot) {
            self.served.lock().unwrap().push(ports(&snapshot));
        }
    }

    #[tokio::test]
    async fn an_edge_follows_tasks_while_the_panel_is_away_and_the_panel_when_it_is_back() {
        let fake = Fake::new();
        let spec = ServiceSpec {
            name: "rel-r1".into(),
            image: fake.add_image("shop", &[8080]),
            command: None,
            env: Vec::new(),
            port: Some(8080),
            replicas: 1,
            cpu: MilliCpu(100),
            memory: Bytes::mib(64),
            pids: 64,
            network: Some(("skypanel-net".into(), "shop".into())),
            constraints: Vec::new(),
            labels: [(LABEL_DEPLOYMENT.to_string(), "r1".to_string())].into(),
            stop_grace: 1,
            registry: None,
        };
        let network = NetworkSpec { name: "skypanel-net".into(), subnet: "10.208.0.0/24".into(), labels: Default::default() };
        fake.ensure_network(&network).await.unwrap();
        fake.converge(&spec).await.unwrap();
        fake.advance(Duration::from_secs(60));
        let port = fake.tasks(None).await.unwrap().iter().find_map(|task| Some(task.address?.port())).unwrap();
        let edge = FakeEdge { told: Mutex::new(snapshot(vec![backend("gone", "r1", 1)])), ..FakeEdge::default() };
        let served = || edge.served.lock().unwrap().clone();
        let mut watch = SwarmWatch::default();
        watch.look(&fake, &edge).await;
        watch.look(&fake, &edge).await;
        assert_eq!(served(), [[port]], "found once, and told once");
        // The panel is back and says nothing: what it told last is right after all.
        edge.is_here.store(true, Ordering::Relaxed);
        for _ in 0..=SETTLED {
            assert_eq!(served().len(), 1);
            watch.look(&fake, &edge).await;
        }
        assert_eq!(served(), [[port], [1]]);
        // It goes and comes back with news of its own: nothing of ours is in its way.
        edge.is_here.store(false, Ordering::Relaxed);
        watch.look(&fake, &edge).await;
        edge.is_here.store(true, Ordering::Relaxed);
        edge.told.lock().unwrap().version = 8;
        for _ in 0..=SETTLED {
            watch.look(&fake, &edge).await;
        }
        assert_eq!(served(), [[port], [1], [port]]);
    }
}
