//! Proving that an address is somebody's, and taking another one.
use crate::support::{
    account::{EMAIL, OTHER_PASSWORD, PASSWORD, token_of},
    client::{Client, Reply},
    panel::TestPanel,
};
use serde_json::json;
use std::time::Duration;

const NEW: &str = "ada.king@example.org";

async fn verify(client: &Client, link: &str) -> Reply {
    client.post("/api/auth/verify-email", json!({ "token": token_of(link) })).await
}

async fn change(client: &Client, email: &str, password: &str) -> Reply {
    client.put("/api/auth/profile", json!({ "email": email, "password": password })).await
}

async fn login(t: &TestPanel, email: &str) -> u16 {
    t.stranger().post("/api/auth/login", json!({ "email": email, "password": PASSWORD })).await.status()
}

#[tokio::test]
async fn whoever_signs_up_proves_her_address_by_a_link() {
    let t = TestPanel::start().await;
    let (script, _) = t.an_account().await;
    let link = t.links(EMAIL, "verify_email").await.remove(0);
    assert_eq!(script.get("/api/auth/profile").await.data()["email_verified"], false);
    let mut browser = t.browser();
    browser.sign_in(EMAIL, PASSWORD).await;
    assert!(browser.open("/applications").await.text().contains("Confirm your address"));
    // Following the link alone proves nothing: a mail scanner does, too.
    let page = t.stranger().get(&link).await;
    assert!(page.status() == 200 && page.text().contains(EMAIL), "{}", page.text());
    assert_eq!(script.get("/api/auth/profile").await.data()["email_verified"], false);
    let mut elsewhere = t.browser();
    let done = elsewhere.post(&link, "verify_email", &[("token", token_of(&link))]).await;
    assert_eq!((done.status(), done.header("location")), (303, "/sign-in"));
    assert_eq!(script.get("/api/auth/profile").await.data()["email_verified"], true);
    assert!(!browser.open("/applications").await.text().contains("Confirm your address"));
    assert_eq!(verify(&t.stranger(), &link).await.code(), "LINK_NOT_FOUND", "it is used up");
    let dead = t.stranger().get(&link).await;
    assert!(dead.status() == 404 && dead.text().contains("This link is not good"), "{}", dead.text());
}

#[tokio::test]
async fn a_link_that_is_wrong_over_or_for_something_else_proves_nothing() {
    let t = TestPanel::start().await;
    let (script, _) = t.an_account().await;
    let link = t.links(EMAIL, "verify_email").await.remove(0);
    script.post("/api/auth/forgot-password", json!({ "email": EMAIL })).await;
    let reset = t.links_in_time(EMAIL, "reset_password", 1).await.remove(0);
    for (bad, why) in [("/x", "a guess"), ("/", "nothing"), (reset.as_str(), "a link to a new password")] {
        assert_eq!(verify(&t.stranger(), bad).await.code(), "LINK_NOT_FOUND", "{why}");
    }
    t.clock.advance(Duration::from_secs(7 * 86_400));
    assert_eq!(verify(&t.stranger(), &link).await.code(), "LINK_NOT_FOUND", "it is over");
}

#[tokio::test]
async fn the_mail_is_sent_again_but_not_without_end() {
    let t = TestPanel::start().await;
    t.an_account().await;
    let mut browser = t.browser();
    browser.sign_in(EMAIL, PASSWORD).await;
    for _ in 0..5 {
        assert_eq!(browser.post("/applications", "resend_verification", &[]).await.status(), 303);
    }
    let refused = browser.post("/applications", "resend_verification", &[]).await;
    assert_eq!(refused.status(), 429);
    let links = t.links(EMAIL, "verify_email").await;
    assert_eq!(links.len(), 6);
    assert_eq!(verify(&t.stranger(), &links[2]).await.status(), 200, "each of them is good");
    assert_eq!(verify(&t.stranger(), &links[3]).await.status(), 404, "until one was used");
    let ada = t.member("acme", skypanel::rights::Role::Viewer).await;
    assert_eq!(ada.post("/api/auth/verify-email/resend", json!({})).await.status(), 200);
    assert_eq!(t.mails().await.len(), 6, "nothing is sent where nothing is to be proven");
}

#[tokio::test]
async fn where_the_operator_asks_for_it_nothing_is_made_before_the_address_is_proven() {
    let t = TestPanel::with(|config| config.accounts.require_verified_email = true).await;
    t.an_account().await;
    let (grace, _) = t.another_account("Grace Hopper", "grace@example.com").await;
    t.settle().await;
    let body = json!({ "name": "web", "source": { "image": { "reference": "shop:1" } }, "port": 8080 });
    let refused = grace.post("/api/paas/applications", body.clone()).await;
    assert_eq!((refused.status(), refused.code()), (403, "EMAIL_NOT_VERIFIED"));
    assert_eq!(grace.get("/api/paas/applications").await.status(), 200, "looking is free");
    let link = t.links("grace@example.com", "verify_email").await.remove(0);
    assert_eq!(verify(&t.stranger(), &link).await.status(), 200);
    let made = grace.post("/api/paas/applications", body).await;
    assert_eq!(made.status(), 201, "{}", made.text());
}

#[tokio::test]
async fn a_new_address_counts_once_it_is_confirmed_and_the_old_one_is_told() {
    let t = TestPanel::start().await;
    let (script, _) = t.an_account().await;
    let first = t.links(EMAIL, "verify_email").await.remove(0);
    let missing = script.put("/api/auth/profile", json!({ "email": NEW })).await;
    assert_eq!((missing.status(), missing.fields()), (400, vec!["password"]));
    let wrong = change(&script, NEW, OTHER_PASSWORD).await;
    assert_eq!((wrong.status(), wrong.fields()), (400, vec!["password"]));
    let both = script.put("/api/auth/profile", json!({ "name": "", "email": "x" })).await;
    assert_eq!((both.status(), both.fields()), (400, vec!["name", "email"]));
    let asked = change(&script, NEW, PASSWORD).await;
    assert_eq!(asked.status(), 200, "{}", asked.text());
    assert_eq!((asked.data()["email"].as_str(), asked.data()["pending_email"].as_str()), (Some(EMAIL), Some(NEW)));
    assert_eq!((login(&t, EMAIL).await, login(&t, NEW).await), (200, 401), "nothing changed yet");
    let link = t.links(NEW, "change_email").await.remove(0);
    assert!(t.links(EMAIL, "change_email").await.is_empty());
    script.post("/api/auth/forgot-password", json!({ "email": EMAIL })).await;
    let reset = t.links_in_time(EMAIL, "reset_password", 1).await.remove(0);
    assert_eq!(verify(&t.stranger(), &link).await.status(), 200);
    let profile = script.get("/api/auth/profile").await;
    assert_eq!((profile.data()["email"].as_str(), profile.data()["email_verified"].as_bool()), (Some(NEW), Some(true)));
    assert_eq!(profile.data()["pending_email"], json!(null));
    assert_eq!((login(&t, EMAIL).await, login(&t, NEW).await), (401, 200));
    let told: Vec<_> = t.mails().await.into_iter().filter(|(_, template)| template.kind == "email_changed").collect();
    assert_eq!((told.len(), told[0].0.as_str()), (1, EMAIL));
    let by_old = t.stranger().post("/api/auth/reset-password", json!({ "token": token_of(&reset), "password": OTHER_PASSWORD })).await;
    assert_eq!(by_old.code(), "LINK_NOT_FOUND", "the old mailbox has no say any more");
    assert_eq!(verify(&t.stranger(), &first).await.code(), "LINK_NOT_FOUND");
    assert_eq!(verify(&t.stranger(), &link).await.code(), "LINK_NOT_FOUND", "it is used up");
}

#[tokio::test]
async fn an_address_that_somebody_has_is_neither_told_nor_taken() {
    let t = TestPanel::start().await;
    t.an_account().await;
    let (grace, _) = t.another_account("Grace Hopper", "grace@example.com").await;
    let (taken, free) = (change(&grace, EMAIL, PASSWORD).await, change(&grace, NEW, PASSWORD).await);
    assert_eq!((taken.status(), free.status()), (200, 200));
    assert_eq!(taken.data()["pending_email"].as_str(), Some(EMAIL), "it looks the same");
    assert!(t.links(EMAIL, "change_email").await.is_empty(), "and her mailbox stays quiet");
    // Somebody makes an account with it between the mail and the click.
    let link = t.links(NEW, "change_email").await.remove(0);
    t.another_account("Ada King", NEW).await;
    assert_eq!(verify(&t.stranger(), &link).await.code(), "LINK_NOT_FOUND");
    assert_eq!(grace.get("/api/auth/profile").await.data()["email"], "grace@example.com");
}

#[tokio::test]
async fn a_wish_for_a_new_address_is_taken_back_or_replaced_and_ends_by_itself() {
    let t = TestPanel::start().await;
    t.an_account().await;
    let mut browser = t.browser();
    browser.sign_in(EMAIL, PASSWORD).await;
    let mut links = Vec::new();
    for (count, email) in [(1, NEW), (1, "second@example.org"), (1, "third@example.org"), (1, "fourth@example.org")] {
        let reply = browser.post("/account", "change_email", &[("email", email), ("password", PASSWORD)]).await;
        assert_eq!(reply.status(), 303, "{}", reply.text());
        let sent = t.links(email, "change_email").await;
        assert_eq!(sent.len(), count);
        links.extend(sent);
        if email == "second@example.org" {
            assert_eq!(verify(&t.stranger(), &links[0]).await.status(), 404, "a later wish replaces it");
            assert!(browser.open("/account").await.text().contains("Waits to be confirmed"));
            assert_eq!(browser.post("/account", "cancel_email_change", &[]).await.status(), 303);
            assert_eq!(verify(&t.stranger(), &links[1]).await.status(), 404, "it was taken back");
            assert!(!browser.open("/account").await.text().contains("Waits to be confirmed"));
        }
    }
    t.clock.advance(Duration::from_secs(86_400));
    assert_eq!(verify(&t.stranger(), &links[3]).await.status(), 404, "it is over");
}

#[tokio::test]
async fn ada_changes_her_name() {
    let t = TestPanel::start().await;
    let (script, _) = t.an_account().await;
    let reply = script.put("/api/auth/profile", json!({ "name": " Ada King " })).await;
    assert_eq!((reply.status(), reply.data()["name"].as_str()), (200, Some("Ada King")));
    assert_eq!(script.get("/api/auth/me").await.data()["user"]["name"], "Ada King", "at once");
    let mut browser = t.browser();
    browser.sign_in(EMAIL, PASSWORD).await;
    let reply = browser.post("/account", "change_name", &[("name", "<b>Ada</b>")]).await;
    assert_eq!(reply.status(), 303);
    let page = browser.open("/account").await;
    assert!(page.text().contains("Saved.") && page.text().contains("&lt;b&gt;Ada&lt;/b&gt;") && !page.text().contains("<b>Ada</b>"));
    assert_eq!(script.put("/api/auth/profile", json!({ "nam": "x" })).await.fields(), ["nam"]);
}
