//! Applications.
use super::{Answers, LIST, LOOK, Pairs, Table, World, fresh_name};
use serde_json::{Value, json};

#[rustfmt::skip]
const ROUTES: &[(&str, Answers)] = &[
    ("GET /api/paas/applications",                    LIST),
    // A stranger's own organization gets it.
    ("POST /api/paas/applications",                   ([201, 201, 201, 403, 403, 201, 401], "create")),
    ("GET /api/paas/applications/{id}",               LOOK),
    ("PUT /api/paas/applications/{id}",               ([200, 200, 200, 403, 403, 404, 401], "configure")),
    ("DELETE /api/paas/applications/{id}",            ([200, 200, 403, 403, 403, 404, 401], "delete")),
    ("POST /api/paas/applications/{id}/scale",        ([200, 200, 200, 403, 403, 404, 401], "scale")),
    ("POST /api/paas/applications/{id}/stop",         ([200, 200, 200, 403, 403, 404, 401], "scale")),
    ("POST /api/paas/applications/{id}/start",        ([200, 200, 200, 403, 403, 404, 401], "scale")),
    ("GET /api/paas/applications/{id}/env",           LOOK),
    ("PUT /api/paas/applications/{id}/env",           ([200, 200, 200, 403, 403, 404, 401], "secrets")),
    ("PATCH /api/paas/applications/{id}/env",         ([200, 200, 200, 403, 403, 404, 401], "secrets")),
    ("GET /api/paas/applications/{id}/events",        LOOK),
    ("GET /api/paas/applications/{id}/logs",          LOOK),
];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Answers)] = &[
    // The URL is no repository's, which is an answer, too.
    ("apps/fns/check_repository",            ([200, 200, 200, 403, 403, 200, 401], "create")),
    ("apps/fns/delete_application",          ([200, 200, 403, 403, 403, 404, 401], "delete")),
    ("apps/fns/import_variables",            ([200, 200, 200, 403, 403, 404, 401], "secrets")),
    ("apps/fns/read_application",            LOOK),
    ("apps/fns/read_application_logs",       LOOK),
    ("apps/fns/read_applications",           LIST),
    ("apps/fns/read_environment",            LOOK),
    ("apps/fns/read_state",                  LOOK),
    ("apps/fns/remove_variable",             ([200, 200, 200, 403, 403, 404, 401], "secrets")),
    ("apps/fns/scale_application",           ([200, 200, 200, 403, 403, 404, 401], "scale")),
    ("apps/fns/set_variable",                ([200, 200, 200, 403, 403, 404, 401], "secrets")),
    ("apps/fns/start_application",           ([200, 200, 200, 403, 403, 404, 401], "scale")),
    ("apps/fns/stop_application",            ([200, 200, 200, 403, 403, 404, 401], "scale")),
    ("apps/fns/update_application",          ([200, 200, 200, 403, 403, 404, 401], "configure")),
];

pub const TABLE: Table = Table { routes: ROUTES, functions: FUNCTIONS, body, fields, place, prepare: None };

fn body(route: &str, _: &World) -> Option<Value> {
    Some(match route {
        "POST /api/paas/applications" => json!({ "name": fresh_name(), "source": { "image": { "reference": "shop:1" } } }),
        "PUT /api/paas/applications/{id}" => json!({ "port": 3000 }),
        "POST /api/paas/applications/{id}/scale" => json!({ "replicas": 2 }),
        "PUT /api/paas/applications/{id}/env" | "PATCH /api/paas/applications/{id}/env" => {
            json!({ "environment_variables": { "COLOUR": "red" } })
        }
        _ => return None,
    })
}

fn fields(function: &str, world: &World) -> Option<Pairs> {
    let id = || ("id", world.app.id.to_string());
    Some(match function {
        "read_applications" => vec![],
        "check_repository" => vec![("repository_url", "ftp://x".into())],
        // Nobody but the test knows the name: the role is asked first.
        "delete_application" => vec![id(), ("confirm", world.app.name.clone())],
        "import_variables" => vec![id(), ("environment", "COLOUR=red".into())],
        "remove_variable" => vec![id(), ("name", "COLOUR".into())],
        "set_variable" => vec![id(), ("name", "COLOUR".into()), ("value", "red".into())],
        "scale_application" => vec![id(), ("replicas", "2".into())],
        "update_application" => {
            vec![id(), ("version", "1".into()), ("source", "image".into()), ("reference", "shop:2".into()), ("port", "3000".into())]
        }
        _ => return None,
    })
}

fn place(_: &str, _: &World) -> Option<Pairs> {
    None
}
