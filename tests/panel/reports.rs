//! Error reports: a reference leads the operator to its cause.
use crate::support::panel::TestPanel;
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait};
use serde_json::json;
use skypanel::{
    error::Error,
    fault,
    reports::server::task::{KEPT, OF_A_KIND, pass},
    rights::Role,
    runtime::fault_reports,
    store::tables::{error_group, error_report},
};
use std::time::Duration;

/// Fails in the panel `count` times, and answers with the references.
async fn fail(t: &TestPanel, doing: &str, cause: &str, count: usize) -> Vec<String> {
    let work = async { (0..count).map(|n| fault::internal(doing, format!("{cause} {n}"))).collect::<Vec<_>>() };
    let faults = fault_reports::within(&t.panel, None, work).await;
    let reference = |fault| if let Error::Internal(reference) = fault { reference } else { panic!("{fault}") };
    faults.into_iter().map(reference).collect()
}

#[tokio::test]
async fn what_failed_is_written_down_by_the_time_that_the_loops_rest() {
    let t = TestPanel::start().await;
    let references = fail(&t, "trying things out", "it broke", 1).await;
    t.settle().await;
    assert_eq!(t.operator().await.get(&format!("/api/admin/errors/{}", references[0])).await.status(), 200);
}

#[tokio::test]
async fn the_reference_that_a_customer_was_shown_leads_the_operator_to_the_cause() {
    let t = TestPanel::start().await;
    let (app, operator) = (t.app_in("acme").await, t.operator().await);
    let broken = format!("UPDATE applications SET settings = 'no json' WHERE id = '{}'", app.id);
    t.panel.db.read().execute_unprepared(&broken).await.unwrap();
    let reply = app.owner.get(&app.url("")).await;
    assert_eq!((reply.status(), reply.code()), (500, "INTERNAL_ERROR"));
    let message = reply.json()["error"]["message"].as_str().unwrap().to_string();
    let reference = message.split_whitespace().last().unwrap().trim_end_matches('.');
    assert!(pass(&t.panel).await.unwrap().is_some());
    let found = operator.get(&format!("/api/admin/errors/{reference}")).await;
    assert_eq!(found.status(), 200, "{}", found.text());
    let report = &found.data()["reports"][0];
    assert_eq!(report["reference"], reference);
    assert_eq!(report["request_id"], reply.json()["request_id"]);
    assert_eq!(report["route"], "GET /api/paas/applications/{id}");
    assert_eq!(
        (report["organization_id"].as_str(), report["user_id"].as_str()),
        (Some(app.owner.org.to_string().as_str()), Some(app.owner.user.to_string().as_str()))
    );
    assert!(found.data()["group"]["cause"].as_str().unwrap().contains("expected ident"), "{}", found.text());
    let listed = operator.get(&format!("/api/admin/errors?search={reference}")).await;
    assert_eq!(listed.json()["pagination"]["total"], 1);
    for path in ["/admin/errors".to_string(), format!("/admin/errors?search={reference}"), format!("/admin/errors/{reference}")] {
        let page = operator.browser.get(&path).await;
        assert_eq!(page.status(), 200, "{path}");
        assert!(page.text().contains("ailed while "), "{path}");
    }
    assert_eq!(app.owner.browser.get("/admin/errors").await.status(), 403);
}

#[tokio::test]
async fn faults_of_one_kind_are_one_line_with_a_count() {
    let t = TestPanel::start().await;
    let operator = t.operator().await;
    fail(&t, "reading the swarm", "no route to 10.0.0.7, attempt", 3).await;
    fail(&t, "reading the swarm", "<script>alert(1)</script>", 1).await;
    pass(&t.panel).await.unwrap();
    t.clock.advance(Duration::from_secs(60));
    fail(&t, "reading the swarm", "no route to 10.9.9.9, attempt", 2).await;
    pass(&t.panel).await.unwrap();
    let listed = operator.get("/api/admin/errors").await;
    let counts: Vec<i64> = listed.data().as_array().unwrap().iter().map(|group| group["count"].as_i64().unwrap()).collect();
    assert_eq!(counts, [5, 1], "the newest first");
    assert!(!operator.browser.get("/admin/errors").await.text().contains("<script>alert"));
    for (search, found) in [("route", 1), ("reading", 2), ("%25", 0), ("nothing", 0), ("%00", 2)] {
        let reply = operator.get(&format!("/api/admin/errors?search={search}")).await;
        assert_eq!(reply.json()["pagination"]["total"], found, "{search}: {}", reply.text());
    }
    for wrong in ["err_01jd0000000000000000000000", "nonsense", "%00", "a%20b"] {
        assert_eq!(operator.get(&format!("/api/admin/errors/{wrong}")).await.code(), "REPORT_NOT_FOUND", "{wrong}");
    }
}

#[tokio::test]
async fn reports_are_bounded_and_old_ones_go() {
    let t = TestPanel::start().await;
    fail(&t, "doing too much", "again", 5_000).await;
    pass(&t.panel).await.unwrap();
    let db = t.panel.db.read();
    let group = error_group::Entity::find().one(db).await.unwrap().unwrap();
    assert_eq!(group.count, 1_000, "what came while so many waited is in the log");
    assert!(error_report::Entity::find().count(db).await.unwrap() <= OF_A_KIND);
    t.clock.advance(KEPT + Duration::from_secs(1));
    pass(&t.panel).await.unwrap();
    assert_eq!((error_group::Entity::find().count(db).await.unwrap(), error_report::Entity::find().count(db).await.unwrap()), (0, 0));
}

#[tokio::test]
async fn what_cannot_be_written_waits_and_makes_no_more_of_itself() {
    let t = TestPanel::start().await;
    let references = fail(&t, "doing this", "once", 1).await;
    t.panel.db.read().execute_unprepared("ALTER TABLE error_groups RENAME TO away").await.unwrap();
    for _ in 0..3 {
        assert!(pass(&t.panel).await.is_err());
    }
    t.panel.db.read().execute_unprepared("ALTER TABLE away RENAME TO error_groups").await.unwrap();
    pass(&t.panel).await.unwrap();
    let all = error_report::Entity::find().all(t.panel.db.read()).await.unwrap();
    assert_eq!(all.iter().map(|row| row.reference.clone()).collect::<Vec<_>>(), references);
}

#[tokio::test]
async fn an_operators_key_does_not_open_the_reports() {
    let t = TestPanel::start().await;
    let operator = t.operator().await;
    let made = operator.post("/api/api-keys", json!({ "name": "x", "permissions": ["view"] })).await;
    let key = t.stranger().with("x-api-key", made.data()["secret"].as_str().unwrap());
    assert_eq!(key.get("/api/admin/errors").await.status(), 403);
    assert_eq!(t.member("acme", Role::Owner).await.get("/api/admin/errors").await.json()["error"]["required"], "operator");
}
