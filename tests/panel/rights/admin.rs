//! What the operator does.
use super::{Answers, OPERATOR, Pairs, Table, World, fresh_name};
use crate::support::panel::TestPanel;
use futures::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};
use skypanel::rights::Role;

#[rustfmt::skip]
const ROUTES: &[(&str, Answers)] = &[
    ("GET /api/admin/overview",                        OPERATOR),
    ("GET /api/admin/users",                           OPERATOR),
    ("GET /api/admin/users/{id}",                      OPERATOR),
    ("POST /api/admin/users/{id}/suspend",             OPERATOR),
    ("POST /api/admin/users/{id}/resume",              OPERATOR),
    ("POST /api/admin/users/{id}/impersonate",         OPERATOR),
    ("PUT /api/admin/users/{id}/operator",             OPERATOR),
    ("GET /api/admin/organizations",                   OPERATOR),
    ("GET /api/admin/organizations/{id}",              OPERATOR),
    ("POST /api/admin/organizations/{id}/suspend",     OPERATOR),
    ("POST /api/admin/organizations/{id}/resume",      OPERATOR),
    ("GET /api/admin/announcements",                   OPERATOR),
    ("POST /api/admin/announcements",                  OPERATOR),
    ("GET /api/admin/announcements/{id}",              OPERATOR),
    ("PUT /api/admin/announcements/{id}",              OPERATOR),
    ("DELETE /api/admin/announcements/{id}",           OPERATOR),
    ("GET /api/admin/flags",                           OPERATOR),
    ("PUT /api/admin/flags/{name}",                    OPERATOR),
];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Answers)] = &[
    ("admin/fns/create_announcement",        OPERATOR),
    ("admin/fns/delete_announcement",        OPERATOR),
    // Whoever sees one puts it away for herself.
    ("admin/fns/dismiss_announcement",       ([200, 200, 200, 200, 200, 200, 401], "")),
    ("admin/fns/end_impersonation",          ([409, 409, 409, 409, 409, 409, 401], "")),
    ("admin/fns/impersonate_user",           OPERATOR),
    ("admin/fns/read_admin_organization",    OPERATOR),
    ("admin/fns/read_announcement",          OPERATOR),
    ("admin/fns/read_announcements",         OPERATOR),
    ("admin/fns/read_flags",                 OPERATOR),
    ("admin/fns/read_organizations",         OPERATOR),
    ("admin/fns/read_overview",              OPERATOR),
    ("admin/fns/read_user",                  OPERATOR),
    ("admin/fns/read_users",                 OPERATOR),
    ("admin/fns/resume_organization",        OPERATOR),
    ("admin/fns/resume_user",                OPERATOR),
    ("admin/fns/set_flag",                   OPERATOR),
    ("admin/fns/set_operator",               OPERATOR),
    ("admin/fns/suspend_organization",       OPERATOR),
    ("admin/fns/suspend_user",               OPERATOR),
    ("admin/fns/update_announcement",        OPERATOR),
];

pub const TABLE: Table = Table { routes: ROUTES, functions: FUNCTIONS, body, fields, place, prepare: Some(prepare) };

/// Somebody and an organization that can be suspended, both of them that can be resumed, and an announcement.
fn prepare<'a>(t: &'a TestPanel, world: &'a mut World) -> BoxFuture<'a, ()> {
    async move {
        let operator = t.operator().await;
        for (user, org) in [("user", "organization"), ("suspended user", "suspended organization")] {
            let one = t.member(&fresh_name(), Role::Owner).await;
            world.more.insert(user, one.user.to_string());
            world.more.insert(org, one.org.to_string());
        }
        let why = json!({ "reason": "A test." });
        for path in [format!("users/{}", world.more["suspended user"]), format!("organizations/{}", world.more["suspended organization"])] {
            let done = operator.post(&format!("/api/admin/{path}/suspend"), why.clone()).await;
            assert_eq!(done.status(), 200, "{}", done.text());
        }
        let made = operator.post("/api/admin/announcements", json!({ "title": "Hello" })).await;
        world.more.insert("announcement", made.data()["id"].as_str().unwrap().to_string());
    }
    .boxed()
}

fn body(route: &str, _: &World) -> Option<Value> {
    Some(match route.rsplit('/').next()? {
        "suspend" | "impersonate" => json!({ "reason": "A test." }),
        "operator" => json!({ "is_operator": true }),
        "{name}" => json!({ "percent": 100 }),
        _ if route.contains("announcements") => json!({ "title": "Hello again" }),
        _ => return None,
    })
}

fn which(of: &str) -> &'static str {
    match (of.contains("resume"), of.contains("organization")) {
        (false, false) => "user",
        (true, false) => "suspended user",
        (false, true) => "organization",
        (true, true) => "suspended organization",
    }
}

fn fields(function: &str, world: &World) -> Option<Pairs> {
    let of = |what: &str| ("id", world.more[what].clone());
    let announcement = || vec![("title", "Hello".into()), ("level", "info".into())];
    Some(match function {
        "create_announcement" => announcement(),
        "update_announcement" => [vec![of("announcement")], announcement()].concat(),
        "delete_announcement" | "dismiss_announcement" | "read_announcement" => vec![of("announcement")],
        "impersonate_user" | "suspend_user" | "suspend_organization" => vec![of(which(function)), ("reason", "A test.".into())],
        "read_admin_organization" | "read_user" | "resume_organization" | "resume_user" => vec![of(which(function))],
        "set_operator" => vec![of("user"), ("is_operator", "true".into())],
        "set_flag" => vec![("name", "audit_streams".into()), ("percent", "100".into()), ("on", String::new()), ("off", String::new())],
        _ => vec![],
    })
}

fn place(route: &str, world: &World) -> Option<Pairs> {
    let id = if route.contains("announcements") { "announcement" } else { which(route) };
    Some(vec![("{id}", world.more[id].clone()), ("{name}", "audit_streams".into())])
}
