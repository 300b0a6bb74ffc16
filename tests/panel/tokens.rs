//! What scripts carry: access tokens that are over soon, and refresh tokens that are good once.
use crate::support::{
    account::{EMAIL, PASSWORD},
    client::Reply,
    panel::TestPanel,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use skypanel::store::tables::{audit_event, signing_key};
use std::time::Duration;

async fn refresh(t: &TestPanel, tokens: &Value) -> Reply {
    t.stranger().post("/api/auth/refresh", json!({ "refresh_token": tokens["refresh_token"] })).await
}

async fn login(t: &TestPanel) -> Value {
    let reply = t.stranger().post("/api/auth/login", json!({ "email": EMAIL, "password": PASSWORD })).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    reply.data().clone()
}

async fn is_in(t: &TestPanel, tokens: &Value) -> bool {
    t.bearing(tokens).get("/api/auth/me").await.status() == 200
}

async fn events(t: &TestPanel, name: &str) -> usize {
    audit_event::Entity::find().all(t.panel.db.read()).await.unwrap().iter().filter(|row| row.event == name).count()
}

#[tokio::test]
async fn an_access_token_is_over_after_a_quarter_of_an_hour_and_the_refresh_token_gets_the_next() {
    let t = TestPanel::start().await;
    let (_, first) = t.an_account().await;
    assert_eq!((first["expires_in"].as_u64(), first["refresh_expires_in"].as_u64()), (Some(900), Some(30 * 86_400)));
    t.clock.advance(Duration::from_secs(899));
    assert!(is_in(&t, &first).await);
    t.clock.advance(Duration::from_secs(1));
    assert!(!is_in(&t, &first).await);
    let reply = refresh(&t, &first).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let second = reply.data().clone();
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert!(is_in(&t, &second).await && !is_in(&t, &first).await);
    // Whoever refreshes once a month stays in for good.
    let mut last = second;
    for _ in 0..3 {
        t.clock.advance(Duration::from_secs(29 * 86_400));
        last = refresh(&t, &last).await.data().clone();
        assert!(is_in(&t, &last).await);
    }
    t.clock.advance(Duration::from_secs(30 * 86_400));
    let over = refresh(&t, &last).await;
    assert_eq!((over.status(), over.code()), (401, "AUTHENTICATION_REQUIRED"));
}

#[tokio::test]
async fn a_refresh_token_that_is_used_again_ends_the_session() {
    let t = TestPanel::start().await;
    let (_, first) = t.an_account().await;
    let other = login(&t).await;
    let second = refresh(&t, &first).await.data().clone();
    t.clock.advance(Duration::from_secs(11));
    let stolen = refresh(&t, &first).await;
    assert_eq!((stolen.status(), stolen.code()), (401, "AUTHENTICATION_REQUIRED"));
    assert!(stolen.text().contains("used before"), "{}", stolen.text());
    assert!(!is_in(&t, &second).await, "the family is ended, whoever had it");
    assert_eq!(refresh(&t, &second).await.status(), 401);
    assert!(is_in(&t, &other).await, "another sign-in goes on");
    assert_eq!(events(&t, "account.refresh_token_reused").await, 1);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again_for_ten_seconds_and_only_until_it_was_used() {
    let t = TestPanel::start().await;
    let (_, first) = t.an_account().await;
    let second = refresh(&t, &first).await.data().clone();
    t.clock.advance(Duration::from_secs(9));
    let again = refresh(&t, &first).await;
    assert_eq!((again.status(), &again.data()["refresh_token"]), (200, &second["refresh_token"]), "one line, not two");
    assert!(is_in(&t, again.data()).await);
    let third = refresh(&t, &second).await.data().clone();
    assert!(is_in(&t, &third).await);
    let stolen = refresh(&t, &first).await;
    assert_eq!(stolen.status(), 401, "its answer was used: this is somebody else");
    assert!(!is_in(&t, &third).await);
}

#[tokio::test]
async fn two_scripts_that_refresh_at_once_get_the_same() {
    let t = TestPanel::start().await;
    let (_, first) = t.an_account().await;
    let (one, other, third) = tokio::join!(refresh(&t, &first), refresh(&t, &first), refresh(&t, &first));
    for reply in [&one, &other, &third] {
        assert_eq!(reply.status(), 200, "{}", reply.text());
        assert_eq!(reply.data()["refresh_token"], one.data()["refresh_token"]);
    }
}

#[tokio::test]
async fn only_the_refresh_token_of_a_session_that_goes_on_refreshes() {
    let t = TestPanel::start().await;
    let (ada, tokens) = t.an_account().await;
    let mut browser = t.browser();
    browser.sign_in(EMAIL, PASSWORD).await;
    let cookie = browser.cookie(skypanel::auth::session::COOKIE).unwrap();
    for (token, why) in
        [(json!("x"), "a guess"), (json!(""), "nothing"), (tokens["access_token"].clone(), "an access token"), (json!(cookie), "a cookie")]
    {
        let reply = refresh(&t, &json!({ "refresh_token": token })).await;
        assert_eq!((reply.status(), reply.code()), (401, "AUTHENTICATION_REQUIRED"), "{why}");
    }
    let as_bearer = t.bearing(&json!({ "access_token": tokens["refresh_token"] }));
    assert_eq!(as_bearer.get("/api/auth/me").await.status(), 401, "a refresh token is no credential");
    let as_cookie = t.stranger().with("cookie", &format!("skypanel_session={}", tokens["refresh_token"].as_str().unwrap()));
    assert_eq!(as_cookie.get("/api/auth/me").await.status(), 401);
    assert_eq!(ada.post("/api/auth/logout", json!({})).await.status(), 200);
    assert_eq!(refresh(&t, &tokens).await.status(), 401, "signing out ends the refresh token, too");
}

#[tokio::test]
async fn a_secret_that_was_just_used_as_one_kind_is_not_good_as_another() {
    let t = TestPanel::start().await;
    let (_, tokens) = t.an_account().await;
    let mut browser = t.browser();
    browser.sign_in(EMAIL, PASSWORD).await;
    let cookie = browser.cookie(skypanel::auth::session::COOKIE).unwrap();
    let access = tokens["access_token"].as_str().unwrap();
    let by_cookie = |value: &str| t.stranger().with("cookie", &format!("skypanel_session={value}"));
    // Both are remembered from here on.
    assert_eq!(by_cookie(cookie).get("/api/auth/me").await.status(), 200);
    assert!(is_in(&t, &tokens).await);
    assert!(!is_in(&t, &json!({ "access_token": cookie })).await);
    assert_eq!(by_cookie(access).get("/api/auth/me").await.status(), 401);
    assert_eq!(t.stranger().with("x-api-key", access).get("/api/auth/me").await.status(), 401);
}

#[tokio::test]
async fn a_suspended_person_gets_no_further_tokens() {
    let t = TestPanel::start().await;
    let (_, tokens) = t.an_account().await;
    suspend(&t).await;
    assert_eq!(refresh(&t, &tokens).await.status(), 401);
}

async fn suspend(t: &TestPanel) {
    use sea_orm::{ColumnTrait, QueryFilter, sea_query::Expr};
    use skypanel::{fault::Because, store::tables::user};
    let row = user::Entity::update_many().col_expr(user::Column::SuspendedAt, Expr::value(t.panel.now()));
    let row = row.filter(user::Column::Email.eq(EMAIL));
    t.panel.db.tx(async |tx| row.exec(tx).await.because("suspending")).await.unwrap();
}

fn part(token: &Value, part: usize) -> Value {
    let token = token["access_token"].as_str().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(part).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn the_signing_key_is_replaced_every_thirty_days_and_the_old_one_serves_out() {
    let t = TestPanel::start().await;
    let (_, first) = t.an_account().await;
    let kid = |tokens: &Value| part(tokens, 0)["kid"].as_str().unwrap().to_string();
    assert_eq!(part(&first, 0)["alg"], "HS256");
    t.clock.advance(Duration::from_secs(30 * 86_400 - 60));
    let last = login(&t).await;
    assert_eq!(kid(&last), kid(&first));
    t.clock.advance(Duration::from_secs(120));
    let next = login(&t).await;
    assert_ne!(kid(&next), kid(&first));
    assert!(is_in(&t, &last).await && is_in(&t, &next).await, "what the old key signed is good until it is over");
    let keys = async || signing_key::Entity::find().all(t.panel.db.read()).await.unwrap();
    assert_eq!(keys().await.len(), 2);
    t.clock.advance(Duration::from_secs(31 * 86_400));
    login(&t).await;
    assert!(keys().await.iter().all(|key| key.id != kid(&first)), "a key that nothing is signed with any more is removed");
    assert!(keys().await.iter().all(|key| key.secret.starts_with("1:")), "keys are sealed");
}

#[tokio::test]
async fn several_panels_accept_each_others_tokens_at_once() {
    let t = TestPanel::start().await;
    let (_, here) = t.an_account().await;
    let other = t.another().await;
    assert!(is_in(&other, &here).await);
    t.clock.advance(Duration::from_secs(31 * 86_400));
    let (one, two) = (login(&t).await, login(&other).await);
    assert!(is_in(&other, &one).await && is_in(&t, &two).await, "also when both replaced the key");
    let next = refresh(&other, &one).await;
    assert_eq!(next.status(), 200, "{}", next.text());
    assert!(is_in(&t, next.data()).await);
}

#[tokio::test]
async fn a_token_that_we_did_not_sign_is_nobodys() {
    let t = TestPanel::start().await;
    let (_, tokens) = t.an_account().await;
    let claims = part(&tokens, 1);
    let kid = part(&tokens, 0)["kid"].as_str().unwrap().to_string();
    let forge = |algorithm, kid: Option<String>, key: &[u8]| {
        let header = Header { kid, ..Header::new(algorithm) };
        json!({ "access_token": jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(key)).unwrap() })
    };
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned =
        |alg: &str| json!({ "access_token": format!("{}.{}.", encode(&json!({ "alg": alg, "typ": "JWT", "kid": kid })), encode(&claims)) });
    let real = tokens["access_token"].as_str().unwrap();
    let longer = {
        let mut claims = claims.clone();
        claims["exp"] = json!(claims["exp"].as_i64().unwrap() + 86_400);
        let parts: Vec<&str> = real.split('.').collect();
        json!({ "access_token": format!("{}.{}.{}", parts[0], encode(&claims), parts[2]) })
    };
    for (forged, why) in [
        (forge(Algorithm::HS256, Some(kid.clone()), b"guessed"), "another key"),
        (forge(Algorithm::HS256, Some(kid.clone()), b""), "no key"),
        (forge(Algorithm::HS512, Some(kid.clone()), b"guessed"), "another algorithm"),
        (forge(Algorithm::HS256, None, b"guessed"), "no key's id"),
        (forge(Algorithm::HS256, Some("01jd0000000000000000000000".into()), b"guessed"), "a key that there is none of"),
        (forge(Algorithm::HS256, Some("' OR 1=1 --".into()), b"guessed"), "an id that is none"),
        (unsigned("none"), "no signature"),
        (unsigned("HS256"), "an empty signature"),
        (longer, "a later end"),
        (json!({ "access_token": "a".repeat(9000) }), "a long one"),
    ] {
        assert!(!is_in(&t, &forged).await, "{why}");
    }
    assert!(is_in(&t, &tokens).await);
}

#[tokio::test]
async fn what_refreshes_and_what_signs_can_not_be_read_from_the_database() {
    let t = TestPanel::start().await;
    let (_, first) = t.an_account().await;
    let second = refresh(&t, &first).await.data().clone();
    let stored = t.stored().await;
    assert!(stored.contains(EMAIL), "the store is there to be read");
    for token in [&first["refresh_token"], &second["refresh_token"], &first["access_token"], &second["access_token"]] {
        assert!(!stored.contains(token.as_str().unwrap()));
    }
}
