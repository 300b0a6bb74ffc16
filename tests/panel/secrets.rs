//! Secret variables are written, used, and never read back.
use crate::support::{panel::TestPanel, shop::Shop};
use serde_json::json;
use skypanel::{
    id::{DeploymentId, Id},
    rights::Role,
    swarm::{SwarmError, fake::Behaviour},
};

const SECRET: &str = "correct-horse-battery-staple";

#[tokio::test]
async fn a_secret_reaches_the_container_and_nobody_else() {
    let shop = Shop::open().await;
    let (t, ada) = (&shop.t, &shop.app.owner);
    let body = json!({ "environment_variables": { "TOKEN": { "value": SECRET, "secret": true }, "COLOUR": "red" } });
    let mut answers = vec![ada.put(&shop.app.url("env"), body).await.text()];
    let live = t.deploy_well(&shop.app).await.id;
    let env = t.fake.look().services.remove(&format!("sky-{}", live.suffix())).unwrap().env;
    assert!(env.contains(&("TOKEN".into(), SECRET.into())) && env.contains(&("COLOUR".into(), "red".into())));
    for what in ["", "env", "deployments", "logs"] {
        answers.push(ada.get(&shop.app.url(what)).await.text());
    }
    answers.push(ada.get(&format!("/api/paas/deployments/{live}")).await.text());
    answers.push(ada.get(&format!("/api/paas/deployments/{live}/logs")).await.text());
    let id = shop.app.id.to_string();
    for function in ["read_environment", "read_application", "read_state"] {
        answers.push(ada.browser.call(&format!("/fn/skypanel/apps/fns/{function}"), &[("id", &id)]).await.unwrap().text());
    }
    answers.push(ada.browser.get(&format!("/applications/{id}")).await.text());
    answers.push(ada.browser.get(&format!("/applications/{id}/environment")).await.text());
    assert!(answers.iter().all(|answer| !answer.is_empty() && !answer.contains(SECRET)));
    assert_eq!(
        ada.get(&shop.app.url("env")).await.data(),
        &json!([
            { "name": "COLOUR", "value": "red", "secret": false }, { "name": "TOKEN", "value": null, "secret": true },
        ])
    );
    let stored = t.stored().await;
    assert!(stored.contains("application.environment_changed") && stored.contains("TOKEN"), "the trail names it");
    assert!(!stored.contains(SECRET), "and nothing stored holds its value");
}

#[tokio::test]
async fn a_failed_deployment_keeps_the_secret_too() {
    let shop = Shop::open().await;
    let ada = &shop.app.owner;
    let body = json!({ "environment_variables": { "TOKEN": { "value": SECRET, "secret": true } } });
    assert_eq!(ada.patch(&shop.app.url("env"), body).await.status(), 200);
    shop.change("FROM scratch\nCMD [\"sh\", \"-c\", \"exit 1\"]\n");
    let done = shop.fails("exited").await;
    let reply = ada.get(&format!("/api/paas/deployments/{}", done.id)).await;
    assert!(!reply.text().contains(SECRET) && !shop.t.stored().await.contains(SECRET));
}

#[tokio::test]
async fn a_secret_stays_out_of_whatever_the_engine_says() {
    let shop = Shop::open().await;
    let (t, ada) = (&shop.t, &shop.app.owner);
    let body = json!({ "environment_variables": { "TOKEN": { "value": "{{correct-horse}} battery", "secret": true } } });
    assert_eq!(ada.patch(&shop.app.url("env"), body).await.status(), 200);
    let is_silent = async |id: &DeploymentId| {
        let mut said = t.stored().await;
        for url in [format!("/api/paas/deployments/{id}"), format!("/api/paas/deployments/{id}/logs"), shop.app.url("deployments")] {
            said += &ada.get(&url).await.text();
        }
        said += &ada.browser.get(&format!("/deployments/{id}")).await.text();
        assert!(!said.contains("correct-horse"), "{said}");
    };
    // As engines say it where a value is a template that they don't know, and as none has said it yet.
    for words in [
        r#"expanding env failed: expanding env "TOKEN={{correct-horse}} battery": template: expansion:1: function "correct" not defined"#,
        "the value {{correct-horse}} battery is not to my taste",
        "it is too long: {{correct-hors",
    ] {
        t.fake.fail("converge", SwarmError::Refused(words.into()));
        let failed = shop.fails("refused").await;
        assert!(failed.failure.unwrap().sentence.contains("[hidden]"), "the rest is told");
        is_silent(&failed.id).await;
    }
    let id = t.ask_to_deploy(&shop.app).await;
    t.fake.behave(id.as_str(), Behaviour::Reject("no, not with {{correct-horse}} battery".into()));
    let failed = shop.fails_as(&id, "rejected").await;
    assert!(failed.dossier.unwrap().tasks.iter().any(|task| task.message.contains("[hidden]")));
    is_silent(&id).await;
    // And the value itself arrives.
    let live = t.deploy_well(&shop.app).await.id;
    let env = t.fake.look().services.remove(&format!("sky-{}", live.suffix())).unwrap().env;
    assert!(env.contains(&("TOKEN".into(), "{{correct-horse}} battery".into())));
}

#[tokio::test]
async fn a_secret_without_a_value_keeps_the_stored_one() {
    let shop = Shop::open().await;
    let (t, ada) = (&shop.t, &shop.app.owner);
    let put = async |variables: serde_json::Value| ada.put(&shop.app.url("env"), json!({ "environment_variables": variables })).await;
    assert_eq!(put(json!({ "TOKEN": { "secret": true } })).await.fields(), ["environment_variables.TOKEN"], "there is none to keep");
    assert_eq!(put(json!({ "TOKEN": { "value": SECRET, "secret": true } })).await.status(), 200);
    assert_eq!(put(json!({ "TOKEN": { "secret": true }, "NEW": "x" })).await.status(), 200);
    let live = t.deploy_well(&shop.app).await.id;
    let env = t.fake.look().services.remove(&format!("sky-{}", live.suffix())).unwrap().env;
    assert!(env.contains(&("TOKEN".into(), SECRET.into())) && env.contains(&("NEW".into(), "x".into())));
    assert_eq!(put(json!({ "TOKEN": { "secret": false } })).await.status(), 400, "it can't be turned into a readable one");
    let reply = ada.patch(&shop.app.url("env"), json!({ "environment_variables": { "TOKEN": null } })).await;
    assert_eq!(reply.data().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn variables_are_parsed_and_the_wrong_ones_named() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let variables = json!({ "GOOD": "x", "1BAD": "x", "WITH SPACE": "x", "PORT": "1", "LONG": "x".repeat(33 * 1024) });
    let reply = app.owner.put(&app.url("env"), json!({ "environment_variables": variables })).await;
    let mut fields = reply.fields();
    fields.sort_unstable();
    let expected = ["1BAD", "LONG", "PORT", "WITH SPACE"].map(|name| format!("environment_variables.{name}"));
    assert_eq!(fields, expected);
    let nul = json!({ "environment_variables": { "NUL": "a\u{0}b", "GOOD": "x" } });
    assert_eq!(app.owner.put(&app.url("env"), nul).await.fields(), ["environment_variables.NUL"]);
    assert_eq!(app.owner.get(&app.url("env")).await.data(), &json!([]));
    let many: serde_json::Map<_, _> = (0..201).map(|n| (format!("V{n}"), "x".into())).collect();
    assert_eq!(app.owner.put(&app.url("env"), json!({ "environment_variables": many })).await.status(), 400);
    let some: serde_json::Map<_, _> = (0..150).map(|n| (format!("V{n}"), "x".into())).collect();
    assert_eq!(app.owner.put(&app.url("env"), json!({ "environment_variables": some })).await.status(), 200);
    let more: serde_json::Map<_, _> = (150..260).map(|n| (format!("V{n}"), "x".into())).collect();
    assert_eq!(app.owner.patch(&app.url("env"), json!({ "environment_variables": more })).await.status(), 400, "not bit by bit either");
}

#[tokio::test]
async fn two_who_change_the_environment_at_once_do_not_lose_a_variable() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let url = app.url("env");
    let replies =
        futures::future::join_all((0..4).map(|n| app.owner.patch(&url, json!({ "environment_variables": { format!("V{n}"): "x" } }))))
            .await;
    let stored = app.owner.get(&url).await.data().as_array().unwrap().len();
    let taken = replies.iter().filter(|reply| reply.status() == 200).count();
    assert!(taken >= 1 && replies.iter().all(|reply| [200, 409].contains(&reply.status())), "{replies:?}");
    assert_eq!(stored, taken, "who was told that it is stored finds it stored");
    let viewer = t.member("acme", Role::Viewer).await;
    assert_eq!(viewer.get(&url).await.status(), 200);
}
