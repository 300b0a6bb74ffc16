//! Invitations: sent, answered with an account and without, and every way in which they end.
use crate::support::{
    client::{Client, Person, Reply},
    panel::TestPanel,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};
use serde_json::json;
use skypanel::{auth::session::SessionCache, orgs::server::letters::InvitationLetter};
use skypanel::{
    auth::session::{COOKIE, VISIT},
    fault::Because,
    id::OrgId,
    rights::Role,
    store::tables::{mail_suppression, organization, user},
};
use std::time::Duration;

const PASSWORD: &str = "correct horse battery";

fn org(id: &OrgId, what: &str) -> String {
    format!("/api/organizations/{id}{what}")
}

/// Invites an address; answers with the invitation's id.
async fn invite(by: &Person, email: &str, role: &str) -> String {
    let reply = by.post(&org(&by.org, "/members/invite"), json!({ "email": email, "role": role, "message": "Come in." })).await;
    assert_eq!((reply.status(), reply.data()["email_status"].as_str()), (201, Some("queued")), "{}", reply.text());
    reply.data()["id"].as_str().unwrap().to_string()
}

/// The token in the newest mail.
async fn token(t: &TestPanel) -> String {
    let (_, newest) = t.mails().await.pop().unwrap();
    let letter: InvitationLetter = newest.read().unwrap_or_else(|| panic!("the newest mail is {newest:?}"));
    letter.link.rsplit('/').next().unwrap().to_string()
}

async fn email(t: &TestPanel, person: &Person) -> String {
    user::Entity::find_by_id(person.user.clone()).one(t.panel.db.read()).await.unwrap().unwrap().email
}

async fn verify(t: &TestPanel, person: &Person, is_verified: bool) {
    let at = is_verified.then(|| t.panel.now());
    let row = user::ActiveModel { id: Set(person.user.clone()), email_verified_at: Set(at), ..Default::default() };
    t.panel.db.tx(async |tx| row.update(tx).await.because("verifying")).await.unwrap();
    t.panel.of::<SessionCache>().forget_user(&person.user);
}

/// A browser of nobody that has loaded a page, the page, and the token of its forms.
async fn browse(t: &TestPanel, page: &str) -> (Client, Reply, String) {
    let reply = t.stranger().get(page).await;
    let visit = reply.cookie(VISIT).expect("a visit's cookie").split(';').next().unwrap().to_string();
    let csrf = reply.hidden("_csrf").unwrap_or_default();
    (t.stranger().with("cookie", &visit).with("origin", &t.panel.config.public_url()), reply, csrf)
}

async fn page(client: &Client, token: &str) -> (u16, String) {
    let reply = client.get(&format!("/invitations/{token}")).await;
    (reply.status(), reply.text())
}

async fn answer(person: &Person, of: &OrgId, id: &str, how: &str, token: Option<&str>) -> Reply {
    let body = token.map_or_else(|| json!({}), |token| json!({ "token": token }));
    person.post(&org(of, &format!("/members/invite/{id}/{how}")), body).await
}

#[tokio::test]
async fn somebody_without_an_account_joins_by_the_link() {
    let t = TestPanel::with(|config| config.panel.open_sign_up = false).await;
    let ada = t.member("acme", Role::Owner).await;
    let id = invite(&ada, "Grace@Example.com", "developer").await;
    let (to, mail) = t.mails().await.pop().unwrap();
    let InvitationLetter { organization, inviter, role, message, link, expires_at } = mail.read().unwrap();
    assert_eq!(
        (to.as_str(), organization.as_str(), inviter.as_str(), role.as_str()),
        ("grace@example.com", "acme", "Ada Lovelace", "Developer")
    );
    assert_eq!((message.as_deref(), expires_at), (Some("Come in."), t.panel.now() + Duration::from_secs(168 * 3600)));
    let token = link.rsplit('/').next().unwrap();
    assert!(!t.stored().await.contains(token), "the token is in the mail alone, and that is sealed");
    let address = format!("/invitations/{token}");
    let (browser, shown, csrf) = browse(&t, &address).await;
    assert_eq!(shown.status(), 200);
    for words in ["Join acme", "Ada Lovelace invites you.", "Come in.", "grace@example.com", "Create account and join"] {
        assert!(shown.text().contains(words), "{words}: {}", shown.text());
    }
    let form =
        |name, password| [("_action", "join_by_invitation"), ("_csrf", &*csrf), ("token", token), ("name", name), ("password", password)];
    let wrong = browser.submit(&address, &form("", "short")).await;
    assert_eq!(wrong.status(), 400);
    assert!(wrong.text().contains("A name has 1 to 80 characters.") && wrong.text().contains("at least 10 characters"));
    let joined = browser.submit(&address, &form("Grace Hopper", PASSWORD)).await;
    assert_eq!((joined.status(), joined.header("location")), (303, "/applications"), "{}", joined.text());
    let session = joined.cookie(COOKIE).unwrap().split(';').next().unwrap().to_string();
    let me = t.stranger().with("cookie", &session).get("/api/auth/me").await;
    assert_eq!((me.data()["organization"]["name"].as_str(), me.data()["role"].as_str()), (Some("acme"), Some("developer")));
    let row = user::Entity::find_by_id(me.data()["user"]["id"].as_str().unwrap().parse::<skypanel::id::UserId>().unwrap());
    assert!(row.one(t.panel.db.read()).await.unwrap().unwrap().email_verified_at.is_some(), "she read the mail");
    let mine = t.stranger().with("cookie", &session).get("/api/organizations").await;
    assert_eq!(mine.json()["pagination"]["total"], 1, "she asked for no organization of her own");
    assert_eq!(ada.get(&org(&ada.org, &format!("/invitations/{id}"))).await.data()["status"], "accepted");
    let (status, used) = page(&t.stranger(), token).await;
    assert!(status == 410 && used.contains("This invitation was used"), "{status} {used}");
    let (browser, _, csrf) = browse(&t, "/sign-in").await;
    let form = [("_action", "join_by_invitation"), ("_csrf", &*csrf), ("token", token), ("name", "Eve"), ("password", PASSWORD)];
    let again = browser.submit(&address, &form).await;
    assert!(again.status() == 410 && again.text().contains("Each one works once."), "{}", again.text());
}

#[tokio::test]
async fn somebody_with_an_account_signs_in_and_accepts() {
    let t = TestPanel::start().await;
    let (ada, grace) = (t.member("acme", Role::Owner).await, t.member("globex", Role::Owner).await);
    let address = email(&t, &grace).await;
    let id = invite(&ada, &address, "viewer").await;
    let token = token(&t).await;
    let (status, out) = page(&t.stranger(), &token).await;
    assert!(status == 200 && out.contains(&format!("/sign-in?next=%2Finvitations%2F{token}")), "{out}");
    let (_, open) = page(&grace.browser, &token).await;
    assert!(open.contains("Accept and join"), "{open}");
    let csrf = grace.browser.get(&format!("/invitations/{token}")).await.hidden("_csrf").unwrap();
    let form = [("_action", "accept_invitation"), ("_csrf", &*csrf), ("token", &*token)];
    let done = grace.browser.submit(&format!("/invitations/{token}"), &form).await;
    assert_eq!((done.status(), done.header("location")), (303, "/applications"));
    assert_eq!(grace.browser.get("/api/auth/me").await.data()["organization"]["name"], "acme", "she works there now");
    assert_eq!(grace.script.get("/api/auth/me").await.data()["organization"]["name"], "globex");
    assert_eq!(answer(&grace, &ada.org, &id, "accept", Some(&token)).await.status(), 409, "once");
}

#[tokio::test]
async fn somebody_else_is_told_whose_the_invitation_is() {
    let t = TestPanel::start().await;
    let (ada, eve) = (t.member("acme", Role::Owner).await, t.member("globex", Role::Owner).await);
    let id = invite(&ada, "grace@example.com", "admin").await;
    let token = token(&t).await;
    let (status, open) = page(&eve.browser, &token).await;
    assert!(status == 200 && open.contains("You are signed in as") && open.contains("Sign out and come back"), "{open}");
    assert!(!open.contains("Accept and join"));
    for reply in [answer(&eve, &ada.org, &id, "accept", Some(&token)).await, answer(&eve, &ada.org, &id, "decline", Some(&token)).await] {
        assert_eq!((reply.status(), reply.code()), (404, "INVITATION_NOT_FOUND"), "bound to the address");
    }
    let csrf = eve.browser.get(&format!("/invitations/{token}")).await.hidden("_csrf").unwrap();
    let form = [("_action", "sign_out_for_invitation"), ("_csrf", &*csrf), ("token", &*token)];
    let out = eve.browser.submit(&format!("/invitations/{token}"), &form).await;
    assert_eq!((out.status(), out.header("location")), (303, format!("/invitations/{token}").as_str()));
    assert_eq!(eve.browser.get("/api/auth/me").await.status(), 401);
    assert_eq!(ada.get(&org(&ada.org, &format!("/invitations/{id}"))).await.data()["status"], "pending");
}

#[tokio::test]
async fn a_verified_address_needs_no_token_and_an_unproved_one_does() {
    let t = TestPanel::start().await;
    let (ada, grace) = (t.member("acme", Role::Owner).await, t.member("globex", Role::Owner).await);
    let address = email(&t, &grace).await;
    let id = invite(&ada, &address, "viewer").await;
    let token = token(&t).await;
    verify(&t, &grace, false).await;
    let unproved = answer(&grace, &ada.org, &id, "accept", None).await;
    assert_eq!((unproved.status(), unproved.code()), (409, "CONFLICT"), "anybody could have made an account with this address");
    assert!(!grace.browser.get("/organizations").await.text().contains("invites you"));
    assert_eq!(answer(&grace, &ada.org, &id, "accept", Some("guessed")).await.status(), 404);
    assert_eq!(answer(&grace, &grace.org, &id, "accept", Some(&token)).await.status(), 404, "another organization's path");
    verify(&t, &grace, true).await;
    assert!(grace.browser.get("/organizations").await.text().contains("invites you to acme"));
    assert_eq!(answer(&grace, &ada.org, &id, "accept", None).await.status(), 200);
    assert_eq!(grace.get(&org(&ada.org, "")).await.data()["role"], "viewer");
    let (status, text) = page(&t.stranger(), &token).await;
    assert!(status == 410 && text.contains("was used"), "{text}");
}

#[tokio::test]
async fn each_end_has_a_page_of_its_own() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let (status, text) = page(&t.stranger(), "nobody-knows-this").await;
    assert!(status == 404 && text.contains("Unknown invitation"), "{text}");

    let id = invite(&ada, "one@example.com", "viewer").await;
    let revoked = token(&t).await;
    assert_eq!(ada.delete(&org(&ada.org, &format!("/invitations/{id}"))).await.status(), 200);
    assert_eq!(ada.delete(&org(&ada.org, &format!("/invitations/{id}"))).await.status(), 409);
    let (status, text) = page(&t.stranger(), &revoked).await;
    assert!(status == 410 && text.contains("This invitation was taken back"), "{text}");

    invite(&ada, "two@example.com", "viewer").await;
    let declined = token(&t).await;
    let address = format!("/invitations/{declined}");
    let (browser, _, csrf) = browse(&t, &address).await;
    let form = [("_action", "decline_invitation"), ("_csrf", &*csrf), ("token", &*declined)];
    assert_eq!(browser.submit(&address, &form).await.status(), 303);
    let (status, text) = page(&t.stranger(), &declined).await;
    assert!(status == 410 && text.contains("This invitation was declined"), "{text}");

    invite(&ada, "three@example.com", "viewer").await;
    let expired = token(&t).await;
    let (browser, _, csrf) = browse(&t, &format!("/invitations/{expired}")).await;
    t.clock.advance(Duration::from_secs(168 * 3600 + 1));
    let form = [("_action", "join_by_invitation"), ("_csrf", &*csrf), ("token", &*expired), ("name", "Late"), ("password", PASSWORD)];
    let late = browser.submit(&format!("/invitations/{expired}"), &form).await;
    assert!(late.status() == 410 && late.text().contains("This invitation has expired. Ask for a new one."), "{}", late.text());
    let (status, text) = page(&t.stranger(), &expired).await;
    assert!(status == 410 && text.contains("This invitation has expired"), "{text}");

    let ada = t.sign_in(&ada.user, &ada.org).await;
    let grace = t.member("globex", Role::Owner).await;
    invite(&ada, &email(&t, &grace).await, "viewer").await;
    let member = token(&t).await;
    let joined =
        t.panel.db.tx(async |tx| skypanel::accounts::server::service::join(tx, &t.panel, &ada.org, &grace.user, Role::Viewer).await);
    joined.await.unwrap();
    let (status, text) = page(&t.stranger(), &member).await;
    assert!(status == 200 && text.contains("You are in already"), "{text}");

    invite(&ada, "four@example.com", "viewer").await;
    let orphan = token(&t).await;
    assert_eq!(ada.delete(&org(&ada.org, "")).await.status(), 200);
    let (status, text) = page(&t.stranger(), &orphan).await;
    assert!(status == 410 && text.contains("was taken back"), "its organization is no more: {text}");
}

#[tokio::test]
async fn what_can_not_be_sent_is_refused_with_a_reason() {
    let t = TestPanel::start().await;
    let (ada, grace) = (t.member("acme", Role::Owner).await, t.member("acme", Role::Viewer).await);
    let send = async |body| ada.post(&org(&ada.org, "/members/invite"), body).await;
    let (mine, hers) = (email(&t, &ada).await, email(&t, &grace).await);
    for (body, field, says) in [
        (json!({ "email": mine, "role": "viewer" }), "email", "your own address"),
        (json!({ "email": hers.to_uppercase(), "role": "viewer" }), "email", "a member already"),
        (json!({ "email": "x@y\r\nBcc: z@example.com", "role": "viewer" }), "email", "e-mail address"),
        (json!({ "email": "new@example.com", "role": "king" }), "role", "no such role"),
        (json!({ "email": "new@example.com", "role": "rol_01jd0000000000000000000000" }), "role", "no such role"),
        (json!({ "email": "new@example.com", "role": "viewer", "expires_hours": 721 }), "expires_hours", "1 to 720"),
        (json!({ "email": "new@example.com", "role": "viewer", "expires_hours": 0 }), "expires_hours", "1 to 720"),
        (json!({ "email": "new@example.com", "role": "viewer", "message": "x".repeat(1001) }), "message", "1000"),
        (json!({ "email": "new@example.com", "role": "viewer", "message": "a\u{0}b" }), "message", "NUL"),
    ] {
        let reply = send(body.clone()).await;
        assert_eq!((reply.status(), reply.fields()), (400, vec![field]), "{body}");
        assert!(reply.text().contains(says), "{}", reply.text());
    }
    assert!(t.mails().await.is_empty());
    invite(&ada, "new@example.com", "viewer").await;
    let twice = send(json!({ "email": "NEW@example.com", "role": "admin" })).await;
    assert!(twice.fields() == ["email"] && twice.text().contains("open invitation"), "{}", twice.text());
    t.clock.advance(Duration::from_secs(168 * 3600 + 1));
    let ada = t.sign_in(&ada.user, &ada.org).await;
    invite(&ada, "new@example.com", "viewer").await;
    let history = ada.get(&org(&ada.org, "/invitations")).await;
    let statuses: Vec<_> = history.data().as_array().unwrap().iter().map(|it| it["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["pending", "expired"], "the newest first");
    assert_eq!(ada.get(&org(&ada.org, "/invitations?status=expired")).await.json()["pagination"]["total"], 1);
    assert_eq!(ada.get(&org(&ada.org, "/invitations?search=NEW")).await.json()["pagination"]["total"], 2);
    assert_eq!(ada.get(&org(&ada.org, "/invitations?status=lost")).await.fields(), ["status"]);
}

#[tokio::test]
async fn only_so_many_invitations_are_open() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    for n in 0..100 {
        invite(&ada, &format!("user{n}@example.com"), "viewer").await;
    }
    let body = json!({ "email": "one-more@example.com", "role": "viewer" });
    let more = ada.post(&org(&ada.org, "/members/invite"), body.clone()).await;
    assert!(more.status() == 409 && more.text().contains("100 open invitations"), "{}", more.text());
    let first = ada.get(&org(&ada.org, "/invitations?limit=1")).await.data()[0]["id"].as_str().unwrap().to_string();
    ada.delete(&org(&ada.org, &format!("/invitations/{first}"))).await;
    let more = ada.post(&org(&ada.org, "/members/invite"), body).await;
    assert!(more.status() == 409 && more.text().contains("within a day"), "{}", more.text());
}

#[tokio::test]
async fn sending_again_makes_a_new_link_and_ends_the_old_one() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let id = invite(&ada, "grace@example.com", "viewer").await;
    let old = token(&t).await;
    let again = async || ada.post(&org(&ada.org, &format!("/invitations/{id}/resend")), json!({})).await;
    assert_eq!(again().await.data()["sends"], 2);
    let new = token(&t).await;
    assert_ne!(old, new);
    assert_eq!((page(&t.stranger(), &old).await.0, page(&t.stranger(), &new).await.0), (404, 200));
    for _ in 3..=5 {
        assert_eq!(again().await.status(), 200);
    }
    assert_eq!(again().await.status(), 409, "five times");
    assert_eq!(t.mails().await.len(), 5);
}

#[tokio::test]
async fn of_two_who_use_one_link_at_once_one_joins() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let grace = t.member("globex", Role::Owner).await;
    let id = invite(&ada, &email(&t, &grace).await, "viewer").await;
    let token = token(&t).await;
    let (one, other) =
        tokio::join!(answer(&grace, &ada.org, &id, "accept", Some(&token)), answer(&grace, &ada.org, &id, "decline", Some(&token)));
    let mut all = [one.status(), other.status()];
    all.sort_unstable();
    assert_eq!(all, [200, 409], "{} {}", one.text(), other.text());
}

#[tokio::test]
async fn what_somebody_promised_falls_with_her_right_to_promise_it() {
    let t = TestPanel::start().await;
    let (ada, admin) = (t.member("acme", Role::Owner).await, t.member("acme", Role::Admin).await);
    invite(&admin, "second-self@example.com", "admin").await;
    let token = token(&t).await;
    assert_eq!(ada.delete(&org(&ada.org, &format!("/members/{}", admin.user))).await.status(), 200);
    let (status, text) = page(&t.stranger(), &token).await;
    assert!(status == 410 && text.contains("was taken back"), "{text}");
}

#[tokio::test]
async fn a_suspended_organization_takes_nobody_in() {
    let t = TestPanel::start().await;
    let (ada, grace) = (t.member("acme", Role::Owner).await, t.member("globex", Role::Owner).await);
    let id = invite(&ada, &email(&t, &grace).await, "viewer").await;
    let token = token(&t).await;
    let row = organization::ActiveModel { id: Set(ada.org.clone()), suspended_at: Set(Some(t.panel.now())), ..Default::default() };
    t.panel.db.tx(async |tx| row.update(tx).await.because("suspending")).await.unwrap();
    let reply = answer(&grace, &ada.org, &id, "accept", Some(&token)).await;
    assert_eq!((reply.status(), reply.code()), (403, "SUSPENDED"));
    assert_eq!(grace.get(&org(&ada.org, "")).await.status(), 404);
}

#[tokio::test]
async fn an_address_that_mail_comes_back_from_is_invited_without_mail() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let row = mail_suppression::ActiveModel {
        address: Set("gone@example.com".into()),
        reason: Set("bounced".into()),
        created_at: Set(t.panel.now()),
        ..Default::default()
    };
    let made = t.panel.db.tx(async |tx| mail_suppression::Entity::insert(row).exec_without_returning(tx).await.because("suppressing"));
    made.await.unwrap();
    let body = json!({ "email": "Gone@example.com", "role": "viewer" });
    let sent = ada.post(&org(&ada.org, "/members/invite"), body).await;
    assert_eq!((sent.status(), sent.data()["email_status"].as_str()), (201, Some("suppressed")), "{}", sent.text());
    assert!(t.mails().await.is_empty());
}
