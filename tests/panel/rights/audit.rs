//! The trail of an organization, and where it is sent.
use super::{Answers, Pairs, Table, World, fresh_name};
use crate::support::panel::TestPanel;
use futures::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};

const AUDIT: Answers = ([200, 200, 403, 403, 403, 404, 401], "audit");

#[rustfmt::skip]
const ROUTES: &[(&str, Answers)] = &[
    ("GET /api/organizations/{id}/activity",                           AUDIT),
    ("GET /api/organizations/{id}/activity/export",                    AUDIT),
    ("GET /api/organizations/{id}/audit-streams",                      AUDIT),
    ("POST /api/organizations/{id}/audit-streams",                     ([201, 201, 403, 403, 403, 404, 401], "audit")),
    ("GET /api/organizations/{id}/audit-streams/{stream_id}",          AUDIT),
    ("PUT /api/organizations/{id}/audit-streams/{stream_id}",          AUDIT),
    ("DELETE /api/organizations/{id}/audit-streams/{stream_id}",       AUDIT),
    ("POST /api/organizations/{id}/audit-streams/{stream_id}/test",    AUDIT),
];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Answers)] = &[
    // A stranger reads the trail of her own organization.
    ("audit/fns/read_activity",              ([200, 200, 403, 403, 403, 200, 401], "audit")),
    ("audit/fns/read_activity_events",       ([200, 200, 403, 403, 403, 200, 401], "audit")),
    ("audit/fns/read_audit_streams",         ([200, 200, 403, 403, 403, 200, 401], "audit")),
    ("audit/fns/create_audit_stream",        ([200, 200, 403, 403, 403, 200, 401], "audit")),
    ("audit/fns/switch_audit_stream",        AUDIT),
    ("audit/fns/test_audit_stream",          AUDIT),
    ("audit/fns/delete_audit_stream",        AUDIT),
];

pub const TABLE: Table = Table { routes: ROUTES, functions: FUNCTIONS, body, fields, place, prepare: Some(prepare) };

/// A stream to a socket that takes whatever comes.
fn prepare<'a>(_: &'a TestPanel, world: &'a mut World) -> BoxFuture<'a, ()> {
    async move {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let url = format!("syslog+udp://{}", socket.local_addr().unwrap());
        let owner = &world.app.owner;
        for old in owner.get(&format!("/api/organizations/{}/audit-streams", owner.org)).await.data().as_array().unwrap() {
            owner.delete(&format!("/api/organizations/{}/audit-streams/{}", owner.org, old["id"].as_str().unwrap())).await;
        }
        let body = json!({ "name": fresh_name(), "url": url });
        let made = owner.post(&format!("/api/organizations/{}/audit-streams", owner.org), body).await;
        world.more.insert("stream", made.data()["id"].as_str().unwrap().to_string());
        world.more.insert("url", url);
        // Open as long as the test runs.
        std::mem::forget(socket);
    }
    .boxed()
}

fn body(route: &str, world: &World) -> Option<Value> {
    Some(match route.split_once(' ')? {
        ("POST", path) if path.ends_with("/audit-streams") => json!({ "name": fresh_name(), "url": world.more["url"] }),
        ("PUT", _) => json!({ "name": fresh_name() }),
        _ => return None,
    })
}

fn fields(function: &str, world: &World) -> Option<Pairs> {
    let id = || ("id", world.more["stream"].clone());
    Some(match function {
        "create_audit_stream" => vec![("name", fresh_name()), ("url", world.more["url"].clone())],
        "switch_audit_stream" => vec![id(), ("is_enabled", "false".into())],
        "test_audit_stream" | "delete_audit_stream" => vec![id()],
        _ => vec![],
    })
}

fn place(_: &str, world: &World) -> Option<Pairs> {
    Some(vec![("{id}", world.app.owner.org.to_string()), ("{stream_id}", world.more["stream"].clone())])
}
