//! A canary under way, and a crowd that visits it: every request goes through the edge, and the crowd counts what it got from whom.
use super::{
    panel::{PATIENCE, TestPanel},
    shop::Shop,
};
use axum::{Router, extract::State, http::StatusCode};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};
use skypanel::{
    deployments::model::{Canary, Counts, Deployment, Numbers, Phase},
    edge::Target,
    error::Result,
    id::{DeploymentId, Id},
    metrics::server::task as metrics,
    runtime::{changes::Changed, config::Config},
    store::tables::{audit_event, deployment},
    swarm::LABEL_DEPLOYMENT,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Mutex, task::JoinHandle};

/// What a canary's server says.
pub const CANARY: &str = "the canary";
/// Visitors who come at once.
const AT_ONCE: usize = 12;

/// Half of the requests for a minute at least, compared from fifty on. A busy machine makes nothing slow enough to matter.
pub fn quick() -> Value {
    json!({ "steps": [{ "percent": 50, "seconds": 60 }], "longest_seconds": 3600, "min_requests": 50, "p95_floor_millis": 5_000 })
}

/// How a canary's server answers.
#[derive(Clone, Default)]
pub struct Backend {
    every: u64,
    takes: Duration,
    count: Arc<AtomicU64>,
}

impl Backend {
    /// Each n-th request gets a 500.
    pub fn fails_every(self, every: u64) -> Self {
        Backend { every, ..self }
    }

    /// Each answer takes so long.
    pub fn takes(self, takes: Duration) -> Self {
        Backend { takes, ..self }
    }

    async fn serve(self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(self);
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }
}

async fn answer(State(it): State<Backend>, request: axum::extract::Request) -> (StatusCode, &'static str) {
    // The probes of a deployment are no visitors.
    if request.uri().path() != "/buy" {
        return (StatusCode::OK, CANARY);
    }
    tokio::time::sleep(it.takes).await;
    let fails = it.every > 0 && (it.count.fetch_add(1, Ordering::SeqCst) + 1).is_multiple_of(it.every);
    (if fails { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }, CANARY)
}

/// What visitors got from one release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Got {
    pub requests: u64,
    pub errors: u64,
}

/// What a crowd got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Crowd {
    pub new: Got,
    pub old: Got,
}

impl Crowd {
    /// The same of what the panel says.
    pub fn of(numbers: &Numbers) -> Crowd {
        let got = |it: &Counts| Got { requests: it.requests, errors: it.errors };
        Crowd { new: got(&numbers.new), old: got(&numbers.old) }
    }

    /// Both together.
    pub fn and(&self, other: &Crowd) -> Crowd {
        let sum = |a: &Got, b: &Got| Got { requests: a.requests + b.requests, errors: a.errors + b.errors };
        Crowd { new: sum(&self.new, &other.new), old: sum(&self.old, &other.old) }
    }
}

/// A shop whose second release is a canary.
pub struct Try {
    pub shop: Shop,
    pub id: DeploymentId,
    /// The panel that goes on after the shop's own died.
    heir: Option<TestPanel>,
    walk: Mutex<Option<JoinHandle<Result<Option<String>>>>>,
}

impl Try {
    /// Waits until the canary has its first share.
    pub async fn begin(settings: Value, backend: impl FnOnce(Backend) -> Backend) -> Self {
        Self::with(|_| {}, settings, backend).await
    }

    /// The same on a panel that is configured a little differently.
    pub async fn with(change: impl FnOnce(&mut Config), settings: Value, backend: impl FnOnce(Backend) -> Backend) -> Self {
        let shop = Shop::with(change).await;
        let reply = shop.app.owner.put(&shop.app.url("rollout"), json!({ "strategy": "canary", "canary": settings })).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let address = backend(Backend::default()).serve().await;
        // The old release's tasks have servers already; should one be made again, nothing listens there.
        let old = shop.first.to_string();
        shop.t.fake.serve_with(move |task| (task.labels.get(LABEL_DEPLOYMENT) != Some(&old)).then_some(address));
        let id = shop.t.ask_to_deploy(&shop.app).await;
        let walk = Mutex::new(Some(shop.t.work()));
        let it = Try { shop, id, heir: None, walk };
        it.has_begun().await;
        it
    }

    /// The panel that is alive.
    pub fn now(&self) -> &TestPanel {
        self.heir.as_ref().unwrap_or(&self.shop.t)
    }

    async fn has_begun(&self) {
        self.until("the canary has its share", async || {
            let row = self.now().row(&self.id).await;
            assert!(row.finished_at.is_none(), "{}: {:?}", row.phase, row.failure);
            !self.shares().await.is_empty()
        })
        .await;
    }

    /// Waits for something.
    pub async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while !is_so().await {
            assert!(tokio::time::Instant::now() < end, "it never came to pass: {what}");
            self.look().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Lets the panel look at the numbers at once.
    pub async fn look(&self) {
        metrics::pass(&self.now().panel).await.unwrap();
        self.now().panel.changes.tell(Changed::App(self.shop.app.id.clone()));
    }

    /// What the edge was told: releases and their shares, the live one first.
    pub async fn shares(&self) -> Vec<(DeploymentId, u32)> {
        let routes = self.now().panel.routes.lock().await;
        let route = routes.routes.iter().find(|route| route.app == self.shop.app.id.to_string()).unwrap();
        let weights = route.policy.as_ref().map(|policy| policy.balance.weights.clone()).unwrap_or_default();
        let Target::Tasks { backends, .. } = &route.target else { return Vec::new() };
        let share = |id: &DeploymentId| weights.get(id.as_str()).filter(|_| backends.iter().any(|it| it.release == id.as_str()));
        [&self.shop.first, &self.id].into_iter().filter_map(|id| Some((id.clone(), *share(id)?))).collect()
    }

    async fn ask(&self, client: &reqwest::Client, cookie: &str) -> reqwest::Response {
        let t = self.now();
        let edge = t.panel.edge.as_ref().unwrap().addresses()[0];
        let host = format!("{}.{}", self.shop.app.name, t.panel.config.edge.apps_domain);
        let request = client.get(format!("http://{edge}/buy")).header("host", host);
        let request = if cookie.is_empty() { request } else { request.header("cookie", cookie) };
        request.send().await.unwrap()
    }

    /// So many requests, some at once; answers when the edge has counted them.
    pub async fn visit(&self, requests: usize) -> Crowd {
        self.visit_with("", requests).await
    }

    /// The same with a cookie.
    pub async fn visit_with(&self, cookie: &str, requests: usize) -> Crowd {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let (mut crowd, left) = (Crowd::default(), AtomicU64::new(requests as u64));
        let visitor = async || {
            let mut mine = Crowd::default();
            while left.try_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                let answer = self.ask(&client, cookie).await;
                let failed = answer.status().is_server_error();
                let got = if answer.text().await.unwrap() == CANARY { &mut mine.new } else { &mut mine.old };
                got.requests += 1;
                got.errors += u64::from(failed);
            }
            mine
        };
        for mine in futures::future::join_all((0..AT_ONCE).map(|_| visitor())).await {
            crowd = crowd.and(&mine);
        }
        let edge = self.now().panel.edge.as_ref().unwrap();
        while [&self.shop.first, &self.id].iter().any(|id| edge.in_flight_of_release(id.as_str()) > 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        crowd
    }

    /// One visitor who was never there: whom she met, and the cookie that she got.
    pub async fn meet(&self) -> (&'static str, String) {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let answer = self.ask(&client, "").await;
        let cookie = answer.headers().get("set-cookie").map(|it| it.to_str().unwrap().split(';').next().unwrap().to_string());
        let met = if answer.text().await.unwrap() == CANARY { CANARY } else { "the one before" };
        (met, cookie.unwrap_or_default())
    }

    /// The canary as the API shows it.
    pub async fn canary(&self) -> Canary {
        self.now().deployment(&self.shop.app, &self.id).await.canary.expect("it has begun")
    }

    /// Waits until the present step shows exactly what a crowd got.
    pub async fn sees(&self, crowd: &Crowd) -> Canary {
        self.until(&format!("it sees {crowd:?}"), async || {
            self.canary().await.steps.last().is_some_and(|step| Crowd::of(&step.numbers) == *crowd)
        })
        .await;
        self.canary().await
    }

    /// Waits until so many steps were begun, and the edge knows.
    pub async fn reaches_step(&self, number: usize) {
        self.until(&format!("step {number}"), async || {
            let canary = self.canary().await;
            canary.steps.len() == number
                && self.shares().await.iter().any(|(id, share)| *id == self.id && i64::from(*share) == canary.share)
        })
        .await;
    }

    /// Waits until the deployment ends so, and its walk with it.
    pub async fn ends_as(&self, phase: Phase) -> Deployment {
        self.until(&format!("it is {phase}"), async || {
            let row = self.now().row(&self.id).await;
            assert!(row.finished_at.is_none() || row.phase == phase, "{}: {:?}", row.phase, row.failure);
            row.phase == phase
        })
        .await;
        self.rest().await;
        self.now().deployment(&self.shop.app, &self.id).await
    }

    /// Waits for the walk.
    pub async fn rest(&self) {
        if let Some(walk) = self.walk.lock().await.take() {
            tokio::time::timeout(PATIENCE, walk).await.expect("it ends").unwrap().unwrap();
        }
    }

    /// The panel dies, and its lease runs out.
    pub async fn dies(&self) {
        let walk = self.walk.lock().await.take().unwrap();
        walk.abort();
        walk.await.ok();
        let row = deployment::ActiveModel {
            id: Set(self.id.clone()),
            lease_until: Set(Some(self.shop.t.panel.now() - Duration::from_secs(3600))),
            ..Default::default()
        };
        self.shop.t.panel.db.tx(async |tx| Ok(row.update(tx).await.unwrap())).await.unwrap();
    }

    /// Another one goes on, with an edge of its own.
    pub async fn goes_on_at(&mut self, heir: TestPanel) {
        skypanel::clusters::server::observe::pass(&heir.panel).await.unwrap();
        self.walk = Mutex::new(Some(heir.work()));
        skypanel::deployments::server::task::routes::pass(&heir.panel).await.unwrap();
        self.heir = Some(heir);
        self.has_begun().await;
    }

    /// What stands in the trail.
    pub async fn audited(&self) -> Vec<String> {
        let rows = audit_event::Entity::find().all(self.now().panel.db.read()).await.unwrap();
        rows.into_iter().map(|row| row.event).collect()
    }
}
