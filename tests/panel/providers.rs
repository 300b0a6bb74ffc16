//! Signing in by a provider of OpenID Connect: linked, made, refused, and what an organization may demand.
use crate::support::{
    factors::{Browser, PASSWORD, change, change_org, done, member, path, row, told},
    oidc_provider::{Lies, OidcProvider},
    panel::TestPanel,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use skypanel::{
    rights::Role,
    runtime::{
        clock::{Clock, SystemClock},
        config::OidcConfig,
    },
    store::tables::{identity, user},
};

async fn started(change: impl FnOnce(&mut OidcConfig)) -> (TestPanel, OidcProvider) {
    let provider = OidcProvider::start(SystemClock.now()).await;
    let mut config = provider.config("acme");
    change(&mut config);
    let t = TestPanel::with(|all| all.oidc = vec![config]).await;
    (t, provider)
}

fn ada() -> Value {
    json!({ "sub": "ada-1", "email": "ada@acme.example", "email_verified": true, "name": "Ada Lovelace" })
}

/// Goes to the provider: the address that the browser is sent to.
async fn go(browser: &mut Browser) -> String {
    let away = browser.get("/auth/oidc/acme?next=/account/security").await;
    assert_eq!(away.status(), 303);
    away.header("location").to_string()
}

/// Goes to the provider, agrees, and comes back: where the browser is sent then.
async fn through(provider: &OidcProvider, browser: &mut Browser, claims: Value) -> String {
    let address = go(browser).await;
    let (code, state) = provider.agree(&address, claims);
    back(browser, &code, &state).await
}

async fn back(browser: &mut Browser, code: &str, state: &str) -> String {
    let reply = browser.get(&format!("/auth/oidc/acme/callback?code={code}&state={state}")).await;
    assert_eq!(reply.status(), 303, "{}", reply.text());
    reply.header("location").to_string()
}

async fn person(t: &TestPanel, email: &str) -> Option<user::Model> {
    user::Entity::find().filter(user::Column::Email.eq(email)).one(t.panel.db.read()).await.unwrap()
}

async fn identities(t: &TestPanel) -> Vec<(String, String)> {
    let rows = identity::Entity::find().all(t.panel.db.read()).await.unwrap();
    rows.into_iter().map(|row| (row.subject, row.user_id.to_string())).collect()
}

#[tokio::test]
async fn somebody_new_gets_an_account_without_a_password() {
    let (t, provider) = started(|_| {}).await;
    let mut early = Browser::open(&t).await;
    assert!(through(&provider, &mut early, ada()).await.contains("problem=closed"), "the first administrator comes by the printed link");
    member(&t, "acme", Role::Owner).await;
    let mut browser = Browser::open(&t).await;
    assert!(browser.get("/sign-in").await.text().contains("Sign in with Acme’s directory"));
    assert_eq!(through(&provider, &mut browser, ada()).await, "/account/security");
    assert!(browser.is_in());
    let made = person(&t, "ada@acme.example").await.unwrap();
    assert_eq!((made.name.as_str(), made.password_hash.as_str(), made.email_verified_at.is_some()), ("Ada Lovelace", "", true));
    let login = t.stranger().post("/api/auth/login", json!({ "email": "ada@acme.example", "password": "" })).await;
    assert_eq!(login.status(), 401, "no password is not the empty one");

    let mut again = Browser::open(&t).await;
    let changed = json!({ "sub": "ada-1", "email": "lovelace@acme.example", "email_verified": true });
    assert_eq!(through(&provider, &mut again, changed).await, "/account/security");
    assert_eq!(identities(&t).await, [("ada-1".to_string(), made.id.to_string())], "the subject decides, not the address");
    assert!(person(&t, "lovelace@acme.example").await.is_none());

    // It is her only way in.
    let csrf = browser.look("/account/security").await.hidden("_csrf").unwrap();
    let client = browser.client.with("x-csrf-token", &csrf);
    let last = client.call(&path("unlink_identity"), &[("provider", "acme"), ("subject", "ada-1")]).await.unwrap_err();
    assert!(last.to_string().contains("your only way to sign in"), "{last}");
}

#[tokio::test]
async fn an_account_with_the_same_address_is_not_taken_over() {
    let (t, provider) = started(|_| {}).await;
    let owner = member(&t, "acme", Role::Owner).await;
    change(&t, &owner, |row| row.email = Set("ada@acme.example".into())).await;
    let mut browser = Browser::open(&t).await;
    let place = through(&provider, &mut browser, ada()).await;
    assert!(place.starts_with("/sign-in?") && place.contains("problem=known"), "{place}");
    assert!(!browser.is_in() && identities(&t).await.is_empty());
    assert!(browser.look(&place).await.text().contains("Sign in to it once"));

    // She signs in, is led to the provider again, and says yes.
    let fields = [("email", "ada@acme.example"), ("password", PASSWORD), ("next", "/auth/oidc/acme")];
    assert_eq!(browser.send(&place, "sign_in", &fields).await.header("location"), "/auth/oidc/acme");
    let offer = through(&provider, &mut browser, ada()).await;
    assert!(offer.starts_with("/account/security/link/"), "{offer}");
    let page = browser.look(&offer).await;
    assert!(page.text().contains("ada@acme.example") && identities(&t).await.is_empty(), "nothing is linked without a yes");
    let token = offer.rsplit('/').next().unwrap();
    let other = t.sign_in(&owner.user, &owner.org).await;
    assert_eq!(other.browser.call(&path("link_identity"), &[("token", token)]).await.unwrap_err().status(), 404, "in another session");
    let done_ = browser.send(&offer, "link_identity", &[("token", token)]).await;
    assert_eq!(done_.header("location"), "/account/security");
    assert_eq!(identities(&t).await, [("ada-1".to_string(), owner.user.to_string())]);
    assert_eq!(browser.send(&offer, "link_identity", &[("token", token)]).await.status(), 404, "again");
    assert_eq!(done(&t, "account.identity_linked").await, 1);
    assert_eq!(told(&t).await, ["your account at “Acme’s directory” was linked"]);

    // From now on it signs her in; and it can't be linked to anybody else.
    let mut fresh = Browser::open(&t).await;
    assert_eq!(through(&provider, &mut fresh, ada()).await, "/account/security");
    let eve = member(&t, "globex", Role::Owner).await;
    let mut hers = Browser::open(&t).await;
    let email = row(&t, &eve).await.email;
    hers.send("/sign-in", "sign_in", &[("email", &email), ("password", PASSWORD)]).await;
    assert!(through(&provider, &mut hers, ada()).await.contains("problem=taken"));
    let csrf = browser.look("/account/security").await.hidden("_csrf").unwrap();
    let client = browser.client.with("x-csrf-token", &csrf);
    client.call(&path("unlink_identity"), &[("provider", "acme"), ("subject", "ada-1")]).await.unwrap();
    assert!(identities(&t).await.is_empty());
}

#[tokio::test]
async fn a_trusted_provider_signs_in_to_a_verified_account_only() {
    let (t, provider) = started(|config| config.trust_email = true).await;
    let owner = member(&t, "acme", Role::Owner).await;
    let unproved = |row: &mut user::ActiveModel| (row.email, row.email_verified_at) = (Set("ada@acme.example".into()), Set(None));
    change(&t, &owner, unproved).await;
    let mut browser = Browser::open(&t).await;
    assert!(through(&provider, &mut browser, ada()).await.contains("problem=known"), "the account's address was never proved");
    change(&t, &owner, |row| row.email_verified_at = Set(Some(t.panel.now()))).await;
    let unverified = json!({ "sub": "ada-1", "email": "ada@acme.example", "email_verified": false });
    assert!(through(&provider, &mut browser, unverified).await.contains("problem=known"), "the provider does not vouch for it");
    assert_eq!(through(&provider, &mut browser, ada()).await, "/account/security");
    assert_eq!(identities(&t).await, [("ada-1".to_string(), owner.user.to_string())]);
}

#[tokio::test]
async fn an_answer_that_is_wrong_in_any_way_signs_nobody_in() {
    let (t, provider) = started(|_| {}).await;
    member(&t, "acme", Role::Owner).await;
    let now = t.panel.now().millis() / 1000;
    let claims = |claims: Value| Lies { claims, ..Lies::default() };
    let lies = [
        ("another nonce", claims(json!({ "nonce": "guessed" }))),
        ("another audience", claims(json!({ "aud": "another panel" }))),
        ("one more audience", claims(json!({ "aud": ["panel", "another panel"] }))),
        ("another issuer", claims(json!({ "iss": "https://evil.example" }))),
        ("expired", claims(json!({ "exp": now - 61 }))),
        ("of the future", claims(json!({ "iat": now + 120 }))),
        ("nobody", claims(json!({ "sub": "" }))),
        ("alg none", Lies { unsigned: true, ..Lies::default() }),
        ("a foreign key", Lies { foreign_key: true, ..Lies::default() }),
    ];
    for (what, lie) in lies {
        provider.lie(lie);
        let mut browser = Browser::open(&t).await;
        let place = through(&provider, &mut browser, ada()).await;
        assert!(place.contains("problem=refused") && !browser.is_in(), "{what}: {place}");
    }
    assert!(identities(&t).await.is_empty());
    provider.lie(claims(json!({ "exp": now - 30, "iat": now + 30 })));
    let mut browser = Browser::open(&t).await;
    assert_eq!(through(&provider, &mut browser, ada()).await, "/account/security", "clocks may be off by a minute");
}

#[tokio::test]
async fn a_state_is_good_once_for_a_while_and_for_one_browser() {
    let (t, provider) = started(|_| {}).await;
    member(&t, "acme", Role::Owner).await;
    let (mut browser, mut other) = (Browser::open(&t).await, Browser::open(&t).await);
    let address = go(&mut browser).await;
    let (code, state) = provider.agree(&address, ada());
    assert!(back(&mut other, &code, &state).await.contains("problem=refused"), "another browser");
    assert!(back(&mut browser, &code, "guessed").await.contains("problem=refused"), "another state");
    assert_eq!(back(&mut browser, &code, &state).await, "/account/security");
    let mut again = Browser::open(&t).await;
    assert!(back(&mut again, &code, &state).await.contains("problem=refused"), "replayed");
    // The code of another sign-in does not fit this one's verifier.
    let address = go(&mut again).await;
    let (_, state) = provider.agree(&address, ada());
    let address = go(&mut other).await;
    let (code, _) = provider.agree(&address, ada());
    assert!(back(&mut again, &code, &state).await.contains("problem=refused"), "an injected code");
    let address = go(&mut again).await;
    let (code, state) = provider.agree(&address, ada());
    t.clock.advance(std::time::Duration::from_secs(601));
    assert!(back(&mut again, &code, &state).await.contains("problem=refused"), "late");
    let address = go(&mut again).await;
    let (code, state) = provider.agree(&address, ada());
    let mixed = again.get(&format!("/auth/oidc/acme/callback?code={code}&state={state}&iss=https://evil.example")).await;
    assert!(mixed.header("location").contains("problem=refused"), "another issuer in the address");
    let refused = go(&mut again).await;
    let (_, state) = provider.agree(&refused, ada());
    let no = again.get(&format!("/auth/oidc/acme/callback?error=access_denied&state={state}")).await;
    assert!(no.header("location").contains("problem=refused") && !again.is_in());
    assert!(again.get("/auth/oidc/nobody").await.header("location").contains("problem=gone"));
}

#[tokio::test]
async fn a_provider_may_change_its_keys() {
    let (t, provider) = started(|_| {}).await;
    member(&t, "acme", Role::Owner).await;
    assert_eq!(through(&provider, &mut Browser::open(&t).await, ada()).await, "/account/security");
    provider.rotate();
    assert_eq!(through(&provider, &mut Browser::open(&t).await, ada()).await, "/account/security");
}

#[tokio::test]
async fn an_account_with_a_second_factor_is_asked_for_it_after_the_provider_too() {
    let (t, provider) = started(|_| {}).await;
    let owner = member(&t, "acme", Role::Owner).await;
    let (seed, _) = crate::support::factors::with_app(&t, &owner).await;
    let row = identity::ActiveModel {
        provider: Set("acme".into()),
        subject: Set("ada-1".into()),
        user_id: Set(owner.user.clone()),
        email: Set("ada@acme.example".into()),
        created_at: Set(t.panel.now()),
        last_used_at: Set(None),
    };
    t.panel.db.tx(async |tx| Ok(identity::Entity::insert(row).exec_without_returning(tx).await.unwrap())).await.unwrap();
    let mut browser = Browser::open(&t).await;
    assert_eq!(through(&provider, &mut browser, ada()).await, "/sign-in/second-factor");
    assert!(!browser.is_in());
    browser.look("/sign-in/second-factor").await;
    let code = crate::support::factors::code(&t, &seed, 1);
    let reply = browser.send("/sign-in/second-factor", "sign_in_with_code", &[("code", &code)]).await;
    assert_eq!((reply.header("location"), browser.is_in()), ("/account/security", true), "{}", reply.text());
}

#[tokio::test]
async fn an_organization_may_demand_a_provider() {
    let (t, provider) = started(|_| {}).await;
    let owner = member(&t, "acme", Role::Owner).await;
    let mut browser = Browser::open(&t).await;
    let email = row(&t, &owner).await.email;
    browser.send("/sign-in", "sign_in", &[("email", &email), ("password", PASSWORD)]).await;
    change_org(&t, &owner.org, |row| row.required_provider = Set(Some("acme".into()))).await;
    let api = owner.get("/api/paas/applications").await;
    assert_eq!((api.status(), api.code()), (403, "PROVIDER_REQUIRED"));
    assert!(api.text().contains("Acme’s directory"));
    assert_eq!(browser.get("/applications").await.header("location"), "/account/security");
    let page = browser.look("/account/security").await.text();
    assert!(page.contains("/auth/oidc/acme?next=/applications"), "the way there");
    let offer = through(&provider, &mut browser, ada()).await;
    let token = offer.rsplit('/').next().unwrap().to_string();
    browser.look(&offer).await;
    browser.send(&offer, "link_identity", &[("token", &token)]).await;
    assert_eq!(browser.get("/applications").await.status(), 200, "linking is a sign-in by it");

    let mut later = Browser::open(&t).await;
    later.send("/sign-in", "sign_in", &[("email", &email), ("password", PASSWORD)]).await;
    assert_eq!(later.get("/applications").await.status(), 303);
    assert_eq!(through(&provider, &mut later, ada()).await, "/account/security");
    assert_eq!(later.get("/applications").await.status(), 200, "the session that there was is one by the provider now");
    assert_eq!(done(&t, "account.signed_in_again").await, 1);
    let elsewhere = member(&t, "globex", Role::Owner).await;
    assert_eq!(elsewhere.get("/api/paas/applications").await.status(), 200);
}
