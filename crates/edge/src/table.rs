//! The routing table: which host and path lead to which tasks, how many requests each task has in hand, and which of them to ask next.
//! A table is never changed, only replaced; what is known of a backend (its requests in flight, whether it failed lately)
//! outlives the table, so that a deployment can watch a release drain that no table names any more.
use super::{
    certs::Certs,
    host::normal_host,
    paths,
    prober::{ProbeRequest, Prober},
    rules::CompiledPolicy,
    signals::{Meter, Meters},
    snapshot::{Backend, Challenge, PanelRoute, Policy, Route, Snapshot, Target},
    sticky::Signer,
    upstream::{InFlight, Pool, Tried, Upstream},
};
use arc_swap::ArcSwap;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering, fence},
    },
    time::Duration,
};
use tokio::sync::watch;

/// How long a request waits for a new table when every backend of the present one has failed it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why a request is not handed to a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    UnknownHost,
    Stopped,
    Empty,
    /// No task was there to take it, for as long as it could be held.
    NoTask,
    /// Too many requests wait for a task already.
    Full,
    /// Every task that was there has failed it.
    Unreachable,
    /// A task took it and was silent for too long.
    TooSlow,
    HeadersTooLarge,
    BodyTooLarge,
    BadRequest,
    /// The client was silent within its request for too long.
    Stalled,
    /// The client asks too often; seconds to wait.
    TooOften(u32),
    Login,
    /// Seconds to wait.
    Maintenance(u32),
}

#[derive(Debug)]
pub(super) enum RouteTarget {
    Tasks { pool: Pool, hold: Duration },
    Redirect(Box<str>),
    Stopped,
    Empty,
}

/// An entry of the table: what a host and a path lead to.
#[derive(Debug)]
pub(super) struct RouteSlot {
    pub app: Arc<App>,
    /// See [`paths::prefix`].
    pub prefix: Box<str>,
    pub rules: Arc<CompiledPolicy>,
    pub target: RouteTarget,
    /// Tells its clients' buckets from those of other places.
    pub key: Box<str>,
}

/// What is known of an application, whatever the tables say.
#[derive(Debug)]
pub(super) struct App {
    pub id: Box<str>,
    /// Requests that wait for a task.
    held: AtomicUsize,
    /// For what is answered in a task's place.
    pub meter: Arc<Meter>,
}

type Slots = Vec<Arc<RouteSlot>>;

#[derive(Debug, Default)]
pub(super) struct Table {
    version: u64,
    exact: HashMap<Box<str>, Slots>,
    /// Without the `*.`.
    wild: HashMap<Box<str>, Slots>,
    /// Answers to HTTP-01, by token.
    answers: HashMap<String, String>,
    pub signer: Option<Signer>,
}

/// No backend can take the request now. `hold` is how long it is worth waiting for another table; after that the client gets `then`.
struct NoRoute {
    hold: Duration,
    then: Refusal,
}

impl RouteTarget {
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            RouteTarget::Tasks { .. } | RouteTarget::Redirect(_) => None,
            RouteTarget::Stopped => Some(Refusal::Stopped),
            RouteTarget::Empty => Some(Refusal::Empty),
        }
    }
}

impl Table {
    /// What a host, as the table spells it, and a path lead to.
    pub fn find(&self, host: &str, path: &str) -> Option<&Arc<RouteSlot>> {
        let fits = |slots: &'_ Slots| {
            if let [only] = &slots[..]
                && only.prefix.is_empty()
            {
                return Some(0);
            }
            let path = paths::plain(path);
            slots.iter().position(|slot| paths::begins_with(&path, &slot.prefix))
        };
        if let Some(slots) = self.exact.get(host)
            && let Some(n) = fits(slots)
        {
            return slots.get(n);
        }
        let slots = self.wild.get(host.split_once('.')?.1)?;
        slots.get(fits(slots)?)
    }

    /// The answer to an authority that asks for a token.
    pub fn answer(&self, token: &str) -> Option<&str> {
        self.answers.get(token).map(String::as_str)
    }

    fn look(&self, host: &str, path: &str, tried: &Tried) -> Result<&Arc<Upstream>, NoRoute> {
        let no_route = |hold, then| Err(NoRoute { hold, then });
        match self.find(host, path).map(|slot| &slot.target) {
            Some(RouteTarget::Tasks { pool, hold }) if pool.is_empty() => no_route(*hold, Refusal::NoTask),
            Some(RouteTarget::Tasks { pool, hold }) => {
                pool.choose(tried).map_or_else(|| no_route(PATIENCE.min(*hold), Refusal::Unreachable), Ok)
            }
            // The route became a redirect while the request was held: there is nobody to wait for.
            Some(RouteTarget::Redirect(_)) => no_route(Duration::ZERO, Refusal::NoTask),
            other => no_route(Duration::ZERO, other.and_then(RouteTarget::refusal).unwrap_or(Refusal::UnknownHost)),
        }
    }

    fn add(&mut self, host: &str, slot: RouteSlot) {
        let (map, name) = match host.strip_prefix("*.") {
            Some(parent) => (&mut self.wild, parent),
            None => (&mut self.exact, host),
        };
        let slots = map.entry(normal_host(name).into()).or_default();
        if let Some(same) = slots.iter_mut().find(|other| other.prefix == slot.prefix) {
            *same = Arc::new(slot);
            return;
        }
        let after = slots.iter().position(|other| other.prefix.len() < slot.prefix.len()).unwrap_or(slots.len());
        slots.reserve_exact(1);
        slots.insert(after, Arc::new(slot));
    }
}

/// How many requests may wait for tasks.
#[derive(Debug, Clone, Copy)]
pub(super) struct HoldLimits {
    pub per_app: usize,
    pub in_all: usize,
}

/// The live table and all backends that are still known.
#[derive(Debug)]
pub(super) struct Routes {
    live: ArcSwap<Table>,
    /// Every backend that a table or a request still holds. Its lock makes publications follow each other.
    known: Mutex<HashMap<Backend, Weak<Upstream>>>,
    apps: Mutex<HashMap<Box<str>, Weak<App>>>,
    changed: watch::Sender<u64>,
    panel: Option<PanelRoute>,
    held: AtomicUsize,
    limits: HoldLimits,
    own_key: [u8; 32],
    pub certs: Arc<Certs>,
    pub meters: Meters,
    /// Nothing where nobody is to be probed.
    prober: Option<Prober>,
}

/// A request that waits. It counts until it is dropped.
struct HeldRequest<'a>(&'a AtomicUsize, Option<Arc<App>>);

impl Drop for HeldRequest<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        if let Some(app) = &self.1 {
            app.held.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Routes {
    pub fn new(panel: Option<PanelRoute>, limits: HoldLimits, prober: Option<Prober>) -> Self {
        let routes = Routes {
            live: ArcSwap::default(),
            known: Mutex::default(),
            apps: Mutex::default(),
            changed: watch::Sender::new(0),
            panel,
            held: AtomicUsize::new(0),
            limits,
            own_key: rand::random(),
            certs: Arc::default(),
            meters: Meters::new(),
            prober,
        };
        routes.publish(Snapshot::default());
        routes
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Backend, Weak<Upstream>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn app(&self, id: &str) -> Arc<App> {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(app) = apps.get(id).and_then(Weak::upgrade) {
            return app;
        }
        let app = Arc::new(App { id: id.into(), held: AtomicUsize::new(0), meter: self.meters.of(id, "") });
        apps.insert(id.into(), Arc::downgrade(&app));
        app
    }

    /// The panel's own hosts, as routes.
    fn panel_routes(&self) -> impl Iterator<Item = Route> {
        self.panel.iter().flat_map(PanelRoute::backends).map(|(host, backend)| {
            let policy = Policy { https_only: self.certs.are_for(host), ..Policy::default() };
            let target = Target::Tasks { backends: vec![backend], hold: PATIENCE };
            Route { policy: Some(Box::new(policy)), ..Route::new(host, "panel", target) }
        })
    }

    /// Puts a snapshot in place, unless a newer one is live already. Says whether it did.
    #[allow(clippy::too_many_lines, reason = "the order of these steps is what keeps requests from being lost; it is read in one piece")]
    pub fn publish(&self, snapshot: Snapshot) -> bool {
        let mut known = self.known();
        if snapshot.version < self.version() {
            return false;
        }
        let mut upstream = |app: &str, backend: Backend| match known.get(&backend).and_then(Weak::upgrade) {
            Some(upstream) => upstream,
            None => {
                let upstream = Upstream::new(backend.clone(), self.meters.of(app, &backend.release));
                known.insert(backend, Arc::downgrade(&upstream));
                upstream
            }
        };
        // Before the routes: who is led to TLS finds the certificate there.
        self.certs.publish(&snapshot.certificates, &snapshot.challenges);
        let mut table = Table { version: snapshot.version, ..Table::default() };
        let mut probed = HashMap::new();
        let mut policies = Vec::new();
        table.exact.reserve(snapshot.routes.len());
        for route in snapshot.routes.into_iter().chain(self.panel_routes()) {
            let rules = CompiledPolicy::of(route.policy, &route.host, &mut policies);
            let target = match route.target {
                Target::Tasks { backends, hold } => {
                    let all: Vec<_> = backends.into_iter().map(|backend| upstream(&route.app, backend)).collect();
                    let balance = &rules.policy.balance;
                    if let Some(probe) = &balance.probe {
                        let asked = ProbeRequest::of(probe, &route.host);
                        probed.extend(all.iter().map(|upstream| (Arc::as_ptr(upstream), asked.clone())));
                    }
                    RouteTarget::Tasks { pool: Pool::new(all, |release| balance.weights.get(release).copied(), balance.slow_start), hold }
                }
                Target::Redirect { host } => RouteTarget::Redirect(host.into()),
                Target::Stopped => RouteTarget::Stopped,
                Target::Empty => RouteTarget::Empty,
            };
            let prefix: Box<str> = paths::prefix(&route.path).into();
            let key = format!("{}{prefix}", route.host).into();
            table.add(&route.host, RouteSlot { app: self.app(&route.app), prefix, rules, target, key });
        }
        for challenge in &snapshot.challenges {
            if let Challenge::Http { token, key_authorization } = challenge {
                table.answers.insert(token.clone(), key_authorization.clone());
            }
        }
        table.signer = Signer::new(if snapshot.cookie_key.is_empty() { &self.own_key } else { &snapshot.cookie_key });
        let old = self.live.swap(Arc::new(table));
        fence(Ordering::SeqCst); // with the one in `reserve`
        drop(old);
        known.retain(|_, upstream| upstream.strong_count() > 0);
        if let Some(prober) = &self.prober {
            for upstream in known.values().filter_map(Weak::upgrade) {
                upstream.ask(probed.remove(&Arc::as_ptr(&upstream)));
                prober.watch(&upstream);
            }
        }
        self.apps.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, app| app.strong_count() > 0);
        self.changed.send_replace(snapshot.version);
        true
    }

    /// The table that is live.
    pub fn table(&self) -> arc_swap::Guard<Arc<Table>> {
        self.live.load()
    }

    /// The version that is live.
    pub fn version(&self) -> u64 {
        self.live.load().version
    }

    /// Requests that a backend has in hand, whether a table names it or not.
    pub fn in_flight(&self, backend: &Backend) -> usize {
        fence(Ordering::SeqCst);
        self.known().get(backend).and_then(Weak::upgrade).map_or(0, |u| u.in_flight())
    }

    /// Requests that all backends of a release have in hand.
    pub fn in_flight_of_release(&self, release: &str) -> usize {
        self.in_flight_by_release().remove(release).unwrap_or(0)
    }

    /// Backends whose probes fail.
    pub fn out(&self) -> Vec<Backend> {
        let known = self.known();
        known.iter().filter(|(_, upstream)| upstream.upgrade().is_some_and(|u| u.is_out())).map(|(backend, _)| backend.clone()).collect()
    }

    /// Requests in hand, by release.
    pub fn in_flight_by_release(&self) -> HashMap<String, usize> {
        fence(Ordering::SeqCst);
        let upstreams = self.known().values().filter_map(Weak::upgrade).collect::<Vec<_>>();
        let mut sums = HashMap::new();
        for upstream in upstreams.iter().filter(|upstream| upstream.in_flight() > 0) {
            *sums.entry(upstream.backend.release.clone()).or_default() += upstream.in_flight();
        }
        sums
    }

    /// Chooses a backend and counts the request as being in its hands.
    ///
    /// The table is looked at again after counting: whoever publishes a table without a backend and then sees nothing in flight
    /// there knows that nothing will come any more.
    fn reserve(&self, host: &str, path: &str, tried: &Tried) -> Result<InFlight, NoRoute> {
        loop {
            let table = self.live.load();
            let in_flight = InFlight::begin(table.look(host, path, tried)?.clone());
            fence(Ordering::SeqCst); // with the one in `publish`
            if Arc::ptr_eq(&table, &self.live.load()) {
                return Ok(in_flight);
            }
        }
    }

    /// A backend for the next attempt, where there is one now.
    pub fn reserve_now(&self, host: &str, path: &str, tried: &Tried) -> Option<InFlight> {
        self.reserve(host, path, tried).ok()
    }

    /// Counts a request as waiting, where there is room for one more.
    fn hold(&self, host: &str, path: &str) -> Result<HeldRequest<'_>, Refusal> {
        let app = self.live.load().find(host, path).map(|slot| slot.app.clone());
        let in_all = self.held.fetch_add(1, Ordering::Relaxed);
        let of_app = app.as_ref().map_or(0, |app| app.held.fetch_add(1, Ordering::Relaxed));
        let held = HeldRequest(&self.held, app);
        if in_all < self.limits.in_all && of_app < self.limits.per_app { Ok(held) } else { Err(Refusal::Full) }
    }

    /// A backend for the next attempt. Where none is left the request is held until a table brings one.
    pub async fn reserve_or_hold(&self, host: &str, path: &str, tried: &Tried) -> Result<InFlight, Refusal> {
        let mut changed = self.changed.subscribe(); // before looking, so that no publication is missed
        let start = tokio::time::Instant::now();
        let mut held = None;
        loop {
            let no_route = match self.reserve(host, path, tried) {
                Ok(in_flight) => return Ok(in_flight),
                Err(no_route) => no_route,
            };
            if no_route.hold > start.elapsed() && held.is_none() {
                held = Some(self.hold(host, path)?);
            }
            match tokio::time::timeout_at(start + no_route.hold, changed.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(no_route.then),
            }
        }
    }
}
