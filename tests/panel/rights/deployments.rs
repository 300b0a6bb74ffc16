//! Deployments.
use super::{Answers, LOOK, Pairs, Table, World, fresh_name};
use serde_json::Value;

#[rustfmt::skip]
const ROUTES: &[(&str, Answers)] = &[
    ("GET /api/paas/applications/{id}/deployments",   LOOK),
    ("POST /api/paas/applications/{id}/deploy",       ([202, 202, 202, 403, 403, 404, 401], "deploy")),
    ("POST /api/paas/applications/{id}/restart",      ([202, 202, 202, 403, 403, 404, 401], "deploy")),
    ("GET /api/paas/deployments/{id}",                LOOK),
    ("GET /api/paas/deployments/{id}/logs",           LOOK),
    ("POST /api/paas/deployments/{id}/rollback",      ([202, 202, 202, 403, 403, 404, 401], "deploy")),
    ("POST /api/paas/deployments/{id}/cancel",        ([202, 202, 202, 403, 403, 404, 401], "deploy")),
];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Answers)] = &[
    ("deployments/fns/cancel_deployment",    ([200, 200, 200, 403, 403, 404, 401], "deploy")),
    ("deployments/fns/create_application",   ([200, 200, 200, 403, 403, 200, 401], "create")),
    ("deployments/fns/configure_application",([200, 200, 200, 403, 403, 404, 401], "deploy")),
    ("deployments/fns/deploy_application",   ([200, 200, 200, 403, 403, 404, 401], "deploy")),
    ("deployments/fns/read_deployment",      LOOK),
    ("deployments/fns/read_deployment_log",  LOOK),
    ("deployments/fns/read_deployments",     LOOK),
    ("deployments/fns/restart_application",  ([200, 200, 200, 403, 403, 404, 401], "deploy")),
    ("deployments/fns/roll_back",            ([200, 200, 200, 403, 403, 404, 401], "deploy")),
];

pub const TABLE: Table = Table { routes: ROUTES, functions: FUNCTIONS, body, fields, place, prepare: None };

fn body(_: &str, _: &World) -> Option<Value> {
    None
}

fn fields(function: &str, world: &World) -> Option<Pairs> {
    let id = || ("id", world.app.id.to_string());
    Some(match function {
        "create_application" => vec![("name", fresh_name()), ("source", "image".into()), ("reference", "shop:1".into())],
        "read_deployments" => vec![id(), ("page", "1".into()), ("limit", "20".into())],
        "cancel_deployment" | "roll_back" | "read_deployment" | "read_deployment_log" => vec![("id", world.deployment(function))],
        _ => return None,
    })
}

fn place(route: &str, world: &World) -> Option<Pairs> {
    route.contains("/deployments/{id}").then(|| vec![("{id}", world.deployment(route))])
}
