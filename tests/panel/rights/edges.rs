//! Edges: the operator's alone; and what edges call themselves is nobody else's.
use super::{Answers, OPERATOR, Pairs, Table, World, fresh_name};
use crate::support::panel::TestPanel;
use futures::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};

/// A person's credential is none of an edge's.
const EDGE: Answers = ([401; 7], "");

#[rustfmt::skip]
const ROUTES: &[(&str, Answers)] = &[
    ("GET /api/admin/edges",                 OPERATOR),
    ("POST /api/admin/edges",                OPERATOR),
    ("GET /api/admin/edges/{id}",            OPERATOR),
    ("PUT /api/admin/edges/{id}",            OPERATOR),
    ("DELETE /api/admin/edges/{id}",         OPERATOR),
    ("POST /api/admin/edges/{id}/rotate",    OPERATOR),
    ("POST /api/admin/edges/{id}/revoke",    OPERATOR),
    ("GET /api/edge/stream",                 EDGE),
    ("POST /api/edge/report",                EDGE),
];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Answers)] = &[
    ("edges/fns/add_edge",         OPERATOR),
    ("edges/fns/read_edge",        OPERATOR),
    ("edges/fns/read_edges",       OPERATOR),
    ("edges/fns/read_new_edge",    OPERATOR),
    ("edges/fns/remove_edge",      OPERATOR),
    ("edges/fns/rename_edge",      OPERATOR),
    ("edges/fns/revoke_edge",      OPERATOR),
    ("edges/fns/rotate_edge",      OPERATOR),
];

pub const TABLE: Table = Table { routes: ROUTES, functions: FUNCTIONS, body, fields, place, prepare: Some(prepare) };

/// An edge.
fn prepare<'a>(t: &'a TestPanel, world: &'a mut World) -> BoxFuture<'a, ()> {
    async move {
        let name = fresh_name();
        let made = t.operator().await.post("/api/admin/edges", json!({ "name": name })).await;
        world.more.insert("edge", made.data()["edge"]["id"].as_str().unwrap().to_string());
        world.more.insert("name", name);
    }
    .boxed()
}

fn body(route: &str, _: &World) -> Option<Value> {
    Some(match route {
        "POST /api/admin/edges" | "PUT /api/admin/edges/{id}" => json!({ "name": fresh_name() }),
        _ => return None,
    })
}

fn fields(function: &str, world: &World) -> Option<Pairs> {
    let id = ("id", world.more["edge"].clone());
    Some(match function {
        "add_edge" => vec![("name", fresh_name())],
        "rename_edge" => vec![id, ("name", fresh_name())],
        "remove_edge" => vec![id, ("confirm", world.more["name"].clone())],
        "read_edges" => vec![("page", "1".into())],
        "read_new_edge" => vec![],
        _ => vec![id],
    })
}

fn place(_: &str, world: &World) -> Option<Pairs> {
    Some(vec![("{id}", world.more["edge"].clone())])
}
