//! How many requests are taken, of whom, and what the answers say of it.
use crate::support::{
    client::{Client, Reply},
    panel::{App, PATIENCE, TestPanel},
};
use axum::body::Body;
use serde_json::json;
use skypanel::{
    rights::Role,
    runtime::config::LimitsConfig,
    web::{in_flight, rate_limits},
};
use std::time::Duration;

const APPS: &str = "/api/paas/applications";
const NONE: LimitsConfig = LimitsConfig { enabled: true, address: 0, credential: 0, organization: 0, sign_in: 0, deploy: 0, mail: 0 };

async fn panel(limits: LimitsConfig) -> TestPanel {
    TestPanel::with(|config| config.limits = limits).await
}

/// What the answer says: how many are taken, and how many are left.
fn said(reply: &Reply) -> (u32, u32) {
    let number = |name| reply.header(name).parse().unwrap_or_else(|_| panic!("{name} in {:?}", reply.headers));
    assert!(number("ratelimit-reset") <= 120);
    (number("ratelimit-limit"), number("ratelimit-remaining"))
}

fn is_refused(reply: &Reply) -> bool {
    let refused = reply.status() == 429;
    if refused {
        assert_eq!(reply.code(), "RATE_LIMITED");
        let after: u64 = reply.header("retry-after").parse().unwrap();
        assert!((1..=120).contains(&after) && said(reply).1 == 0, "{:?}", reply.headers);
    }
    refused
}

#[tokio::test]
async fn a_credential_has_its_limit_and_another_its_own() {
    let t = panel(LimitsConfig { credential: 5, ..NONE }).await;
    let (ada, eve) = (t.member("acme", Role::Owner).await, t.member("acme", Role::Owner).await);
    for left in (0..5).rev() {
        assert_eq!(said(&ada.get(APPS).await), (5, left));
    }
    let refused = ada.get(APPS).await;
    assert!(is_refused(&refused));
    assert_eq!(eve.get(APPS).await.status(), 200);
    assert_eq!(ada.browser.get("/applications").await.status(), 200, "her browser is another credential");
    t.clock.advance(Duration::from_secs(refused.header("retry-after").parse().unwrap()));
    assert_eq!(ada.get(APPS).await.status(), 200, "it comes back when it was told to");
    assert!(is_refused(&ada.get(APPS).await), "and has one more by then, not five");
}

#[tokio::test]
async fn an_organization_has_its_limit_over_all_its_members_and_keys() {
    let t = panel(LimitsConfig { organization: 6, credential: 5, ..NONE }).await;
    let (ada, eve) = (t.member("acme", Role::Owner).await, t.member("acme", Role::Owner).await);
    let made = ada.post("/api/api-keys", json!({ "name": "CI", "permissions": ["view"] })).await;
    let key = t.stranger().with("x-api-key", made.data()["secret"].as_str().unwrap());
    assert_eq!(said(&key.get(APPS).await), (5, 4), "the tightest is told");
    for _ in 0..2 {
        assert_eq!((ada.get(APPS).await.status(), eve.get(APPS).await.status()), (200, 200));
    }
    let refused = eve.get(APPS).await;
    assert!(is_refused(&refused));
    assert_eq!(said(&refused).0, 6);
    assert_eq!(t.member("globex", Role::Owner).await.get(APPS).await.status(), 200);
}

#[tokio::test]
async fn an_address_is_limited_before_anything_is_looked_up() {
    let t = panel(LimitsConfig { address: 4, ..NONE }).await;
    let ada = t.member("acme", Role::Owner).await;
    for bad in ["Bearer x", "Bearer sk_live_x", "Basic x", "Bearer y"] {
        assert_eq!(t.stranger().with("authorization", bad).get(APPS).await.status(), 401);
    }
    assert!(is_refused(&t.stranger().get("/sign-in").await), "pages are limited, too");
    assert!(is_refused(&ada.get(APPS).await), "who sits at the same address shares it");
    assert_eq!(ada.from("198.51.100.1").get(APPS).await.status(), 200);
    for n in 1..=4 {
        assert_eq!(ada.from(&format!("2001:db8:1:1::{n}")).get(APPS).await.status(), 200);
    }
    assert!(is_refused(&ada.from("2001:db8:1:1:ffff::5").get(APPS).await), "one network is one address");
}

#[tokio::test]
async fn health_and_assets_have_no_limit() {
    let t = panel(LimitsConfig { address: 1, ..NONE }).await;
    for _ in 0..5 {
        for path in ["/healthz", "/favicon.svg", "/pkg/none.js"] {
            let reply = t.stranger().get(path).await;
            assert!(reply.status() != 429 && reply.header("ratelimit-limit").is_empty(), "{path} {}", reply.status());
        }
    }
}

#[tokio::test]
async fn signing_in_is_tighter_through_every_door() {
    let t = panel(LimitsConfig { sign_in: 3, ..NONE }).await;
    let body = || json!({ "email": "ada@example.com", "password": "wrong horse" });
    let from = |n: u8| t.stranger().from(&format!("198.51.100.{n}"));
    for _ in 0..3 {
        assert_eq!(from(1).post("/api/auth/login", body()).await.status(), 401);
    }
    assert!(is_refused(&from(1).post("/api/auth/login", body()).await));
    let register = json!({ "name": "Ada", "email": "ada@example.com", "password": "correct horse" });
    assert!(is_refused(&from(1).post("/api/auth/register", register).await), "they share it");
    let function = from(1).call("/fn/skypanel/accounts/fns/sign_in", &[("email", "a@example.com"), ("password", "x")]).await;
    assert_eq!(function.unwrap_err().status(), 429);
    assert_eq!(from(1).get(APPS).await.status(), 401, "anything else is not");
    let page = from(2).get("/sign-in").await;
    let visit = page.cookie("skypanel_visit").unwrap();
    let browser = from(2).with("cookie", visit.split(';').next().unwrap()).with("origin", &t.panel.config.public_url());
    let token = page.hidden("_csrf").unwrap();
    let fields = [("_action", "sign_in"), ("_csrf", &token), ("email", "ada@example.com"), ("password", "wrong horse")];
    for _ in 0..3 {
        assert_eq!(browser.submit("/sign-in", &fields).await.status(), 401);
    }
    let refused = browser.submit("/sign-in", &fields).await;
    assert_eq!((refused.status(), said(&refused)), (429, (3, 0)));
    assert!(refused.text().contains("Too many") && !refused.text().contains("wrong horse"), "a page, and no password in it");
}

#[tokio::test]
async fn an_organization_deploys_only_so_often() {
    let t = panel(LimitsConfig { deploy: 2, ..NONE }).await;
    let app: App = t.app_in("acme").await;
    let other = t.member("acme", Role::Developer).await;
    for by in [&app.owner, &other] {
        assert_eq!(by.post(&app.url("deploy"), json!({})).await.status(), 202);
    }
    assert!(is_refused(&app.owner.post(&app.url("deploy"), json!({})).await));
    assert!(is_refused(&other.post(&app.url("restart"), json!({})).await));
    assert_eq!(app.owner.get(&app.url("")).await.status(), 200);
    let theirs = t.app_in("globex").await;
    assert_eq!(theirs.owner.post(&theirs.url("deploy"), json!({})).await.status(), 202);
}

#[tokio::test]
async fn several_panels_agree_within_their_bound() {
    let t = panel(LimitsConfig { credential: 100, ..NONE }).await;
    let second = t.another().await;
    let third = t.another().await;
    let ada = t.member("acme", Role::Owner).await;
    let token = ada.script.header("authorization").to_string();
    let panels = [&t, &second, &third];
    let callers = panels.map(|panel| panel.stranger().with("authorization", &token));
    // Each round is a second: ten requests at each panel, then they tell each other.
    let mut taken = 0;
    for _ in 0..10 {
        for caller in &callers {
            for _ in 0..10 {
                taken += usize::from(!is_refused(&caller.get(APPS).await));
            }
        }
        for panel in panels {
            rate_limits::exchange(&panel.panel).await.unwrap();
        }
        t.clock.advance(Duration::from_secs(1));
    }
    // A tenth of the limit for each other panel, and what came in two exchanges.
    assert!((100..=100 + 2 * 10 + 2 * 30).contains(&taken), "{taken} of 300");
    t.clock.advance(Duration::from_secs(120));
    for panel in panels {
        rate_limits::exchange(&panel.panel).await.unwrap();
    }
    assert_eq!(said(&callers[0].get(APPS).await), (100, 99), "and it is forgotten");
}

#[tokio::test]
async fn a_change_of_address_counts_as_a_mail_through_every_door() {
    let t = panel(LimitsConfig { mail: 1, ..NONE }).await;
    let ada = t.member("acme", Role::Owner).await;
    assert_eq!(ada.put("/api/auth/profile", json!({ "name": "Ada King" })).await.status(), 200);
    assert!(is_refused(&ada.put("/api/auth/profile", json!({ "name": "Ada Lovelace" })).await));
    let fields = [("email", "ada@example.org"), ("password", "correct horse")];
    assert_eq!(ada.browser.call("/fn/skypanel/accounts/fns/change_email", &fields).await.unwrap_err().status(), 429, "they share it");
}

#[tokio::test]
async fn a_test_mail_counts_as_a_mail_through_every_door() {
    let t = panel(LimitsConfig { mail: 1, ..NONE }).await;
    let operator = t.operator().await;
    assert_eq!(operator.post("/api/admin/mail/test", json!({ "template": "test" })).await.status(), 202);
    assert!(is_refused(&operator.post("/api/admin/mail/test", json!({ "template": "test" })).await));
    let again = operator.browser.call("/fn/skypanel/mail/fns/send_test_mail", &[("template", "test")]).await;
    assert_eq!(again.unwrap_err().status(), 429, "they share it");
}

/// A panel that works on one request at a time.
async fn narrow() -> TestPanel {
    TestPanel::with(|config| config.panel.max_in_flight = 1).await
}

/// Waits until so many places are free.
async fn has_free(t: &TestPanel, count: usize) {
    let until = tokio::time::Instant::now() + PATIENCE;
    while in_flight::free(&t.panel) != count {
        assert!(tokio::time::Instant::now() < until, "{} are free", in_flight::free(&t.panel));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A request whose body has not come yet, and what ends it when it is dropped.
fn unfinished(
    client: &Client,
) -> (tokio::task::JoinHandle<Reply>, futures::channel::mpsc::UnboundedSender<Result<String, std::io::Error>>) {
    let (sender, body) = futures::channel::mpsc::unbounded();
    let client = client.clone();
    (tokio::spawn(async move { client.raw("POST", APPS, "application/json", Body::from_stream(body)).await }), sender)
}

#[tokio::test]
async fn who_comes_when_all_places_are_taken_waits_for_one() {
    let t = narrow().await;
    let ada = t.member("acme", Role::Owner).await;
    let (first, body) = unfinished(&ada);
    has_free(&t, 0).await;
    let second = tokio::spawn({
        let ada = ada.script.clone();
        async move { ada.get(APPS).await }
    });
    assert_eq!(t.stranger().get("/healthz").await.status(), 200, "health never waits");
    assert_eq!(t.stranger().get("/pkg/none.js").await.status(), 404, "assets never wait");
    assert!(!second.is_finished());
    drop(body);
    assert_eq!(first.await.unwrap().status(), 400);
    assert_eq!(second.await.unwrap().status(), 200);
}

#[tokio::test]
async fn who_waits_too_long_for_a_place_is_told_to_come_back() {
    let t = narrow().await;
    let ada = t.member("acme", Role::Owner).await;
    let (first, body) = unfinished(&ada);
    has_free(&t, 0).await;
    let refused = ada.get(APPS).await;
    assert_eq!((refused.status(), refused.code()), (503, "UNAVAILABLE"));
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    drop(body);
    assert_eq!(first.await.unwrap().status(), 400);
    assert_eq!(ada.get(APPS).await.status(), 200);
}

#[tokio::test]
async fn neither_a_stream_nor_a_request_that_waits_holds_a_place() {
    let t = narrow().await;
    let app = t.app_in("acme").await;
    let stream = app.owner.events(&format!("{}?follow=true", app.url("events"))).await;
    assert_eq!(in_flight::free(&t.panel), 1, "a stream is open");
    let waiting = tokio::spawn({
        let (owner, url) = (app.owner.script.clone(), app.url("deploy?wait=60"));
        async move { owner.post(&url, json!({})).await }
    });
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let all = app.owner.get(&app.url("deployments")).await;
        assert_eq!(all.status(), 200);
        if !all.data().as_array().unwrap().is_empty() {
            break;
        }
        assert!(tokio::time::Instant::now() < until);
    }
    assert!(!waiting.is_finished(), "nobody works on the deployment yet");
    t.settle().await;
    assert_eq!(waiting.await.unwrap().status(), 202);
    drop(stream);
}
