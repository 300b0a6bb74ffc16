//! Who may do what: every route of the API and every server function, tried by every role, by somebody of another organization,
//! and by somebody who is signed out. What is missing from the tables fails. Whoever is refused changes nothing.
use crate::support::{
    client::{Client, Reply},
    panel::{App, TestPanel},
};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};
use skypanel::{
    doors,
    id::DeploymentId,
    platform::db::tables::{application, deployment},
    rights::Role,
};
use std::collections::BTreeSet;

/// What the owner, an admin, a member, a viewer, the owner of another organization, and somebody signed out get; and the
/// permission that a refused viewer is told to lack.
type Answers = ([u16; 6], &'static str);

/// Whoever may look, may.
const LOOK: Answers = ([200, 200, 200, 200, 404, 401], "");
/// A list shows strangers their own, which is nothing.
const LIST: Answers = ([200, 200, 200, 200, 200, 401], "");
/// Open to the world.
const OPEN: Answers = ([200; 6], "");

#[rustfmt::skip]
const ROUTES: &[(&str, Answers)] = &[
    ("POST /api/auth/register",                       ([201; 6], "")),
    ("POST /api/auth/login",                          OPEN),
    ("POST /api/auth/logout",                         LIST),
    ("GET /api/auth/me",                              LIST),
    ("GET /api/paas/applications",                    LIST),
    // A stranger's own organization gets it.
    ("POST /api/paas/applications",                   ([201, 201, 201, 403, 201, 401], "create")),
    ("GET /api/paas/applications/{id}",               LOOK),
    ("PUT /api/paas/applications/{id}",               ([200, 200, 200, 403, 404, 401], "configure")),
    ("DELETE /api/paas/applications/{id}",            ([200, 200, 403, 403, 404, 401], "delete")),
    ("POST /api/paas/applications/{id}/scale",        ([200, 200, 200, 403, 404, 401], "scale")),
    ("POST /api/paas/applications/{id}/stop",         ([200, 200, 200, 403, 404, 401], "scale")),
    ("POST /api/paas/applications/{id}/start",        ([200, 200, 200, 403, 404, 401], "scale")),
    ("GET /api/paas/applications/{id}/env",           LOOK),
    ("PUT /api/paas/applications/{id}/env",           ([200, 200, 200, 403, 404, 401], "secrets")),
    ("PATCH /api/paas/applications/{id}/env",         ([200, 200, 200, 403, 404, 401], "secrets")),
    ("GET /api/paas/applications/{id}/events",        LOOK),
    ("GET /api/paas/applications/{id}/logs",          LOOK),
    ("GET /api/paas/applications/{id}/deployments",   LOOK),
    ("POST /api/paas/applications/{id}/deploy",       ([202, 202, 202, 403, 404, 401], "deploy")),
    ("POST /api/paas/applications/{id}/restart",      ([202, 202, 202, 403, 404, 401], "deploy")),
    ("GET /api/paas/deployments/{id}",                LOOK),
    ("GET /api/paas/deployments/{id}/logs",           LOOK),
    ("POST /api/paas/deployments/{id}/rollback",      ([202, 202, 202, 403, 404, 401], "deploy")),
    ("POST /api/paas/deployments/{id}/cancel",        ([202, 202, 202, 403, 404, 401], "deploy")),
];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Answers)] = &[
    ("accounts/fns/is_new",                  OPEN),
    ("accounts/fns/is_setup_link",           OPEN),
    ("accounts/fns/read_me",                 LIST),
    // The link was used up by the first administrator.
    ("accounts/fns/set_up",                  ([404; 6], "")),
    ("accounts/fns/sign_in",                 OPEN),
    ("accounts/fns/sign_out",                LIST),
    ("accounts/fns/sign_up",                 OPEN),
    // The URL is no repository's, which is an answer, too.
    ("apps/fns/check_repository",            ([200, 200, 200, 403, 200, 401], "create")),
    ("apps/fns/delete_application",          ([200, 200, 403, 403, 404, 401], "delete")),
    ("apps/fns/import_variables",            ([200, 200, 200, 403, 404, 401], "secrets")),
    ("apps/fns/read_application",            LOOK),
    ("apps/fns/read_application_logs",       LOOK),
    ("apps/fns/read_applications",           LIST),
    ("apps/fns/read_environment",            LOOK),
    ("apps/fns/read_state",                  LOOK),
    ("apps/fns/remove_variable",             ([200, 200, 200, 403, 404, 401], "secrets")),
    ("apps/fns/scale_application",           ([200, 200, 200, 403, 404, 401], "scale")),
    ("apps/fns/set_variable",                ([200, 200, 200, 403, 404, 401], "secrets")),
    ("apps/fns/start_application",           ([200, 200, 200, 403, 404, 401], "scale")),
    ("apps/fns/stop_application",            ([200, 200, 200, 403, 404, 401], "scale")),
    ("apps/fns/update_application",          ([200, 200, 200, 403, 404, 401], "configure")),
    ("deployments/fns/cancel_deployment",    ([200, 200, 200, 403, 404, 401], "deploy")),
    ("deployments/fns/create_application",   ([200, 200, 200, 403, 200, 401], "create")),
    ("deployments/fns/configure_application",([200, 200, 200, 403, 404, 401], "deploy")),
    ("deployments/fns/deploy_application",   ([200, 200, 200, 403, 404, 401], "deploy")),
    ("deployments/fns/read_deployment",      LOOK),
    ("deployments/fns/read_deployment_log",  LOOK),
    ("deployments/fns/read_deployments",     LOOK),
    ("deployments/fns/restart_application",  ([200, 200, 200, 403, 404, 401], "deploy")),
    ("deployments/fns/roll_back",            ([200, 200, 200, 403, 404, 401], "deploy")),
    ("kit/theme/set_theme",                  OPEN),
];

/// An application with a release before the live one, and a deployment that waits in the queue.
struct World {
    app: App,
    earlier: DeploymentId,
    live: DeploymentId,
    queued: DeploymentId,
}

impl World {
    async fn new(t: &TestPanel) -> Self {
        let app = t.app_in("acme").await;
        let earlier = t.deploy_well(&app).await.id;
        let live = t.deploy_well(&app).await.id;
        let queued = t.ask_to_deploy(&app).await;
        World { app, earlier, live, queued }
    }

    /// Which deployment a deed is about.
    fn deployment(&self, deed: &str) -> String {
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
        format!("{apps} {deployments} {:?} {:?}", t.app_row(&self.app).await, t.row(&self.queued).await)
    }
}

/// A browser and a script of each role, then of a stranger and of somebody signed out.
async fn callers(t: &TestPanel) -> Vec<(Client, Client)> {
    let mut all = Vec::new();
    for role in Role::ALL.into_iter().rev() {
        let member = t.member("acme", role).await;
        all.push((member.script.clone(), member.browser.clone()));
    }
    let other = t.member("globex", Role::Owner).await;
    all.push((other.script.clone(), other.browser.clone()));
    all.push((t.stranger(), t.stranger()));
    all
}

fn name(role: usize) -> &'static str {
    ["owner", "admin", "member", "viewer", "stranger", "signed out"][role]
}

fn fresh_name() -> String {
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

fn body(route: &str) -> Value {
    match route.split_once(' ').unwrap().1 {
        "/api/auth/register" => json!({ "name": "Ada", "email": format!("{}@example.com", fresh_name()), "password": "correct horse" }),
        "/api/auth/login" => json!({ "email": "grace@example.com", "password": "correct horse" }),
        "/api/paas/applications" => json!({ "name": fresh_name(), "source": { "image": { "reference": "shop:1" } } }),
        "/api/paas/applications/{id}" => json!({ "port": 3000 }),
        "/api/paas/applications/{id}/scale" => json!({ "replicas": 2 }),
        "/api/paas/applications/{id}/env" => json!({ "environment_variables": { "COLOUR": "red" } }),
        _ => json!({}),
    }
}

async fn ask(client: &Client, route: &str, world: &World) -> Reply {
    let (method, path) = route.split_once(' ').unwrap();
    let id = if path.contains("/deployments/{id}") { world.deployment(path) } else { world.app.id.to_string() };
    let path = path.replace("{id}", &id);
    match method {
        "GET" => client.get(&path).await,
        "DELETE" => client.delete(&path).await,
        _ => client.send(method, &path, body(route)).await,
    }
}

#[tokio::test]
async fn every_route_gives_each_role_what_is_its_due() {
    let t = TestPanel::start().await;
    accounts(&t).await;
    let mut world = World::new(&t).await;
    for (route, (expected, permission)) in ROUTES {
        // The refused first: what they ask for must leave the world as it is.
        let mut order: Vec<usize> = (0..6).collect();
        order.sort_by_key(|role| expected[*role] < 300);
        let callers = callers(&t).await;
        for role in order {
            let before = world.print(&t).await;
            let reply = ask(&callers[role].0, route, &world).await;
            assert_eq!(reply.status(), expected[role], "{route} as {}: {}", name(role), reply.text());
            if reply.status() >= 300 {
                assert_eq!(world.print(&t).await, before, "{route} as {} was refused and changed something", name(role));
            } else if !route.starts_with("GET") {
                world = World::new(&t).await;
            }
            if reply.status() == 403 {
                assert_eq!((reply.code(), reply.json()["error"]["required"].as_str()), ("FORBIDDEN", Some(*permission)), "{route}");
            }
        }
    }
}

#[tokio::test]
async fn every_route_of_the_document_stands_in_the_table() {
    let t = TestPanel::start().await;
    let document = t.stranger().get("/api/openapi.json").await;
    let mut documented = BTreeSet::new();
    for (path, operations) in document.json()["paths"].as_object().unwrap() {
        documented.extend(operations.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let tabled: BTreeSet<String> = ROUTES.iter().map(|(route, _)| (*route).to_string()).collect();
    assert_eq!(tabled, documented);
}

#[tokio::test]
async fn another_organization_named_in_a_header_is_not_there_on_any_route() {
    let t = TestPanel::start().await;
    let world = World::new(&t).await;
    let globex = t.member("globex", Role::Owner).await;
    let acme = t.org("acme").await;
    for client in [&globex.script, &globex.browser] {
        for (route, _) in ROUTES {
            let before = world.print(&t).await;
            let reply = ask(&client.with("x-organization-id", &acme.to_string()), route, &world).await;
            assert_eq!((reply.status(), reply.code()), (404, "ORGANIZATION_NOT_FOUND"), "{route}");
            assert_eq!(world.print(&t).await, before, "{route}");
        }
    }
}

fn fields(function: &str, world: &World) -> Vec<(&'static str, String)> {
    let id = || ("id", world.app.id.to_string());
    match function.rsplit('/').next().unwrap() {
        "is_new" | "read_me" | "sign_out" | "read_applications" => vec![],
        "is_setup_link" => vec![("token", "x".into())],
        "set_up" => vec![
            ("token", "x".into()),
            ("name", "Ada".into()),
            ("email", format!("{}@example.com", fresh_name())),
            ("password", "correct horse".into()),
        ],
        "sign_in" => vec![("email", "grace@example.com".into()), ("password", "correct horse".into())],
        "sign_up" => {
            vec![("name", "Ada".into()), ("email", format!("{}@example.com", fresh_name())), ("password", "correct horse".into())]
        }
        "check_repository" => vec![("repository_url", "ftp://x".into())],
        "create_application" => vec![("name", fresh_name()), ("source", "image".into()), ("reference", "shop:1".into())],
        // Nobody but the test knows the name: the role is asked first.
        "delete_application" => vec![id(), ("confirm", world.app.name.clone())],
        "import_variables" => vec![id(), ("environment", "COLOUR=red".into())],
        "remove_variable" => vec![id(), ("name", "COLOUR".into())],
        "set_variable" => vec![id(), ("name", "COLOUR".into()), ("value", "red".into())],
        "scale_application" => vec![id(), ("replicas", "2".into())],
        "update_application" => {
            vec![id(), ("version", "1".into()), ("source", "image".into()), ("reference", "shop:2".into()), ("port", "3000".into())]
        }
        "read_deployments" => vec![id(), ("page", "1".into()), ("limit", "20".into())],
        "cancel_deployment" | "roll_back" | "read_deployment" | "read_deployment_log" => vec![("id", world.deployment(function))],
        "set_theme" => vec![("theme", "dark".into())],
        _ => vec![id()],
    }
}

#[tokio::test]
async fn every_server_function_gives_each_role_what_is_its_due() {
    let t = TestPanel::start().await;
    accounts(&t).await;
    let mut world = World::new(&t).await;
    for (function, (expected, permission)) in FUNCTIONS {
        let mut order: Vec<usize> = (0..6).collect();
        order.sort_by_key(|role| expected[*role] < 300);
        let callers = callers(&t).await;
        for role in order {
            let before = world.print(&t).await;
            let fields = fields(function, &world);
            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = callers[role].1.call(&format!("/fn/skypanel/{function}"), &fields).await;
            let status = answer.as_ref().map_or_else(|why| why.status(), |_| 200);
            assert_eq!(status, expected[role], "{function} as {}: {:?}", name(role), answer.err());
            match answer {
                Err(why) => {
                    assert_eq!(world.print(&t).await, before, "{function} as {} was refused and changed something", name(role));
                    if status == 403 {
                        assert_eq!(why, skypanel::error::Error::Forbidden { permission: (*permission).into() }, "{function}");
                    }
                }
                Ok(_) if !function.contains("/read_") => world = World::new(&t).await,
                Ok(_) => {}
            }
        }
    }
}

#[test]
fn every_server_function_stands_in_the_table() {
    let tabled: BTreeSet<String> = FUNCTIONS.iter().map(|(function, _)| format!("/fn/skypanel/{function}")).collect();
    assert_eq!(tabled, doors::server_functions().into_iter().collect());
}
