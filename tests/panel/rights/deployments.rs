//! Deployments.
use super::{Answers, LOOK, Pairs, Table, World, fresh_name};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};

#[rustfmt::skip]
const ROUTES: &[(&str, Answers)] = &[
    ("GET /api/paas/applications/{id}/deployments",   LOOK),
    ("POST /api/paas/applications/{id}/deploy",       ([202, 202, 202, 403, 403, 404, 401], "deploy")),
    ("POST /api/paas/applications/{id}/restart",      ([202, 202, 202, 403, 403, 404, 401], "deploy")),
    ("GET /api/paas/deployments/{id}",                LOOK),
    ("GET /api/paas/deployments/{id}/logs",           LOOK),
    ("POST /api/paas/deployments/{id}/rollback",      ([202, 202, 202, 403, 403, 404, 401], "deploy")),
    ("POST /api/paas/deployments/{id}/cancel",        ([202, 202, 202, 403, 403, 404, 401], "deploy")),
    // The live one is no canary that runs: there is nothing to decide.
    ("POST /api/paas/deployments/{id}/promote",       ([409, 409, 409, 403, 403, 404, 401], "deploy")),
    ("POST /api/paas/deployments/{id}/rollback-now",  ([409, 409, 409, 403, 403, 404, 401], "deploy")),
    ("GET /api/paas/applications/{id}/rollout",       LOOK),
    ("PUT /api/paas/applications/{id}/rollout",       ([200, 200, 200, 403, 403, 404, 401], "configure")),
];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Answers)] = &[
    ("deployments/fns/cancel_deployment",    ([200, 200, 200, 403, 403, 404, 401], "deploy")),
    ("deployments/fns/change_rollout",       ([200, 200, 200, 403, 403, 404, 401], "configure")),
    ("deployments/fns/create_application",   ([200, 200, 200, 403, 403, 200, 401], "create")),
    ("deployments/fns/configure_application",([200, 200, 200, 403, 403, 404, 401], "deploy")),
    ("deployments/fns/deploy_application",   ([200, 200, 200, 403, 403, 404, 401], "deploy")),
    ("deployments/fns/promote_canary",       ([409, 409, 409, 403, 403, 404, 401], "deploy")),
    ("deployments/fns/read_deployment",      LOOK),
    ("deployments/fns/read_deployment_log",  LOOK),
    ("deployments/fns/read_deployments",     LOOK),
    ("deployments/fns/read_rollout",         LOOK),
    ("deployments/fns/restart_application",  ([200, 200, 200, 403, 403, 404, 401], "deploy")),
    ("deployments/fns/roll_back",            ([200, 200, 200, 403, 403, 404, 401], "deploy")),
    ("deployments/fns/take_back_canary",     ([409, 409, 409, 403, 403, 404, 401], "deploy")),
];

pub const TABLE: Table = Table { routes: ROUTES, functions: FUNCTIONS, body, fields, place, prepare: None };

fn body(route: &str, _: &World) -> Option<Value> {
    (route == "PUT /api/paas/applications/{id}/rollout").then(|| json!({ "canary": { "min_requests": fresh_number() } }))
}

/// Another one each time, so that a change is one.
fn fresh_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(100);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn fields(function: &str, world: &World) -> Option<Pairs> {
    let id = || ("id", world.app.id.to_string());
    Some(match function {
        "create_application" => vec![("name", fresh_name()), ("source", "image".into()), ("reference", "shop:1".into())],
        "read_deployments" => vec![id(), ("page", "1".into()), ("limit", "20".into())],
        "change_rollout" => vec![
            id(),
            ("strategy", "canary".into()),
            ("steps", "5 % for 5 min".into()),
            ("longest_minutes", "30".into()),
            ("min_requests", fresh_number().to_string()),
            ("error_points", "1".into()),
            ("p95_factor", "150".into()),
            ("p95_floor", "100".into()),
            ("too_little", "promote".into()),
        ],
        "cancel_deployment" | "roll_back" | "read_deployment" | "read_deployment_log" | "promote_canary" | "take_back_canary" => {
            vec![("id", world.deployment(function))]
        }
        _ => return None,
    })
}

fn place(route: &str, world: &World) -> Option<Pairs> {
    route.contains("/deployments/{id}").then(|| vec![("{id}", world.deployment(route))])
}
