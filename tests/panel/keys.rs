//! Keys of the API: what they may, whom they act for, and when they end.
use crate::support::{
    client::{Client, Person, Reply},
    panel::{PATIENCE, TestPanel},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};
use skypanel::auth::session::SessionCache;
use skypanel::{
    auth::api_keys,
    id::ApiKeyId,
    rights::Role,
    store::tables::{api_key, app_grant, membership, organization, user},
};
use std::time::Duration;

const KEYS: &str = "/api/api-keys";
const APPS: &str = "/api/paas/applications";

async fn made(by: &Person, permissions: &[&str]) -> Reply {
    let reply = by.post(KEYS, json!({ "name": "CI", "permissions": permissions })).await;
    assert_eq!(reply.status(), 201, "{}", reply.text());
    reply
}

fn secret(reply: &Reply) -> String {
    reply.data()["secret"].as_str().unwrap().to_string()
}

fn id(reply: &Reply) -> String {
    reply.data()["id"].as_str().unwrap().to_string()
}

/// Somebody who calls with this key.
fn with(t: &TestPanel, secret: &str) -> Client {
    t.stranger().with("authorization", &format!("Bearer {secret}"))
}

async fn key(t: &TestPanel, by: &Person, permissions: &[&str]) -> Client {
    with(t, &secret(&made(by, permissions).await))
}

#[tokio::test]
async fn a_secret_is_shown_once_and_stored_nowhere() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let reply = ada.with("idempotency-key", "one").post(KEYS, json!({ "name": "CI", "permissions": ["view"] })).await;
    let text = secret(&reply);
    assert!(api_keys::is_sound(&text));
    assert_eq!(reply.header("location"), format!("{KEYS}/{}", id(&reply)));
    let again = ada.with("idempotency-key", "one").post(KEYS, json!({ "name": "CI", "permissions": ["view"] })).await;
    assert_eq!((again.json(), again.header("location")), (reply.json(), reply.header("location")), "a replay is the same answer");
    assert_eq!(with(&t, &text).get(APPS).await.status(), 200);
    let stored = t.stored().await;
    assert!(!stored.contains(&text) && !stored.contains(&text[8..40]), "neither with the key nor with the remembered answer");
    for look in [ada.get(KEYS).await, ada.get(&format!("{KEYS}/{}", id(&reply))).await] {
        assert!(!look.text().contains(&text) && look.text().contains(&format!("sk_live_…{}", &text[42..])), "{}", look.text());
    }
}

/// Every operation that needs a credential, with ids of an application and a deployment of hers in the path.
async fn guarded(t: &TestPanel, app: &str, deployment: &str) -> Vec<(String, String, String)> {
    let document = t.stranger().get("/api/openapi.json").await;
    let mut all = Vec::new();
    for (path, operations) in document.json()["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let open = operation["security"].as_array().is_some_and(|all| all.iter().any(|one| one == &json!({})));
            let id = if path.contains("/deployments/{id}") { deployment } else { app };
            if !open {
                all.push((method.to_uppercase(), path.clone(), path.replace("{id}", id)));
            }
        }
    }
    all
}

#[tokio::test]
async fn a_key_with_only_deploy_can_deploy_and_nothing_else() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let earlier = t.deploy_well(&app).await.id.to_string();
    t.deploy_well(&app).await;
    let key = key(&t, &app.owner, &["deploy"]).await;
    let deploys = [
        "POST /api/paas/applications/{id}/deploy",
        "POST /api/paas/applications/{id}/restart",
        "POST /api/paas/deployments/{id}/rollback",
        "POST /api/paas/deployments/{id}/cancel",
        "POST /api/paas/deployments/{id}/promote",
        "POST /api/paas/deployments/{id}/rollback-now",
    ];
    let document = t.stranger().get("/api/openapi.json").await;
    let mut tried = 0;
    for (method, path, filled) in guarded(&t, app.id.to_string().as_str(), &earlier).await {
        let name = &document.json()["paths"][&path][method.to_lowercase()]["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let body = name.as_str().map_or(json!({}), |name| document.json().pointer(&name[1..]).unwrap()["example"].clone());
        let reply = if method == "GET" { key.get(&filled).await } else { key.send(&method, &filled, body).await };
        if !deploys.contains(&format!("{method} {path}").as_str()) {
            assert!([401, 403, 404].contains(&reply.status()), "{method} {path}: {} {}", reply.status(), reply.text());
            tried += 1;
        }
    }
    assert!(tried >= 20, "{tried}");
    for page in ["/applications", "/account/api-keys"] {
        assert_eq!(key.get(page).await.status(), 403, "{page} is for people");
    }
    assert_eq!(key.call("/fn/skypanel/keys/fns/read_api_keys", &[("all", "false"), ("page", "1")]).await.unwrap_err().status(), 403);
    t.settle().await;
    let before = t.app_row(&app).await.live_deployment_id;
    let reply = key.post(&app.url("deploy"), json!({})).await;
    assert_eq!(reply.status(), 202, "{}", reply.text());
    t.settle().await;
    let live = t.app_row(&app).await.live_deployment_id;
    assert_eq!(live.as_ref().map(ToString::to_string).as_deref(), reply.data()["id"].as_str());
    assert_ne!(live, before, "and it is live");
    let refused = key.post(&app.url("deploy?wait=1"), json!({})).await;
    assert_eq!((refused.status(), refused.json()["error"]["required"].as_str()), (403, Some("view")), "waiting is looking");
    t.settle().await;
    assert_eq!(t.app_row(&app).await.live_deployment_id, live, "and what was refused asked for nothing");
}

#[tokio::test]
async fn a_key_may_at_most_what_its_maker_may_at_that_moment() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let dev = t.member("acme", Role::Developer).await;
    let refused = dev.post(KEYS, json!({ "name": "x", "permissions": ["view", "delete", "members"] })).await;
    assert_eq!((refused.status(), refused.fields()), (400, vec!["permissions"]));
    assert!(refused.text().contains("delete, members"), "it names them: {}", refused.text());
    assert_eq!(dev.post(KEYS, json!({ "name": "", "permissions": ["fly"] })).await.fields(), ["permissions[0]"]);
    let key = key(&t, &dev, &["view", "scale"]).await;
    assert_eq!(key.post(&app.url("scale"), json!({ "replicas": 2 })).await.status(), 200);
    assert_eq!(key.post(&app.url("deploy"), json!({})).await.status(), 403, "not all that she may");
    let demote = membership::ActiveModel {
        organization_id: Set(dev.org.clone()),
        user_id: Set(dev.user.clone()),
        role: Set("viewer".into()),
        ..Default::default()
    };
    demote.update(t.panel.db.read()).await.unwrap();
    t.panel.of::<SessionCache>().forget_user(&dev.user);
    assert_eq!(key.get(&app.url("")).await.status(), 200);
    assert_eq!(key.post(&app.url("scale"), json!({ "replicas": 2 })).await.status(), 403, "less than it was made with");
}

#[tokio::test]
async fn a_grant_on_one_application_goes_with_the_key() {
    let t = TestPanel::start().await;
    let (app, other) = (t.app_in("acme").await, t.app_in("acme").await);
    let ada = t.member("acme", Role::Viewer).await;
    let grant = app_grant::ActiveModel {
        application_id: Set(app.id.clone()),
        user_id: Set(ada.user.clone()),
        organization_id: Set(ada.org.clone()),
        role: Set("developer".into()),
        created_at: Set(t.panel.now()),
    };
    app_grant::Entity::insert(grant).exec_without_returning(t.panel.db.read()).await.unwrap();
    let row = membership::ActiveModel {
        organization_id: Set(ada.org.clone()),
        user_id: Set(ada.user.clone()),
        has_grants: Set(true),
        ..Default::default()
    };
    row.update(t.panel.db.read()).await.unwrap();
    t.panel.of::<SessionCache>().forget_user(&ada.user);
    let key = key(&t, &ada, &["scale"]).await;
    assert_eq!(key.post(&app.url("scale"), json!({ "replicas": 2 })).await.status(), 200);
    assert_eq!(key.post(&app.url("deploy"), json!({})).await.status(), 403, "the scope cuts the grant, too");
    assert_eq!(key.post(&other.url("scale"), json!({ "replicas": 2 })).await.status(), 404);
}

#[tokio::test]
async fn a_key_dies_with_its_makers_membership_or_account() {
    let t = TestPanel::start().await;
    let (ada, bob) = (t.member("acme", Role::Developer).await, t.member("acme", Role::Developer).await);
    let (hers, his) = (key(&t, &ada, &["view"]).await, key(&t, &bob, &["view"]).await);
    assert_eq!((hers.get(APPS).await.status(), his.get(APPS).await.status()), (200, 200));
    membership::Entity::delete_by_id((ada.org.clone(), ada.user.clone())).exec(t.panel.db.read()).await.unwrap();
    let suspended = user::ActiveModel { id: Set(bob.user.clone()), suspended_at: Set(Some(t.panel.now())), ..Default::default() };
    suspended.update(t.panel.db.read()).await.unwrap();
    t.panel.of::<SessionCache>().forget_org(&ada.org);
    for (whose, key) in [("hers", hers), ("his", his)] {
        let reply = key.get(APPS).await;
        assert_eq!((reply.status(), reply.code()), (401, "AUTHENTICATION_REQUIRED"), "{whose}");
    }
}

#[tokio::test]
async fn wrong_expired_and_revoked_keys_are_refused_alike() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let good = made(&ada, &["view"]).await;
    let brief = ada.post(KEYS, json!({ "name": "brief", "permissions": ["view"], "expires_in_days": 1 })).await;
    assert_eq!(with(&t, &secret(&brief)).get(APPS).await.status(), 200);
    let mut typo = secret(&good);
    let last = if typo.ends_with('0') { "1" } else { "0" };
    typo.replace_range(45.., last);
    let unknown = api_keys::secret();
    for bad in ["sk_live_", &typo, &unknown, &format!("{} {}", secret(&good), "x")] {
        assert_eq!(with(&t, bad).get(APPS).await.status(), 401, "{bad}");
        assert_eq!(t.stranger().with("x-api-key", bad).get(APPS).await.status(), 401, "{bad}");
    }
    assert_eq!(ada.delete(&format!("{KEYS}/{}", id(&good))).await.status(), 200);
    assert_eq!(with(&t, &secret(&good)).get(APPS).await.status(), 401, "at once");
    assert_eq!(ada.delete(&format!("{KEYS}/{}", id(&good))).await.status(), 404);
    t.clock.advance(Duration::from_secs(86_401));
    assert_eq!(with(&t, &secret(&brief)).get(APPS).await.status(), 401, "its day is over");
}

#[tokio::test]
async fn a_key_is_sent_in_either_header_but_no_two_that_differ() {
    let t = TestPanel::start().await;
    let (ada, eve) = (t.member("acme", Role::Owner).await, t.member("globex", Role::Owner).await);
    let (one, two) = (secret(&made(&ada, &["view"]).await), secret(&made(&eve, &["view"]).await));
    assert_eq!(t.stranger().with("x-api-key", &one).get(APPS).await.status(), 200);
    assert_eq!(t.stranger().with("authorization", &format!("bearer {one}")).get(APPS).await.status(), 200);
    assert_eq!(with(&t, &one).with("x-api-key", &one).get(APPS).await.status(), 200, "twice the same");
    assert_eq!(with(&t, &one).with("x-api-key", &two).get(APPS).await.status(), 401);
    assert_eq!(ada.script.with("x-api-key", &one).get(APPS).await.status(), 401, "nor a token beside it");
    let reply = with(&t, &one).with("x-organization-id", &eve.org.to_string()).get(APPS).await;
    assert_eq!((reply.status(), reply.code()), (404, "ORGANIZATION_NOT_FOUND"));
    assert_eq!(with(&t, &one).with("x-organization-id", &ada.org.to_string()).get(APPS).await.status(), 200);
}

#[tokio::test]
async fn a_rotated_secret_lives_on_for_its_grace_and_no_longer() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let first = made(&ada, &["view"]).await;
    let rotate = format!("{KEYS}/{}/rotate", id(&first));
    assert_eq!(with(&t, &secret(&first)).get(APPS).await.status(), 200);
    assert_eq!(ada.post(&rotate, json!({ "grace_hours": 25 })).await.fields(), ["grace_hours"]);
    let second = ada.post(&rotate, json!({ "grace_hours": 2 })).await;
    assert_eq!((second.status(), second.data()["id"].as_str()), (200, first.data()["id"].as_str()), "{}", second.text());
    assert!(second.data()["old_secret_until"].is_string());
    for both in [&first, &second] {
        assert_eq!(with(&t, &secret(both)).get(APPS).await.status(), 200);
    }
    let third = ada.post(&rotate, json!({ "grace_hours": 1 })).await;
    assert_eq!(with(&t, &secret(&first)).get(APPS).await.status(), 401, "one old secret at most");
    assert_eq!(with(&t, &secret(&second)).get(APPS).await.status(), 200);
    t.clock.advance(Duration::from_secs(3_601));
    assert_eq!(with(&t, &secret(&second)).get(APPS).await.status(), 401);
    assert_eq!(with(&t, &secret(&third)).get(APPS).await.status(), 200);
    let last = ada.post(&rotate, json!({})).await;
    assert_eq!(with(&t, &secret(&third)).get(APPS).await.status(), 401, "without grace at once");
    assert_eq!(with(&t, &secret(&last)).get(APPS).await.status(), 200);
}

#[tokio::test]
async fn a_key_makes_no_key() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let made = made(&ada, &["view", "members", "settings"]).await;
    let key = with(&t, &secret(&made));
    let one = format!("{KEYS}/{}", id(&made));
    for reply in [
        key.get(KEYS).await,
        key.get(&one).await,
        key.post(KEYS, json!({ "name": "more", "permissions": ["view"] })).await,
        key.put(&one, json!({ "name": "else" })).await,
        key.post(&format!("{one}/rotate"), json!({})).await,
        key.delete(&one).await,
    ] {
        assert_eq!((reply.status(), reply.json()["error"]["required"].as_str()), (403, Some("in_person")), "{}", reply.text());
    }
    assert_eq!(api_key::Entity::find().all(t.panel.db.read()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn two_editors_of_a_key_do_not_overwrite_each_other_and_it_never_grows() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let made = made(&ada, &["view", "deploy"]).await;
    let one = format!("{KEYS}/{}", id(&made));
    let seen = ada.get(&one).await;
    let tag = seen.header("etag").to_string();
    let first = ada.with("if-match", &tag).put(&one, json!({ "permissions": ["deploy"], "expires_at": "2999-01-01T00:00:00Z" })).await;
    assert_eq!(first.fields(), ["expires_at"], "ten years at most");
    let first = ada.with("if-match", &tag).put(&one, json!({ "permissions": ["deploy"] })).await;
    assert_eq!(first.status(), 200, "{}", first.text());
    assert_eq!(ada.with("if-match", &tag).put(&one, json!({ "name": "late" })).await.status(), 409);
    assert_eq!(
        ada.put(&one, json!({ "permissions": ["view", "deploy"] })).await.fields(),
        ["permissions"],
        "what it lost it does not get back"
    );
    assert_eq!(with(&t, &secret(&made)).get(APPS).await.status(), 403, "the change counts at once");
}

#[tokio::test]
async fn whoever_looks_after_members_sees_and_revokes_their_keys_but_knows_none() {
    let t = TestPanel::start().await;
    let (owner, dev, peer) =
        (t.member("acme", Role::Owner).await, t.member("acme", Role::Developer).await, t.member("acme", Role::Developer).await);
    let made = made(&dev, &["view"]).await;
    let one = format!("{KEYS}/{}", id(&made));
    assert_eq!(owner.get(KEYS).await.json()["pagination"]["total"], 0);
    let all = owner.get(&format!("{KEYS}?all=true")).await;
    assert_eq!(
        (all.json()["pagination"]["total"].as_u64(), all.data()[0]["user"]["id"].as_str()),
        (Some(1), Some(dev.user.to_string().as_str()))
    );
    assert_eq!(peer.get(&format!("{KEYS}?all=true")).await.status(), 403);
    assert_eq!(peer.get(&one).await.status(), 404);
    assert_eq!(owner.post(&format!("{one}/rotate"), json!({})).await.status(), 403);
    assert_eq!(peer.delete(&one).await.status(), 404);
    assert_eq!(owner.delete(&one).await.status(), 200);
    assert_eq!(with(&t, &secret(&made)).get(APPS).await.status(), 401);
}

#[tokio::test]
async fn the_last_use_is_noted_about_once_a_minute() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let made = made(&ada, &["view"]).await;
    let row: ApiKeyId = id(&made).parse().unwrap();
    let key = with(&t, &secret(&made));
    let noted = async |address: &str| {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let row = api_key::Entity::find_by_id(row.clone()).one(t.panel.db.read()).await.unwrap().unwrap();
            if row.last_used_from.as_deref() == Some(address) {
                return row.last_used_at.unwrap();
            }
            assert!(tokio::time::Instant::now() < end, "{:?}", row.last_used_from);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    key.from("198.51.100.7").get(APPS).await;
    let first = noted("198.51.100.7").await;
    assert_eq!(first, t.panel.now());
    key.from("198.51.100.8").get(APPS).await;
    t.clock.advance(Duration::from_secs(61));
    key.from("198.51.100.9").get(APPS).await;
    assert_eq!(noted("198.51.100.9").await, t.panel.now(), "the one between was not");
    let seen = ada.get(&format!("{KEYS}/{}", id(&made))).await;
    assert_eq!(seen.data()["last_used_from"], "198.51.100.9");
}

#[tokio::test]
async fn an_organization_that_is_suspended_or_asks_for_a_second_factor_holds_its_keys_to_it() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let key = key(&t, &app.owner, &["view", "deploy"]).await;
    let org = |change: &dyn Fn(&mut organization::ActiveModel)| {
        let mut row = organization::ActiveModel { id: Set(app.owner.org.clone()), ..Default::default() };
        change(&mut row);
        row
    };
    org(&|row| row.requires_two_factor = Set(true)).update(t.panel.db.read()).await.unwrap();
    t.panel.of::<SessionCache>().forget_org(&app.owner.org);
    assert_eq!(key.get(&app.url("")).await.code(), "TWO_FACTOR_REQUIRED");
    assert_eq!(app.owner.post(KEYS, json!({ "name": "x", "permissions": ["view"] })).await.code(), "TWO_FACTOR_REQUIRED");
    let suspend = |row: &mut organization::ActiveModel| {
        row.requires_two_factor = Set(false);
        row.suspended_at = Set(Some(t.panel.now()));
    };
    org(&suspend).update(t.panel.db.read()).await.unwrap();
    t.panel.of::<SessionCache>().forget_org(&app.owner.org);
    assert_eq!(key.get(&app.url("")).await.status(), 200, "it can be seen");
    assert_eq!(key.post(&app.url("deploy"), json!({})).await.code(), "SUSPENDED");
    assert_eq!(app.owner.post(KEYS, json!({ "name": "x", "permissions": ["view"] })).await.code(), "SUSPENDED");
}

#[tokio::test]
async fn a_person_has_so_many_keys_and_no_more() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    for _ in 0..skypanel::keys::model::MOST {
        made(&ada, &["view"]).await;
    }
    let refused = ada.post(KEYS, json!({ "name": "one more", "permissions": ["view"] })).await;
    assert_eq!((refused.status(), refused.code()), (409, "QUOTA_EXCEEDED"));
    assert_eq!(refused.json()["error"]["used"], 50);
    let page = ada.get(&format!("{KEYS}?limit=20&page=3")).await;
    assert_eq!((page.data().as_array().unwrap().len(), &page.json()["pagination"]["total_pages"]), (10, &json!(3)));
}

/// What a page's form needs beside its own fields.
fn form<'a>(token: &'a str, action: &'a str, fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [("_action", action), ("_csrf", token)].into_iter().chain(fields.iter().copied()).collect()
}

#[tokio::test]
async fn the_page_makes_a_key_shows_it_once_and_revokes_it() {
    let t = TestPanel::start().await;
    let dev = t.member("acme", Role::Developer).await;
    let page = dev.browser.get("/account/api-keys").await;
    assert_eq!(page.status(), 200);
    let token = page.hidden("_csrf").unwrap();
    assert!(page.text().contains("You don’t have this permission yourself here."), "what she lacks is locked");
    let bad =
        dev.browser.submit("/account/api-keys", &form(&token, "create_api_key", &[("name", ""), ("permissions[delete]", "true")])).await;
    assert_eq!(bad.status(), 400);
    assert!(bad.text().contains("Give the key a name"), "{}", bad.text());
    let fields =
        [("name", "<b>CI</b>"), ("permissions[view]", "true"), ("permissions[deploy]", "true"), ("expires", "30"), ("expires_on", "")];
    let done = dev.browser.submit("/account/api-keys", &form(&token, "create_api_key", &fields)).await;
    assert_eq!((done.status(), done.header("location")), (303, "/account/api-keys"), "{}", done.text());
    let cookie = done.cookie("skypanel_once").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("Path=/account/api-keys") && !cookie.contains("sk_live_"), "{cookie}");
    let value = cookie.split(';').next().unwrap();
    let session = dev.browser.clone();
    let both = session.with("cookie", &format!("{}; {value}", session.header("cookie")));
    let shown = both.get("/account/api-keys").await;
    let text = shown.text();
    let at = text.find("sk_live_").map(|_| {
        text.split("sk_live_").skip(1).find(|rest| api_keys::is_sound(&format!("sk_live_{}", &rest[..38.min(rest.len())]))).unwrap()
    });
    let secret = format!("sk_live_{}", &at.unwrap()[..38]);
    assert!(shown.cookie("skypanel_once").unwrap().contains("Max-Age=0"), "the next page has it no more");
    assert!(text.contains("&lt;b>CI&lt;/b>") || text.contains("&lt;b&gt;CI&lt;/b&gt;"), "names are text");
    assert_eq!(with(&t, &secret).get(APPS).await.status(), 200);
    let plain = dev.browser.get("/account/api-keys").await;
    assert!(!plain.text().contains(&secret));
    let other = t.member("acme", Role::Developer).await;
    let stolen = other.browser.with("cookie", &format!("{}; {value}", other.browser.header("cookie"))).get("/account/api-keys").await;
    assert!(!stolen.text().contains(&secret), "the cookie opens for its own session only");
    let id = api_key::Entity::find().one(t.panel.db.read()).await.unwrap().unwrap().id.to_string();
    let change = dev.browser.get(&format!("/account/api-keys?change={id}")).await;
    assert!(change.text().contains("Rotate secret") && change.text().contains("update_api_key"));
    let fields = [("id", id.as_str()), ("version", "1"), ("name", "Releases"), ("permissions[deploy]", "true"), ("expires_on", "")];
    assert_eq!(dev.browser.submit("/account/api-keys", &form(&token, "update_api_key", &fields)).await.status(), 303);
    assert_eq!(with(&t, &secret).get(APPS).await.status(), 403, "it was narrowed");
    assert_eq!(dev.browser.submit("/account/api-keys", &form(&token, "revoke_api_key", &[("id", &id)])).await.status(), 303);
    assert_eq!(with(&t, &secret).get(APPS).await.status(), 401);
}

#[tokio::test]
async fn what_is_done_with_keys_stands_in_the_trail_without_the_secret() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let made = made(&ada, &["view"]).await;
    let one = format!("{KEYS}/{}", id(&made));
    ada.put(&one, json!({ "name": "new" })).await;
    ada.post(&format!("{one}/rotate"), json!({})).await;
    ada.delete(&one).await;
    let events = skypanel::store::tables::audit_event::Entity::find().all(t.panel.db.read()).await.unwrap();
    let of_key: Vec<&str> = events.iter().filter(|event| event.target == id(&made)).map(|event| event.event.as_str()).collect();
    assert_eq!(of_key, ["api_key.created", "api_key.changed", "api_key.rotated", "api_key.revoked"]);
    let detail: Value = serde_json::from_str(&events.iter().find(|event| event.event == "api_key.changed").unwrap().detail).unwrap();
    assert_eq!((&detail["before"]["name"], &detail["after"]["name"]), (&json!("CI"), &json!("new")));
    assert!(events.iter().all(|event| !event.detail.contains("sk_live_")));
}
