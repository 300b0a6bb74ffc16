//! The conventions of the API: envelopes, refusals, lists, waiting, keys, versions, and its document.
use crate::support::{
    client::{Client, Reply},
    panel::{App, TestPanel},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, PaginatorTrait};
use serde_json::{Value, json};
use skypanel::store::json::JsonText;
use skypanel::{
    deployments::model::Phase,
    rights::Role,
    store::tables::{application, deployment, plan},
};
use std::{collections::BTreeSet, time::Duration};

const APPS: &str = "/api/paas/applications";

/// Method, path and operation of everything in the document.
async fn operations(t: &TestPanel) -> Vec<(String, String, Value)> {
    let document = t.stranger().get("/api/openapi.json").await;
    let paths = document.json()["paths"].as_object().unwrap().clone();
    let all = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
    });
    all.collect()
}

/// The path with the id of something of hers in its place.
async fn filled(t: &TestPanel, app: &App, path: &str) -> String {
    match path.contains("{id}") {
        false => path.to_string(),
        true if path.contains("/deployments/{id}") => {
            // A canary would wait for a clock that stands still.
            app.owner.send("PUT", &app.url("rollout"), json!({ "strategy": "blue_green" })).await;
            path.replace("{id}", t.deploy_well(app).await.id.to_string().as_str())
        }
        true if path.contains("/domains/{id}") => {
            let name = format!("{}.example.net", skypanel::store::random::suffix().to_lowercase());
            let made = app.owner.post("/api/paas/domains", json!({ "application_id": app.id, "domain": name })).await;
            let id = made.data()["id"].as_str().unwrap_or_else(|| panic!("{}", made.text())).to_string();
            let proven = format!("UPDATE domains SET verified_at = 1 WHERE id = '{id}'");
            t.panel.db.tx(async |tx| Ok(tx.execute_unprepared(&proven).await.unwrap())).await.unwrap();
            path.replace("{id}", &id)
        }
        true if path.contains("/api-keys/{id}") => {
            let made = app.owner.post("/api/api-keys", json!({ "name": "CI", "permissions": ["view", "deploy"] })).await;
            path.replace("{id}", made.data()["id"].as_str().unwrap())
        }
        true => path.replace("{id}", &app.id.to_string()),
    }
}

#[tokio::test]
async fn success_and_refusal_have_their_envelopes() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let reply = app.owner.get(&app.url("")).await;
    assert_eq!((reply.json()["success"].as_bool(), reply.data()["id"].as_str()), (Some(true), Some(app.id.to_string().as_str())));
    let reply = app.owner.get("/api/paas/applications/app_00000000000000000000000000").await;
    assert_eq!(reply.status(), 404);
    assert_eq!(reply.json()["success"], false);
    assert_eq!(reply.code(), "APPLICATION_NOT_FOUND");
    assert_eq!(reply.json()["error"]["message"], "There is no such application.");
    assert_eq!(reply.json()["error"]["details"], json!([]));
    assert_eq!(reply.json()["request_id"].as_str().unwrap(), reply.header("x-request-id"));
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own_and_is_never_stored() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let nobody = t.stranger();
    let replies = [
        app.owner.get(APPS).await,
        nobody.get(APPS).await,
        nobody.get("/api/nothing").await,
        nobody.get("/sign-in").await,
        app.owner.raw("TRACE", APPS, "", "").await,
        app.owner.with("x-request-id", "mine").get(APPS).await,
    ];
    let ids: BTreeSet<&str> = replies.iter().map(|reply| reply.header("x-request-id")).collect();
    assert!(ids.len() == replies.len() && ids.iter().all(|id| id.starts_with("req_")), "{ids:?}");
    assert!(replies.iter().all(|reply| reply.header("cache-control") == "no-store"));
}

#[tokio::test]
async fn all_wrong_fields_are_told_at_once() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let body = json!({
        "name": "No Spaces", "source": { "git": { "repository_url": "ftp://x", "branch": "-x" } }, "port": 0, "replicas": 1000,
        "environment_variables": { "1X": "a" }, "health_check": { "path": "no-slash" }, "start_command": "a 'b",
        "resource_limits": { "cpu_millis": 1, "memory_bytes": 1 }, "dockerfile_path": "../Dockerfile", "cluster_id": "nonsense",
    });
    let reply = ada.post(APPS, body).await;
    assert_eq!((reply.status(), reply.code()), (400, "VALIDATION_ERROR"));
    let expected = [
        "cluster_id",
        "dockerfile_path",
        "environment_variables.1X",
        "health_check.path",
        "name",
        "port",
        "replicas",
        "resource_limits.cpu_millis",
        "resource_limits.memory_bytes",
        "source.git.branch",
        "source.git.repository_url",
        "start_command",
    ];
    let mut fields = reply.fields();
    fields.sort_unstable();
    assert_eq!(fields, expected);
    let details = reply.json()["error"]["details"].as_array().unwrap();
    assert!(details.iter().all(|detail| detail["message"].as_str().unwrap().ends_with('.')), "{details:?}");
}

#[tokio::test]
async fn every_body_refuses_what_it_does_not_know_and_what_is_no_json() {
    let t = TestPanel::start().await;
    let (app, operator) = (t.app_in("acme").await, t.operator().await);
    let mut tried = 0;
    for (method, path, operation) in operations(&t).await {
        // What other systems send has the form that they give it.
        if operation["requestBody"].is_null() || path.starts_with("/api/hooks") || path.starts_with("/api/edge/") {
            continue;
        }
        tried += 1;
        let path = filled(&t, &app, &path).await;
        // Who is no operator is refused before her body is looked at.
        let caller = if path.starts_with("/api/admin/") { &operator } else { &app.owner };
        let unknown = caller.send(&method, &path, json!({ "surprise": 1 })).await;
        assert_eq!((unknown.status(), unknown.code()), (400, "VALIDATION_ERROR"), "{method} {path}");
        assert_eq!(unknown.fields(), ["surprise"], "{method} {path}");
        for bad in ["{", "{\"a\":1}x", "[1]", "null", "\"text\"", "\u{0}", "{\"name\": \"\\ud800\"}"] {
            let reply = caller.raw(&method, &path, "application/json", bad).await;
            assert_eq!((reply.status(), reply.code()), (400, "VALIDATION_ERROR"), "{method} {path} {bad}: {}", reply.text());
        }
        let reply = caller.raw(&method, &path, "text/plain", "{}").await;
        assert_eq!(reply.status(), 400, "{method} {path} as text/plain");
        let reply = caller.raw(&method, &path, "application/json", "x".repeat(1024 * 1024 + 1)).await;
        assert_eq!((reply.status(), reply.code()), (413, "PAYLOAD_TOO_LARGE"), "{method} {path}");
    }
    assert!(tried >= 7, "{tried}");
}

#[tokio::test]
async fn forms_and_server_functions_take_no_more_than_the_api() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let long = "x".repeat(1024 * 1024 + 1);
    let called = t.stranger().call("/fn/skypanel/accounts/fns/sign_in", &[("email", &long), ("password", "x")]).await;
    assert_eq!(called.err().map(|why| why.status()), Some(413));
    assert_eq!(ada.browser.submit("/kit", &[("_action", "sign_out"), ("x", &long)]).await.status(), 413);
    assert_eq!(ada.with("idempotency-key", "a").post(APPS, json!({ "name": long })).await.status(), 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_arrives_while_the_client_is_still_sending() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    // More than the buffers of both sockets take while nobody reads.
    const BODY: usize = 24 << 20;
    let t = TestPanel::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = t.router.clone().into_make_service_with_connect_info::<std::net::SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    for (target, status) in
        [("POST /api/auth/login", 413), ("POST /api/paas/applications", 401), ("POST /api/nowhere", 404), ("PUT /favicon.svg", 403)]
    {
        for field in ["Connection: close\r\n", ""] {
            let header =
                format!("{target} HTTP/1.1\r\nHost: panel.test\r\nContent-Type: application/json\r\nContent-Length: {BODY}\r\n{field}\r\n");
            let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
            socket.write_all(header.as_bytes()).await.unwrap();
            // It sends all of it before it reads a byte.
            for _ in 0..BODY / 65_536 {
                socket.write_all(&[b' '; 65_536]).await.expect("the panel reads on");
            }
            let mut answer = [0; 12];
            socket.read_exact(&mut answer).await.expect("the connection is not reset");
            assert_eq!(String::from_utf8_lossy(&answer), format!("HTTP/1.1 {status}"), "{target}");
        }
    }
}

#[tokio::test]
async fn no_input_is_our_fault() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let document = t.stranger().get("/api/openapi.json").await;
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(u64::MAX),
        json!(""),
        json!("\u{0}"),
        json!("💥\u{202e}"),
        json!("%_\\'\";--"),
        json!("../../etc/passwd"),
        json!("x".repeat(70_000)),
        json!([]),
        json!([null]),
        json!({}),
        json!({ "\u{0}": "\u{0}" }),
        json!({ "git": { "repository_url": "\u{0}" } }),
        json!({ "image": { "reference": "a\u{0}" } }),
        json!({ "A": { "value": "\u{0}" } }),
        json!({ "A": {} }),
    ];
    for (method, path, operation) in operations(&t).await {
        let place = filled(&t, &app, &path).await;
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        if let Some(name) = schema.as_str().and_then(|name| name.rsplit('/').next()) {
            let schema = &document.json()["components"]["schemas"][name];
            for field in schema["properties"].as_object().unwrap().keys() {
                for value in &values {
                    let mut body = schema["example"].clone();
                    assert!(body.is_object(), "{name} has an example");
                    body[field] = value.clone();
                    let reply = app.owner.send(&method, &place, body).await;
                    assert!(reply.status() < 500, "{method} {path} {field} = {value}: {}", reply.text());
                }
            }
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten().filter(|it| it["in"] == "query" && it["name"] != "follow")
        {
            let name = parameter["name"].as_str().unwrap();
            for value in ["", "-1", "0", "%00", "%25", "%5C", "99999999999999999999", "%F0%9F%92%A5", "%FF", "..%2F"] {
                let reply = app.owner.raw(&method, &format!("{place}?{name}={value}"), "", "").await;
                assert!(reply.status() < 500, "{method} {path}?{name}={value}: {}", reply.text());
            }
        }
    }
}

#[tokio::test]
async fn an_id_that_is_none_is_not_there() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let bad = [
        "nonsense",
        "app_",
        "app_1",
        "app_01JD0000000000000000000000",
        "dep_00000000000000000000000000",
        "org_00000000000000000000000000",
        "..%2F..%2Fetc%2Fpasswd",
        "%00",
        "app_0000000000000000000000000%00",
        "'%20OR%201=1--",
    ];
    for (method, path, _) in
        operations(&t).await.into_iter().filter(|(_, path, _)| path.contains("{id}") && !path.starts_with("/api/admin"))
    {
        for id in bad.iter().filter(|id| !path.contains("/deployments/{id}") || !id.starts_with("dep_")) {
            let reply = app.owner.send(&method, &path.replace("{id}", id), json!({ "replicas": 1, "environment_variables": {} })).await;
            let known_body =
                reply.status() == 400 && reply.fields().iter().any(|field| ["replicas", "environment_variables"].contains(field));
            assert!(reply.status() == 404 && reply.code().ends_with("_NOT_FOUND") || known_body, "{method} {path} {id}: {}", reply.text());
        }
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_told_from_a_method_that_is_none() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let reply = ada.get("/api/nothing/here").await;
    assert_eq!((reply.status(), reply.code()), (404, "PAGE_NOT_FOUND"));
    let reply = ada.patch(APPS, json!({})).await;
    assert_eq!(reply.status(), 405, "{}", reply.text());
    assert_eq!(reply.json()["success"], false);
    assert_eq!(ada.browser.get("/no/such/page").await.status(), 404);
}

async fn names(client: &Client, query: &str) -> (Vec<String>, Value) {
    let reply = client.get(&format!("{APPS}?{query}")).await;
    assert_eq!(reply.status(), 200, "{query}: {}", reply.text());
    let names = reply.data().as_array().unwrap().iter().map(|app| app["name"].as_str().unwrap().to_string()).collect();
    (names, reply.json()["pagination"].clone())
}

#[tokio::test]
async fn lists_are_paged_sorted_searched_and_filtered() {
    let t = TestPanel::start().await;
    for name in ["cherry", "apple", "banana", "date"] {
        t.app_with("acme", json!({ "name": name })).await;
        t.clock.advance(Duration::from_secs(1));
    }
    let globex = t.app_with("globex", json!({ "name": "apple" })).await;
    let ada = t.member("acme", Role::Viewer).await;
    assert_eq!(
        names(&ada, "").await,
        (["apple", "banana", "cherry", "date"].map(String::from).to_vec(), json!({ "page": 1, "limit": 50, "total": 4, "total_pages": 1 }))
    );
    assert_eq!(names(&ada, "page=2&limit=3").await, (vec!["date".into()], json!({ "page": 2, "limit": 3, "total": 4, "total_pages": 2 })));
    assert_eq!(names(&ada, "page=9").await.0, Vec::<String>::new());
    assert_eq!(names(&ada, "sort=-name").await.0, ["date", "cherry", "banana", "apple"]);
    assert_eq!(names(&ada, "sort=created_at").await.0, ["cherry", "apple", "banana", "date"]);
    assert_eq!(names(&ada, "sort=-updated_at").await.0, ["date", "banana", "apple", "cherry"]);
    assert_eq!(names(&ada, "search=AN").await.0, ["banana"]);
    for wild in ["%25", "_", "a%25e", "%5C", "a_ple"] {
        assert_eq!(names(&ada, &format!("search={wild}")).await.0, Vec::<String>::new(), "{wild} is taken literally");
    }
    assert_eq!(names(&ada, "status=new&limit=1").await.1["total"], 4);
    assert_eq!(names(&ada, "status=running").await.1["total"], 0);
    assert_eq!(names(&globex.owner, "").await.0, ["apple"]);
    for (query, field) in [
        ("page=0", "page"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("page=x", "page"),
        ("sort=size", "sort"),
        ("status=odd", "status"),
        ("colour=red", "colour"),
    ] {
        let reply = ada.get(&format!("{APPS}?{query}")).await;
        assert_eq!((reply.status(), reply.fields()), (400, vec![field]), "{query}: {}", reply.text());
    }
    let foreign = t.app_row(&globex).await.cluster_id;
    assert_eq!(names(&ada, &format!("cluster_id={foreign}")).await.1["total"], 0);
}

#[tokio::test]
async fn somebody_works_in_the_organization_that_she_names() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let app = t.app_in("globex").await;
    let globex = t.org("globex").await;
    let joined = t.panel.db.tx(async |tx| skypanel::accounts::server::service::join(tx, &t.panel, &globex, &ada.user, Role::Viewer).await);
    joined.await.unwrap();
    assert_eq!(ada.get(&app.url("")).await.status(), 404, "not from her own organization");
    let there = ada.with("x-organization-id", &globex.to_string());
    assert_eq!(there.get(&app.url("")).await.status(), 200);
    assert_eq!(there.get("/api/auth/me").await.data()["role"], "viewer");
    assert_eq!(there.post(&app.url("scale"), json!({ "replicas": 2 })).await.status(), 403, "with the role that she has there");
    for wrong in ["nonsense", "org_00000000000000000000000000", "app_00000000000000000000000000"] {
        assert_eq!(ada.with("x-organization-id", wrong).get(APPS).await.code(), "ORGANIZATION_NOT_FOUND", "{wrong}");
    }
}

async fn count_apps(t: &TestPanel) -> u64 {
    application::Entity::find().count(t.panel.db.read()).await.unwrap()
}

#[tokio::test]
async fn the_same_key_and_body_get_the_same_answer() {
    let t = TestPanel::start().await;
    let (ada, grace) = (t.member("acme", Role::Owner).await, t.member("acme", Role::Owner).await);
    let body = |name: &str| json!({ "name": name, "source": { "image": { "reference": "shop:1" } } });
    let keyed = ada.with("idempotency-key", "one");
    let first = keyed.post(APPS, body("web")).await;
    assert_eq!(first.status(), 201);
    let again = keyed.post(APPS, body("web")).await;
    assert_eq!((again.status(), again.json(), again.header("idempotent-replay")), (201, first.json(), "true"));
    assert_eq!(count_apps(&t).await, 1);
    let other = keyed.post(APPS, body("other")).await;
    assert_eq!((other.status(), other.code()), (409, "CONFLICT"));
    assert_eq!(keyed.post(&format!("{APPS}?x=1"), body("web")).await.status(), 409, "another address is another request");
    assert_eq!(grace.with("idempotency-key", "one").post(APPS, body("hers")).await.status(), 201, "a key is its user's own");
    let refused = ada.with("idempotency-key", "two").post(APPS, body("web")).await;
    assert_eq!(refused.status(), 400);
    let again = ada.with("idempotency-key", "two").post(APPS, body("web")).await;
    assert_eq!((again.status(), again.json()["error"].clone()), (400, refused.json()["error"].clone()), "a refusal is an answer, too");
    for bad in ["", &"x".repeat(256)] {
        assert_eq!(ada.with("idempotency-key", bad).post(APPS, body("third")).await.status(), 400);
    }
    t.clock.advance(Duration::from_secs(24 * 3600 + 1));
    let ada = t.sign_in(&ada.user, &ada.org).await;
    assert_eq!(ada.with("idempotency-key", "one").post(APPS, body("third")).await.status(), 201, "after a day it is forgotten");
}

#[tokio::test]
async fn the_same_key_at_the_same_time_does_it_once() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let keyed = app.owner.with("idempotency-key", "one");
    let url = app.url("deploy");
    let replies: Vec<Reply> = futures::future::join_all((0..6).map(|_| keyed.post(&url, json!({})))).await;
    let done: Vec<&Reply> = replies.iter().filter(|reply| reply.status() == 202).collect();
    assert!(!done.is_empty() && replies.iter().all(|reply| [202, 409].contains(&reply.status())), "{replies:?}");
    assert!(done.iter().all(|reply| reply.data()["id"] == done[0].data()["id"]));
    assert_eq!(deployment::Entity::find().count(t.panel.db.read()).await.unwrap(), 1);
}

#[tokio::test]
async fn an_answer_is_held_until_the_deployment_is_final() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let url = app.url("deploy?wait=20");
    let (reply, ()) = tokio::join!(app.owner.post(&url, json!({})), async {
        // The request comes first; then somebody works on it.
        while deployment::Entity::find().count(t.panel.db.read()).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        t.settle().await;
    });
    assert_eq!((reply.status(), reply.data()["phase"].as_str()), (202, Some("live")), "{}", reply.text());
    let id = reply.data()["id"].as_str().unwrap();
    assert_eq!(reply.header("location"), format!("/api/paas/deployments/{id}"));
    let begun = std::time::Instant::now();
    let reply = app.owner.post(&app.url("deploy?wait=1"), json!({})).await;
    assert_eq!((reply.status(), reply.data()["phase"].as_str()), (202, Some("queued")), "the seconds were over");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let queued = reply.data()["id"].as_str().unwrap();
    assert_eq!(app.owner.get(&format!("/api/paas/deployments/{queued}?wait=0")).await.data()["phase"], "queued");
    for wrong in ["301", "-1", "x"] {
        let reply = app.owner.post(&app.url(&format!("deploy?wait={wrong}")), json!({})).await;
        assert_eq!((reply.status(), reply.fields()), (400, vec!["wait"]), "{wrong}");
    }
    assert_eq!(t.row(&queued.parse().unwrap()).await.phase, Phase::Queued, "what was refused asked for nothing");
}

#[tokio::test]
async fn two_editors_do_not_overwrite_each_other() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let seen = app.owner.get(&app.url("")).await;
    let tag = seen.header("etag").to_string();
    assert_eq!(tag, format!("\"{}\"", seen.data()["version"]));
    let first = app.owner.with("if-match", &tag).put(&app.url(""), json!({ "port": 3000 })).await;
    assert_eq!(first.status(), 200);
    assert_ne!(first.header("etag"), tag);
    let second = app.owner.with("if-match", &tag).put(&app.url(""), json!({ "port": 4000 })).await;
    assert_eq!((second.status(), second.code()), (409, "CONFLICT"));
    assert_eq!(app.owner.get(&app.url("")).await.data()["settings"]["port"], 3000);
    assert_eq!(app.owner.put(&app.url(""), json!({ "port": 5000 })).await.status(), 200, "who names no version insists");
    assert_eq!(app.owner.with("if-match", "nonsense").put(&app.url(""), json!({})).await.fields(), ["If-Match"]);
    let tag = app.owner.get(&app.url("")).await.header("etag").to_string();
    let (url, editor) = (app.url(""), app.owner.with("if-match", &tag));
    let at_once = futures::future::join_all((0..4).map(|n| editor.put(&url, json!({ "port": 6000 + n })))).await;
    assert_eq!(at_once.iter().filter(|reply| reply.status() == 200).count(), 1, "{at_once:?}");
}

#[tokio::test]
async fn a_plan_is_not_exceeded_even_at_once() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let row = plan::Entity::find().one(t.panel.db.read()).await.unwrap().unwrap();
    let mut limits = row.limits.read().unwrap();
    limits.applications = 2;
    let row = plan::ActiveModel { id: Set(row.id), limits: Set(JsonText::of(&limits).unwrap()), ..Default::default() };
    row.update(t.panel.db.read()).await.unwrap();
    let body = |n: usize| json!({ "name": format!("web-{n}"), "source": { "image": { "reference": "shop:1" } } });
    let replies = futures::future::join_all((0..5).map(|n| ada.post(APPS, body(n)))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status() == 201).count(), 2);
    let refused = replies.iter().find(|reply| reply.status() != 201).unwrap();
    assert_eq!((refused.status(), refused.code()), (409, "QUOTA_EXCEEDED"));
    assert_eq!((&refused.json()["error"]["limit"], &refused.json()["error"]["used"]), (&json!(2), &json!(2)));
    let too_many = ada.post(APPS, json!({ "name": "big", "source": { "image": { "reference": "x" } }, "replicas": 11 })).await;
    assert_eq!(too_many.fields(), ["replicas"]);
}

#[tokio::test]
async fn a_name_is_free_in_another_organization_and_again_after_deleting() {
    let t = TestPanel::start().await;
    let app = t.app_with("acme", json!({ "name": "shop" })).await;
    let body = json!({ "name": "shop", "source": { "image": { "reference": "shop:1" } } });
    assert_eq!(app.owner.post(APPS, body.clone()).await.fields(), ["name"]);
    let theirs = t.app_with("globex", json!({ "name": "shop" })).await;
    let urls = [app.owner.get(&app.url("")).await, theirs.owner.get(&theirs.url("")).await].map(|reply| reply.data()["url"].clone());
    assert_ne!(urls[0], urls[1], "but addresses differ");
    assert_eq!(app.owner.delete(&app.url("")).await.status(), 200);
    assert_eq!(app.owner.get(&app.url("")).await.status(), 404);
    assert_eq!(app.owner.post(APPS, body.clone()).await.status(), 201);
    let at_once = futures::future::join_all((0..4).map(|_| {
        let body = json!({ "name": "race", "source": { "image": { "reference": "shop:1" } } });
        theirs.owner.post(APPS, body)
    }))
    .await;
    let mut statuses: Vec<u16> = at_once.iter().map(Reply::status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400, 400, 400]);
    let www = t.app_with("acme", json!({ "name": "www" })).await;
    assert_ne!(t.app_row(&www).await.host, "www", "names that look like the platform's own get another host");
}

fn references(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            into.extend(fields.get("$ref").and_then(Value::as_str).map(String::from));
            fields.values().for_each(|value| references(value, into));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, into)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_byte_for_byte_what_the_code_says_however_it_is_sent() {
    let t = TestPanel::start().await;
    let said = skypanel::router::api_document().to_string();
    let plain = t.stranger().get("/api/openapi.json").await;
    assert_eq!((plain.header("content-type"), plain.header("content-encoding")), ("application/json", ""));
    assert!(plain.text() == said, "the document is not what the code says");
    let packed = t.stranger().with("accept-encoding", "br, gzip").get("/api/openapi.json").await;
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "accept-encoding"));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed.bytes()), &mut text).unwrap();
    assert!(text == said && packed.bytes().len() * 8 < said.len(), "{} of {} bytes", packed.bytes().len(), said.len());
    let page = t.stranger().get("/api/docs").await;
    assert!(page.text().starts_with("<!DOCTYPE html>") && page.header("content-security-policy").starts_with("default-src 'none'"));
}

#[tokio::test]
async fn the_document_is_openapi_3_1_and_says_what_the_routes_do() {
    let t = TestPanel::start().await;
    let reply = t.stranger().get("/api/openapi.json").await;
    let document = reply.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut all = Vec::new();
    references(document, &mut all);
    assert!(all.len() > 50);
    for reference in all {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&t).await {
        let at = format!("{method} {path}");
        assert!(
            ids.insert(operation["operationId"].as_str().unwrap_or_else(|| panic!("{at} has no id")).to_string()),
            "{at}'s id is taken"
        );
        assert!(operation["summary"].is_string() && operation["tags"][0].is_string(), "{at} does not say what it does");
        let responses = operation["responses"].as_object().unwrap();
        let good: Vec<&Value> = responses.iter().filter(|(status, _)| status.starts_with('2')).map(|(_, response)| response).collect();
        assert_eq!(good.len(), 1, "{at}");
        let kinds = good[0]["content"].as_object().unwrap_or_else(|| panic!("{at} says nothing of its answer"));
        assert!(kinds.values().all(|kind| kind["schema"].is_object()), "{at} has no schema of its answer");
        for status in ["400", "401", "403", "404", "409", "413", "429", "500", "503"] {
            assert_eq!(responses[status]["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/Refused", "{at} {status}");
        }
        let named: BTreeSet<&str> = path.split('{').skip(1).filter_map(|part| part.split('}').next()).collect();
        let declared = operation["parameters"].as_array().into_iter().flatten().filter(|it| it["in"] == "path");
        assert_eq!(
            declared.filter(|it| it["required"] == true).map(|it| it["name"].as_str().unwrap()).collect::<BTreeSet<_>>(),
            named,
            "{at}"
        );
        if ["PUT", "PATCH"].contains(&method.as_str()) {
            assert!(operation["requestBody"].is_object(), "{at} has no body");
        }
        if let Some(reference) = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str() {
            let schema = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
            assert!(schema["example"].is_object() && schema["properties"].is_object(), "{at}: {reference}");
            assert_eq!(schema["additionalProperties"], false, "{at}: {reference}");
        } else if !path.starts_with("/api/edge/") {
            assert!(operation["requestBody"].is_null(), "{at} has a body without a type");
        }
    }
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

#[tokio::test]
async fn the_examples_of_the_document_are_taken() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let document = t.stranger().get("/api/openapi.json").await;
    for (method, path, operation) in
        operations(&t).await.into_iter().filter(|(_, path, _)| path.starts_with("/api/paas") || path.starts_with("/api/api-keys"))
    {
        let Some(reference) = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str() else { continue };
        let example = document.json().pointer(&reference[1..]).unwrap()["example"].to_string();
        let example: Value = serde_json::from_str(&example.replace("app_01jd0000000000000000000000", &app.id.to_string())).unwrap();
        let reply = app.owner.send(&method, &filled(&t, &app, &path).await, example.clone()).await;
        let for_git_only = reply.fields() == ["commit_hash"];
        let wants_an_authority = path.ends_with("/ssl") && reply.code() == "CONFLICT";
        assert!(reply.status() < 300 || for_git_only || wants_an_authority, "{method} {path} {example}: {}", reply.text());
    }
}

#[tokio::test]
async fn the_process_tells_whether_it_can_do_its_work() {
    let t = TestPanel::start().await;
    assert_eq!(t.stranger().get("/healthz").await.status(), 200);
    assert_eq!(t.stranger().get("/readyz").await.status(), 503, "it has not seen a swarm yet");
    t.settle().await;
    assert_eq!(t.stranger().get("/readyz").await.json(), &json!({ "database": true, "swarm": true, "walls": true }));
    t.fake.set_unreachable(true);
    t.settle().await;
    let reply = t.stranger().get("/readyz").await;
    assert_eq!((reply.status(), reply.json()), (503, &json!({ "database": true, "swarm": false, "walls": true })));
}

#[tokio::test]
async fn no_route_takes_a_parameter_that_it_does_not_know() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    for (method, path, _) in operations(&t).await {
        let path = filled(&t, &app, &path).await;
        let reply = app.owner.send(&method, &format!("{path}?surprise=1"), json!({})).await;
        assert_eq!((reply.status(), reply.fields()), (400, vec!["surprise"]), "{method} {path}: {}", reply.text());
    }
}

#[tokio::test]
async fn a_body_is_json_in_utf_8_of_bounded_depth_without_nul() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let body = json!({ "name": "web", "source": { "image": { "reference": "shop:1" } } }).to_string();
    let deep = format!("{{\"environment_variables\":{}1{}}}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    for (kind, body, field) in [
        ("application/json; charset=latin1", body.as_str(), "body"),
        ("application/json; charset=utf-16", &body, "body"),
        ("text/json", &body, "body"),
        ("application/json", &deep, "body"),
        ("application/json", &"[".repeat(500_000), "body"),
        ("application/json", "{\"name\":\"a\",\"name\":\"b\"}", "name"),
        ("application/json", "{\"name\":\"a\\u0000b\",\"source\":{\"image\":{\"reference\":\"x\"}}}", "name"),
    ] {
        let reply = ada.raw("POST", APPS, kind, body.to_string()).await;
        assert_eq!(reply.status(), 400, "{kind}");
        assert!(reply.fields().contains(&field), "{kind}: {}", reply.text());
    }
    let reply = ada.raw("POST", APPS, "application/json", [b"{\"name\":\"".to_vec(), vec![0xff, 0xfe], b"\"}".to_vec()].concat()).await;
    assert_eq!((reply.status(), reply.fields()), (400, vec!["body"]));
    assert_eq!(ada.with("content-encoding", "gzip").raw("POST", APPS, "application/json", body.clone()).await.fields(), ["body"]);
    let nul = json!({ "environment_variables": { "A": { "value": "x\u{0}", "secret": true }, "B": "\u{0}" } });
    let app = t.app_in("acme").await;
    let reply = app.owner.put(&app.url("env"), nul).await;
    assert_eq!(reply.fields(), ["environment_variables.A.value", "environment_variables.B"], "all at once");
    assert_eq!(ada.raw("POST", APPS, "Application/JSON; charset=\"UTF-8\"", body).await.status(), 201);
}

#[tokio::test]
async fn a_replay_keeps_the_headers_that_lead_on() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let keyed = ada.with("idempotency-key", "one");
    let body = json!({ "name": "web", "source": { "image": { "reference": "shop:1" } } });
    let first = keyed.post(APPS, body.clone()).await;
    let again = keyed.post(APPS, body).await;
    assert_eq!((again.header("idempotent-replay"), again.header("location")), ("true", first.header("location")));
    assert!(first.header("location").starts_with(APPS));
    assert!(!t.stored().await.contains("\"success\":true"), "answers are remembered sealed");
}

#[tokio::test]
async fn who_has_the_newest_is_not_sent_it_again() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let tag = app.owner.get(&app.url("")).await.header("etag").to_string();
    for known in [tag.clone(), format!("\"0\", {tag}"), format!("W/{tag}"), "*".into()] {
        let reply = app.owner.with("if-none-match", &known).get(&app.url("")).await;
        assert_eq!((reply.status(), reply.text().as_str(), reply.header("etag")), (304, "", tag.as_str()), "{known}");
    }
    assert_eq!(app.owner.with("if-none-match", "\"0\"").get(&app.url("")).await.status(), 200);
    assert_eq!(t.stranger().with("if-none-match", &tag).get(&app.url("")).await.status(), 401);
    app.owner.put(&app.url(""), json!({ "port": 3000 })).await;
    assert_eq!(app.owner.with("if-none-match", &tag).get(&app.url("")).await.status(), 200);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    for method in ["DELETE", "PATCH", "OPTIONS", "TRACE"] {
        let reply = ada.send(method, APPS, json!({})).await;
        assert_eq!((reply.status(), reply.code()), (405, "METHOD_NOT_ALLOWED"), "{method}");
        assert_eq!(reply.header("allow").split(',').collect::<BTreeSet<_>>(), BTreeSet::from(["GET", "HEAD", "POST"]), "{method}");
    }
    let head = ada.raw("HEAD", APPS, "", "").await;
    assert_eq!((head.status(), head.text().as_str()), (200, ""));
}

#[tokio::test]
async fn the_document_tells_of_credentials_headers_and_examples() {
    let t = TestPanel::start().await;
    let document = t.stranger().get("/api/openapi.json").await;
    let document = document.json();
    for scheme in ["bearer", "api_key", "cookie"] {
        assert!(document["components"]["securitySchemes"][scheme]["description"].is_string(), "{scheme}");
    }
    assert!(document["tags"].as_array().unwrap().iter().all(|tag| tag["description"].is_string()), "{}", document["tags"]);
    for (method, path, operation) in operations(&t).await {
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(response["headers"]["X-Request-Id"].is_object(), "{method} {path} {status}");
            // A file is no JSON, and edges have a language of their own.
            let is_json = !path.ends_with("/export") && path != "/api/admin/metrics" && !path.starts_with("/api/edge/");
            if status.starts_with('2') && is_json {
                assert!(response["content"]["application/json"]["example"]["success"] == true, "{method} {path} {status}");
            }
        }
        assert!(operation["responses"]["429"]["headers"]["Retry-After"].is_object(), "{method} {path}");
    }
    let get = &document["paths"]["/api/paas/applications/{id}"]["get"];
    assert_eq!(get["responses"]["200"]["content"]["application/json"]["example"]["data"]["id"], "app_01jd0000000000000000000000");
}

#[tokio::test]
async fn the_reference_for_people_holds_every_operation_and_loads_nothing_from_elsewhere() {
    let t = TestPanel::start().await;
    let page = t.stranger().get("/api/docs").await;
    assert_eq!((page.status(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(
        page.header("content-security-policy").contains("default-src 'none'") && !page.header("content-security-policy").contains("unsafe")
    );
    let text = page.text();
    for (method, path, operation) in operations(&t).await {
        assert!(text.contains(&format!("<article id=\"{}\">", operation["operationId"].as_str().unwrap())), "{method} {path}");
    }
    for word in ["http://", "https://", "//cdn", "style=\"", "onclick"] {
        assert!(!text.contains(word) || word.starts_with("http") && !text.contains(&format!("=\"{word}")), "{word}");
    }
    assert_eq!(t.stranger().get("/api/docs.js").await.header("content-type"), "text/javascript; charset=utf-8");
    assert!(t.stranger().get("/api/docs.css").await.text().contains("light-dark"));
    let member = t.member("acme", Role::Owner).await;
    assert!(member.browser.get("/applications").await.text().contains("href=\"/api/docs\""), "the account menu leads there");
}
