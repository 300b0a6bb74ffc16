//! Who may do what: every route of the API and every server function, tried by every given role, by somebody of another organization,
//! by somebody who is signed out, and by an operator. What is missing from the tables fails. Whoever is refused changes nothing. Each
//! feature has a table of its own beside this file.
use crate::support::{
    client::{Client, Reply},
    panel::{App, TestPanel},
};
use futures::future::BoxFuture;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};
use skypanel::{
    features,
    id::DeploymentId,
    rights::Role,
    router,
    store::tables::{app_grant, application, deployment, invitation, membership, organization, role},
    web::declared::Declared,
};
use std::collections::{BTreeSet, HashMap};

mod accounts;
mod admin;
mod apps;
mod audit;
mod deployments;
mod domains;
mod edges;
mod factors;
mod keys;
mod mail;
mod metrics;
mod orgs;
mod reports;
mod routing;

/// What the owner, an admin, a developer, one for billing, a viewer, the owner of another organization, and somebody signed out get;
/// and the permission that whoever is refused with 403 is told to lack. An operator gets what the other organization's owner gets,
/// except on the routes that are the operator's alone.
pub type Answers = ([u16; 7], &'static str);

/// Names and values: of a form, or of a path.
pub type Pairs = Vec<(&'static str, String)>;

/// Whoever may look, may.
pub const LOOK: Answers = ([200, 200, 200, 200, 200, 404, 401], "");
/// A list shows strangers their own, which is nothing.
pub const LIST: Answers = ([200, 200, 200, 200, 200, 200, 401], "");
/// Open to the world.
pub const OPEN: Answers = ([200; 7], "");
/// The operator's alone.
#[allow(dead_code)]
pub const OPERATOR: Answers = ([403, 403, 403, 403, 403, 403, 401], "operator");

/// What a feature says of its routes and server functions.
pub struct Table {
    pub routes: &'static [(&'static str, Answers)],
    /// Without `/fn/skypanel/`.
    pub functions: &'static [(&'static str, Answers)],
    /// The body of a route that needs one.
    pub body: fn(&str, &World) -> Option<Value>,
    /// The fields of a function, by its last word; without an answer it gets the application's id.
    pub fields: fn(&str, &World) -> Option<Pairs>,
    /// What stands for the `{…}` of a path; without an answer `{id}` is the application.
    pub place: fn(&str, &World) -> Option<Pairs>,
    /// Makes what the table's routes need beside the application, and notes it in [`World::more`].
    pub prepare: Option<Prepare>,
}

/// See [`Table::prepare`].
pub type Prepare = for<'a> fn(&'a TestPanel, &'a mut World) -> BoxFuture<'a, ()>;

/// An application with a release before the live one, a deployment that waits in the queue, and what a table needs beside them.
pub struct World {
    pub app: App,
    pub earlier: DeploymentId,
    pub live: DeploymentId,
    pub queued: DeploymentId,
    #[allow(dead_code)]
    pub more: HashMap<&'static str, String>,
}

impl World {
    async fn new(t: &TestPanel, table: &Table) -> Self {
        let app = t.app_in("acme").await;
        let earlier = t.deploy_well(&app).await.id;
        let live = t.deploy_well(&app).await.id;
        let queued = t.ask_to_deploy(&app).await;
        let mut world = World { app, earlier, live, queued, more: HashMap::new() };
        if let Some(prepare) = table.prepare {
            prepare(t, &mut world).await;
        }
        world
    }

    /// Which deployment a deed is about.
    pub fn deployment(&self, deed: &str) -> String {
        let id = match deed.rsplit('/').next() {
            Some("rollback" | "roll_back") => &self.earlier,
            Some("cancel" | "cancel_deployment") => &self.queued,
            _ => &self.live,
        };
        id.to_string()
    }

    /// What there is, so that a change shows.
    async fn print(&self, t: &TestPanel) -> String {
        let db = t.panel.db.read();
        let (apps, deployments) =
            (application::Entity::find().count(db).await.unwrap(), deployment::Entity::find().count(db).await.unwrap());
        // PostgreSQL gives a table's rows in no order of its own.
        let people = in_order(membership::Entity::find().all(db).await.unwrap());
        let (orgs, asked) =
            (in_order(organization::Entity::find().all(db).await.unwrap()), in_order(invitation::Entity::find().all(db).await.unwrap()));
        let (roles, grants) =
            (in_order(role::Entity::find().all(db).await.unwrap()), in_order(app_grant::Entity::find().all(db).await.unwrap()));
        let rows = format!("{:?} {:?}", t.app_row(&self.app).await, t.row(&self.queued).await);
        format!("{apps} {deployments} {rows} {people} {orgs} {asked} {roles} {grants}")
    }
}

fn in_order<T: std::fmt::Debug>(rows: Vec<T>) -> String {
    let mut rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows.join(" ")
}

/// A browser and a script of each role, then of a stranger, of somebody signed out, and of an operator.
async fn callers(t: &TestPanel) -> Vec<(Client, Client)> {
    let mut all = Vec::new();
    for role in [Role::Owner, Role::Admin, Role::Developer, Role::Billing, Role::Viewer] {
        let member = t.member("acme", role).await;
        all.push((member.script.clone(), member.browser.clone()));
    }
    let other = t.member("globex", Role::Owner).await;
    all.push((other.script.clone(), other.browser.clone()));
    all.push((t.stranger(), t.stranger()));
    let operator = t.operator().await;
    all.push((operator.script.clone(), operator.browser.clone()));
    all
}

const OPERATORS: usize = 7;

fn name(role: usize) -> &'static str {
    ["owner", "admin", "developer", "billing", "viewer", "stranger", "signed out", "operator"][role]
}

/// What a caller is due. An operator's own routes answer with whatever success is theirs.
fn is_due(status: u16, expected: &Answers, role: usize) -> bool {
    match role {
        OPERATORS if expected.1 == "operator" => status < 300,
        OPERATORS => status == expected.0[5],
        role => status == expected.0[role],
    }
}

fn is_refused(expected: &Answers, role: usize) -> bool {
    match role {
        OPERATORS => expected.1 != "operator" && expected.0[5] >= 300,
        role => expected.0[role] >= 300,
    }
}

/// A name that no test used before.
pub fn fresh_name() -> String {
    static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    format!("new-{}", COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
}

/// The first administrator, and an account to sign in with.
async fn accounts(t: &TestPanel) {
    let link = skypanel::accounts::server::service::setup_link(&t.panel).await.unwrap().unwrap();
    let mut body = json!({ "name": "Grace Hopper", "email": "grace@example.com", "password": "correct horse" });
    body["setup_token"] = link.rsplit('/').next().into();
    assert_eq!(t.stranger().post("/api/auth/register", body).await.status(), 201);
}

async fn ask(client: &Client, table: &Table, route: &str, world: &World) -> Reply {
    let (method, path) = route.split_once(' ').unwrap();
    let places = (table.place)(route, world).unwrap_or_else(|| vec![("{id}", world.app.id.to_string())]);
    let path = places.iter().fold(path.to_string(), |path, (name, value)| path.replace(name, value));
    match method {
        "GET" => client.get(&path).await,
        "DELETE" => client.delete(&path).await,
        _ => client.send(method, &path, (table.body)(route, world).unwrap_or_else(|| json!({}))).await,
    }
}

async fn every_route(table: &Table) {
    let t = TestPanel::start().await;
    accounts(&t).await;
    let mut world = World::new(&t, table).await;
    for (route, due) in table.routes {
        // The refused first: what they ask for must leave the world as it is.
        let mut order: Vec<usize> = (0..=OPERATORS).collect();
        order.sort_by_key(|role| !is_refused(due, *role));
        let callers = callers(&t).await;
        for role in order {
            let before = world.print(&t).await;
            let reply = ask(&callers[role].0, table, route, &world).await;
            assert!(is_due(reply.status(), due, role), "{route} as {}: {} {}", name(role), reply.status(), reply.text());
            if reply.status() >= 300 {
                assert_eq!(world.print(&t).await, before, "{route} as {} was refused and changed something", name(role));
            } else if !route.starts_with("GET") {
                world = World::new(&t, table).await;
            }
            if reply.status() == 403 {
                assert_eq!((reply.code(), reply.json()["error"]["required"].as_str()), ("FORBIDDEN", Some(due.1)), "{route}");
            }
        }
    }
}

async fn every_function(table: &Table) {
    let t = TestPanel::start().await;
    accounts(&t).await;
    let mut world = World::new(&t, table).await;
    for (function, due) in table.functions {
        let mut order: Vec<usize> = (0..=OPERATORS).collect();
        order.sort_by_key(|role| !is_refused(due, *role));
        let callers = callers(&t).await;
        for role in order {
            let before = world.print(&t).await;
            let word = function.rsplit('/').next().unwrap();
            let fields = (table.fields)(word, &world).unwrap_or_else(|| vec![("id", world.app.id.to_string())]);
            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = callers[role].1.call(&format!("/fn/skypanel/{function}"), &fields).await;
            let status = answer.as_ref().map_or_else(|why| why.status(), |_| 200);
            assert!(is_due(status, due, role), "{function} as {}: {status} {:?}", name(role), answer.err());
            match answer {
                Err(why) => {
                    assert_eq!(world.print(&t).await, before, "{function} as {} was refused and changed something", name(role));
                    if status == 403 {
                        assert_eq!(why, skypanel::error::Error::Forbidden { permission: due.1.into() }, "{function}");
                    }
                }
                Ok(_) if !function.contains("/read_") => world = World::new(&t, table).await,
                Ok(_) => {}
            }
        }
    }
}

macro_rules! of_each_table {
    ($($table:ident),* $(,)?) => {
        /// Every feature's table.
        const TABLES: &[&Table] = &[$(&$table::TABLE),*];

        mod tables {$(
            mod $table {
                #[tokio::test]
                async fn every_route_gives_each_role_what_is_its_due() {
                    super::super::every_route(&super::super::$table::TABLE).await;
                }

                #[tokio::test]
                async fn every_server_function_gives_each_role_what_is_its_due() {
                    super::super::every_function(&super::super::$table::TABLE).await;
                }
            }
        )*}
    };
}
of_each_table!(accounts, admin, apps, audit, deployments, domains, edges, factors, keys, mail, metrics, orgs, reports, routing);

#[tokio::test]
async fn every_route_of_the_document_stands_in_a_table() {
    let t = TestPanel::start().await;
    let document = t.stranger().get("/api/openapi.json").await;
    let mut documented = BTreeSet::new();
    for (path, operations) in document.json()["paths"].as_object().unwrap() {
        documented.extend(operations.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let tabled: BTreeSet<String> = TABLES.iter().flat_map(|table| table.routes).map(|(route, _)| (*route).to_string()).collect();
    assert_eq!(tabled, documented);
}

#[tokio::test]
async fn another_organization_named_in_a_header_is_not_there_on_any_route() {
    let t = TestPanel::start().await;
    let globex = t.member("globex", Role::Owner).await;
    let acme = t.org("acme").await;
    for table in TABLES {
        let world = World::new(&t, table).await;
        for client in [&globex.script, &globex.browser] {
            for (route, _) in table.routes {
                let before = world.print(&t).await;
                let reply = ask(&client.with("x-organization-id", &acme.to_string()), table, route, &world).await;
                assert_eq!((reply.status(), reply.code()), (404, "ORGANIZATION_NOT_FOUND"), "{route}");
                assert_eq!(world.print(&t).await, before, "{route}");
            }
        }
    }
}

#[test]
fn every_route_that_changes_something_says_what_it_costs() {
    let (_, document) = router::api().split_for_parts();
    let missing = Declared::new(&document.paths, features::functions()).without_class();
    assert!(missing.is_empty(), "without .limit(Class::…): {missing:?}");
}

#[test]
fn every_server_function_that_changes_something_says_what_it_costs() {
    let all: BTreeSet<String> = router::server_functions().into_iter().collect();
    let mut classed = BTreeSet::new();
    for one in features::functions() {
        assert!(classed.insert(one.path.to_string()), "{} is named twice", one.path);
        assert!(all.contains(one.path), "{} is no server function", one.path);
    }
    let word = |path: &str| path.rsplit('/').next().unwrap().to_string();
    let changes = |path: &&String| !["read_", "is_"].iter().any(|reads| word(path).starts_with(reads));
    let missing: Vec<&String> = all.iter().filter(changes).filter(|path| !classed.contains(*path)).collect();
    assert!(missing.is_empty(), "in no feature's functions: {missing:?}");
}

#[test]
fn every_server_function_stands_in_a_table() {
    let all = TABLES.iter().flat_map(|table| table.functions);
    let tabled: BTreeSet<String> = all.map(|(function, _)| format!("/fn/skypanel/{function}")).collect();
    assert_eq!(tabled, router::server_functions().into_iter().collect());
}
