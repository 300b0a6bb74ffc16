//! A whole panel in one process: the real router and the real database (an SQLite file of its own or, where
//! `SKYPANEL_TEST_POSTGRES` names a server, a PostgreSQL database of its own), a real edge on a free port, a fake swarm, and a clock
//! that the test holds. No loop runs by itself: [`TestPanel::settle`] runs them all to rest.
use super::client::{Client, Person};
use axum::Router;
use migration::{Migrator, MigratorTrait};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, Database, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use skypanel::auth::session::SessionCache;
use skypanel::{
    accounts::server::service as accounts,
    auth::{
        access_tokens,
        session::{self, NewSession, Via},
    },
    clusters::server::service as clusters,
    deployments::{
        model::{Deployment, Phase},
        server::task as queue,
    },
    edge::{Edge, EdgeConfig, Listener, Target},
    error::Result,
    fault::Because,
    features,
    id::{AppId, DeploymentId, Id, OrgId, ProviderId, UserId},
    outbox::{self, Draft},
    rights::Role,
    router,
    runtime::{
        clock::{Clock, HeldClock, SystemClock},
        config::Config,
        panel::Panel,
        swarms::Swarms,
    },
    store::{
        Db, random,
        secrets::Secrets,
        tables::{self, application, deployment, organization, provider, user},
    },
    swarm::fake::Fake,
    units::{Bytes, MilliCpu},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;

/// How long a test waits for what must come to pass.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A database of a test's own; gone when the test is.
pub struct TestDatabase {
    pub url: String,
    pub dir: TempDir,
    /// The server and the name, where it is PostgreSQL.
    postgres: Option<(String, String)>,
}

impl TestDatabase {
    /// An empty database.
    pub async fn empty() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let dir = tempfile::tempdir().unwrap();
        let Ok(server) = std::env::var("SKYPANEL_TEST_POSTGRES") else {
            let url = format!("sqlite://{}?mode=rwc", dir.path().join("skypanel.db").display());
            return TestDatabase { url, dir, postgres: None };
        };
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        administer(&server, &format!("CREATE DATABASE {name}")).await;
        let mut url = url::Url::parse(&server).unwrap();
        url.set_path(&name);
        TestDatabase { url: url.into(), dir, postgres: Some((server, name)) }
    }
}

async fn administer(server: &str, statement: &str) {
    let admin = Database::connect(server).await.unwrap();
    admin.execute_unprepared(statement).await.unwrap();
    admin.close().await.unwrap();
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some((server, name)) = self.postgres.take() else { return };
        // A thread of its own: the test's runtime can't be blocked on.
        let drop = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(administer(&server, &format!("DROP DATABASE {name} WITH (FORCE)")));
        };
        std::thread::spawn(drop).join().unwrap();
    }
}

/// The statements that a panel's database was asked, while somebody listens.
#[derive(Default)]
pub struct Heard(std::sync::Mutex<Option<Vec<sea_orm::Statement>>>);

impl Heard {
    /// Listens from now on.
    pub fn begin(&self) {
        *self.0.lock().unwrap() = Some(Vec::new());
    }

    /// What was asked since then.
    pub fn end(&self) -> Vec<sea_orm::Statement> {
        self.0.lock().unwrap().take().unwrap_or_default()
    }

    fn hear(&self, statement: &sea_orm::Statement) {
        if let Some(all) = self.0.lock().unwrap().as_mut() {
            all.push(statement.clone());
        }
    }
}

/// The panel of a test.
pub struct TestPanel {
    pub heard: Arc<Heard>,
    pub panel: Arc<Panel>,
    pub clock: Arc<HeldClock>,
    /// The swarm of the first provider.
    pub fake: Fake,
    pub router: Router,
    pub database: Arc<TestDatabase>,
}

impl TestPanel {
    /// A panel with an empty database, that deploys without a stability window.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A panel that is configured a little differently.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let database = Arc::new(TestDatabase::empty().await);
        let mut config = Config { data_dir: database.dir.path().into(), database_url: Some(database.url.clone()), ..Config::default() };
        config.edge.listen = vec![([127, 0, 0, 1], 0).into()];
        config.edge.listen_tls = Vec::new();
        config.edge.hold_seconds = 1;
        config.swarm.endpoint = "fake:".into();
        // The clock stands still, and so would every minute.
        config.limits.enabled = false;
        // Nothing listens there: a test that asks the DNS brings its own.
        config.domains.name_servers = vec![([127, 0, 0, 1], 9).into()];
        config.git.allowed_networks = vec!["127.0.0.0/8".parse().unwrap()];
        let deploy = &mut config.deploy;
        (deploy.stability_seconds, deploy.start_seconds, deploy.room_seconds, deploy.drain_seconds) = (0, 1, 0, 5);
        change(&mut config);
        let clock = Arc::new(HeldClock::at(SystemClock.now()));
        let fake = Fake::with_nodes(1, MilliCpu(64_000), Bytes::mib(128 * 1024));
        fake.set_pace(Duration::ZERO, Duration::ZERO);
        fake.serve();
        let db = Db::connect(&database.url).await.unwrap();
        db.migrate().await.unwrap();
        Self::open(database, config, db, clock, fake).await
    }

    /// Another panel on the same database and swarm: a second process, or the first one started again.
    pub async fn another(&self) -> Self {
        let db = Db::connect(&self.database.url).await.unwrap();
        Self::open(self.database.clone(), self.panel.config.clone(), db, self.clock.clone(), self.fake.clone()).await
    }

    async fn open(database: Arc<TestDatabase>, config: Config, mut db: Db, clock: Arc<HeldClock>, fake: Fake) -> Self {
        let heard = Arc::new(Heard::default());
        let hears = heard.clone();
        db.on_statement(move |statement| hears.hear(statement));
        let _ = rustls::crypto::ring::default_provider().install_default();
        let secrets = Secrets::open(&config.data_dir.join("master.key")).unwrap();
        let listener = |tls: bool| move |address: &std::net::SocketAddr| Listener { tls, ..(*address).into() };
        let edge = EdgeConfig {
            listen: config.edge.listen.iter().map(listener(false)).chain(config.edge.listen_tls.iter().map(listener(true))).collect(),
            threads: 1,
            grace: Duration::ZERO,
            ..EdgeConfig::default()
        };
        let edge = Edge::start(edge).unwrap();
        skypanel::audit::server::chain::attach(&db, &secrets);
        let panel = Panel::new(config, db, clock.clone(), secrets, Swarms::default(), Some(edge));
        features::introduce(&panel);
        clusters::found(&panel).await.unwrap();
        let router = router::router(panel.clone(), router::test_options());
        let t = TestPanel { heard, panel, clock, fake, router, database };
        t.panel.swarms.put(t.provider().await, Arc::new(t.fake.clone()));
        t
    }

    /// The first provider.
    pub async fn provider(&self) -> ProviderId {
        let first = provider::Entity::find().order_by_asc(provider::Column::Id).one(self.panel.db.read()).await.unwrap();
        first.unwrap().id
    }

    /// Somebody who is signed out.
    pub fn stranger(&self) -> Client {
        Client::new(self.router.clone())
    }

    /// The organization of this name; made where there is none yet.
    pub async fn org(&self, name: &str) -> OrgId {
        let known =
            organization::Entity::find().filter(organization::Column::Name.eq(name)).filter(organization::Column::DeletedAt.is_null());
        let known = known.one(self.panel.db.read()).await.unwrap();
        if let Some(known) = known {
            return known.id;
        }
        let id: OrgId = random::id();
        let row = organization::ActiveModel {
            id: Set(id.clone()),
            name: Set(name.into()),
            slug: Set(id.suffix().into()),
            created_at: Set(self.panel.now()),
            ..Default::default()
        };
        let made = self.panel.db.tx(async |tx| Ok(organization::Entity::insert(row).exec_without_returning(tx).await.unwrap())).await;
        made.unwrap();
        clusters::of_organization(&self.panel, &id).await.unwrap();
        id
    }

    /// A new member of an organization, signed in.
    pub async fn member(&self, org: &str, role: Role) -> Person {
        let (org, id): (OrgId, UserId) = (self.org(org).await, random::id());
        let row = user::ActiveModel {
            id: Set(id.clone()),
            email: Set(format!("{}@example.com", id.suffix())),
            name: Set("Ada Lovelace".into()),
            // No password has this hash: who wants to sign in signs up first.
            password_hash: Set("!".into()),
            is_operator: Set(false),
            created_at: Set(self.panel.now()),
            email_verified_at: Set(Some(self.panel.now())),
            ..Default::default()
        };
        let joined = self.panel.db.tx(async |tx| {
            user::Entity::insert(row).exec_without_returning(tx).await.unwrap();
            accounts::join(tx, &self.panel, &org, &id, role).await
        });
        joined.await.unwrap();
        self.sign_in(&id, &org).await
    }

    /// What was put into the outbox: recipients and letters, the oldest first.
    pub async fn mails(&self) -> Vec<(String, Draft)> {
        let rows = tables::mail::Entity::find().order_by_asc(tables::mail::Column::Id).all(self.panel.db.read()).await.unwrap();
        rows.into_iter().map(|row| (row.recipient.clone(), outbox::content(&self.panel, &row).unwrap())).collect()
    }

    /// An operator of the platform, who owns an organization of her own.
    pub async fn operator(&self) -> Person {
        let operator = self.member("operators", Role::Owner).await;
        let row = user::ActiveModel { id: Set(operator.user.clone()), is_operator: Set(true), ..Default::default() };
        self.panel.db.tx(async |tx| row.update(tx).await.because("making an operator")).await.unwrap();
        self.panel.of::<SessionCache>().forget_user(&operator.user);
        operator
    }

    /// Opens a session of each kind for somebody.
    pub async fn sign_in(&self, user: &UserId, org: &OrgId) -> Person {
        let open = async |via| {
            let (address, agent) = ("203.0.113.1", "a test");
            let new = NewSession { user, org, via, method: "password", address, agent, impersonator: None, life: None };
            let opened = self.panel.db.tx(async |tx| session::open(tx, &self.panel, new).await);
            opened.await.unwrap()
        };
        let (script, cookie) = (open(Via::Bearer).await, open(Via::Cookie).await);
        // Longer than those that are handed out: a test may step over hours.
        let token = access_tokens::sign(&self.panel, &script.id, user, Duration::from_secs(12 * 3600)).await.unwrap();
        let script = self.stranger().with("authorization", &format!("Bearer {token}"));
        let browser = self
            .stranger()
            .with("cookie", &format!("{}={}", session::COOKIE, cookie.token))
            .with("origin", &self.panel.config.public_url())
            .with("x-csrf-token", &self.panel.secrets.form_token(cookie.id.as_str()));
        Person { user: user.clone(), org: org.clone(), script, browser }
    }

    /// An application of an organization, from an image that serves; not deployed yet.
    pub async fn app_in(&self, org: &str) -> App {
        self.app_with(org, json!({})).await
    }

    /// An application from a git repository.
    pub async fn app_from(&self, org: &str, repository: &str) -> App {
        self.app_with(org, json!({ "source": { "git": { "repository_url": repository } } })).await
    }

    /// An application whose body has some fields of the test's own.
    pub async fn app_with(&self, org: &str, fields: Value) -> App {
        let owner = self.member(org, Role::Owner).await;
        let tail: String = random::suffix().chars().rev().take(8).collect();
        let mut body = json!({ "name": format!("web-{tail}x"), "source": { "image": { "reference": "shop:1" } }, "port": 8080 });
        for (key, value) in fields.as_object().unwrap() {
            body[key] = value.clone();
        }
        let reply = owner.post("/api/paas/applications", body).await;
        assert_eq!(reply.status(), 201, "{}", reply.text());
        let text = |field: &str| reply.data()[field].as_str().unwrap();
        App { id: text("id").parse().unwrap(), name: text("name").into(), owner }
    }

    /// Asks for a deployment and answers with its id.
    pub async fn ask_to_deploy(&self, app: &App) -> DeploymentId {
        let reply = app.owner.post(&app.url("deploy"), json!({})).await;
        assert_eq!(reply.status(), 202, "{}", reply.text());
        reply.data()["id"].as_str().unwrap().parse().unwrap()
    }

    /// Deploys, and answers with what came of it.
    pub async fn deploy(&self, app: &App) -> Deployment {
        let id = self.ask_to_deploy(app).await;
        self.settle().await;
        self.deployment(app, &id).await
    }

    /// Deploys and insists that it went live.
    pub async fn deploy_well(&self, app: &App) -> Deployment {
        let done = self.deploy(app).await;
        assert_eq!(done.phase, Phase::Live, "{:?}", done.failure);
        done
    }

    /// A deployment as the API shows it.
    pub async fn deployment(&self, app: &App, id: &DeploymentId) -> Deployment {
        let reply = app.owner.get(&format!("/api/paas/deployments/{id}")).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        serde_json::from_value(reply.data().clone()).unwrap()
    }

    /// The row of a deployment.
    pub async fn row(&self, id: &DeploymentId) -> deployment::Model {
        deployment::Entity::find_by_id(id.clone()).one(self.panel.db.read()).await.unwrap().unwrap()
    }

    /// The row of an application.
    pub async fn app_row(&self, app: &App) -> application::Model {
        application::Entity::find_by_id(app.id.clone()).one(self.panel.db.read()).await.unwrap().unwrap()
    }

    /// Works on the queue beside the test.
    pub fn work(&self) -> tokio::task::JoinHandle<Result<Option<String>>> {
        let panel = self.panel.clone();
        tokio::spawn(async move { queue::pass(&panel).await })
    }

    /// Waits until a deployment is in a phase.
    pub async fn reaches(&self, id: &DeploymentId, phase: Phase) {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let now = self.row(id).await;
            if now.phase == phase {
                return;
            }
            assert!(tokio::time::Instant::now() < end, "it is {} and not {phase}: {:?}", now.phase, now.failure);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until a deployment that is walked beside the test is over.
    pub async fn ends(&self, id: &DeploymentId) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while self.row(id).await.finished_at.is_none() {
            assert!(tokio::time::Instant::now() < end, "it does not end: {}", self.row(id).await.phase);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Runs every loop that can rest until nothing is left to do.
    pub async fn settle(&self) {
        for _ in 0..20 {
            if !self.settle_once().await {
                return;
            }
        }
        panic!("the loops do not come to rest");
    }

    /// Runs every loop that can rest once, the lowest first, and says whether any did something.
    pub async fn settle_once(&self) -> bool {
        let mut did = false;
        for one in features::loops().filter(|one| one.is_needed(&self.panel)) {
            let Some(pass) = one.pass else { continue };
            let done = pass(&self.panel).await.unwrap_or_else(|why| panic!("{}: {why}", one.name));
            did |= done.is_some();
        }
        did
    }

    /// What a visitor of an application gets at the edge: the status and the body.
    pub async fn visit(&self, app: &App) -> (u16, String) {
        let edge = self.panel.edge.as_ref().unwrap().addresses()[0];
        let host = format!("{}.{}", self.app_row(app).await.host, self.panel.config.edge.apps_domain);
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let answer = client.get(format!("http://{edge}/")).header("host", host).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// What the edge was told last about an application: the deployments behind its address.
    pub async fn routed_to(&self, app: &App) -> Vec<String> {
        let routes = self.panel.routes.lock().await;
        let route = routes.routes.iter().find(|route| route.app == app.id.to_string());
        match route.map(|route| &route.target) {
            Some(Target::Tasks { backends, .. }) => backends.iter().map(|backend| backend.release.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// The services of an application on the swarm, by name.
    pub fn services(&self, app: &App) -> Vec<String> {
        services(&self.fake, app)
    }

    /// How many copies of an application run.
    pub fn replicas(&self, app: &App) -> usize {
        let is_of = |task: &&skypanel::swarm::Task| task.labels.get(skypanel::swarm::LABEL_APP) == Some(&app.id.to_string());
        let runs = |task: &&skypanel::swarm::Task| task.state == skypanel::swarm::TaskState::Running && task.wanted;
        self.fake.look().tasks.iter().filter(is_of).filter(runs).count()
    }

    /// Everything that is stored, as text.
    pub async fn stored(&self) -> String {
        let db = &self.panel.db;
        if db.backend() == sea_orm::DbBackend::Postgres {
            let all = sea_orm::Statement::from_string(db.backend(), "SELECT database_to_xml(true, false, '')::text AS everything");
            let row = db.read().query_one_raw(all).await.unwrap().unwrap();
            return row.try_get("", "everything").unwrap();
        }
        let read = |end: &str| std::fs::read(self.database.dir.path().join(format!("skypanel.db{end}"))).unwrap_or_default();
        String::from_utf8_lossy(&[read(""), read("-wal")].concat()).into_owned()
    }

    /// Insists that this deployment is live, routed, and alone on the swarm.
    pub async fn is_live_alone(&self, app: &App, id: &DeploymentId) {
        assert_eq!(self.app_row(app).await.live_deployment_id.as_ref(), Some(id), "live");
        assert_eq!(self.services(app), [format!("sky-{}", id.suffix())], "on the swarm");
        let routed = self.routed_to(app).await;
        assert!(!routed.is_empty() && routed.iter().all(|it| it == id.as_str()), "routed to {routed:?}");
        assert_eq!(self.visit(app).await.0, 200);
    }
}

impl Drop for TestPanel {
    fn drop(&mut self) {
        self.panel.stop.cancel();
    }
}

/// The services of an application on a swarm, by name.
pub fn services(fake: &Fake, app: &App) -> Vec<String> {
    let is_of = |spec: &skypanel::swarm::ServiceSpec| spec.labels.get(skypanel::swarm::LABEL_APP) == Some(&app.id.to_string());
    fake.look().services.into_iter().filter(|(_, spec)| is_of(spec)).map(|(name, _)| name).collect()
}

/// An application and its owner.
pub struct App {
    pub id: AppId,
    pub name: String,
    pub owner: Person,
}

impl App {
    /// The address of something of this application in the API.
    pub fn url(&self, what: &str) -> String {
        let url = format!("/api/paas/applications/{}/{what}", self.id);
        url.trim_end_matches('/').to_string()
    }
}

/// Does the next migration.
pub async fn step_up(db: &Db) {
    db.tx(async |tx| Migrator::up(tx, Some(1)).await.because("going up")).await.unwrap();
}

/// Undoes the last `steps` migrations.
pub async fn step_down(db: &Db, steps: u32) {
    db.tx(async |tx| Migrator::down(tx, Some(steps)).await.because("going down")).await.unwrap();
}
