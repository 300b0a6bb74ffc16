//! Routing.
use super::{Answers, LOOK, Pairs, Table, World, fresh_name};
use crate::support::panel::TestPanel;
use futures::future::BoxFuture;
use serde_json::{Value, json};

const CHANGE: Answers = ([200, 200, 200, 403, 403, 404, 401], "configure");
const TAKE: Answers = ([200, 200, 200, 403, 403, 404, 401], "domains");

#[rustfmt::skip]
const ROUTES: &[(&str, Answers)] = &[
    ("GET /api/paas/applications/{id}/routing",           LOOK),
    ("PATCH /api/paas/applications/{id}/routing",         CHANGE),
    ("GET /api/paas/applications/{id}/paths",             LOOK),
    ("POST /api/paas/applications/{id}/paths",            ([201, 201, 201, 403, 403, 404, 401], "domains")),
    ("DELETE /api/paas/applications/{id}/paths/{path_id}", TAKE),
];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Answers)] = &[
    ("routing/fns/add_path",                 TAKE),
    ("routing/fns/begin_maintenance",        CHANGE),
    ("routing/fns/end_maintenance",          CHANGE),
    ("routing/fns/read_maintenance",         LOOK),
    ("routing/fns/read_paths",               LOOK),
    ("routing/fns/read_routing",             LOOK),
    ("routing/fns/remove_error_page",        CHANGE),
    ("routing/fns/remove_header",            CHANGE),
    ("routing/fns/remove_login",             CHANGE),
    ("routing/fns/remove_path",              TAKE),
    ("routing/fns/save_access_log",          CHANGE),
    ("routing/fns/save_balancing",           CHANGE),
    ("routing/fns/save_https",               CHANGE),
    ("routing/fns/save_limits",              CHANGE),
    ("routing/fns/save_login_exceptions",    CHANGE),
    ("routing/fns/save_maintenance",         CHANGE),
    ("routing/fns/set_error_page",           CHANGE),
    ("routing/fns/set_header",               CHANGE),
    ("routing/fns/set_login",                CHANGE),
];

pub const TABLE: Table = Table { routes: ROUTES, functions: FUNCTIONS, body, fields, place, prepare: Some(prepare) };

/// A path that leads to the application.
fn prepare<'a>(_: &'a TestPanel, world: &'a mut World) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        let made = world.app.owner.post(&world.app.url("paths"), json!({ "path": "/prepared" })).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        world.more.insert("path", made.data()["id"].as_str().unwrap().into());
    })
}

fn body(route: &str, _: &World) -> Option<Value> {
    Some(match route {
        "PATCH /api/paas/applications/{id}/routing" => json!({ "maintenance": { "enabled": true } }),
        "POST /api/paas/applications/{id}/paths" => json!({ "path": format!("/{}", fresh_name()) }),
        _ => return None,
    })
}

fn fields(function: &str, world: &World) -> Option<Pairs> {
    let mut fields = vec![("id", world.app.id.to_string())];
    if function.starts_with("save_") {
        fields.push(("version", "0".into()));
    }
    let more: &[(&'static str, &str)] = match function {
        "add_path" => &[("path", "/form")],
        "remove_path" => &[("path_id", &world.more["path"])],
        "set_login" => &[("username", "ada"), ("password", "correct horse")],
        "remove_login" => &[("username", "ada")],
        "set_header" => &[("direction", "response"), ("name", "X-Test"), ("value", "1")],
        "remove_header" => &[("direction", "response"), ("name", "X-Test")],
        "set_error_page" => &[("status", "503"), ("page", "<p>Back soon")],
        "remove_error_page" => &[("status", "503")],
        "save_https" => &[("https", "off")],
        "save_balancing" => &[("sticky", "replica"), ("protocol", "http1"), ("probe", "none")],
        "save_access_log" => &[("percent", "10")],
        _ => &[],
    };
    fields.extend(more.iter().map(|(name, value)| (*name, value.to_string())));
    Some(fields)
}

fn place(route: &str, world: &World) -> Option<Pairs> {
    route.contains("{path_id}").then(|| vec![("{path_id}", world.more["path"].clone()), ("{id}", world.app.id.to_string())])
}
