//! Passkeys: registered, asked after the password and instead of it, and everything that is wrong with one.
use crate::support::{
    authenticator::Authenticator,
    client::{Client, Person},
    factors::{Browser, PASSWORD, change, change_org, done, member, path, row, told, trail},
    panel::TestPanel,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use skypanel::{
    accounts::model::factors::PasskeyChallenge,
    error::Error,
    rights::Role,
    store::tables::{passkey, session},
};
use std::time::Duration;

fn device(t: &TestPanel) -> Authenticator {
    Authenticator::at(&t.panel.config.public_url())
}

/// Asks for a challenge.
async fn begin(client: &Client, function: &str) -> PasskeyChallenge {
    let reply = client.call(&path(function), &[]).await.unwrap();
    serde_json::from_value(reply.json().clone()).unwrap()
}

async fn add(person: &Person, device: &mut Authenticator, name: &str) -> Result<(), Error> {
    let asked = begin(&person.browser, "begin_passkey").await;
    let credential = device.create(&asked.options);
    let fields = [("name", name), ("token", &asked.token), ("credential", &credential)];
    person.browser.call(&path("add_passkey"), &fields).await.map(|_| ())
}

async fn keys(t: &TestPanel, person: &Person) -> Vec<passkey::Model> {
    let of = passkey::Entity::find().filter(passkey::Column::UserId.eq(person.user.clone()));
    of.all(t.panel.db.read()).await.unwrap()
}

/// Signs in at the sign-in page with whatever is on the device: where the browser is sent.
async fn passwordless(t: &TestPanel, device: &mut Authenticator) -> (Browser, u16, String) {
    let mut browser = Browser::open(t).await;
    let asked = begin(&browser.client, "begin_passkey_sign_in").await;
    let credential = device.get(&asked.options);
    let fields = [("token", asked.token.as_str()), ("credential", &credential), ("next", "/account/security")];
    let reply = browser.send("/sign-in", "sign_in_with_passkey", &fields).await;
    let place = reply.header("location").to_string();
    (browser, reply.status(), place)
}

#[tokio::test]
async fn a_passkey_signs_in_without_a_password() {
    let t = TestPanel::start().await;
    let (ada, mut device) = (member(&t, "acme", Role::Owner).await, device(&t));
    add(&ada, &mut device, "Work laptop").await.unwrap();
    assert!(row(&t, &ada).await.has_second_factor);
    assert_eq!(ada.browser.get("/account/security/recovery-codes").await.status(), 200, "the first factor brings recovery codes");
    let (browser, status, place) = passwordless(&t, &mut device).await;
    assert_eq!((status, place.as_str()), (303, "/account/security"));
    assert!(browser.is_in());
    let sessions = session::Entity::find().filter(session::Column::Method.eq("passkey")).all(t.panel.db.read()).await.unwrap();
    assert_eq!(sessions.iter().map(|row| &row.user_id).collect::<Vec<_>>(), [&ada.user]);
    assert!(keys(&t, &ada).await[0].last_used_at.is_some());
    assert_eq!((done(&t, "account.passkey_added").await, told(&t).await), (1, vec!["a passkey was added".to_string()]));
}

#[tokio::test]
async fn a_passkey_is_asked_for_after_the_password() {
    let t = TestPanel::start().await;
    let (ada, mut device) = (member(&t, "acme", Role::Owner).await, device(&t));
    add(&ada, &mut device, "Work laptop").await.unwrap();
    let mut browser = Browser::open(&t).await;
    let email = row(&t, &ada).await.email;
    let first = browser.send("/sign-in", "sign_in", &[("email", &email), ("password", PASSWORD), ("next", "/account/security")]).await;
    assert_eq!((first.header("location"), browser.is_in()), ("/sign-in/second-factor", false));
    let page = browser.look("/sign-in/second-factor").await;
    assert!(page.text().contains("Use a passkey instead"));
    let asked = begin(&browser.client, "begin_second_passkey").await;
    let credential = device.get(&asked.options);
    let fields = [("token", asked.token.as_str()), ("credential", &credential)];
    let second = browser.send("/sign-in/second-factor", "sign_in_with_passkey", &fields).await;
    assert_eq!((second.header("location"), browser.is_in()), ("/account/security", true), "{}", second.text());
    let signed_in = trail(&t).await.into_iter().rfind(|(name, _)| name == "account.signed_in").unwrap().1;
    assert_eq!((&signed_in["method"], &signed_in["second_factor"]), (&json!("password"), &json!("passkey")));
}

#[tokio::test]
async fn a_challenge_is_good_once_for_a_while_and_for_one_browser() {
    let t = TestPanel::start().await;
    let (ada, mut device) = (member(&t, "acme", Role::Owner).await, device(&t));
    add(&ada, &mut device, "Work laptop").await.unwrap();
    let mut browser = Browser::open(&t).await;
    let mut other = Browser::open(&t).await;
    let asked = begin(&browser.client, "begin_passkey_sign_in").await;
    let credential = device.get(&asked.options);
    let fields = [("token", asked.token.as_str()), ("credential", credential.as_str())];
    assert_eq!(other.send("/sign-in", "sign_in_with_passkey", &fields).await.status(), 409, "another browser");
    assert_eq!(browser.send("/sign-in", "sign_in_with_passkey", &fields).await.status(), 303);
    let mut browser = Browser::open(&t).await;
    assert_eq!(browser.send("/sign-in", "sign_in_with_passkey", &fields).await.status(), 409, "again");
    let late = begin(&browser.client, "begin_passkey_sign_in").await;
    let credential = device.get(&late.options);
    t.clock.advance(Duration::from_secs(301));
    let fields = [("token", late.token.as_str()), ("credential", credential.as_str())];
    assert_eq!(browser.send("/sign-in", "sign_in_with_passkey", &fields).await.status(), 409, "late");
    // An answer to one challenge is none to another, and a challenge whose answer was wrong is used up.
    let (one, two) = (begin(&browser.client, "begin_passkey_sign_in").await, begin(&browser.client, "begin_passkey_sign_in").await);
    let credential = device.get(&one.options);
    let crossed = [("token", two.token.as_str()), ("credential", credential.as_str())];
    assert_eq!(browser.send("/sign-in", "sign_in_with_passkey", &crossed).await.status(), 401, "crossed");
    let credential = device.get(&two.options);
    let right = [("token", two.token.as_str()), ("credential", credential.as_str())];
    assert_eq!(browser.send("/sign-in", "sign_in_with_passkey", &right).await.status(), 409, "used up");
    assert!(!browser.is_in());
}

#[tokio::test]
async fn a_copied_passkey_is_refused_and_its_owner_hears_of_it() {
    let t = TestPanel::start().await;
    let (ada, mut device) = (member(&t, "acme", Role::Owner).await, device(&t));
    add(&ada, &mut device, "Work laptop").await.unwrap();
    let mut copy = device.copied();
    assert_eq!(passwordless(&t, &mut device).await.1, 303);
    assert_eq!(passwordless(&t, &mut device).await.1, 303);
    let (browser, status, _) = passwordless(&t, &mut copy).await;
    assert_eq!((status, browser.is_in()), (401, false), "its counter is behind");
    let refused = trail(&t).await.into_iter().find(|(name, _)| name == "account.passkey_refused").unwrap();
    assert_eq!(refused.1, json!({ "why": "counter" }));
    assert!(told(&t).await.last().unwrap().contains("“Work laptop” was refused"), "{:?}", told(&t).await);
}

#[tokio::test]
async fn what_is_not_from_this_site_or_not_verified_is_refused() {
    let t = TestPanel::start().await;
    let ada = member(&t, "acme", Role::Owner).await;
    for (origin, verifies) in [("https://evil.example", true), (t.panel.config.public_url().as_str(), false)] {
        let mut device = Authenticator::at(origin);
        device.verifies = verifies;
        let why = add(&ada, &mut device, "Phone").await.unwrap_err();
        assert!(matches!(why, Error::Invalid(_)), "{origin} {why:?}");
    }
    assert!(keys(&t, &ada).await.is_empty());
    assert!(!row(&t, &ada).await.has_second_factor);
    let mut device = device(&t);
    add(&ada, &mut device, "Phone").await.unwrap();
    device.verifies = false;
    assert_eq!(passwordless(&t, &mut device).await.1, 401, "nobody's finger");
    device.verifies = true;
    device.origin = "https://evil.example".into();
    assert_eq!(passwordless(&t, &mut device).await.1, 401, "another site's page");
    device.origin = t.panel.config.public_url();
    assert_eq!(passwordless(&t, &mut device).await.1, 303);
}

#[tokio::test]
async fn a_passkey_is_renamed_and_removed_by_its_owner_only() {
    let t = TestPanel::start().await;
    let (ada, eve, mut device) = (member(&t, "acme", Role::Owner).await, member(&t, "acme", Role::Owner).await, device(&t));
    add(&ada, &mut device, "Work laptop").await.unwrap();
    let id = keys(&t, &ada).await[0].id.to_string();
    let rename =
        async |who: &Person, name: &str| who.browser.call(&path("rename_passkey"), &[("id", &id), ("name", name)]).await.map(|_| ());
    let remove = async |who: &Person, password: &str| {
        who.browser.call(&path("remove_passkey"), &[("id", &id), ("password", password)]).await.map(|_| ())
    };
    assert_eq!(rename(&eve, "Mine").await.unwrap_err().status(), 404);
    assert_eq!(remove(&eve, PASSWORD).await.unwrap_err().status(), 404);
    assert_eq!(rename(&ada, " ").await.unwrap_err().for_field("name"), Some("A name has 1 to 60 characters, like “Work laptop”."));
    rename(&ada, "Home").await.unwrap();
    assert_eq!(keys(&t, &ada).await[0].name, "Home");
    assert!(ada.browser.get(&format!("/account/security/passkeys/{id}")).await.text().contains("Home"));
    assert_eq!(eve.browser.get(&format!("/account/security/passkeys/{id}")).await.status(), 404);
    assert_eq!(remove(&ada, "not my password").await.unwrap_err().for_field("password"), Some("This is not your password."));
    change_org(&t, &ada.org, |row| row.requires_two_factor = Set(true)).await;
    let last = remove(&ada, PASSWORD).await.unwrap_err();
    assert!(last.to_string().contains("“acme” asks for one"), "{last}");
    change_org(&t, &ada.org, |row| row.requires_two_factor = Set(false)).await;
    remove(&ada, PASSWORD).await.unwrap();
    assert!(keys(&t, &ada).await.is_empty());
    assert!(!row(&t, &ada).await.has_second_factor);
    assert_eq!(passwordless(&t, &mut device).await.1, 401, "it is not known any more");
    assert_eq!(told(&t).await.last().unwrap(), "a passkey was removed");
}

#[tokio::test]
async fn whoever_has_no_password_confirms_with_a_passkey_and_keeps_the_last_one() {
    let t = TestPanel::start().await;
    let (ada, mut one, mut two) = (member(&t, "acme", Role::Owner).await, device(&t), device(&t));
    change(&t, &ada, |row| row.password_hash = Set(String::new())).await;
    add(&ada, &mut one, "One").await.unwrap();
    add(&ada, &mut two, "Two").await.unwrap();
    let ids: Vec<String> = keys(&t, &ada).await.into_iter().map(|key| key.id.to_string()).collect();
    let plain = ada.browser.call(&path("remove_passkey"), &[("id", &ids[0]), ("password", "")]).await.unwrap_err();
    assert!(plain.for_field("password").is_some(), "{plain}");
    let remove = async |id: &str, device: &mut Authenticator| {
        let asked = begin(&ada.browser, "begin_passkey_confirmation").await;
        let credential = device.get(&asked.options);
        let fields = [("id", id), ("token", asked.token.as_str()), ("credential", credential.as_str())];
        ada.browser.call(&path("remove_passkey"), &fields).await.map(|_| ())
    };
    remove(&ids[0], &mut two).await.unwrap();
    let last = remove(&ids[1], &mut two).await.unwrap_err();
    assert!(last.to_string().contains("your only way to sign in"), "{last}");
    assert_eq!(keys(&t, &ada).await.len(), 1);
}

#[tokio::test]
async fn a_passkey_of_somebody_else_is_no_second_factor() {
    let t = TestPanel::start().await;
    let (ada, eve) = (member(&t, "acme", Role::Owner).await, member(&t, "globex", Role::Owner).await);
    let (mut hers, mut other) = (device(&t), device(&t));
    add(&ada, &mut hers, "Hers").await.unwrap();
    add(&eve, &mut other, "Eve’s").await.unwrap();
    let mut browser = Browser::open(&t).await;
    let email = row(&t, &ada).await.email;
    browser.send("/sign-in", "sign_in", &[("email", &email), ("password", PASSWORD)]).await;
    browser.look("/sign-in/second-factor").await;
    let asked = begin(&browser.client, "begin_second_passkey").await;
    // Her own browser would not offer it; one that lies answers with what it has.
    let mut options: serde_json::Value = serde_json::from_str(&asked.options).unwrap();
    options["allowCredentials"] = json!([]);
    let credential = other.get(&options.to_string());
    let fields = [("token", asked.token.as_str()), ("credential", credential.as_str())];
    let reply = browser.send("/sign-in/second-factor", "sign_in_with_passkey", &fields).await;
    assert_eq!((reply.status(), browser.is_in()), (401, false));
    // And a passkey of one's own does not finish another's sign-in, though it signs in by itself.
    let asked = begin(&browser.client, "begin_passkey_sign_in").await;
    let credential = other.get(&asked.options);
    let fields = [("token", asked.token.as_str()), ("credential", credential.as_str())];
    browser.send("/sign-in", "sign_in_with_passkey", &fields).await;
    let me = browser.client.call("/fn/skypanel/accounts/fns/read_me", &[]).await;
    let csrf = browser.look("/account/security").await.hidden("_csrf").unwrap();
    assert!(me.is_err(), "without the token of the page");
    let me = browser.client.with("x-csrf-token", &csrf).call("/fn/skypanel/accounts/fns/read_me", &[]).await.unwrap();
    assert_eq!(me.json()["user"]["id"], eve.user.to_string());
}
