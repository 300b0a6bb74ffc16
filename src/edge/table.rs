//! The routing table: which host leads to which tasks, how many requests each task has in hand, and which of them to ask next.
//! A table is never changed, only replaced; what is known of a backend (its requests in flight, whether it failed lately)
//! outlives the table, so that a deployment can watch a release drain that no table names any more.
use super::{
    Backend, PanelRoute, Snapshot, Target,
    upstream::{InFlight, Tried, Upstream, choose},
};
use arc_swap::ArcSwap;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{Ordering, fence},
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
    /// Every task that was there has failed it.
    Unreachable,
    HeadersTooLarge,
}

#[derive(Debug)]
enum Leads {
    Tasks { upstreams: Vec<Arc<Upstream>>, hold: Duration },
    Stopped,
    Empty,
}

#[derive(Debug)]
struct Host {
    app: String,
    leads: Leads,
}

#[derive(Debug, Default)]
struct Table {
    version: u64,
    hosts: HashMap<String, Host>,
}

/// Nobody takes the request now. It is worth waiting so long for another table, and then it is this refusal.
struct Nobody {
    hold: Duration,
    then: Refusal,
}

impl Leads {
    fn refusal(&self) -> Option<Refusal> {
        match self {
            Leads::Tasks { .. } => None,
            Leads::Stopped => Some(Refusal::Stopped),
            Leads::Empty => Some(Refusal::Empty),
        }
    }
}

impl Table {
    fn look(&self, host: &str, tried: &Tried) -> Result<&Arc<Upstream>, Nobody> {
        let nobody = |hold, then| Err(Nobody { hold, then });
        match self.hosts.get(host).map(|host| &host.leads) {
            Some(Leads::Tasks { upstreams, hold }) if upstreams.is_empty() => nobody(*hold, Refusal::NoTask),
            Some(Leads::Tasks { upstreams, hold }) => {
                choose(upstreams, tried).map_or_else(|| nobody(PATIENCE.min(*hold), Refusal::Unreachable), Ok)
            }
            other => nobody(Duration::ZERO, other.and_then(Leads::refusal).unwrap_or(Refusal::UnknownHost)),
        }
    }
}

/// A host as the table spells it: lower case, without port and trailing dot.
pub(super) fn normal_host(host: &str) -> String {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// The live table and all backends that are still known.
#[derive(Debug)]
pub(super) struct Routes {
    live: ArcSwap<Table>,
    /// Every backend that a table or a request still holds. Its lock makes publications follow each other.
    known: Mutex<HashMap<Backend, Weak<Upstream>>>,
    changed: watch::Sender<u64>,
    panel: Option<PanelRoute>,
}

impl Routes {
    pub fn new(panel: Option<PanelRoute>) -> Self {
        let routes = Routes { live: ArcSwap::default(), known: Mutex::default(), changed: watch::Sender::new(0), panel };
        routes.publish(Snapshot::default());
        routes
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Backend, Weak<Upstream>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a snapshot in place, unless a newer one is live already. Says whether it did.
    pub fn publish(&self, snapshot: Snapshot) -> bool {
        let mut known = self.known();
        if snapshot.version < self.version() {
            return false;
        }
        let mut upstream = |backend: Backend| match known.get(&backend).and_then(Weak::upgrade) {
            Some(upstream) => upstream,
            None => {
                let upstream = Upstream::new(backend.clone());
                known.insert(backend, Arc::downgrade(&upstream));
                upstream
            }
        };
        let mut hosts = HashMap::with_capacity(snapshot.routes.len() + 1);
        for route in snapshot.routes {
            let leads = match route.target {
                Target::Tasks { backends, hold } => Leads::Tasks { upstreams: backends.into_iter().map(&mut upstream).collect(), hold },
                Target::Stopped => Leads::Stopped,
                Target::Empty => Leads::Empty,
            };
            hosts.insert(normal_host(&route.host), Host { app: route.app, leads });
        }
        for (host, backend) in self.panel.iter().flat_map(PanelRoute::backends) {
            let leads = Leads::Tasks { upstreams: vec![upstream(backend)], hold: PATIENCE };
            hosts.insert(normal_host(host), Host { app: "panel".into(), leads });
        }
        let old = self.live.swap(Arc::new(Table { version: snapshot.version, hosts }));
        fence(Ordering::SeqCst); // with the one in `reserve`
        drop(old);
        known.retain(|_, upstream| upstream.strong_count() > 0);
        self.changed.send_replace(snapshot.version);
        true
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
        fence(Ordering::SeqCst);
        let upstreams = self.known().values().filter_map(Weak::upgrade).filter(|u| u.backend.release == release).collect::<Vec<_>>();
        upstreams.iter().map(|u| u.in_flight()).sum()
    }

    /// Why no request for a host can be taken now, where that is so.
    pub fn refusal(&self, host: &str) -> Option<Refusal> {
        self.live.load().hosts.get(host).map_or(Some(Refusal::UnknownHost), |host| host.leads.refusal())
    }

    /// The application behind a host.
    pub fn app(&self, host: &str) -> Option<String> {
        self.live.load().hosts.get(host).map(|host| host.app.clone())
    }

    /// Chooses a backend and counts the request as being in its hands.
    ///
    /// The table is looked at again after counting: whoever publishes a table without a backend and then sees nothing in flight
    /// there knows that nothing will come any more.
    fn reserve(&self, host: &str, tried: &Tried) -> Result<InFlight, Nobody> {
        loop {
            let table = self.live.load();
            let in_flight = InFlight::begin(table.look(host, tried)?.clone());
            fence(Ordering::SeqCst); // with the one in `publish`
            if Arc::ptr_eq(&table, &self.live.load()) {
                return Ok(in_flight);
            }
        }
    }

    /// A backend for the next attempt, where there is one now.
    pub fn reserve_now(&self, host: &str, tried: &Tried) -> Option<InFlight> {
        self.reserve(host, tried).ok()
    }

    /// A backend for the next attempt. Where none is left the request is held until a table brings one.
    pub async fn reserve_or_hold(&self, host: &str, tried: &Tried) -> Result<InFlight, Refusal> {
        let mut changed = self.changed.subscribe(); // before looking, so that no publication is missed
        let start = tokio::time::Instant::now();
        loop {
            let nobody = match self.reserve(host, tried) {
                Ok(in_flight) => return Ok(in_flight),
                Err(nobody) => nobody,
            };
            match tokio::time::timeout_at(start + nobody.hold, changed.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(nobody.then),
            }
        }
    }
}
