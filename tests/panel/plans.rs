//! What the routes ask of the database: as many statements for a long list as for a short one, and none that reads through a table
//! which grows with what customers do.
use crate::support::panel::{App, TestPanel};
use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};
use serde_json::{Value, json};
use skypanel::auth::session::SessionCache;
use skypanel::{fault, reports::server::task, rights::Role, runtime::fault_reports};
use std::collections::{BTreeMap, BTreeSet};

/// Tables that hold a handful of rows however many customers there are, and those that are cut to a length.
/// An operator's figures count the mails of a month in their index.
const BOUNDED: [&str; 8] =
    ["mails", "mail_suppressions", "plans", "providers", "setup_tokens", "error_groups", "rate_counts", "seaql_migrations"];

/// Makes `count` of everything that is listed.
async fn many(t: &TestPanel, app: &App, count: usize, round: usize) {
    for n in 0..count {
        let body = json!({ "name": format!("app-{round}-{n}"), "source": { "image": { "reference": "shop:1" } } });
        assert_eq!(app.owner.post("/api/paas/applications", body).await.status(), 201);
        t.ask_to_deploy(app).await;
        let key = json!({ "name": format!("key {round} {n}"), "permissions": ["view"] });
        // Of several people, so that whose they are is looked up, too.
        let other = t.member("acme", Role::Developer).await;
        assert_eq!(other.post("/api/api-keys", key.clone()).await.status(), 201);
        if round + n < 45 {
            assert_eq!(app.owner.post("/api/api-keys", key).await.status(), 201);
        }
        let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
        let doing = format!("testing {}{}{}", letter(round), letter(n / 26), letter(n));
        fault_reports::within(&t.panel, None, async { fault::internal(&doing, "on purpose") }).await;
    }
    task::pass(&t.panel).await.unwrap();
}

#[tokio::test]
async fn a_list_of_fifty_takes_as_many_statements_as_one_of_five() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    t.deploy_well(&app).await;
    let operator = t.operator().await;
    let lists = [
        "/api/paas/applications?limit=200".to_string(),
        "/api/paas/applications?limit=200&status=new".into(),
        "/api/paas/applications?limit=200&search=app".into(),
        app.url("deployments?limit=200"),
        "/api/api-keys?limit=200&all=true".into(),
        "/api/admin/errors?limit=200".into(),
        "/applications".into(),
        format!("/applications/{}/deployments", app.id),
        "/account/api-keys?all=true".into(),
        "/admin/errors".into(),
    ];
    let mut counts: Vec<BTreeMap<String, usize>> = Vec::new();
    let mut lengths = Vec::new();
    for (round, rows) in [(1, 5), (2, 45)] {
        many(&t, &app, rows, round).await;
        let mut count = BTreeMap::new();
        for path in &lists {
            let who = if path.contains("/admin/") { &operator } else { &app.owner };
            let client = if path.starts_with("/api/") { &who.script } else { &who.browser };
            // What was looked up lately is not asked again; everybody pays for it once a second. What all visitors share (notes of the
            // operator, features) is asked for by the first of them.
            client.get(path).await;
            for who in [&operator, &app.owner] {
                t.panel.of::<SessionCache>().forget_user(&who.user);
            }
            t.heard.begin();
            let reply = client.get(path).await;
            count.insert(path.clone(), t.heard.end().len());
            assert_eq!(reply.status(), 200, "{path}");
            lengths.extend(reply.data().as_array().map(|rows| (path.clone(), rows.len())));
        }
        counts.push(count);
    }
    for (path, few) in &counts[0] {
        let many = counts[1][path];
        // One more where a page is full: only then what follows must be counted.
        assert!(many == *few || many == few + 1, "{path}: {few} for five, {many} for fifty");
    }
    assert!(counts[0].values().all(|count| (1..=15).contains(count)), "{:?}", counts[0]);
    let grown = lists.iter().filter(|path| path.starts_with("/api/")).all(|path| {
        let of: Vec<usize> = lengths.iter().filter(|(it, _)| it == path).map(|(_, length)| *length).collect();
        of[1] >= of[0] + 40
    });
    assert!(grown, "{lengths:?}");
}

/// Every operation of the document with its example, by the owner and an operator.
async fn everything(t: &TestPanel, app: &App) {
    let operator = t.operator().await;
    let document = t.stranger().get("/api/openapi.json").await;
    let deployment = t.deploy_well(app).await.id.to_string();
    let made = app.owner.post("/api/api-keys", json!({ "name": "CI", "permissions": ["view", "deploy"] })).await;
    let key = made.data()["id"].as_str().unwrap().to_string();
    // What the loops ask is another matter.
    t.heard.begin();
    let mut last = Vec::new();
    for (path, item) in document.json()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = match path {
                path if path.contains("/deployments/{id}") => &deployment,
                path if path.contains("/api-keys/{id}") => &key,
                _ => &app.id.to_string(),
            };
            let place = path.replace("{id}", id);
            let body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str();
            let body = body.and_then(|name| document.json().pointer(&name[1..])).map_or(json!({}), |schema| schema["example"].clone());
            let query: Vec<String> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|it| it["in"] == "query" && ["search", "status", "sort", "all"].contains(&it["name"].as_str().unwrap()))
                .map(|it| match it["name"].as_str().unwrap() {
                    "all" => "all=true".into(),
                    "sort" => "sort=-updated_at".into(),
                    "status" => "status=running".into(),
                    name => format!("{name}=a"),
                })
                .collect();
            let call = (method.to_uppercase(), place, query.join("&"), body);
            if method == "delete" || path.ends_with("/logout") { last.push(call) } else { one(t, app, &operator, call).await }
        }
    }
    for call in last {
        one(t, app, &operator, call).await;
    }
}

async fn one(t: &TestPanel, app: &App, operator: &crate::support::client::Person, call: (String, String, String, Value)) {
    let (method, place, query, body) = call;
    for who in [&app.owner.script, &operator.script] {
        for asked in [place.clone(), format!("{place}?{query}")] {
            let reply = if method == "GET" { who.get(&asked).await } else { who.send(&method, &asked, body.clone()).await };
            assert!(reply.status() < 500, "{method} {asked}: {}", reply.text());
        }
    }
    t.panel.of::<SessionCache>().forget_user(&app.owner.user);
}

/// The lines of a statement's plan that read through a table which grows.
async fn scans(t: &TestPanel, statement: &Statement) -> Vec<String> {
    let db = t.panel.db.read();
    let explained = |words: &str| Statement { sql: format!("{words} {}", statement.sql), ..statement.clone() };
    let sql = statement.sql.to_uppercase();
    // One of none: a constant that is false, and nothing is read.
    if sql.contains("? = ?") || (1..9).any(|n| sql.contains(&format!("${n} = ${}", n + 1))) {
        return Vec::new();
    }
    // How many there are in all, which the operator's overview tells, is read off an index and not off the rows.
    let total = sql.starts_with("SELECT COUNT(*)") && !sql.contains("LIKE");
    // The first of a table, or of an index in its order, is found without reading on.
    let stops = sql.contains("LIMIT") && !sql.contains(" WHERE ");
    if db.get_database_backend() == DbBackend::Sqlite {
        let rows = db.query_all_raw(explained("EXPLAIN QUERY PLAN")).await.unwrap();
        let lines = rows.iter().map(|row| row.try_get::<String>("", "detail").unwrap());
        let is_scan = |line: &String| {
            let of = line.strip_prefix("SCAN ").and_then(|rest| rest.split_whitespace().next());
            let in_order = line.contains("USING") && sql.contains("LIMIT");
            let is_total = total && line.contains("USING");
            of.is_some_and(|of| !BOUNDED.contains(&of) && of != "CONSTANT" && !of.ends_with("-ROW") && !of.starts_with('('))
                && !in_order
                && !stops
                && !is_total
        };
        return lines.filter(is_scan).collect();
    }
    let tx = db.begin().await.unwrap();
    tx.execute_unprepared("SET LOCAL enable_seqscan = off").await.unwrap();
    let rows = tx.query_all_raw(explained("EXPLAIN")).await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.try_get::<String>("", "QUERY PLAN").unwrap()).collect();
    tx.rollback().await.unwrap();
    let is_scan = |line: &String| {
        let of = line.split("Seq Scan on ").nth(1).and_then(|rest| rest.split_whitespace().next());
        of.is_some_and(|of| !BOUNDED.contains(&of)) && !stops
    };
    lines.into_iter().filter(is_scan).collect()
}

#[tokio::test]
async fn no_statement_of_a_route_reads_through_a_table_that_grows() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    many(&t, &app, 3, 1).await;
    everything(&t, &app).await;
    let heard = t.heard.end();
    let mut seen = BTreeSet::new();
    let mut broken = Vec::new();
    for statement in heard {
        let verb = statement.sql.split_whitespace().next().unwrap_or_default().to_uppercase();
        if !["SELECT", "UPDATE", "DELETE", "INSERT", "WITH"].contains(&verb.as_str()) || !seen.insert(statement.sql.clone()) {
            continue;
        }
        for line in scans(&t, &statement).await {
            broken.push(format!("{line}\n    {}", statement.sql));
        }
    }
    assert!(seen.len() > 40, "{}", seen.len());
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[tokio::test]
async fn the_reader_of_plans_tells_a_scan() {
    let t = TestPanel::start().await;
    let of = |sql: &str| Statement::from_string(t.panel.db.backend(), sql);
    assert_eq!(scans(&t, &of("SELECT id FROM audit_events WHERE detail = 'x'")).await.len(), 1);
    assert_eq!(scans(&t, &of("SELECT id FROM users WHERE id = 'x'")).await, Vec::<String>::new());
    assert_eq!(scans(&t, &of("SELECT id FROM plans WHERE limits = 'x'")).await, Vec::<String>::new());
}
