//! What the operator does: suspending and resuming, acting in somebody's name, announcing, rolling out in stages.
use crate::support::{
    canary::{Try, quick},
    client::{Client, Person},
    panel::{App, TestPanel},
    shop::Shop,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use skypanel::auth::session::SessionCache;
use skypanel::{
    apps::model::Wanted,
    audit::server::chain,
    auth::session::COOKIE,
    deployments::model::Phase,
    error::Error,
    flags::server::{Flag, is_on, turn},
    id::DeploymentId,
    rights::Role,
    store::tables::{audit_event, deployment, organization, session},
    swarm::fake::{Answer, BuildPlan},
};
use std::time::Duration;

async fn lines(t: &TestPanel, event: &str) -> Vec<audit_event::Model> {
    let all = audit_event::Entity::find().filter(audit_event::Column::Event.eq(event));
    all.all(t.panel.db.read()).await.unwrap()
}

/// A browser with the cookie that an answer set.
fn browser(t: &TestPanel, cookie: &str, session: &str) -> Client {
    t.stranger()
        .with("cookie", cookie.split(';').next().unwrap())
        .with("origin", &t.panel.config.public_url())
        .with("x-csrf-token", &t.panel.secrets.form_token(session))
}

/// Begins to act in somebody's name as a browser does, and answers with that browser.
async fn act(t: &TestPanel, operator: &Person, person: &Person) -> Client {
    let id = person.user.to_string();
    let fields = [("id", id.as_str()), ("reason", "Ticket 4711")];
    let reply = operator.browser.call("/fn/skypanel/admin/fns/impersonate_user", &fields).await.unwrap();
    let cookie = reply.cookie(COOKIE).unwrap();
    let hers = session::Entity::find().filter(session::Column::ImpersonatorId.eq(operator.user.to_string()));
    let hers = hers.all(t.panel.db.read()).await.unwrap().pop().unwrap();
    browser(t, &cookie, &hers.id.to_string())
}

#[tokio::test]
async fn somebody_who_is_suspended_is_out_at_once_and_comes_back_when_resumed() {
    let t = TestPanel::start().await;
    let (operator, ada) = (t.operator().await, t.member("acme", Role::Owner).await);
    assert_eq!(ada.get("/api/auth/me").await.status(), 200);
    let url = format!("/api/admin/users/{}", ada.user);
    let reply = operator.post(&format!("{url}/suspend"), json!({ "reason": "x" })).await;
    assert_eq!((reply.status(), reply.fields()), (400, vec!["reason"]));
    let reply = operator.post(&format!("{url}/suspend"), json!({ "reason": "Sent spam." })).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(reply.data()["user"]["suspended_reason"], "Sent spam.");
    assert_eq!(ada.get("/api/auth/me").await.status(), 401);
    assert_eq!(ada.browser.get("/applications").await.status(), 303);
    assert_eq!(operator.post(&format!("{url}/suspend"), json!({ "reason": "Again." })).await.status(), 409);
    assert_eq!(operator.post(&format!("{url}/resume"), json!({})).await.status(), 200);
    assert_eq!(operator.post(&format!("{url}/resume"), json!({})).await.status(), 409);
    assert_eq!(ada.get("/api/auth/me").await.status(), 401, "what ended stays ended");
    let again = t.sign_in(&ada.user, &ada.org).await;
    assert_eq!(again.get("/api/auth/me").await.status(), 200);
    assert_eq!(lines(&t, "user.suspended").await[0].organization_id, chain::platform());
}

#[tokio::test]
async fn an_organization_that_is_suspended_can_be_seen_and_not_changed() {
    let t = TestPanel::start().await;
    let operator = t.operator().await;
    let app = t.app_in("acme").await;
    t.deploy_well(&app).await;
    let url = format!("/api/admin/organizations/{}", app.owner.org);
    let reply = operator.post(&format!("{url}/suspend"), json!({ "reason": "Not paid." })).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(app.owner.get(&app.url("")).await.status(), 200);
    let refused = app.owner.post(&app.url("scale"), json!({ "replicas": 2 })).await;
    assert_eq!((refused.status(), refused.code()), (403, "SUSPENDED"));
    t.settle().await;
    assert_eq!(t.visit(&app).await.0, 200, "what runs goes on");
    assert_eq!(operator.post(&format!("{url}/resume"), json!({})).await.status(), 200);
    assert_eq!(app.owner.post(&app.url("scale"), json!({ "replicas": 2 })).await.status(), 200);
    let reply = operator.post(&format!("{url}/suspend"), json!({ "reason": "Not paid.", "stop_applications": true })).await;
    assert_eq!(reply.data()["applications"][0]["wanted"], "stopped", "{}", reply.text());
    t.settle().await;
    assert_eq!(t.replicas(&app), 0);
    assert_eq!(lines(&t, "application.stopped").await[0].target, app.id.to_string());
    operator.post(&format!("{url}/resume"), json!({})).await;
    assert_eq!(app.owner.post(&app.url("start"), json!({})).await.status(), 200);
    t.settle().await;
    assert!(t.replicas(&app) > 0);
}

/// Suspends an application's organization.
async fn suspend(operator: &Person, app: &App, stop: bool) {
    let url = format!("/api/admin/organizations/{}/suspend", app.owner.org);
    let reply = operator.post(&url, json!({ "reason": "Not paid.", "stop_applications": stop })).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
}

/// Lets an application's organization go on.
async fn resume(operator: &Person, app: &App) {
    let reply = operator.post(&format!("/api/admin/organizations/{}/resume", app.owner.org), json!({})).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
}

/// Suspends an organization while a deployment of the shop is in flight: it does not go live, nothing runs, and what ran before runs again
/// when the organization goes on.
async fn ends_with_the_suspension(shop: &Shop, id: &DeploymentId) {
    let (t, operator) = (&shop.t, shop.t.operator().await);
    suspend(&operator, &shop.app, true).await;
    if t.row(id).await.phase == Phase::Queued {
        t.settle().await;
    }
    t.ends(id).await;
    t.settle().await;
    assert_eq!(t.row(id).await.phase, Phase::Cancelled);
    assert_eq!((t.replicas(&shop.app), t.app_row(&shop.app).await.live_deployment_id), (0, Some(shop.first.clone())));
    resume(&operator, &shop.app).await;
    t.settle().await;
    t.is_live_alone(&shop.app, &shop.first).await;
    assert_eq!(lines(t, "application.started").await[0].target, shop.app.id.to_string());
}

#[tokio::test]
async fn a_deployment_that_waits_does_not_start_a_suspended_organization_again() {
    let shop = Shop::open().await;
    let id = shop.t.ask_to_deploy(&shop.app).await;
    ends_with_the_suspension(&shop, &id).await;
}

#[tokio::test]
async fn a_build_does_not_start_a_suspended_organization_again() {
    let shop = Shop::open().await;
    let id = shop.t.ask_to_deploy(&shop.app).await;
    shop.t.fake.plan_build(&id.to_string(), BuildPlan { lines: vec![], takes: Duration::from_secs(600), failure: None });
    let walk = shop.t.work();
    shop.t.reaches(&id, Phase::Building).await;
    ends_with_the_suspension(&shop, &id).await;
    walk.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_release_that_is_probed_does_not_start_a_suspended_organization_again() {
    let shop = Shop::open().await;
    let id = shop.t.ask_to_deploy(&shop.app).await;
    shop.t.fake.answer(&id.to_string(), Answer::Silence);
    let walk = shop.t.work();
    shop.t.reaches(&id, Phase::Probing).await;
    ends_with_the_suspension(&shop, &id).await;
    walk.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_canary_does_not_start_a_suspended_organization_again() {
    let it = Try::begin(quick(), |backend| backend).await;
    let operator = it.shop.t.operator().await;
    suspend(&operator, &it.shop.app, true).await;
    it.ends_as(Phase::Cancelled).await;
    it.shop.t.settle().await;
    assert_eq!(it.shop.t.replicas(&it.shop.app), 0);
    // What is made again has servers again: the trial gave them to the new release alone.
    it.shop.t.fake.serve();
    resume(&operator, &it.shop.app).await;
    it.shop.t.settle().await;
    it.shop.t.is_live_alone(&it.shop.app, &it.shop.first).await;
}

#[tokio::test]
async fn a_first_deployment_does_not_go_live_in_a_suspended_organization() {
    let t = TestPanel::start().await;
    let (app, operator) = (t.app_in("acme").await, t.operator().await);
    let id = t.ask_to_deploy(&app).await;
    t.fake.answer(&id.to_string(), Answer::Silence);
    let walk = t.work();
    t.reaches(&id, Phase::Probing).await;
    suspend(&operator, &app, true).await;
    t.ends(&id).await;
    walk.await.unwrap().unwrap();
    t.settle().await;
    let row = t.app_row(&app).await;
    assert_eq!((t.replicas(&app), row.live_deployment_id, row.wanted), (0, None, Wanted::Stopped));
    resume(&operator, &app).await;
    t.settle().await;
    assert_eq!((t.replicas(&app), t.app_row(&app).await.wanted), (0, Wanted::Running));
    t.deploy_well(&app).await;
    assert_eq!(t.replicas(&app), 1);
}

#[tokio::test]
async fn what_runs_goes_on_and_what_is_being_deployed_ends_where_the_operator_leaves_applications_alone() {
    let shop = Shop::open().await;
    let id = shop.t.ask_to_deploy(&shop.app).await;
    suspend(&shop.t.operator().await, &shop.app, false).await;
    shop.t.settle().await;
    assert_eq!(shop.t.row(&id).await.phase, Phase::Cancelled);
    shop.t.is_live_alone(&shop.app, &shop.first).await;
}

/// Marks an organization as suspended, as a panel does whose transaction and ours do not see each other.
async fn mark_suspended(t: &TestPanel, app: &App) {
    let row = organization::ActiveModel { id: Set(app.owner.org.clone()), suspended_at: Set(Some(t.panel.now())), ..Default::default() };
    t.panel.db.tx(async |tx| Ok(row.update(tx).await.unwrap())).await.unwrap();
}

#[tokio::test]
async fn a_deployment_that_was_asked_for_in_the_moment_of_the_suspension_is_cancelled() {
    let shop = Shop::open().await;
    let id = shop.t.ask_to_deploy(&shop.app).await;
    mark_suspended(&shop.t, &shop.app).await;
    shop.t.settle().await;
    assert_eq!(shop.t.row(&id).await.phase, Phase::Cancelled);
    shop.t.is_live_alone(&shop.app, &shop.first).await;
}

#[tokio::test]
async fn a_switch_in_the_moment_of_the_suspension_leaves_the_release_before_in_its_place() {
    let shop = Shop::open().await;
    let t = &shop.t;
    let id = t.ask_to_deploy(&shop.app).await;
    t.fake.answer(&id.to_string(), Answer::Silence);
    let walk = t.work();
    t.reaches(&id, Phase::Probing).await;
    walk.abort();
    walk.await.ok();
    mark_suspended(t, &shop.app).await;
    let row = deployment::ActiveModel {
        id: Set(id.clone()),
        phase: Set(Phase::Switching),
        phase_at: Set(t.panel.now()),
        lease_until: Set(None),
        ..Default::default()
    };
    t.panel.db.tx(async |tx| Ok(row.update(tx).await.unwrap())).await.unwrap();
    t.settle().await;
    let failure = t.deployment(&shop.app, &id).await.failure.unwrap();
    assert_eq!((failure.phase, failure.code.as_str()), (Phase::Switching, "suspended"));
    t.is_live_alone(&shop.app, &shop.first).await;
}

#[tokio::test]
async fn a_panel_that_has_not_heard_of_the_suspension_starts_nothing() {
    let shop = Shop::open().await;
    assert_eq!(shop.app.owner.post(&shop.app.url("stop"), json!({})).await.status(), 200);
    mark_suspended(&shop.t, &shop.app).await;
    for what in ["start", "deploy"] {
        let refused = shop.app.owner.post(&shop.app.url(what), json!({})).await;
        assert_eq!((refused.status(), refused.code()), (403, "SUSPENDED"), "{what}: {}", refused.text());
    }
    shop.t.settle().await;
    assert_eq!(shop.t.replicas(&shop.app), 0);
}

#[tokio::test]
async fn an_operator_acts_in_somebodys_name_without_her_secrets_and_both_names_are_written_down() {
    let t = TestPanel::start().await;
    let operator = t.operator().await;
    let app = t.app_in("acme").await;
    let page = act(&t, &operator, &app.owner).await;
    let seen = page.get("/applications").await;
    assert!(seen.text().contains("acts in the name of") && seen.text().contains("Ticket 4711"), "{}", seen.text());
    assert!(!seen.text().contains("href=\"/admin\""));
    assert_eq!(page.post(&app.url("scale"), json!({ "replicas": 2 })).await.status(), 200);
    let line = lines(&t, "application.scaled").await.pop().unwrap();
    assert_eq!((line.user_id, line.impersonator_id.unwrap()), (app.owner.user.to_string(), operator.user.clone()));
    assert_eq!((line.user_name.as_str(), line.impersonator_name.as_deref()), ("Ada Lovelace", Some("Ada Lovelace")));
    let secret = page.patch(&app.url("env"), json!({ "environment_variables": { "KEY": "x" } })).await;
    assert_eq!((secret.status(), secret.json()["error"]["required"].as_str()), (403, Some("secrets")));
    assert_eq!(page.get("/api/admin/users").await.status(), 403);
    assert_eq!(page.get("/admin/users").await.status(), 403);
    assert_eq!(lines(&t, "impersonation.begun").await.len(), 2, "the organization's trail and the platform's");
    let mine = operator.browser.get("/applications").await;
    assert!(!mine.text().contains("acts in the name of"));
}

#[tokio::test]
async fn ending_it_leads_back_to_the_operators_own_session() {
    let t = TestPanel::start().await;
    let (operator, ada) = (t.operator().await, t.member("acme", Role::Owner).await);
    let page = act(&t, &operator, &ada).await;
    let done = page.call("/fn/skypanel/admin/fns/end_impersonation", &[]).await.unwrap();
    let own = done.cookie(COOKIE).unwrap();
    assert_eq!(page.get("/api/auth/me").await.status(), 401);
    let own = t.stranger().with("cookie", own.split(';').next().unwrap());
    let me = own.get("/api/auth/me").await;
    assert_eq!((me.status(), me.data()["user"]["id"].as_str()), (200, Some(operator.user.to_string().as_str())));
    assert_eq!(operator.browser.get("/api/auth/me").await.status(), 401, "the old secret of that session is no good");
    assert!(operator.browser.call("/fn/skypanel/admin/fns/end_impersonation", &[]).await.is_err());
}

#[tokio::test]
async fn acting_in_somebodys_name_is_over_after_an_hour_or_with_the_operators_rights_or_session() {
    let t = TestPanel::start().await;
    let (operator, ada) = (t.operator().await, t.member("acme", Role::Owner).await);
    let url = format!("/api/admin/users/{}/impersonate", ada.user);
    let begin = async |operator: &Person| {
        let reply = operator.post(&url, json!({ "reason": "Ticket 4711" })).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        t.stranger().with("authorization", &format!("Bearer {}", reply.data()["access_token"].as_str().unwrap()))
    };
    let script = begin(&operator).await;
    assert_eq!(script.get("/api/auth/me").await.data()["user"]["id"], ada.user.to_string());
    assert_eq!(script.post(&url, json!({ "reason": "Further." })).await.status(), 403);
    t.clock.advance(Duration::from_secs(3_601));
    assert_eq!(script.get("/api/auth/me").await.status(), 401);
    let operator = t.sign_in(&operator.user, &operator.org).await;
    let script = begin(&operator).await;
    assert_eq!(script.get("/api/auth/me").await.status(), 200);
    let another = t.operator().await;
    let unmake = format!("/api/admin/users/{}/operator", operator.user);
    assert_eq!(another.put(&unmake, json!({ "is_operator": false })).await.status(), 200);
    t.panel.of::<SessionCache>().forget_user(&ada.user);
    assert_eq!(script.get("/api/auth/me").await.status(), 401);
    assert_eq!(another.put(&unmake, json!({ "is_operator": true })).await.status(), 200);
    assert_eq!(script.get("/api/auth/me").await.status(), 200);
    assert_eq!(operator.post("/api/auth/logout", json!({})).await.status(), 200);
    t.panel.of::<SessionCache>().forget_user(&ada.user);
    assert_eq!(script.get("/api/auth/me").await.status(), 401);
}

#[tokio::test]
async fn nobody_acts_in_the_name_of_an_operator_and_there_is_always_one() {
    let t = TestPanel::start().await;
    let (operator, other) = (t.operator().await, t.operator().await);
    let url = |person: &Person, what: &str| format!("/api/admin/users/{}/{what}", person.user);
    assert_eq!(operator.post(&url(&other, "impersonate"), json!({ "reason": "Ticket 4711" })).await.status(), 409);
    assert_eq!(operator.post(&url(&other, "suspend"), json!({ "reason": "A quarrel." })).await.status(), 409);
    // Two who unmake each other at once: one of them stays.
    let down = json!({ "is_operator": false });
    let (paths, body) = ((url(&other, "operator"), url(&operator, "operator")), (down.clone(), down.clone()));
    let (one, another) = tokio::join!(operator.put(&paths.0, body.0), other.put(&paths.1, body.1));
    let mut told = [one.status(), another.status()];
    told.sort_unstable();
    assert!(told == [200, 409] || told == [200, 403], "{told:?}");
    let left = if one.status() == 200 { &operator } else { &other };
    t.panel.of::<SessionCache>().forget_user(&left.user);
    assert_eq!(left.put(&url(left, "operator"), down).await.status(), 409);
}

#[tokio::test]
async fn an_announcement_stands_on_the_pages_of_those_whom_it_is_for_until_it_is_put_away() {
    let t = TestPanel::start().await;
    let operator = t.operator().await;
    let (ada, bob) = (t.member("acme", Role::Viewer).await, t.member("globex", Role::Owner).await);
    let body = json!({ "title": "Maintenance <b>soon</b>", "body": "Be patient.", "level": "warning", "organizations": [ada.org] });
    let reply = operator.post("/api/admin/announcements", body).await;
    assert_eq!(reply.status(), 201, "{}", reply.text());
    let id = reply.data()["id"].as_str().unwrap().to_string();
    let sees = async |who: &Person| {
        let page = who.browser.get("/applications").await.text();
        assert!(!page.contains("<b>soon"), "what is typed is text");
        page.contains("Maintenance")
    };
    assert!(sees(&ada).await && !sees(&bob).await);
    ada.browser.call("/fn/skypanel/admin/fns/dismiss_announcement", &[("id", &id)]).await.unwrap();
    ada.browser.call("/fn/skypanel/admin/fns/dismiss_announcement", &[("id", &id)]).await.unwrap();
    assert!(!sees(&ada).await);
    let later = json!({ "title": "Maintenance", "is_dismissable": false, "starts_at": "2999-01-01T00:00:00Z" });
    assert_eq!(operator.put(&format!("/api/admin/announcements/{id}"), later).await.status(), 200);
    assert!(!sees(&ada).await);
    let now = json!({ "title": "Maintenance", "is_dismissable": false, "starts_at": "2020-01-01T00:00:00Z" });
    assert_eq!(operator.put(&format!("/api/admin/announcements/{id}"), now).await.status(), 200);
    assert!(sees(&ada).await && sees(&bob).await);
    assert!(ada.browser.call("/fn/skypanel/admin/fns/dismiss_announcement", &[("id", &id)]).await.is_err());
    let wrong = json!({ "title": "", "body": "x".repeat(1_001), "starts_at": "2020-01-02T00:00:00Z", "ends_at": "2020-01-01T00:00:00Z" });
    let reply = operator.post("/api/admin/announcements", wrong).await;
    assert_eq!(reply.fields(), ["title", "body", "ends_at"]);
    assert_eq!(operator.delete(&format!("/api/admin/announcements/{id}")).await.status(), 200);
    assert!(!sees(&ada).await);
    assert_eq!(operator.delete(&format!("/api/admin/announcements/{id}")).await.status(), 404);
}

#[tokio::test]
async fn a_feature_is_rolled_out_by_share_and_by_organization() {
    let t = TestPanel::start().await;
    let operator = t.operator().await;
    let (acme, globex) = (t.member("acme", Role::Owner).await, t.member("globex", Role::Owner).await);
    let has = async |who: &Person| is_on(&t.panel, &who.org, Flag::AuditStreams).await.unwrap();
    assert!(has(&acme).await, "without a word everybody has it");
    let set = async |body| operator.put("/api/admin/flags/audit_streams", body).await;
    assert_eq!(set(json!({ "percent": 0, "organizations": [{ "organization_id": acme.org, "is_on": true }] })).await.status(), 200);
    assert!(has(&acme).await && !has(&globex).await);
    let body = json!({ "name": "siem", "url": "http://127.0.0.1:9/", "secret": "0123456789abcdef" });
    let refused = globex.post(&format!("/api/organizations/{}/audit-streams", globex.org), body.clone()).await;
    assert_eq!(refused.status(), 409, "{}", refused.text());
    assert_eq!(acme.post(&format!("/api/organizations/{}/audit-streams", acme.org), body).await.status(), 201);
    let percent = turn(Flag::AuditStreams, &globex.org);
    set(json!({ "percent": percent })).await;
    assert!(!has(&globex).await);
    set(json!({ "percent": percent + 1 })).await;
    assert!(has(&globex).await);
    assert_eq!(set(json!({ "percent": 101 })).await.fields(), ["percent"]);
    let nobody = json!({ "percent": 1, "organizations": [{ "organization_id": "org_01jd0000000000000000000000", "is_on": true }] });
    assert_eq!(set(nobody).await.fields(), ["organizations"]);
    assert_eq!(operator.put("/api/admin/flags/flying", json!({ "percent": 1 })).await.code(), "FLAG_NOT_FOUND");
}

#[tokio::test]
async fn people_and_organizations_are_found_by_their_names() {
    let t = TestPanel::start().await;
    let operator = t.operator().await;
    let app = t.app_in("acme").await;
    let found = operator.get("/api/admin/organizations?search=acm").await;
    assert_eq!(found.data()[0]["id"], app.owner.org.to_string());
    assert_eq!((found.data()[0]["members"].as_u64(), found.data()[0]["applications"].as_u64()), (Some(1), Some(1)));
    let found = operator.get(&format!("/api/admin/users?search={}", app.owner.user)).await;
    assert_eq!(found.json()["pagination"]["total"], 1);
    assert_eq!(operator.get("/api/admin/users?search=%25").await.json()["pagination"]["total"], 0);
    assert_eq!(operator.get("/api/admin/users?search=%00").await.status(), 200);
    assert_eq!(operator.get("/api/admin/users?status=operator").await.json()["pagination"]["total"], 1);
    assert_eq!(operator.get("/api/admin/users?status=odd").await.fields(), ["status"]);
    let one = operator.get(&format!("/api/admin/users/{}", app.owner.user)).await;
    assert_eq!(one.data()["memberships"][0]["role"], "Owner");
    assert_eq!(one.data()["activity"][0]["event"], "application.created");
    for page in ["/admin", "/admin/users", "/admin/organizations", "/admin/announcements", "/admin/features"] {
        assert_eq!(operator.browser.get(page).await.status(), 200, "{page}");
        assert_eq!(app.owner.browser.get(page).await.status(), 403, "{page}");
    }
    for page in [format!("/admin/users/{}", app.owner.user), format!("/admin/organizations/{}", app.owner.org)] {
        let shown = operator.browser.get(&page).await;
        assert!(shown.status() == 200 && shown.text().contains("application.created"), "{page}");
    }
    let why = app.owner.browser.call("/fn/skypanel/admin/fns/read_overview", &[]).await.unwrap_err();
    assert_eq!(why, Error::Forbidden { permission: "operator".into() });
}
