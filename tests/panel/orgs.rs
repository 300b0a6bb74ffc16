//! Organizations, members, roles and grants: what people do with them, what they are kept from, and what two do at once.
use crate::support::{
    client::{Person, Reply},
    panel::TestPanel,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};
use skypanel::auth::session::SessionCache;
use skypanel::{
    accounts::server::task as seen,
    deployments::model::Phase,
    fault::Because,
    id::{OrgId, UserId},
    rights::Role,
    store::tables::{application, audit_event, membership, organization, user},
    swarm::fake::Answer,
};
use std::time::Duration;

fn org(id: &OrgId, what: &str) -> String {
    format!("/api/organizations/{id}{what}")
}

fn member(of: &OrgId, person: &UserId) -> String {
    org(of, &format!("/members/{person}"))
}

fn refused(reply: &Reply) -> (u16, &str) {
    (reply.status(), reply.json()["error"]["required"].as_str().unwrap_or_default())
}

/// A role of acme's own, made by somebody.
async fn own_role(by: &Person, name: &str, permissions: Value) -> String {
    let reply = by.post(&org(&by.org, "/roles"), json!({ "name": name, "permissions": permissions })).await;
    assert_eq!(reply.status(), 201, "{}", reply.text());
    reply.data()["id"].as_str().unwrap().to_string()
}

/// Somebody in acme with a role of acme's own.
async fn with_role(t: &TestPanel, role: &str) -> Person {
    let person = t.member("acme", Role::Viewer).await;
    let row = membership::ActiveModel {
        organization_id: Set(person.org.clone()),
        user_id: Set(person.user.clone()),
        role: Set(role.into()),
        ..Default::default()
    };
    t.panel.db.tx(async |tx| row.update(tx).await.because("giving a role")).await.unwrap();
    t.panel.of::<SessionCache>().forget_user(&person.user);
    person
}

async fn role_of(t: &TestPanel, person: &Person) -> Option<String> {
    let row = membership::Entity::find_by_id((person.org.clone(), person.user.clone())).one(t.panel.db.read()).await.unwrap();
    row.map(|row| row.role)
}

async fn events(t: &TestPanel, of: &OrgId) -> Vec<String> {
    let rows = audit_event::Entity::find().filter(audit_event::Column::OrganizationId.eq(of.clone()));
    rows.all(t.panel.db.read()).await.unwrap().into_iter().map(|row| row.event).collect()
}

#[tokio::test]
async fn a_person_makes_an_organization_and_works_in_it() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Viewer).await;
    let made = ada.post("/api/organizations", json!({ "name": "Initech", "slug": "initech" })).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    assert_eq!((made.data()["role"].as_str(), made.data()["slug"].as_str()), (Some("owner"), Some("initech")));
    assert_eq!(made.header("etag"), "\"1\"");
    let id: OrgId = made.data()["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(made.header("location"), org(&id, ""));
    let mine = ada.get("/api/organizations").await;
    let names: Vec<_> = mine.data().as_array().unwrap().iter().map(|it| (it["name"].as_str().unwrap(), it["is_active"] == true)).collect();
    assert_eq!(names, [("acme", true), ("Initech", false)]);
    assert_eq!(mine.json()["pagination"]["total"], 2);
    let switched = ada.post(&org(&id, "/switch"), json!({})).await;
    assert_eq!((switched.status(), switched.data()["is_active"] == true), (200, true), "{}", switched.text());
    assert_eq!(ada.get("/api/auth/me").await.data()["organization"]["id"], id.to_string(), "it is remembered");
    assert_eq!(ada.browser.get("/api/auth/me").await.data()["organization"]["name"], "acme", "another session stays where it is");
    assert_eq!(ada.get(&org(&ada.org, "")).await.data()["name"], "acme", "a path names any of hers");
    let taken = ada.post("/api/organizations", json!({ "name": "Other", "slug": "initech" })).await;
    assert_eq!((taken.status(), taken.fields()), (400, vec!["slug"]));
    let wrong = ada.post("/api/organizations", json!({ "name": " ", "slug": "No Slug" })).await;
    assert_eq!((wrong.status(), wrong.fields()), (400, vec!["name", "slug"]));
    assert_eq!(ada.post("/api/organizations", json!({ "name": "X", "colour": "red" })).await.fields(), ["colour"]);
    assert!(events(&t, &id).await.contains(&"organization.created".into()));
}

#[tokio::test]
async fn two_editors_of_the_settings_do_not_overwrite_each_other() {
    let t = TestPanel::start().await;
    let (ada, grace) = (t.member("acme", Role::Owner).await, t.member("acme", Role::Admin).await);
    let seen = ada.get(&org(&ada.org, "")).await.header("etag").to_string();
    let body =
        json!({ "name": "Acme", "slug": "acme", "contact_email": "It@Acme.example", "billing_address": "1 Road\nTown", "tax_id": "DE1" });
    let first = ada.with("if-match", &seen).put(&org(&ada.org, ""), body).await;
    assert_eq!(first.status(), 200, "{}", first.text());
    assert_eq!((first.data()["name"].as_str(), first.data()["contact_email"].as_str()), (Some("Acme"), Some("it@acme.example")));
    assert_ne!(first.header("etag"), seen);
    let second = grace.with("if-match", &seen).put(&org(&ada.org, ""), json!({ "name": "Other" })).await;
    assert_eq!((second.status(), second.code()), (409, "CONFLICT"));
    let again = grace.with("if-match", first.header("etag")).put(&org(&ada.org, ""), json!({ "tax_id": "" })).await;
    assert_eq!((again.status(), again.data()["name"].as_str(), again.data()["tax_id"].as_str()), (200, Some("Acme"), Some("")));
    assert_eq!(ada.with("if-match", "\"old\"").put(&org(&ada.org, ""), json!({})).await.fields(), ["If-Match"]);
    let wrong = json!({ "name": "", "slug": "-", "contact_email": "x", "defaults": { "replicas": 0, "branch": "a b" } });
    let wrong = ada.put(&org(&ada.org, ""), wrong).await;
    assert_eq!(wrong.fields(), ["name", "slug", "contact_email", "defaults.replicas", "defaults.branch"]);
    let viewer = t.member("Acme", Role::Viewer).await;
    let shown = viewer.get(&org(&ada.org, "")).await;
    assert!(shown.data()["billing_address"].is_null() && shown.data()["tax_id"].is_null(), "only those for billing and settings see it");
}

#[tokio::test]
async fn new_applications_begin_with_the_organizations_defaults() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let defaults = json!({ "replicas": 3, "cpu_millis": 750, "memory_bytes": 134_217_728, "branch": "trunk" });
    assert_eq!(ada.put(&org(&ada.org, ""), json!({ "defaults": defaults })).await.status(), 200);
    let source = json!({ "git": { "repository_url": "https://git.example.com/acme/shop.git" } });
    let app = ada.post("/api/paas/applications", json!({ "name": "shop", "source": source })).await;
    assert_eq!(app.status(), 201, "{}", app.text());
    let app = app.data();
    assert_eq!((app["replicas"]["wanted"].as_u64(), app["settings"]["limits"]["cpu_millis"].as_u64()), (Some(3), Some(750)));
    assert_eq!(app["settings"]["source"]["git"]["branch"], "trunk");
    let named = json!({ "name": "other", "source": source, "replicas": 1, "resource_limits": { "cpu_millis": 100 } });
    let other = ada.post("/api/paas/applications", named).await;
    assert_eq!(other.data()["replicas"]["wanted"], 1, "what is said goes before the defaults");
    assert_eq!(other.data()["settings"]["limits"], json!({ "cpu_millis": 100, "memory_bytes": 134_217_728 }));
    let page = ada.browser.get("/applications/new").await.text();
    assert!(
        page.contains("value=\"trunk\"") && page.contains("value=\"0.75\"") && page.contains("value=\"128\""),
        "the form has them, too"
    );
}

#[tokio::test]
async fn nobody_can_be_locked_out_by_whoever_asks_for_a_second_factor() {
    let t = TestPanel::start().await;
    let (ada, grace) = (t.member("acme", Role::Owner).await, t.member("acme", Role::Viewer).await);
    let reply = ada.put(&org(&ada.org, ""), json!({ "requires_two_factor": true })).await;
    assert_eq!((reply.status(), reply.fields()), (400, vec!["requires_two_factor"]));
    let row = user::ActiveModel { id: Set(ada.user.clone()), has_second_factor: Set(true), ..Default::default() };
    t.panel.db.tx(async |tx| row.update(tx).await.because("setting up a factor")).await.unwrap();
    t.panel.of::<SessionCache>().forget_user(&ada.user);
    assert_eq!(ada.put(&org(&ada.org, ""), json!({ "requires_two_factor": true })).await.status(), 200);
    let kept = grace.get("/api/paas/applications").await;
    assert_eq!((kept.status(), kept.code()), (403, "TWO_FACTOR_REQUIRED"));
    assert_eq!(grace.get("/api/organizations").await.status(), 200, "she can still see where she is, and leave");
    let members = ada.get(&org(&ada.org, "/members")).await;
    let factors: Vec<bool> = members.data().as_array().unwrap().iter().map(|it| it["two_factor"].as_bool().unwrap()).collect();
    assert_eq!(factors.iter().filter(|it| **it).count(), 1);
}

#[tokio::test]
async fn another_organization_is_not_there() {
    let t = TestPanel::start().await;
    let (ada, eve) = (t.member("acme", Role::Owner).await, t.member("globex", Role::Owner).await);
    let role = own_role(&ada, "Deployer", json!(["view", "deploy"])).await;
    for path in ["", "/members", "/roles", "/invitations", &format!("/members/{}", ada.user), &format!("/roles/{role}")] {
        let reply = eve.get(&org(&ada.org, path)).await;
        assert_eq!((reply.status(), reply.code()), (404, "ORGANIZATION_NOT_FOUND"), "{path}");
    }
    assert_eq!(eve.get("/api/organizations/nonsense").await.code(), "ORGANIZATION_NOT_FOUND");
    assert_eq!(eve.post(&org(&ada.org, "/switch"), json!({})).await.status(), 404);
    // Hers, with acme's things in it.
    assert_eq!(eve.get(&member(&eve.org, &ada.user)).await.code(), "MEMBER_NOT_FOUND");
    assert_eq!(eve.get(&org(&eve.org, &format!("/roles/{role}"))).await.code(), "ROLE_NOT_FOUND");
    assert_eq!(eve.put(&member(&eve.org, &ada.user), json!({ "role": "viewer" })).await.code(), "MEMBER_NOT_FOUND");
    let bob = t.member("globex", Role::Viewer).await;
    assert_eq!(eve.put(&member(&eve.org, &bob.user), json!({ "role": role })).await.fields(), ["role"], "acme's role is none in globex");
    let app = t.app_in("acme").await;
    let grant = json!({ "application_id": app.id, "role": "viewer" });
    assert_eq!(eve.post(&format!("{}/grants", member(&eve.org, &bob.user)), grant).await.code(), "APPLICATION_NOT_FOUND");
}

#[tokio::test]
async fn members_are_listed_searched_and_paged() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    for role in [Role::Admin, Role::Viewer, Role::Viewer] {
        t.member("acme", role).await;
    }
    let all = ada.get(&org(&ada.org, "/members?limit=3&sort=joined_at")).await;
    assert_eq!((all.data().as_array().unwrap().len(), all.json()["pagination"]["total"].as_u64()), (3, Some(4)));
    assert_eq!(
        (all.data()[0]["user_id"].as_str(), all.data()[0]["role_name"].as_str()),
        (Some(ada.user.to_string().as_str()), Some("Owner"))
    );
    assert_eq!(ada.get(&org(&ada.org, "/members?limit=3&page=2")).await.data().as_array().unwrap().len(), 1);
    assert_eq!(ada.get(&org(&ada.org, "/members?role=viewer")).await.json()["pagination"]["total"], 2);
    let email = ada.get(&member(&ada.org, &ada.user)).await.data()["email"].as_str().unwrap().to_string();
    let found = ada.get(&org(&ada.org, &format!("/members?search={}", email[..26].to_uppercase()))).await;
    assert_eq!(found.json()["pagination"]["total"], 1, "{}", found.text());
    for nothing in ["%25", "_", "%00~", "%27%20OR%201=1"] {
        assert_eq!(ada.get(&org(&ada.org, &format!("/members?search={nothing}"))).await.json()["pagination"]["total"], 0, "{nothing}");
    }
    assert_eq!(ada.get(&org(&ada.org, "/members?sort=password_hash")).await.fields(), ["sort"]);
    assert_eq!(ada.get(&org(&ada.org, "/members?limit=201")).await.fields(), ["limit"]);
}

#[tokio::test]
async fn when_members_were_seen_is_written_down_later() {
    let t = TestPanel::start().await;
    let (ada, grace) = (t.member("acme", Role::Owner).await, t.member("acme", Role::Viewer).await);
    let last = async || ada.get(&member(&ada.org, &grace.user)).await.data()["last_seen_at"].clone();
    t.clock.advance(Duration::from_secs(3600));
    grace.get("/api/auth/me").await;
    assert!(last().await.is_null(), "not on the way of a request");
    seen::pass(&t.panel).await.unwrap();
    assert_eq!(last().await, t.panel.now().to_string());
}

#[tokio::test]
async fn the_last_owner_stays_one() {
    let t = TestPanel::start().await;
    let (ada, grace) = (t.member("acme", Role::Owner).await, t.member("acme", Role::Admin).await);
    let demoted = ada.put(&member(&ada.org, &ada.user), json!({ "role": "admin" })).await;
    assert_eq!((demoted.status(), demoted.code()), (409, "CONFLICT"));
    assert_eq!(ada.delete(&member(&ada.org, &ada.user)).await.status(), 409);
    assert_eq!(ada.post(&org(&ada.org, "/leave"), json!({})).await.status(), 409);
    let both = json!({ "user_ids": [ada.user, grace.user], "role": "viewer" });
    assert_eq!(ada.post(&org(&ada.org, "/members/bulk"), both.clone()).await.status(), 409);
    assert_eq!(role_of(&t, &grace).await.as_deref(), Some("admin"), "all of them or none");
    assert_eq!(ada.put(&member(&ada.org, &ada.user), json!({ "role": "owner" })).await.status(), 200, "what stays is no change");
    // Another owner whose account is stopped can't look after it.
    let henry = t.member("acme", Role::Owner).await;
    let row = user::ActiveModel { id: Set(henry.user.clone()), suspended_at: Set(Some(t.panel.now())), ..Default::default() };
    t.panel.db.tx(async |tx| row.update(tx).await.because("stopping an account")).await.unwrap();
    assert_eq!(ada.post(&org(&ada.org, "/leave"), json!({})).await.status(), 409);
    let third = t.member("acme", Role::Owner).await;
    assert_eq!(ada.post(&org(&ada.org, "/leave"), json!({})).await.status(), 200);
    assert_eq!(third.get(&org(&third.org, "")).await.status(), 200);
}

#[tokio::test]
async fn two_owners_who_remove_each_other_at_once_leave_one() {
    for way in ["remove", "demote", "leave", "bulk"] {
        let t = TestPanel::start().await;
        let (ada, grace) = (t.member("acme", Role::Owner).await, t.member("acme", Role::Owner).await);
        // Both are known as owners when they ask.
        assert_eq!((ada.get("/api/auth/me").await.status(), grace.get("/api/auth/me").await.status()), (200, 200));
        let deed = async |by: &Person, of: &Person| match way {
            "remove" => by.delete(&member(&of.org, &of.user)).await,
            "demote" => by.put(&member(&of.org, &of.user), json!({ "role": "viewer" })).await,
            "leave" => by.post(&org(&of.org, "/leave"), json!({})).await,
            _ => by.post(&org(&of.org, "/members/bulk"), json!({ "user_ids": [of.user], "remove": true })).await,
        };
        let (one, other) = tokio::join!(deed(&ada, &grace), deed(&grace, &ada));
        let mut all = [one.status(), other.status()];
        all.sort_unstable();
        assert_eq!(all[0], 200, "{way}: {} {}", one.text(), other.text());
        assert!([403, 404, 409].contains(&all[1]), "{way}: {} {}", one.text(), other.text());
        let owners = membership::Entity::find()
            .filter(membership::Column::OrganizationId.eq(ada.org.clone()))
            .filter(membership::Column::Role.eq("owner"))
            .count(t.panel.db.read());
        assert_eq!(owners.await.unwrap(), 1, "{way}");
    }
}

#[tokio::test]
async fn whoever_would_be_nowhere_gets_an_organization_of_her_own() {
    let t = TestPanel::start().await;
    let (ada, grace) = (t.member("acme", Role::Owner).await, t.member("acme", Role::Developer).await);
    assert_eq!(ada.delete(&member(&ada.org, &grace.user)).await.status(), 200);
    let me = grace.get("/api/auth/me").await;
    assert_eq!((me.status(), me.data()["role"].as_str()), (200, Some("owner")), "{}", me.text());
    assert_eq!(me.data()["organization"]["name"], "Ada’s organization");
    assert_eq!(grace.get(&org(&ada.org, "")).await.status(), 404, "acme is gone for her");
    t.settle().await;
    let body = json!({ "name": "web", "source": { "image": { "reference": "shop:1" } } });
    assert_eq!(grace.post("/api/paas/applications", body).await.status(), 201, "and hers works");
    assert!(events(&t, &ada.org).await.contains(&"member.removed".into()));
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_have() {
    let t = TestPanel::start().await;
    let (owner, admin) = (t.member("acme", Role::Owner).await, t.member("acme", Role::Admin).await);
    let viewer = t.member("acme", Role::Viewer).await;
    let lead = own_role(&owner, "Lead", json!(["view", "members", "roles", "deploy"])).await;
    let lead_person = with_role(&t, &lead).await;
    let of = |person: &Person| member(&person.org, &person.user);
    // An admin, who lacks ownership alone.
    for (target, role) in [(&admin, "owner"), (&viewer, "owner"), (&owner, "viewer")] {
        assert_eq!(refused(&admin.put(&of(target), json!({ "role": role })).await), (403, "ownership"), "{role}");
    }
    assert_eq!(refused(&admin.delete(&of(&owner)).await), (403, "ownership"));
    let bulk = json!({ "user_ids": [viewer.user, admin.user], "role": "owner" });
    assert_eq!(refused(&admin.post(&org(&owner.org, "/members/bulk"), bulk).await), (403, "ownership"));
    assert_eq!(
        refused(&admin.post(&org(&owner.org, "/members/bulk"), json!({ "user_ids": [owner.user], "remove": true })).await),
        (403, "ownership")
    );
    let invite = json!({ "email": "new@example.com", "role": "owner" });
    assert_eq!(refused(&admin.post(&org(&owner.org, "/members/invite"), invite).await), (403, "ownership"));
    assert_eq!(refused(&admin.post(&org(&owner.org, "/transfer"), json!({ "user_id": admin.user })).await), (403, "ownership"));
    // Ownership is in no role that is made, whoever makes it.
    let role = json!({ "name": "God", "permissions": ["view", "ownership"] });
    assert_eq!(owner.post(&org(&owner.org, "/roles"), role.clone()).await.fields(), ["permissions"]);
    assert_eq!(owner.put(&org(&owner.org, &format!("/roles/{lead}")), role).await.fields(), ["permissions"]);
    // A custom role with some rights: no more than those, to nobody, in no way.
    for role in ["admin", "developer", "billing"] {
        let reply = lead_person.put(&of(&lead_person), json!({ "role": role })).await;
        assert_eq!(reply.status(), 403, "self-promotion to {role}");
        assert_eq!(lead_person.put(&of(&viewer), json!({ "role": role })).await.status(), 403, "{role}");
        let invite = json!({ "email": "new@example.com", "role": role });
        assert_eq!(lead_person.post(&org(&owner.org, "/members/invite"), invite).await.status(), 403, "{role}");
    }
    let wider = json!({ "name": "Lead", "permissions": ["view", "members", "roles", "deploy", "secrets"] });
    assert_eq!(refused(&lead_person.put(&org(&owner.org, &format!("/roles/{lead}")), wider.clone()).await), (403, "secrets"));
    assert_eq!(
        refused(&lead_person.post(&org(&owner.org, "/roles"), json!({ "name": "X", "permissions": ["billing"] })).await),
        (403, "billing")
    );
    let strong = own_role(&owner, "Strong", json!(["view", "billing"])).await;
    let narrower = json!({ "name": "Strong", "permissions": ["view"] });
    assert_eq!(
        refused(&lead_person.put(&org(&owner.org, &format!("/roles/{strong}")), narrower).await),
        (403, "billing"),
        "nor does one take it"
    );
    assert_eq!(refused(&lead_person.delete(&org(&owner.org, &format!("/roles/{strong}"))).await), (403, "billing"));
    assert_eq!(lead_person.put(&of(&viewer), json!({ "role": strong })).await.status(), 403);
    // Those above are out of reach.
    for above in [&owner, &admin] {
        assert_eq!(lead_person.put(&of(above), json!({ "role": "viewer" })).await.status(), 403);
        assert_eq!(lead_person.delete(&of(above)).await.status(), 403);
    }
    let app = t.app_in("acme").await;
    for role in ["admin", "developer"] {
        let grant = json!({ "application_id": app.id, "role": role });
        for target in [&lead_person, &viewer] {
            assert_eq!(lead_person.post(&format!("{}/grants", of(target)), grant.clone()).await.status(), 403, "{role}");
        }
    }
    let grant = json!({ "application_id": app.id, "role": "owner" });
    assert_eq!(owner.post(&format!("{}/grants", of(&viewer)), grant).await.fields(), ["role"], "an application has no owner");
    // What is within reach goes.
    assert_eq!(lead_person.put(&of(&viewer), json!({ "role": lead })).await.status(), 200);
    assert_eq!(admin.put(&of(&viewer), json!({ "role": "admin" })).await.status(), 200);
    assert_eq!(role_of(&t, &viewer).await.as_deref(), Some("admin"));
    assert_eq!(role_of(&t, &owner).await.as_deref(), Some("owner"));
}

#[tokio::test]
async fn what_was_taken_meanwhile_can_not_be_given_any_more() {
    let t = TestPanel::start().await;
    let (owner, admin, viewer) =
        (t.member("acme", Role::Owner).await, t.member("acme", Role::Admin).await, t.member("acme", Role::Viewer).await);
    let other = t.another().await;
    let admin_there = other.sign_in(&admin.user, &admin.org).await;
    assert_eq!(admin_there.get("/api/auth/me").await.data()["role"], "admin", "the other panel knows her");
    assert_eq!(owner.put(&member(&owner.org, &admin.user), json!({ "role": "viewer" })).await.status(), 200);
    // The other panel may believe for a second that she is an admin; a change looks again.
    let reply = admin_there.put(&member(&owner.org, &viewer.user), json!({ "role": "admin" })).await;
    assert_eq!(refused(&reply), (403, "members"));
    assert_eq!(role_of(&t, &viewer).await.as_deref(), Some("viewer"));
}

#[tokio::test]
async fn custom_roles_are_made_changed_and_deleted() {
    let t = TestPanel::start().await;
    let owner = t.member("acme", Role::Owner).await;
    let role = own_role(&owner, "Deployer", json!(["view", "deploy"])).await;
    let path = org(&owner.org, &format!("/roles/{role}"));
    assert_eq!(owner.post(&org(&owner.org, "/roles"), json!({ "name": "Deployer", "permissions": [] })).await.fields(), ["name"]);
    assert_eq!(owner.post(&org(&owner.org, "/roles"), json!({ "name": "owner", "permissions": [] })).await.fields(), ["name"]);
    assert_eq!(owner.post(&org(&owner.org, "/roles"), json!({ "name": "Pilot", "permissions": ["fly"] })).await.status(), 400);
    let person = with_role(&t, &role).await;
    let app = t.app_in("acme").await;
    assert_eq!(person.post(&app.url("deploy"), json!({})).await.status(), 202);
    let refused_delete = owner.delete(&path).await;
    assert_eq!(refused_delete.status(), 409);
    assert!(refused_delete.text().contains("1 member has it"), "{}", refused_delete.text());
    let etag = owner.get(&path).await.header("etag").to_string();
    let less = json!({ "name": "Watcher", "description": "Looks on.", "permissions": ["view"] });
    assert_eq!(owner.with("if-match", &etag).put(&path, less.clone()).await.data()["version"], 2);
    assert_eq!(owner.with("if-match", &etag).put(&path, less).await.status(), 409);
    assert_eq!(refused(&person.post(&app.url("deploy"), json!({})).await), (403, "deploy"), "it takes effect at once");
    let listed = owner.get(&org(&owner.org, "/roles")).await;
    assert_eq!(listed.json()["pagination"]["total"], 6);
    let own = listed.data().as_array().unwrap().iter().find(|it| it["id"] == role).unwrap();
    assert_eq!((own["name"].as_str(), own["members"].as_u64(), own["is_given"].as_bool()), (Some("Watcher"), Some(1), Some(false)));
    assert_eq!(owner.put(&member(&owner.org, &person.user), json!({ "role": "viewer" })).await.status(), 200);
    let asked = owner.post(&org(&owner.org, "/members/invite"), json!({ "email": "new@example.com", "role": role })).await;
    assert!(owner.delete(&path).await.text().contains("1 open invitation promises it"));
    let asked = asked.data()["id"].as_str().unwrap().to_string();
    assert_eq!(owner.delete(&org(&owner.org, &format!("/invitations/{asked}"))).await.status(), 200);
    assert_eq!(owner.delete(&path).await.status(), 200);
    assert_eq!(owner.get(&path).await.code(), "ROLE_NOT_FOUND");
    assert_eq!(owner.delete(&org(&owner.org, "/roles/owner")).await.code(), "ROLE_NOT_FOUND", "a given one can't be deleted");
}

#[tokio::test]
async fn a_grant_opens_one_application_and_no_other() {
    let t = TestPanel::start().await;
    let owner = t.member("acme", Role::Owner).await;
    let guest = own_role(&owner, "Guest", json!([])).await;
    let person = with_role(&t, &guest).await;
    let (app, other) = (t.app_in("acme").await, t.app_in("acme").await);
    assert_eq!(person.get(&app.url("")).await.status(), 404);
    let grants = format!("{}/grants", member(&owner.org, &person.user));
    let given = owner.post(&grants, json!({ "application_id": app.id, "role": "developer" })).await;
    assert_eq!(given.status(), 200, "{}", given.text());
    assert_eq!(
        (given.data()[0]["application_name"].as_str(), given.data()[0]["role_name"].as_str()),
        (Some(app.name.as_str()), Some("Developer"))
    );
    assert_eq!(person.post(&app.url("deploy"), json!({})).await.status(), 202);
    assert_eq!(refused(&person.delete(&app.url("")).await), (403, "delete"));
    assert_eq!(person.get(&other.url("")).await.status(), 404);
    let seen = person.get("/api/paas/applications").await;
    assert_eq!((seen.json()["pagination"]["total"].as_u64(), seen.data()[0]["id"].as_str()), (Some(1), Some(app.id.to_string().as_str())));
    assert_eq!(refused(&person.get(&org(&owner.org, "/members")).await), (403, "view"));
    let page = person.browser.get(&format!("/applications/{}/settings", app.id)).await.text();
    assert!(page.contains("does not include “delete”") && !page.contains("does not include “configure”"), "buttons go by the grant");
    assert_eq!(owner.post(&grants, json!({ "application_id": app.id, "role": "viewer" })).await.data().as_array().unwrap().len(), 1);
    assert_eq!(refused(&person.post(&app.url("deploy"), json!({})).await), (403, "deploy"));
    assert_eq!(owner.delete(&format!("{grants}/{}", app.id)).await.status(), 200);
    assert_eq!(owner.delete(&format!("{grants}/{}", app.id)).await.status(), 404);
    assert_eq!(person.get(&app.url("")).await.status(), 404);
    // A grant ends with the membership.
    owner.post(&grants, json!({ "application_id": app.id, "role": "viewer" })).await;
    assert_eq!(owner.delete(&member(&owner.org, &person.user)).await.status(), 200);
    assert_eq!(person.with("x-organization-id", &owner.org.to_string()).get(&app.url("")).await.status(), 404);
}

#[tokio::test]
async fn an_organization_is_handed_over() {
    let t = TestPanel::start().await;
    let (ada, grace) = (t.member("acme", Role::Owner).await, t.member("acme", Role::Viewer).await);
    let eve = t.member("globex", Role::Owner).await;
    assert_eq!(ada.post(&org(&ada.org, "/transfer"), json!({ "user_id": eve.user })).await.code(), "MEMBER_NOT_FOUND");
    assert_eq!(ada.post(&org(&ada.org, "/transfer"), json!({ "user_id": ada.user })).await.fields(), ["user_id"]);
    let done = ada.post(&org(&ada.org, "/transfer"), json!({ "user_id": grace.user })).await;
    assert_eq!((done.status(), done.data()["role"].as_str()), (200, Some("admin")), "{}", done.text());
    assert_eq!((role_of(&t, &ada).await.as_deref(), role_of(&t, &grace).await.as_deref()), (Some("admin"), Some("owner")));
    assert_eq!(refused(&ada.delete(&org(&ada.org, "")).await), (403, "ownership"));
}

#[tokio::test]
async fn an_organization_is_deleted_with_its_applications_only_where_that_is_said() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let guest = t.member("acme", Role::Viewer).await;
    ada.put(&org(&ada.org, ""), json!({ "slug": "acme" })).await;
    let app = t.app_in("acme").await;
    t.deploy_well(&app).await;
    assert_eq!(t.replicas(&app), 1);
    let refusal = ada.delete(&org(&ada.org, "")).await;
    assert_eq!((refusal.status(), refusal.code()), (409, "CONFLICT"));
    assert!(refusal.text().contains("1 application"), "{}", refusal.text());
    assert_eq!(ada.delete(&org(&ada.org, "?applications=perhaps")).await.fields(), ["applications"]);
    let form = async |confirm: &str, with: Option<&str>| {
        let mut fields = vec![("confirm", confirm)];
        fields.extend(with.map(|with| ("applications", with)));
        ada.browser.call("/fn/skypanel/orgs/fns/delete_organization", &fields).await
    };
    assert_eq!(form("Acme", Some("true")).await.unwrap_err().status(), 400, "the name is typed as it is");
    assert_eq!(form("acme", None).await.unwrap_err().status(), 409);
    assert!(form("acme", Some("true")).await.is_ok());
    t.settle().await;
    assert_eq!((t.replicas(&app), t.services(&app).len()), (0, 0), "its applications went with it");
    assert_eq!(ada.get(&org(&ada.org, "")).await.status(), 404);
    for person in [&ada, &guest] {
        let me = person.get("/api/auth/me").await;
        assert_eq!((me.status(), me.data()["role"].as_str()), (200, Some("owner")), "nobody is left nowhere");
        assert_ne!(me.data()["organization"]["id"], ada.org.to_string());
    }
    let row = organization::Entity::find_by_id(ada.org.clone()).one(t.panel.db.read()).await.unwrap().unwrap();
    assert!(row.deleted_at.is_some());
    let rows = application::Entity::find().filter(application::Column::OrganizationId.eq(ada.org.clone()));
    assert_eq!(rows.count(t.panel.db.read()).await.unwrap(), 1, "its history stays");
    let events = events(&t, &ada.org).await;
    assert!(events.contains(&"organization.deleted".into()) && events.contains(&"application.deleted".into()), "{events:?}");
    assert_eq!(ada.post("/api/organizations", json!({ "name": "Acme", "slug": "acme" })).await.status(), 201, "the name is free again");
}

#[tokio::test]
async fn what_is_being_deployed_ends_with_its_organization() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let id = t.ask_to_deploy(&app).await;
    t.fake.answer(&id.to_string(), Answer::Silence);
    let walk = t.work();
    t.reaches(&id, Phase::Probing).await;
    let reply = app.owner.delete(&org(&app.owner.org, "?applications=delete")).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    t.ends(&id).await;
    walk.await.unwrap().unwrap();
    t.settle().await;
    let row = t.app_row(&app).await;
    assert_eq!((t.row(&id).await.phase, t.services(&app).len(), row.deleted_at.is_some()), (Phase::Cancelled, 0, true));
}

#[tokio::test]
async fn a_suspended_organization_can_be_seen_and_not_changed() {
    let t = TestPanel::start().await;
    let (ada, grace) = (t.member("acme", Role::Owner).await, t.member("acme", Role::Viewer).await);
    let row = organization::ActiveModel { id: Set(ada.org.clone()), suspended_at: Set(Some(t.panel.now())), ..Default::default() };
    t.panel.db.tx(async |tx| row.update(tx).await.because("suspending")).await.unwrap();
    t.panel.of::<SessionCache>().forget_org(&ada.org);
    for path in ["", "/members", "/roles"] {
        assert_eq!(ada.get(&org(&ada.org, path)).await.status(), 200, "{path}");
    }
    for (method, path, body) in [
        ("PUT", org(&ada.org, ""), json!({ "name": "X" })),
        ("DELETE", org(&ada.org, ""), json!({})),
        ("POST", org(&ada.org, "/transfer"), json!({ "user_id": grace.user })),
        ("PUT", member(&ada.org, &grace.user), json!({ "role": "admin" })),
        ("DELETE", member(&ada.org, &grace.user), json!({})),
        ("POST", org(&ada.org, "/roles"), json!({ "name": "X", "permissions": [] })),
        ("POST", org(&ada.org, "/members/invite"), json!({ "email": "new@example.com", "role": "viewer" })),
        ("POST", "/api/paas/applications".into(), json!({ "name": "x", "source": { "image": { "reference": "shop:1" } } })),
    ] {
        let reply = ada.send(method, &path, body).await;
        assert_eq!((reply.status(), reply.code()), (403, "SUSPENDED"), "{method} {path}: {}", reply.text());
    }
    assert!(ada.browser.get("/organization").await.text().contains("suspended this organization"));
}

#[tokio::test]
async fn the_pages_show_what_there_is_and_work_without_scripts() {
    let t = TestPanel::start().await;
    let (ada, grace) = (t.member("acme", Role::Owner).await, t.member("acme", Role::Viewer).await);
    let second = ada.post("/api/organizations", json!({ "name": "Initech <b>" })).await.data()["id"].as_str().unwrap().to_string();
    let role = own_role(&ada, "Deployer", json!(["view", "deploy"])).await;
    let id = grace.user.to_string();
    for (path, says) in [
        ("/organization".to_string(), "Seen last"),
        ("/organization/members".into(), "2 members"),
        (format!("/organization/members/{id}"), "Single applications"),
        ("/organization/members/invite".into(), "Send invitation"),
        ("/organization/invitations".into(), "No invitations yet"),
        ("/organization/roles".into(), "Deployer"),
        (format!("/organization/roles/{role}"), "Save role"),
        ("/organization/roles/owner".into(), "can’t be changed"),
        ("/organization/roles/new".into(), "Create role"),
        ("/organization/settings".into(), "Danger zone"),
        ("/organizations".into(), "Initech &lt;b&gt;"),
        ("/organizations/new".into(), "Create organization"),
    ] {
        let page = ada.browser.get(&path).await;
        assert_eq!(page.status(), 200, "{path}");
        assert!(page.text().contains(says), "{path} says {says}: {}", page.text());
    }
    let page = ada.browser.get("/organization/members").await;
    let token = page.hidden("_csrf").unwrap();
    let tick = [("_action", "change_members"), ("_csrf", &token), ("deed", "role"), ("role", "developer"), (&*id, "true")];
    assert_eq!(ada.browser.submit("/organization/members", &tick).await.status(), 303);
    assert_eq!(role_of(&t, &grace).await.as_deref(), Some("developer"));
    let none = ada.browser.submit("/organization/members", &tick[..4]).await;
    assert_eq!(none.status(), 400);
    assert!(none.text().contains("Tick 1 to 200 members first."));
    let edit = [
        ("_action", "update_role"),
        ("_csrf", &token),
        ("id", &role),
        ("version", "1"),
        ("name", "Deployer"),
        ("description", ""),
        ("scale", "true"),
    ];
    assert_eq!(ada.browser.submit(&format!("/organization/roles/{role}"), &edit).await.status(), 303);
    assert_eq!(ada.get(&org(&ada.org, &format!("/roles/{role}"))).await.data()["permissions"], json!(["scale"]));
    let viewer = t.member("acme", Role::Viewer).await;
    let locked = viewer.browser.get("/organization/settings").await.text();
    assert!(locked.contains("does not include “settings”") && locked.contains("does not include “ownership”"), "{locked}");
    assert_eq!(viewer.browser.get("/organization/invitations").await.status(), 403);
    let switch = [("_action", "switch_organization"), ("_csrf", &token), ("organization", &second)];
    let switched = ada.browser.submit("/organization", &switch).await;
    assert_eq!((switched.status(), switched.header("location")), (303, "/applications"));
    assert!(ada.browser.get("/organization").await.text().contains("Initech &lt;b&gt;"));
}
