//! Authenticator apps and recovery codes, and organizations that demand a second factor.
use crate::support::{
    factors::{Browser, PASSWORD, change_org, code, done, login, member, row, told, with_app},
    panel::TestPanel,
};
use sea_orm::ActiveValue::Set;
use serde_json::json;
use skypanel::{
    auth::{
        access_tokens,
        session::{self, NewSession, Via},
    },
    rights::Role,
};
use std::time::Duration;

#[tokio::test]
async fn an_app_is_asked_for_once_its_first_code_proved_it() {
    let t = TestPanel::start().await;
    let ada = member(&t, "acme", Role::Owner).await;
    let setup = ada.post("/api/auth/2fa/setup", json!({})).await;
    let seed = setup.data()["secret"].as_str().unwrap();
    assert!(setup.data()["uri"].as_str().unwrap().contains(seed));
    assert!(setup.data()["qr_svg"].as_str().unwrap().starts_with("<svg"));
    assert_eq!(login(&t, &ada, None).await.status(), 200, "a seed alone changes nothing");
    let wrong = ada.post("/api/auth/2fa/enable", json!({ "code": "000000" })).await;
    assert_eq!((wrong.status(), wrong.fields()), (400, vec!["code"]));
    assert!(!row(&t, &ada).await.has_second_factor);

    let right = ada.post("/api/auth/2fa/enable", json!({ "code": code(&t, seed, 0) })).await;
    assert_eq!((right.status(), right.data()["codes"].as_array().unwrap().len()), (200, 10), "{}", right.text());
    assert!(row(&t, &ada).await.has_second_factor);
    let without = login(&t, &ada, None).await;
    assert_eq!((without.status(), without.code()), (401, "TWO_FACTOR_REQUIRED"));
    assert_eq!(login(&t, &ada, Some(&code(&t, seed, 1))).await.status(), 200);
    assert_eq!(ada.post("/api/auth/2fa/setup", json!({})).await.status(), 409, "a seed that is in use is not replaced");

    let stored = t.stored().await;
    assert!(!stored.contains(seed));
    assert!(!stored.contains(right.data()["codes"][0].as_str().unwrap()));
    assert_eq!((done(&t, "account.totp_begun").await, done(&t, "account.totp_enabled").await), (1, 1));
    assert_eq!(told(&t).await, ["an authenticator app was added"]);
}

#[tokio::test]
async fn a_code_counts_once_and_only_around_its_time() {
    let t = TestPanel::start().await;
    let ada = member(&t, "acme", Role::Owner).await;
    let (seed, _) = with_app(&t, &ada).await;
    let status = async |code: &str| login(&t, &ada, Some(code)).await.status();
    assert_eq!(status(&code(&t, &seed, 0)).await, 401, "it enabled the app already");
    t.clock.advance(Duration::from_secs(300));
    assert_eq!(status(&code(&t, &seed, -2)).await, 401, "a minute late");
    assert_eq!(status(&code(&t, &seed, 2)).await, 401, "a minute early");
    assert_eq!(status(&code(&t, &seed, -1)).await, 200, "half a minute late");
    assert_eq!(status(&code(&t, &seed, -1)).await, 401, "again");
    let spaced = code(&t, &seed, 1);
    assert_eq!(status(&format!("{} {}", &spaced[..3], &spaced[3..])).await, 200, "half a minute early");
    assert_eq!(status(&code(&t, &seed, 0)).await, 401, "older than one that was used");
    t.clock.advance(Duration::from_secs(60));
    assert_eq!(status(&code(&t, &seed, 0)).await, 200);
}

#[tokio::test]
async fn of_two_who_send_the_same_code_at_once_one_comes_in() {
    let t = TestPanel::start().await;
    let ada = member(&t, "acme", Role::Owner).await;
    let (seed, codes) = with_app(&t, &ada).await;
    for code in [code(&t, &seed, 1), codes[0].clone()] {
        let both = tokio::join!(login(&t, &ada, Some(&code)), login(&t, &ada, Some(&code)));
        let mut statuses = [both.0.status(), both.1.status()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401], "{code}");
    }
}

#[tokio::test]
async fn a_recovery_code_stands_for_the_app_once_and_its_owner_hears_of_it() {
    let t = TestPanel::start().await;
    let ada = member(&t, "acme", Role::Owner).await;
    let eve = member(&t, "globex", Role::Owner).await;
    let (seed, codes) = with_app(&t, &ada).await;
    with_app(&t, &eve).await;
    assert_eq!(login(&t, &eve, Some(&codes[0])).await.status(), 401, "of another person");
    assert_eq!(login(&t, &ada, Some(&codes[0].to_uppercase().replace('-', " "))).await.status(), 200, "as it may be typed");
    assert_eq!(login(&t, &ada, Some(&codes[0])).await.status(), 401, "again");
    let left = ada.get("/api/auth/2fa/backup-codes").await;
    assert_eq!(left.data(), &json!({ "left": 9, "of": 10 }));
    assert!(told(&t).await.contains(&"a recovery code was used; 9 are left".to_string()));
    assert_eq!(done(&t, "account.recovery_code_used").await, 1);

    let wrong = ada.post("/api/auth/2fa/backup-codes", json!({ "code": codes[0] })).await;
    assert_eq!((wrong.status(), wrong.fields()), (400, vec!["code"]));
    let renewed = ada.post("/api/auth/2fa/backup-codes", json!({ "code": code(&t, &seed, 1) })).await;
    assert_eq!(renewed.status(), 200, "{}", renewed.text());
    assert_eq!(login(&t, &ada, Some(&codes[1])).await.status(), 401, "the earlier ones are no longer good");
    assert_eq!(login(&t, &ada, renewed.data()["codes"][9].as_str()).await.status(), 200);
}

#[tokio::test]
async fn whoever_guesses_codes_is_slowed_down() {
    let t = TestPanel::start().await;
    let ada = member(&t, "acme", Role::Owner).await;
    let (seed, _) = with_app(&t, &ada).await;
    for _ in 0..5 {
        assert_eq!(login(&t, &ada, Some("000000")).await.status(), 401);
    }
    let right = login(&t, &ada, Some(&code(&t, &seed, 1))).await;
    assert_eq!((right.status(), right.code()), (429, "RATE_LIMITED"));
    for _ in 0..5 {
        assert_eq!(ada.post("/api/auth/2fa/backup-codes", json!({ "code": "000000" })).await.status(), 400);
    }
    let right = ada.post("/api/auth/2fa/backup-codes", json!({ "code": code(&t, &seed, 1) })).await;
    assert_eq!((right.status(), right.header("retry-after").is_empty()), (429, false));
    t.clock.advance(Duration::from_secs(901));
    assert_eq!(login(&t, &ada, Some(&code(&t, &seed, 0))).await.status(), 200);
}

#[tokio::test]
async fn removing_the_app_takes_the_password_and_a_code() {
    let t = TestPanel::start().await;
    let ada = member(&t, "acme", Role::Owner).await;
    let (seed, codes) = with_app(&t, &ada).await;
    let disable = async |password: &str, code: &str| {
        let reply = ada.post("/api/auth/2fa/disable", json!({ "password": password, "code": code })).await;
        (reply.status(), reply.fields().join(" "))
    };
    assert_eq!(disable("not my password", &code(&t, &seed, 1)).await, (400, "password".into()));
    assert_eq!(disable(PASSWORD, "000000").await, (400, "code".into()));
    assert_eq!(disable(PASSWORD, "").await, (400, "code".into()));
    assert!(row(&t, &ada).await.has_second_factor);
    assert_eq!(disable(PASSWORD, &codes[3]).await, (200, String::new()));
    assert!(!row(&t, &ada).await.has_second_factor);
    assert_eq!(login(&t, &ada, None).await.status(), 200);
    assert_eq!(ada.get("/api/auth/2fa/backup-codes").await.data(), &json!({ "left": 0, "of": 0 }));
    assert_eq!(told(&t).await.last().unwrap(), "the authenticator app was removed");
    assert_eq!(disable(PASSWORD, &codes[4]).await.0, 409, "there is none any more");
}

#[tokio::test]
async fn an_organization_that_demands_a_second_factor_leads_its_members_to_it() {
    let t = TestPanel::start().await;
    let ada = member(&t, "acme", Role::Developer).await;
    change_org(&t, &ada.org, |row| row.requires_two_factor = Set(true)).await;
    let api = ada.get("/api/paas/applications").await;
    assert_eq!((api.status(), api.code()), (403, "TWO_FACTOR_REQUIRED"));
    let page = ada.browser.get("/applications").await;
    assert_eq!((page.status(), page.header("location")), (303, "/account/security"));
    let security = ada.browser.get("/account/security").await;
    assert_eq!(security.status(), 200);
    assert!(security.text().contains("“acme” asks its members for a second factor"), "{}", security.text());

    let (seed, _) = with_app(&t, &ada).await;
    assert_eq!(ada.get("/api/paas/applications").await.status(), 200);
    assert_eq!(ada.browser.get("/applications").await.status(), 200);
    let last = ada.post("/api/auth/2fa/disable", json!({ "password": PASSWORD, "code": code(&t, &seed, 1) })).await;
    assert_eq!(last.status(), 409);
    assert!(last.text().contains("“acme” asks for one"), "{}", last.text());
    assert!(row(&t, &ada).await.has_second_factor);
    change_org(&t, &ada.org, |row| row.requires_two_factor = Set(false)).await;
    let fine = ada.post("/api/auth/2fa/disable", json!({ "password": PASSWORD, "code": code(&t, &seed, 1) })).await;
    assert_eq!(fine.status(), 400, "the code was used up by the attempt before");
    t.clock.advance(Duration::from_secs(60));
    let fine = ada.post("/api/auth/2fa/disable", json!({ "password": PASSWORD, "code": code(&t, &seed, 0) })).await;
    assert_eq!(fine.status(), 200, "{}", fine.text());
}

#[tokio::test]
async fn nobody_else_touches_a_persons_factors_not_even_in_her_name() {
    let t = TestPanel::start().await;
    let ada = member(&t, "acme", Role::Owner).await;
    let operator = t.operator().await;
    let new = NewSession {
        user: &ada.user,
        org: &ada.org,
        via: Via::Bearer,
        method: "impersonation",
        address: "203.0.113.1",
        agent: "a test",
        impersonator: Some((&operator.user, "a ticket")),
        life: None,
    };
    let opened = t.panel.db.tx(async |tx| session::open(tx, &t.panel, new).await).await.unwrap();
    let token = access_tokens::sign(&t.panel, &opened.id, &ada.user, Duration::from_secs(3600)).await.unwrap();
    let other = t.stranger().with("authorization", &format!("Bearer {token}"));
    for (method, route) in [("POST", "setup"), ("POST", "enable"), ("POST", "disable"), ("GET", "backup-codes"), ("POST", "backup-codes")] {
        let body = json!({ "code": "123456" });
        let path = format!("/api/auth/2fa/{route}");
        let reply =
            if method == "GET" { other.get(&path).await } else { other.post(&path, if route == "setup" { json!({}) } else { body }).await };
        assert_eq!((reply.status(), reply.json()["error"]["required"].as_str()), (403, Some("in_person")), "{route}");
    }
}

#[tokio::test]
async fn a_browser_sets_an_app_up_and_signs_in_with_it_without_a_script() {
    let t = TestPanel::start().await;
    let ada = member(&t, "acme", Role::Owner).await;
    let csrf = [("_csrf", ada.browser.get("/account/security").await.hidden("_csrf").unwrap())];
    let send = async |page: &str, action: &str, more: &[(&str, &str)]| {
        let fields = [&[("_action", action), ("_csrf", csrf[0].1.as_str())], more].concat();
        ada.browser.submit(page, &fields).await
    };
    assert_eq!(send("/account/security", "set_up_totp", &[]).await.status(), 303);
    let page = ada.browser.get("/account/security").await.text();
    let seed = page
        .split(char::is_whitespace)
        .flat_map(|word| word.split(['>', '<', '"']))
        .find(|word| word.len() == 32 && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
    let seed = seed.expect("the secret as text").to_string();
    assert!(page.contains("<svg"));
    let again = send("/account/security", "enable_totp", &[("code", "12345")]).await;
    assert_eq!(again.status(), 400);
    assert!(again.text().contains("This is not the code of now"));
    let done = send("/account/security", "enable_totp", &[("code", &code(&t, &seed, 0))]).await;
    assert_eq!((done.status(), done.header("location")), (303, "/account/security/recovery-codes"));
    let shown = ada.browser.get("/account/security/recovery-codes").await.text();
    let codes = shown.split("data-recovery-codes").nth(1).unwrap().split('>').nth(1).unwrap().split('<').next().unwrap();
    let codes: Vec<&str> = codes.lines().collect();
    assert_eq!(codes.len(), 10, "{codes:?}");
    let other = t.sign_in(&ada.user, &ada.org).await;
    assert_eq!(other.browser.get("/account/security/recovery-codes").await.status(), 404, "in another session");
    assert_eq!(send("/account/security/recovery-codes", "put_recovery_codes_away", &[]).await.header("location"), "/account/security");
    assert_eq!(ada.browser.get("/account/security/recovery-codes").await.status(), 404, "shown once");

    for code in [code(&t, &seed, 1), codes[0].to_string()] {
        let mut browser = Browser::open(&t).await;
        let email = row(&t, &ada).await.email;
        let first = browser.send("/sign-in", "sign_in", &[("email", &email), ("password", PASSWORD), ("next", "/account/security")]).await;
        assert_eq!(first.header("location"), "/sign-in/second-factor", "{}", first.text());
        assert!(!browser.is_in());
        browser.look("/sign-in/second-factor").await;
        let second = browser.send("/sign-in/second-factor", "sign_in_with_code", &[("code", &code)]).await;
        assert_eq!((second.status(), second.header("location")), (303, "/account/security"), "{}", second.text());
        assert!(browser.is_in());
    }
}
