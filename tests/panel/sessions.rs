//! Where somebody is signed in, and ending that.
use crate::support::{
    account::{EMAIL, PASSWORD},
    panel::TestPanel,
};
use serde_json::json;
use skypanel::auth::session::SessionCache;
use skypanel::{
    accounts::server::task,
    auth::session::{self, COOKIE, NewSession, Via},
    rights::Role,
};
use std::time::Duration;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

#[tokio::test]
async fn ada_sees_where_she_is_signed_in_and_signs_out_one_of_them() {
    let t = TestPanel::start().await;
    let (script, _) = t.an_account().await;
    let mut browser = t.browser().called(FIREFOX).moved("198.51.100.4");
    browser.sign_in(EMAIL, PASSWORD).await;
    let list = script.get("/api/auth/sessions").await;
    assert_eq!((list.status(), list.json()["pagination"]["total"].as_u64()), (200, Some(2)), "{}", list.text());
    let sessions = list.data().as_array().unwrap();
    let (newest, own) = (&sessions[0], &sessions[1]);
    assert_eq!((newest["device"].as_str(), newest["kind"].as_str()), (Some("Firefox on Linux"), Some("browser")));
    assert_eq!((newest["address"].as_str(), newest["method"].as_str()), (Some("198.51.100.4"), Some("password")));
    assert_eq!((newest["is_current"].as_bool(), own["is_current"].as_bool()), (Some(false), Some(true)));
    assert_eq!(own["kind"], "bearer");
    assert!(!list.text().contains("token"), "{}", list.text());
    let page = browser.open("/account/sessions").await;
    assert!(page.status() == 200 && page.text().contains("Firefox on Linux") && page.text().contains("this one"), "{}", page.text());
    let url = format!("/api/auth/sessions/{}", newest["id"].as_str().unwrap());
    assert!(browser.is_in().await);
    assert_eq!(script.delete(&url).await.status(), 200);
    assert!(!browser.is_in().await);
    assert_eq!(script.delete(&url).await.code(), "SESSION_NOT_FOUND", "it is ended already");
    assert_eq!(script.delete("/api/auth/sessions/nonsense").await.code(), "SESSION_NOT_FOUND");
    assert_eq!(script.get("/api/auth/me").await.status(), 200);
}

#[tokio::test]
async fn all_others_end_at_once_and_those_of_other_people_go_on() {
    let t = TestPanel::start().await;
    let (script, _) = t.an_account().await;
    let (grace, _) = t.another_account("Grace Hopper", "grace@example.com").await;
    let (mut one, mut other) = (t.browser(), t.browser());
    one.sign_in(EMAIL, PASSWORD).await;
    other.sign_in(EMAIL, PASSWORD).await;
    let reply = one.post("/account/sessions", "end_other_sessions", &[]).await;
    assert_eq!(reply.status(), 303, "{}", reply.text());
    assert!(one.open("/account/sessions").await.text().contains("Signed out there."));
    assert!(one.is_in().await && !other.is_in().await);
    assert_eq!(script.get("/api/auth/me").await.status(), 401);
    assert_eq!(grace.get("/api/auth/me").await.status(), 200);
    let hers = grace.get("/api/auth/sessions").await.data()[0]["id"].as_str().unwrap().to_string();
    let reply = one.post("/account/sessions", "end_session", &[("id", &hers)]).await;
    assert_eq!(reply.status(), 404, "what is somebody else’s is not there");
    assert_eq!(grace.get("/api/auth/me").await.status(), 200);
    assert_eq!(grace.delete("/api/auth/sessions").await.data(), &json!({ "ended": 0 }));
}

#[tokio::test]
async fn the_session_that_asks_can_end_itself() {
    let t = TestPanel::start().await;
    t.an_account().await;
    let mut browser = t.browser();
    browser.sign_in(EMAIL, PASSWORD).await;
    let page = browser.open("/account/sessions").await;
    let own = page.text().split("ses_").nth(1).unwrap()[..26].to_string();
    // The newest stands first, and is this one.
    let reply = browser.post("/account/sessions", "end_session", &[("id", &format!("ses_{own}"))]).await;
    assert_eq!((reply.status(), reply.header("location")), (303, "/sign-in"));
    assert!(browser.cookie(COOKIE).is_none());
}

#[tokio::test]
async fn when_a_session_was_last_seen_is_kept_to_five_minutes_without_a_request_waiting_for_it() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Viewer).await;
    let seen = async || {
        ada.get("/api/auth/sessions").await.data().as_array().unwrap().iter().find(|s| s["is_current"] == true).unwrap()["last_seen_at"]
            .clone()
    };
    let at_first = seen().await;
    t.clock.advance(Duration::from_secs(240));
    t.panel.of::<SessionCache>().forget_user(&ada.user);
    seen().await;
    task::pass(&t.panel).await.unwrap();
    assert_eq!(seen().await, at_first, "four minutes are no news");
    t.clock.advance(Duration::from_secs(61));
    t.panel.of::<SessionCache>().forget_user(&ada.user);
    assert_eq!(seen().await, at_first);
    let now = t.panel.now();
    task::pass(&t.panel).await.unwrap();
    assert_eq!(seen().await, now.to_string());
}

#[tokio::test]
async fn what_is_over_is_removed() {
    let t = TestPanel::start().await;
    t.an_account().await;
    t.browser().sign_in(EMAIL, PASSWORD).await;
    assert_eq!(task::pass(&t.panel).await.unwrap(), None, "nothing is over yet");
    t.clock.advance(Duration::from_secs(31 * 86_400));
    let did = task::pass(&t.panel).await.unwrap().unwrap();
    assert!(did.starts_with("removed "), "{did}");
    assert_eq!(task::pass(&t.panel).await.unwrap(), None);
}

#[tokio::test]
async fn whoever_acts_in_adas_name_does_not_touch_her_account() {
    let t = TestPanel::start().await;
    let (ada, operator) = (t.member("acme", Role::Owner).await, t.operator().await);
    let new = NewSession {
        user: &ada.user,
        org: &ada.org,
        via: Via::Cookie,
        method: "impersonation",
        address: "203.0.113.1",
        agent: "a test",
        impersonator: Some((&operator.user, "looking at a ticket")),
        life: Some(Duration::from_secs(3600)),
    };
    let opened = t.panel.db.tx(async |tx| session::open(tx, &t.panel, new).await).await.unwrap();
    let browser = t
        .stranger()
        .with("cookie", &format!("{COOKIE}={}", opened.token))
        .with("origin", &t.panel.config.public_url())
        .with("x-csrf-token", &t.panel.secrets.form_token(&opened.id.to_string()));
    assert_eq!(browser.get("/api/auth/me").await.status(), 200);
    for (method, path, body) in [
        ("GET", "/api/auth/profile", json!({})),
        ("PUT", "/api/auth/profile", json!({ "name": "Eve" })),
        ("PUT", "/api/auth/password", json!({ "current_password": "x", "new_password": "nine pink lamps of winter" })),
        ("POST", "/api/auth/verify-email/resend", json!({})),
        ("GET", "/api/auth/sessions", json!({})),
        ("DELETE", "/api/auth/sessions", json!({})),
    ] {
        let reply = browser.send(method, path, body).await;
        assert_eq!((reply.status(), reply.json()["error"]["required"].as_str()), (403, Some("in_person")), "{method} {path}");
    }
}
