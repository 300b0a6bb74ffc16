//! Passwords: changing, forgetting, guessing; and that an attacker locks nobody out.
use crate::support::{
    account::{EMAIL, OTHER_PASSWORD, PASSWORD, token_of},
    client::{Client, Reply},
    panel::TestPanel,
};
use argon2::{Argon2, password_hash::PasswordHasher};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use serde_json::json;
use sha1::{Digest, Sha1};
use skypanel::{
    auth::session::{COOKIE, DEVICE},
    fault::Because,
    store::tables::user,
};
use std::time::Duration;

async fn login(client: &Client, password: &str) -> Reply {
    client.post("/api/auth/login", json!({ "email": EMAIL, "password": password })).await
}

async fn change(client: &Client, from: &str, to: &str) -> Reply {
    client.put("/api/auth/password", json!({ "current_password": from, "new_password": to })).await
}

async fn forgot(client: &Client, email: &str) -> Reply {
    client.post("/api/auth/forgot-password", json!({ "email": email })).await
}

async fn reset(client: &Client, link: &str, password: &str) -> Reply {
    client.post("/api/auth/reset-password", json!({ "token": token_of(link), "password": password })).await
}

/// A column of Ada's row gets a value.
async fn set(t: &TestPanel, column: user::Column, value: impl Into<sea_orm::Value>) {
    let row = user::Entity::update_many().col_expr(column, Expr::value(value)).filter(user::Column::Email.eq(EMAIL));
    t.panel.db.tx(async |tx| row.exec(tx).await.because("setting up a test")).await.unwrap();
}

#[tokio::test]
async fn ada_changes_her_password_with_the_old_one_and_is_signed_out_elsewhere() {
    let t = TestPanel::start().await;
    let (script, _) = t.an_account().await;
    let mut browser = t.browser();
    browser.sign_in(EMAIL, PASSWORD).await;
    let wrong = change(&script, "not the password", OTHER_PASSWORD).await;
    assert_eq!((wrong.status(), wrong.fields()), (400, vec!["current_password"]));
    assert!(browser.is_in().await);
    let done = change(&script, PASSWORD, OTHER_PASSWORD).await;
    assert_eq!((done.status(), done.data()), (200, &json!({ "ended": 1 })), "{}", done.text());
    assert!(!browser.is_in().await && script.get("/api/auth/me").await.status() == 200);
    assert_eq!((login(&t.stranger(), PASSWORD).await.status(), login(&t.stranger(), OTHER_PASSWORD).await.status()), (401, 200));
    let told = t.mails().await.into_iter().filter(|(to, template)| to == EMAIL && template.kind == "password_changed").count();
    assert_eq!(told, 1);
}

#[tokio::test]
async fn other_sessions_go_on_where_she_says_so() {
    let t = TestPanel::start().await;
    let (script, _) = t.an_account().await;
    let mut browser = t.browser();
    browser.sign_in(EMAIL, PASSWORD).await;
    // A box that is not ticked is not sent.
    let form = [("current_password", PASSWORD), ("new_password", OTHER_PASSWORD)];
    let reply = browser.post("/account/security", "change_password", &form).await;
    assert_eq!(reply.status(), 303, "{}", reply.text());
    assert!(browser.open("/account/security").await.text().contains("The password was changed."));
    assert_eq!(script.get("/api/auth/me").await.status(), 200);
    let form = [("current_password", OTHER_PASSWORD), ("new_password", PASSWORD), ("sign_out_others", "true")];
    assert_eq!(browser.post("/account/security", "change_password", &form).await.status(), 303);
    assert!(browser.is_in().await && script.get("/api/auth/me").await.status() == 401);
}

#[tokio::test]
async fn the_old_password_is_not_guessed_from_a_stolen_session() {
    let t = TestPanel::start().await;
    let (script, _) = t.an_account().await;
    for _ in 0..5 {
        assert_eq!(change(&script, "a guess of it", OTHER_PASSWORD).await.status(), 400);
    }
    assert_eq!(change(&script, PASSWORD, OTHER_PASSWORD).await.code(), "RATE_LIMITED");
    t.clock.advance(Duration::from_secs(901));
    let again = login(&t.stranger(), PASSWORD).await;
    assert_eq!(change(&t.bearing(again.data()), PASSWORD, OTHER_PASSWORD).await.status(), 200);
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_by_a_link_that_works_once() {
    let t = TestPanel::start().await;
    let (script, _) = t.an_account().await;
    assert_eq!(forgot(&t.stranger(), "Ada@Example.com").await.status(), 200);
    let link = t.links_in_time(EMAIL, "reset_password", 1).await.remove(0);
    let mut browser = t.browser();
    let page = browser.open(&link).await;
    assert!(page.status() == 200 && page.text().contains("Choose a new password"), "{}", page.text());
    let refused = browser.post(&link, "reset_password", &[("token", token_of(&link)), ("password", "too short")]).await;
    assert_eq!(refused.status(), 400);
    assert!(!refused.text().contains("too short"), "what was typed does not come back");
    let done = browser.post(&link, "reset_password", &[("token", token_of(&link)), ("password", OTHER_PASSWORD)]).await;
    assert_eq!((done.status(), done.header("location")), (303, "/sign-in"));
    assert_eq!(script.get("/api/auth/me").await.status(), 401, "every session ended");
    assert_eq!((login(&t.stranger(), PASSWORD).await.status(), login(&t.stranger(), OTHER_PASSWORD).await.status()), (401, 200));
    assert_eq!(reset(&t.stranger(), &link, PASSWORD).await.code(), "LINK_NOT_FOUND", "it is used up");
    let dead = browser.open(&link).await;
    assert!(dead.status() == 404 && dead.text().contains("This link is not good"), "{}", dead.text());
}

#[tokio::test]
async fn of_two_who_use_a_link_at_once_one_sets_the_password() {
    let t = TestPanel::start().await;
    t.an_account().await;
    forgot(&t.stranger(), EMAIL).await;
    let link = t.links_in_time(EMAIL, "reset_password", 1).await.remove(0);
    let (one, other) = (t.stranger(), t.stranger());
    let (one, other) = tokio::join!(reset(&one, &link, OTHER_PASSWORD), reset(&other, &link, "seven blue doors at noon"));
    let mut all = [one.status(), other.status()];
    all.sort_unstable();
    assert_eq!(all, [200, 404]);
}

#[tokio::test]
async fn a_link_is_over_after_an_hour_and_void_when_a_password_or_address_is_new() {
    let t = TestPanel::start().await;
    let (script, _) = t.an_account().await;
    let ask = async |count| {
        forgot(&t.stranger(), EMAIL).await;
        t.links_in_time(EMAIL, "reset_password", count).await.pop().unwrap()
    };
    let verify = t.links(EMAIL, "verify_email").await.remove(0);
    assert_eq!(reset(&t.stranger(), &verify, OTHER_PASSWORD).await.code(), "LINK_NOT_FOUND", "a link for something else");
    let old = ask(1).await;
    assert_eq!(change(&script, PASSWORD, OTHER_PASSWORD).await.status(), 200);
    assert_eq!(reset(&t.stranger(), &old, PASSWORD).await.code(), "LINK_NOT_FOUND", "a new password voids it");
    let (one, two) = (ask(2).await, ask(3).await);
    assert_eq!(reset(&t.stranger(), &one, PASSWORD).await.status(), 200, "an earlier one is as good");
    assert_eq!(reset(&t.stranger(), &two, PASSWORD).await.code(), "LINK_NOT_FOUND", "and voids the others");
    let late = ask(4).await;
    t.clock.advance(Duration::from_secs(3600));
    assert_eq!(reset(&t.stranger(), &late, OTHER_PASSWORD).await.code(), "LINK_NOT_FOUND", "it is over");
    let moved = ask(5).await;
    set(&t, user::Column::Email, "ada@example.org").await;
    assert_eq!(reset(&t.stranger(), &moved, OTHER_PASSWORD).await.code(), "LINK_NOT_FOUND", "the old mailbox has no say");
}

#[tokio::test]
async fn nobody_learns_who_has_an_account_by_forgetting_a_password() {
    let t = TestPanel::start().await;
    t.an_account().await;
    let (known, unknown) = (forgot(&t.stranger(), EMAIL).await, forgot(&t.stranger(), "nobody@example.com").await);
    assert_eq!((known.status(), known.json()), (unknown.status(), unknown.json()));
    t.links_in_time(EMAIL, "reset_password", 1).await;
    assert!(t.links("nobody@example.com", "reset_password").await.is_empty());
    let (mut one, mut other) = (t.browser(), t.browser());
    for (browser, email) in [(&mut one, EMAIL), (&mut other, "nobody@example.com")] {
        let reply = browser.post("/forgot-password", "forgot_password", &[("email", email)]).await;
        assert_eq!((reply.status(), reply.header("location")), (303, "/sign-in"));
        assert!(browser.open("/sign-in").await.text().contains("If there is an account with this address"));
    }
    assert_eq!(forgot(&t.stranger(), "no address").await.fields(), ["email"]);
}

#[tokio::test]
async fn whoever_has_many_mails_sent_does_not_keep_the_owner_from_hers() {
    let t = TestPanel::start().await;
    t.an_account().await;
    let eve = |n: u32| t.stranger().from(&format!("198.51.100.{n}"));
    for n in 0..8 {
        assert_eq!(forgot(&eve(n), EMAIL).await.status(), 200, "the answer stays the same");
    }
    let links = t.links_in_time(EMAIL, "reset_password", 5).await;
    for _ in 0..10 {
        forgot(&eve(99), "nobody@example.com").await;
    }
    assert_eq!(forgot(&eve(99), "nobody@example.com").await.code(), "RATE_LIMITED", "one address asks only so often");
    t.clock.advance(Duration::from_secs(3590));
    assert_eq!(reset(&t.stranger(), links.last().unwrap(), OTHER_PASSWORD).await.status(), 200, "what was mailed is good all the while");
}

#[tokio::test]
async fn a_second_factor_is_asked_for_after_a_reset_as_before() {
    let t = TestPanel::start().await;
    t.an_account().await;
    set(&t, user::Column::HasSecondFactor, true).await;
    forgot(&t.stranger(), EMAIL).await;
    let link = t.links_in_time(EMAIL, "reset_password", 1).await.remove(0);
    assert_eq!(reset(&t.stranger(), &link, OTHER_PASSWORD).await.status(), 200);
    let asked = login(&t.stranger(), OTHER_PASSWORD).await;
    assert_eq!((asked.status(), asked.code()), (401, "TWO_FACTOR_REQUIRED"));
    assert_eq!(login(&t.stranger(), PASSWORD).await.code(), "AUTHENTICATION_REQUIRED", "only the right password tells");
    let mut browser = t.browser();
    let reply = browser.sign_in(EMAIL, OTHER_PASSWORD).await;
    assert_eq!((reply.status(), reply.header("location")), (303, "/sign-in/second-factor"));
    assert!(browser.cookie(COOKIE).is_none(), "no session yet");
    let page = browser.open("/sign-in/second-factor").await;
    assert!(page.status() == 200 && page.text().contains("Hello Ada Lovelace"), "{}", page.text());
    let wrong = browser.post("/sign-in/second-factor", "sign_in_with_code", &[("code", "000000")]).await;
    assert_eq!(wrong.status(), 401);
    assert!(browser.cookie(COOKIE).is_none());
    // The pending sign-in is this browser's own, and short.
    let stolen = browser.cookie(skypanel::auth::session::PENDING).unwrap().to_string();
    let elsewhere = t.stranger().with("cookie", &format!("skypanel_pending={stolen}"));
    assert_eq!(elsewhere.get("/sign-in/second-factor").await.status(), 401);
    t.clock.advance(Duration::from_secs(301));
    assert_eq!(browser.open("/sign-in/second-factor").await.status(), 401);
}

#[tokio::test]
async fn codes_are_not_guessed() {
    let t = TestPanel::start().await;
    t.an_account().await;
    set(&t, user::Column::HasSecondFactor, true).await;
    let guess = async |address: &str| {
        let body = json!({ "email": EMAIL, "password": PASSWORD, "totp": "000000" });
        t.stranger().from(address).post("/api/auth/login", body).await
    };
    for _ in 0..5 {
        assert_eq!(guess("198.51.100.1").await.status(), 401);
    }
    assert_eq!(guess("198.51.100.1").await.status(), 429);
    for n in 2..7 {
        assert_eq!(guess(&format!("198.51.100.{n}")).await.status(), 401);
    }
    let slowed = guess("198.51.100.9").await;
    assert_eq!((slowed.status(), slowed.code()), (429, "RATE_LIMITED"), "nor from many addresses");
}

#[tokio::test]
async fn a_suspended_person_is_told_so_only_with_the_right_password() {
    let t = TestPanel::start().await;
    t.an_account().await;
    set(&t, user::Column::SuspendedAt, t.panel.now()).await;
    let told = login(&t.stranger(), PASSWORD).await;
    assert!(told.status() == 401 && told.text().contains("suspended"), "{}", told.text());
    assert!(!login(&t.stranger(), "wrong horse").await.text().contains("suspended"));
    let mut browser = t.browser();
    assert!(browser.sign_in(EMAIL, PASSWORD).await.text().contains("suspended"));
    assert!(browser.cookie(COOKIE).is_none());
}

#[tokio::test]
async fn an_attacker_with_many_addresses_is_slowed_and_ada_is_not() {
    let t = TestPanel::start().await;
    t.an_account().await;
    let mut known = t.browser();
    known.sign_in(EMAIL, PASSWORD).await;
    assert!(known.cookie(DEVICE).is_some());
    known.forget(false);
    assert!(!known.is_in().await);
    let eve = |n: usize| t.stranger().from(&format!("2001:db8::{n:x}"));
    for n in 1..=20 {
        assert_eq!(login(&eve(n), "a guess").await.status(), 401, "{n}");
    }
    for n in 21..25 {
        let slowed = login(&eve(n), PASSWORD).await;
        assert_eq!((slowed.status(), slowed.code()), (429, "RATE_LIMITED"), "even with the right one");
        assert!(slowed.text().contains("devices that it does not know"), "{}", slowed.text());
        assert!(slowed.text().contains("reset the password"), "{}", slowed.text());
    }
    let wait: u64 = login(&eve(99), PASSWORD).await.header("retry-after").parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    // The browser that the account knows signs in at once, wherever it is.
    assert_eq!(known.sign_in(EMAIL, PASSWORD).await.status(), 303);
    assert!(known.is_in().await);
    // So does one that shares the attacker's own address.
    known.forget(false);
    let mut known = known.moved("2001:db8::1");
    for _ in 0..3 {
        assert_eq!(known.sign_in(EMAIL, "mistyped it").await.status(), 401);
    }
    assert_eq!(known.sign_in(EMAIL, PASSWORD).await.status(), 303);
    // Another account is nobody's business.
    let (_, _) = t.another_account("Grace Hopper", "grace@example.com").await;
    let grace = t.stranger().post("/api/auth/login", json!({ "email": "grace@example.com", "password": PASSWORD })).await;
    assert_eq!(grace.status(), 200);
    // A new device waits for the window's end at most.
    t.clock.advance(Duration::from_secs(wait));
    assert_eq!(login(&eve(100), PASSWORD).await.status(), 200);
}

#[tokio::test]
async fn a_reset_by_mail_opens_the_door_of_a_new_device_while_an_attack_goes_on() {
    let t = TestPanel::start().await;
    t.an_account().await;
    for n in 1..=20 {
        login(&t.stranger().from(&format!("2001:db8::{n:x}")), "a guess").await;
    }
    let mut fresh = t.browser().moved("198.51.100.77");
    assert_eq!(fresh.sign_in(EMAIL, PASSWORD).await.status(), 429);
    fresh.post("/forgot-password", "forgot_password", &[("email", EMAIL)]).await;
    let link = t.links_in_time(EMAIL, "reset_password", 1).await.remove(0);
    fresh.post(&link, "reset_password", &[("token", token_of(&link)), ("password", OTHER_PASSWORD)]).await;
    for n in 1..=20 {
        login(&t.stranger().from(&format!("2001:db8:1::{n:x}")), "a guess").await;
    }
    assert_eq!(login(&t.stranger().from("2001:db8:2::1"), OTHER_PASSWORD).await.status(), 429, "the attack goes on");
    assert_eq!(fresh.sign_in(EMAIL, OTHER_PASSWORD).await.status(), 303);
}

#[tokio::test]
async fn a_device_is_known_to_the_accounts_that_signed_in_with_it_and_guesses_no_more_than_others() {
    let t = TestPanel::start().await;
    t.an_account().await;
    t.another_account("Eve", "eve@example.com").await;
    let mut eve = t.browser().moved("198.51.100.1");
    eve.sign_in("eve@example.com", PASSWORD).await;
    let device = eve.cookie(DEVICE).unwrap().to_string();
    let with_device = |n: usize| t.stranger().with("cookie", &format!("{DEVICE}={device}")).from(&format!("2001:db8::{n:x}"));
    for n in 1..=20 {
        assert_eq!(login(&with_device(n), "a guess").await.status(), 401);
    }
    assert_eq!(login(&with_device(21), PASSWORD).await.status(), 429, "her own device opens nobody else’s door");
    for n in 0..5 {
        let body = json!({ "email": "eve@example.com", "password": "a guess" });
        assert_eq!(with_device(30 + n).post("/api/auth/login", body).await.status(), 401);
    }
    let body = json!({ "email": "eve@example.com", "password": PASSWORD });
    assert_eq!(with_device(40).post("/api/auth/login", body).await.status(), 429, "a stolen device cookie guesses five times");
    assert!(!t.stored().await.contains(&device), "only its hash is stored");
}

#[tokio::test]
async fn a_password_that_is_easy_to_guess_is_refused_with_the_reason() {
    let t = TestPanel::start().await;
    let (script, _) = t.an_account().await;
    for (password, why) in [
        ("abcdefghijklm", "Sequences like abc"),
        ("password12345", "similar to a commonly used password"),
        ("adalovelace", "easy to guess"),
        ("ada@example.com", "easy to guess"),
    ] {
        let reply = change(&script, PASSWORD, password).await;
        assert_eq!((reply.status(), reply.fields()), (400, vec!["new_password"]), "{password}");
        assert!(reply.text().contains(why), "{password}: {}", reply.text());
    }
    let body = json!({ "name": "Grace Hopper", "email": "grace@example.com", "password": "gracehopper" });
    let reply = t.stranger().post("/api/auth/register", body).await;
    assert_eq!((reply.status(), reply.fields()), (400, vec!["password"]));
    assert_eq!(login(&t.stranger(), PASSWORD).await.status(), 200);
}

#[tokio::test]
async fn a_password_in_the_operators_list_of_stolen_ones_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pwned.txt");
    let hash = |word: &str| Sha1::digest(word.as_bytes()).iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let mut lines: Vec<String> = (0..500).map(|n| format!("{}:{n}", hash(&format!("filler {n}")))).collect();
    lines.push(format!("{}:42", hash(OTHER_PASSWORD)));
    lines.sort();
    std::fs::write(&file, lines.join("\r\n")).unwrap();
    let t = TestPanel::with(|config| config.accounts.breached_passwords_file = Some(file.clone())).await;
    let (script, _) = t.an_account().await;
    let reply = change(&script, PASSWORD, OTHER_PASSWORD).await;
    assert_eq!((reply.status(), reply.fields()), (400, vec!["new_password"]));
    assert!(reply.text().contains("list of stolen ones"), "{}", reply.text());
    assert_eq!(change(&script, PASSWORD, "seven blue doors at noon").await.status(), 200);
    // A list that can't be read keeps nobody from a new password.
    std::fs::write(&file, "this is no list").unwrap();
    assert_eq!(change(&script, "seven blue doors at noon", OTHER_PASSWORD).await.status(), 200);
    let mut config = t.panel.config.clone();
    config.accounts.breached_passwords_file = Some(dir.path().join("none"));
    assert!(config.check().unwrap_err().contains("accounts.breached_passwords_file"));
}

#[tokio::test]
async fn a_password_is_the_same_from_every_keyboard() {
    let (composed, decomposed) = ("caf\u{e9} am See um neun", "cafe\u{301} am See um neun");
    let t = TestPanel::start().await;
    let (script, _) = t.an_account().await;
    assert_eq!(change(&script, PASSWORD, composed).await.status(), 200);
    assert_eq!(login(&t.stranger(), decomposed).await.status(), 200);
    assert_eq!(change(&script, decomposed, OTHER_PASSWORD).await.status(), 200);
    assert_eq!(change(&script, OTHER_PASSWORD, decomposed).await.status(), 200);
    assert_eq!(login(&t.stranger(), composed).await.status(), 200);
    assert_eq!(login(&t.stranger(), "cafe am See um neun").await.status(), 401);
}

#[tokio::test]
async fn a_password_that_was_hashed_as_it_was_typed_goes_on_working_and_is_normalized() {
    let (composed, decomposed) = ("caf\u{e9} am See um neun", "cafe\u{301} am See um neun");
    let t = TestPanel::start().await;
    t.an_account().await;
    let old = Argon2::default().hash_password(decomposed.as_bytes()).unwrap().to_string();
    set(&t, user::Column::PasswordHash, old).await;
    assert_eq!(login(&t.stranger(), composed).await.status(), 401, "nobody can tell that it is the same");
    assert_eq!(login(&t.stranger(), decomposed).await.status(), 200);
    assert_eq!((login(&t.stranger(), composed).await.status(), login(&t.stranger(), decomposed).await.status()), (200, 200));
}
