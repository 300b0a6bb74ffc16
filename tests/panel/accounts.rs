//! Signing up, in and out; what browsers are kept from; and what is stored of it.
use crate::support::{
    client::{Client, Reply},
    panel::TestPanel,
};
use serde_json::json;
use skypanel::{
    accounts::server::service as accounts,
    auth::session::{COOKIE, VISIT},
    rights::Role,
};
use std::time::Duration;

const PASSWORD: &str = "correct horse battery";

/// Registers a person over the API.
async fn register(client: &Client, email: &str, setup: Option<&str>) -> Reply {
    let mut body = json!({ "name": "Ada Lovelace", "email": email, "password": PASSWORD });
    if let Some(token) = setup {
        body["setup_token"] = token.into();
    }
    client.post("/api/auth/register", body).await
}

async fn setup_token(t: &TestPanel) -> String {
    accounts::setup_link(&t.panel).await.unwrap().unwrap().rsplit('/').next().unwrap().to_string()
}

/// Ada, the first administrator.
async fn with_ada(t: &TestPanel) {
    let token = setup_token(t).await;
    assert_eq!(register(&t.stranger(), "ada@example.com", Some(&token)).await.status(), 201);
}

async fn login(client: &Client, email: &str, password: &str) -> Reply {
    client.post("/api/auth/login", json!({ "email": email, "password": password })).await
}

/// A browser that has loaded a page: its visit's cookie, and the token of the page's form.
async fn browse(t: &TestPanel, client: &Client, page: &str) -> (Client, String) {
    let reply = client.get(page).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let visit = reply.cookie(VISIT).expect("a visit's cookie").split(';').next().unwrap().to_string();
    let token = reply.hidden("_csrf").expect("a form with a token");
    (client.with("cookie", &visit).with("origin", &t.panel.config.public_url()), token)
}

fn session_of(reply: &Reply) -> String {
    reply.cookie(COOKIE).expect("a session's cookie").split(';').next().unwrap().to_string()
}

#[tokio::test]
async fn the_first_administrator_is_made_with_the_link_and_only_once() {
    let t = TestPanel::start().await;
    let nobody = t.stranger();
    assert_eq!(register(&nobody, "eve@example.com", None).await.status(), 409);
    assert_eq!(register(&nobody, "eve@example.com", Some("guessed")).await.code(), "LINK_NOT_FOUND");
    let (old, token) = (setup_token(&t).await, setup_token(&t).await);
    assert_eq!(register(&nobody, "eve@example.com", Some(&old)).await.status(), 404, "a new link takes the place of the old one");
    let ada = register(&nobody, "ada@example.com", Some(&token)).await;
    assert_eq!(ada.status(), 201, "{}", ada.text());
    assert_eq!(ada.data()["me"]["user"]["is_operator"], true);
    assert_eq!(ada.data()["me"]["role"], "owner");
    assert_eq!(register(&nobody, "eve@example.com", Some(&token)).await.status(), 404, "it is used up");
    assert_eq!(accounts::setup_link(&t.panel).await.unwrap(), None);
    let grace = register(&nobody, "grace@example.com", None).await;
    assert_eq!(grace.data()["me"]["user"]["is_operator"], false);
}

#[tokio::test]
async fn two_people_with_one_link_make_one_administrator() {
    let t = TestPanel::start().await;
    let token = setup_token(&t).await;
    let (ada, eve, nobody) = (t.stranger(), t.stranger(), t.stranger());
    let (one, other, third) = tokio::join!(
        register(&ada, "ada@example.com", Some(&token)),
        register(&eve, "eve@example.com", Some(&token)),
        register(&nobody, "nobody@example.com", None),
    );
    let mut all = [one.status(), other.status()];
    all.sort_unstable();
    assert_eq!(all, [201, 404]);
    assert!(third.status() == 409 || third.data()["me"]["user"]["is_operator"] == false, "{}", third.text());
}

#[tokio::test]
async fn the_link_is_good_for_a_day() {
    let t = TestPanel::start().await;
    let token = setup_token(&t).await;
    t.clock.advance(Duration::from_secs(24 * 3600 + 1));
    assert_eq!(register(&t.stranger(), "ada@example.com", Some(&token)).await.status(), 404);
}

#[tokio::test]
async fn signing_out_ends_the_session_at_once() {
    let t = TestPanel::start().await;
    with_ada(&t).await;
    let reply = login(&t.stranger(), "Ada@Example.com ", PASSWORD).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!((reply.data()["token_type"].as_str(), reply.data()["expires_in"].as_u64()), (Some("Bearer"), Some(900)));
    let token = reply.data()["access_token"].as_str().unwrap();
    let (ada, elsewhere) = (t.stranger().with("authorization", &format!("Bearer {token}")), t.member("acme", Role::Viewer).await);
    assert_eq!(ada.get("/api/auth/me").await.data()["user"]["email"], "ada@example.com");
    assert_eq!(ada.post("/api/auth/logout", json!({})).await.status(), 200);
    let after = ada.get("/api/auth/me").await;
    assert_eq!((after.status(), after.code()), (401, "AUTHENTICATION_REQUIRED"));
    assert_eq!(elsewhere.get("/api/auth/me").await.status(), 200, "other sessions go on");

    let grace = t.member("acme", Role::Viewer).await;
    assert_eq!(grace.browser.get("/api/auth/me").await.status(), 200);
    grace.browser.call("/fn/skypanel/accounts/fns/sign_out", &[]).await.unwrap();
    assert_eq!(grace.browser.get("/api/auth/me").await.status(), 401);
    assert_eq!(grace.script.get("/api/auth/me").await.status(), 200, "the script's session is another one");
}

#[tokio::test]
async fn a_session_ends_by_itself_and_a_token_that_was_tampered_with_is_nobodys() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    assert_eq!(ada.get("/api/auth/me").await.status(), 200);
    for forged in ["", "x", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c3JfMSIsInNpZCI6InNlc18xIn0.", "a.b.c"] {
        let reply = t.stranger().with("authorization", &format!("Bearer {forged}")).get("/api/auth/me").await;
        assert_eq!(reply.status(), 401, "{forged}");
    }
    // The script's token of this test lasts for twelve hours, its session for longer.
    t.clock.advance(Duration::from_secs(12 * 3600 + 1));
    assert_eq!(ada.script.get("/api/auth/me").await.status(), 401);
    assert_eq!(ada.browser.get("/api/auth/me").await.status(), 200);
    t.clock.advance(Duration::from_secs(30 * 86_400));
    assert_eq!(ada.browser.get("/api/auth/me").await.status(), 401);
}

#[tokio::test]
async fn cookies_are_out_of_reach_of_scripts_and_of_other_sites() {
    for (url, secure) in [("http://localhost:3000", false), ("https://panel.example.com", true)] {
        let t = TestPanel::with(|config| config.panel.public_url = Some(url.into())).await;
        with_ada(&t).await;
        let (browser, token) = browse(&t, &t.stranger(), "/sign-in").await;
        let form = [("_action", "sign_in"), ("_csrf", &token), ("email", "ada@example.com"), ("password", PASSWORD)];
        let reply = browser.submit("/sign-in", &form).await;
        let cookie = reply.cookie(COOKIE).expect("a session's cookie");
        assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax") && cookie.contains("; Path=/"), "{cookie}");
        assert_eq!(cookie.contains("; Secure"), secure, "{cookie}");
    }
}

#[tokio::test]
async fn a_plain_form_signs_in_and_out() {
    let t = TestPanel::start().await;
    with_ada(&t).await;
    let (browser, token) = browse(&t, &t.stranger(), "/sign-in?next=%2Fapplications%3Fpage%3D2").await;
    let form = [
        ("_action", "sign_in"),
        ("_csrf", token.as_str()),
        ("email", "ada@example.com"),
        ("password", PASSWORD),
        ("next", "/applications?page=2"),
    ];
    let reply = browser.submit("/sign-in", &form).await;
    assert_eq!((reply.status(), reply.header("location")), (303, "/applications?page=2"));
    let browser = browser.with("cookie", &session_of(&reply));
    assert_eq!(browser.get("/api/auth/me").await.data()["user"]["email"], "ada@example.com");
    let page = browser.get("/kit").await;
    let token = page.hidden("_csrf").expect("a form with a token");
    let reply = browser.submit("/kit", &[("_action", "sign_out"), ("_csrf", &token)]).await;
    assert_eq!((reply.status(), reply.header("location")), (303, "/sign-in"));
    assert!(reply.cookie(COOKIE).unwrap().contains("Max-Age=0"));
    assert_eq!(browser.get("/api/auth/me").await.status(), 401);
}

#[tokio::test]
async fn what_follows_a_sign_in_is_a_page_of_this_site() {
    let t = TestPanel::start().await;
    with_ada(&t).await;
    for next in ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"] {
        let (browser, token) = browse(&t, &t.stranger(), "/sign-in").await;
        let form = [("_action", "sign_in"), ("_csrf", &token), ("email", "ada@example.com"), ("password", PASSWORD), ("next", next)];
        let reply = browser.submit("/sign-in", &form).await;
        assert_eq!((reply.status(), reply.header("location")), (303, "/applications"), "{next}");
    }
}

#[tokio::test]
async fn a_refused_form_comes_back_with_what_was_typed_but_never_with_the_password() {
    let t = TestPanel::start().await;
    with_ada(&t).await;
    let (browser, token) = browse(&t, &t.stranger(), "/sign-up").await;
    let fields = |email, password| {
        [("_action", "sign_up"), ("_csrf", token.as_str()), ("name", "Grace <Hopper>"), ("email", email), ("password", password)]
    };
    let reply = browser.submit("/sign-up", &fields("grace at example", "short one")).await;
    assert_eq!(reply.status(), 400);
    let page = reply.text();
    assert!(page.contains("value=\"Grace &lt;Hopper&gt;\"") && page.contains("value=\"grace at example\""), "{page}");
    assert!(page.contains("Give an e-mail address like ada@example.com.") && page.contains("at least 10 characters"), "{page}");
    assert!(!page.contains("short one"), "{page}");
    let reply = browser.submit("/sign-up", &fields("ada@example.com", PASSWORD)).await;
    assert_eq!(reply.status(), 400);
    assert!(reply.text().contains("There is an account with this address") && !reply.text().contains(PASSWORD));

    let (browser, token) = browse(&t, &t.stranger(), "/sign-in").await;
    let form = [("_action", "sign_in"), ("_csrf", &token), ("email", "ada@example.com"), ("password", "not the password")];
    let reply = browser.submit("/sign-in", &form).await;
    assert_eq!(reply.status(), 401);
    assert!(reply.text().contains("value=\"ada@example.com\"") && reply.text().contains("The address or the password is wrong."));
    assert!(!reply.text().contains("not the password") && reply.cookie(COOKIE).is_none());
}

#[tokio::test]
async fn a_form_without_the_pages_token_or_from_another_site_does_nothing() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let page = ada.browser.get("/kit").await;
    let good = page.hidden("_csrf").expect("a form with a token");
    let others = t.member("acme", Role::Owner).await.browser.get("/kit").await.hidden("_csrf").unwrap();
    let own = t.panel.config.public_url();
    let form = async |origin: Option<&str>, token: &str| {
        let client = origin.map_or_else(|| ada.browser.without("origin"), |origin| ada.browser.with("origin", origin));
        client.submit("/kit", &[("_action", "sign_out"), ("_csrf", token)]).await.status()
    };
    for (origin, token, why) in [
        (Some(own.as_str()), "", "no token"),
        (Some(&own), "00ff", "a wrong token"),
        (Some(&own), &others, "the token of another session"),
        (Some("https://evil.example"), &good, "another site"),
        (Some("null"), &good, "a sandboxed frame"),
        (Some("http://localhost:3001"), &good, "another port"),
        (Some("http://localhost:3000.evil.example"), &good, "a longer name"),
        (None, &good, "no origin"),
    ] {
        assert_eq!(form(origin, token).await, 403, "{why}");
        assert_eq!(ada.browser.get("/api/auth/me").await.status(), 200, "{why}: still signed in");
    }
    assert_eq!(form(Some(&own), &good).await, 303);
    assert_eq!(ada.browser.get("/api/auth/me").await.status(), 401);
}

#[tokio::test]
async fn the_api_and_server_functions_want_more_than_the_cookie() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let app = t.app_in("acme").await;
    let browser = &ada.browser;
    for (client, why) in [
        (browser.without("x-csrf-token"), "no token"),
        (browser.with("x-csrf-token", "00ff"), "a wrong token"),
        (browser.with("origin", "https://evil.example"), "another site"),
        (browser.without("origin"), "no origin"),
    ] {
        let reply = client.post(&app.url("scale"), json!({ "replicas": 3 })).await;
        assert_eq!(reply.status(), 403, "{why}");
        let called = client.call("/fn/skypanel/apps/fns/scale_application", &[("id", &app.id.to_string()), ("replicas", "3")]).await;
        assert!(called.is_err(), "{why}");
        assert_eq!(client.get(&app.url("")).await.status(), 200, "{why}: reading is harmless");
    }
    assert_eq!(t.app_row(&app).await.replicas, 1);
    assert_eq!(browser.post(&app.url("scale"), json!({ "replicas": 3 })).await.status(), 200);
    // A page of another site can't read a bearer token, but its browser must not be able to use one either.
    let evil = ada.script.with("origin", "https://evil.example");
    assert_eq!(evil.post(&app.url("scale"), json!({ "replicas": 2 })).await.status(), 403);
    assert_eq!(t.app_row(&app).await.replicas, 3);
}

#[tokio::test]
async fn a_deed_is_never_done_by_following_a_link() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let app = t.app_in("acme").await;
    for path in skypanel::router::server_functions().iter().filter(|path| !path.ends_with("/check_repository")) {
        let reply = ada.browser.get(&format!("{path}?id={}&confirm={}&replicas=7", app.id, app.name)).await;
        assert!(reply.status() >= 400, "{path}: {}", reply.status());
    }
    assert_eq!(t.app_row(&app).await.replicas, 1);
    assert_eq!(ada.browser.get("/api/auth/me").await.status(), 200);
}

#[tokio::test]
async fn guessing_a_password_is_slowed_down() {
    let t = TestPanel::start().await;
    with_ada(&t).await;
    let eve = t.stranger().from("198.51.100.7");
    let guesses =
        futures::future::join_all((0..5).map(|n| login(&eve, "ada@example.com", if n % 2 == 0 { "wrong" } else { "worse" }))).await;
    assert!(guesses.iter().all(|reply| reply.status() == 401), "{guesses:?}");
    assert_eq!(guesses[0].json()["error"]["message"], login(&eve, "nobody@example.com", "wrong").await.json()["error"]["message"]);
    let sixth = login(&eve, "ada@example.com", PASSWORD).await;
    assert_eq!((sixth.status(), sixth.code()), (429, "RATE_LIMITED"), "even with the right one");
    let wait: u64 = sixth.header("retry-after").parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    assert_eq!(login(&t.stranger().from("192.0.2.9"), "ada@example.com", PASSWORD).await.status(), 200, "Ada is not locked out elsewhere");
    t.clock.advance(Duration::from_secs(wait + 1));
    assert_eq!(login(&eve, "ada@example.com", PASSWORD).await.status(), 200);
    for _ in 0..4 {
        assert_eq!(login(&eve, "ada@example.com", "wrong").await.status(), 401, "a success begins the count anew");
    }
}

#[tokio::test]
async fn one_address_can_try_only_so_many_accounts() {
    let t = TestPanel::start().await;
    with_ada(&t).await;
    let eve = t.stranger().from("198.51.100.7");
    for n in 0..30 {
        assert_eq!(login(&eve, &format!("user{n}@example.com"), "wrong").await.status(), 401, "{n}");
    }
    assert_eq!(login(&eve, "user31@example.com", "wrong").await.status(), 429);
}

#[tokio::test]
async fn what_a_proxy_says_of_the_caller_is_believed_only_where_it_is_trusted() {
    for (trusted, expected) in [(true, 401), (false, 429)] {
        let t = TestPanel::with(|config| {
            if trusted {
                config.panel.trusted_proxies = vec!["198.51.100.0/24".parse().unwrap()];
            }
        })
        .await;
        with_ada(&t).await;
        let proxy = t.stranger().from("198.51.100.7");
        for n in 0..5 {
            login(&proxy.with("x-forwarded-for", &format!("192.0.2.{n}, 203.0.113.{n}")), "ada@example.com", "wrong").await;
        }
        let reply = login(&proxy.with("x-forwarded-for", "203.0.113.99"), "ada@example.com", "wrong").await;
        assert_eq!(reply.status(), expected, "trusted: {trusted}");
    }
}

#[tokio::test]
async fn signing_up_can_be_closed() {
    let t = TestPanel::with(|config| config.panel.open_sign_up = false).await;
    with_ada(&t).await;
    assert_eq!(register(&t.stranger(), "grace@example.com", None).await.status(), 409);
}

#[tokio::test]
async fn neither_passwords_nor_tokens_stand_in_the_database() {
    let t = TestPanel::start().await;
    let setup = setup_token(&t).await;
    let bearer = register(&t.stranger(), "ada@example.com", Some(&setup)).await.data()["access_token"].as_str().unwrap().to_string();
    let (browser, token) = browse(&t, &t.stranger(), "/sign-in").await;
    let form = [("_action", "sign_in"), ("_csrf", &token), ("email", "ada@example.com"), ("password", PASSWORD)];
    let cookie = session_of(&browser.submit("/sign-in", &form).await);
    let stored = t.stored().await;
    assert!(stored.contains("ada@example.com") && stored.contains("$argon2id$"), "the store is there to be read");
    for secret in [PASSWORD, &setup, &bearer, cookie.split('=').nth(1).unwrap(), &token] {
        assert!(!stored.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn pages_send_strangers_to_the_sign_in_page_and_back() {
    let t = TestPanel::start().await;
    let reply = t.stranger().get("/applications?page=2").await;
    assert_eq!((reply.status(), reply.header("location")), (303, "/sign-in?next=%2Fapplications%3Fpage%3D2"));
    let page = t.stranger().get("/sign-in").await;
    assert_eq!(page.status(), 200);
    assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"), "{:?}", page.headers);
    assert_eq!((page.header("x-content-type-options"), page.header("x-frame-options")), ("nosniff", "DENY"));
}
