//! Deployments: the happy path, every way to fail, and what members can do with one.
use crate::support::{
    git_server::GitServer,
    panel::TestPanel,
    shop::{GOOD, Shop},
};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use skypanel::{
    apps::model::Wanted,
    deployments::{
        model::{Kind, Phase},
        server::task::{self, garbage},
    },
    id::{DeploymentId, Id},
    rights::Role,
    runtime::config::RegistryConfig,
    store::tables::{environment, release},
    swarm::{
        Labels, ServiceSpec, Swarm,
        fake::{Answer, Behaviour, BuildPlan},
    },
    units::{Bytes, MilliCpu},
};
use std::time::Duration;

const WALK: [Phase; 9] = [
    Phase::Queued,
    Phase::Preparing,
    Phase::Building,
    Phase::Releasing,
    Phase::Starting,
    Phase::Probing,
    Phase::Switching,
    Phase::Draining,
    Phase::Live,
];

fn service(id: &DeploymentId) -> String {
    format!("sky-{}", id.suffix())
}

#[tokio::test]
async fn a_repository_goes_live_phase_by_phase() {
    let shop = Shop::open().await;
    let done = shop.t.deployment(&shop.app, &shop.first).await;
    assert_eq!(done.phases.iter().map(|it| it.phase).collect::<Vec<_>>(), WALK);
    assert!(done.phases.iter().all(|it| it.finished_at.is_some()));
    assert_eq!((done.number, done.kind, done.is_live, done.release_number), (1, Kind::Deploy, true, Some(1)));
    assert_eq!(done.commit_subject.as_deref(), Some("Open the shop"));
    assert_eq!((done.branch.as_deref(), done.commit_hash.map(|hash| hash.len())), (Some("main"), Some(40)));
    assert!(done.failure.is_none() && done.dossier.is_none() && done.finished_at.is_some());
    let log = shop.app.owner.get(&format!("/api/paas/deployments/{}/logs", shop.first)).await;
    let lines: Vec<(i64, &str)> =
        log.data().as_array().unwrap().iter().map(|line| (line["seq"].as_i64().unwrap(), line["text"].as_str().unwrap())).collect();
    assert!(lines.iter().zip(1..).all(|((seq, _), at)| *seq == at), "numbered without a gap: {lines:?}");
    for text in ["Step 1/3 : FROM scratch", "All replicas run.", "Visitors see this release now."] {
        assert!(lines.iter().any(|(_, line)| *line == text), "{text} in {lines:?}");
    }
    let (status, body) = shop.t.visit(&shop.app).await;
    assert!(status == 200 && body.starts_with(&service(&shop.first)), "{body}");
    let spec = shop.t.fake.look().services.remove(&service(&shop.first)).unwrap();
    assert_eq!(spec.env, [("PORT".to_string(), "8080".to_string())]);
    assert!(spec.image.starts_with("sha256:") && spec.network.is_some() && spec.port == Some(8080));
}

#[tokio::test]
async fn the_next_release_takes_the_place_of_the_one_before() {
    let shop = Shop::open().await;
    shop.change(&format!("{GOOD}# changed\n"));
    let second = shop.t.deploy_well(&shop.app).await;
    assert_eq!((second.number, second.release_number), (2, Some(2)));
    shop.t.is_live_alone(&shop.app, &second.id).await;
    let first = shop.t.deployment(&shop.app, &shop.first).await;
    assert!(!first.is_live && first.can_roll_back && first.phase == Phase::Live);
}

#[tokio::test]
async fn with_a_registry_the_image_is_pushed_and_named_by_digest() {
    let registry = RegistryConfig { server: "registry.example.com".into(), username: None, password_file: None };
    let shop = Shop::with(|config| config.registry = Some(registry)).await;
    let phases = shop.t.deployment(&shop.app, &shop.first).await.phases;
    assert!(phases.iter().any(|it| it.phase == Phase::Pushing));
    let spec = shop.t.fake.look().services.remove(&service(&shop.first)).unwrap();
    assert!(spec.image.starts_with("registry.example.com/skypanel/") && spec.image.contains("@sha256:"), "{}", spec.image);
}

#[tokio::test]
async fn a_build_that_fails_leaves_the_old_release_serving() {
    let shop = Shop::open().await;
    shop.change("FROM scratch\nRUN echo compiling; exit 3\n");
    let done = shop.fails("build_failed").await;
    assert_eq!(done.failure.as_ref().map(|it| it.phase), Some(Phase::Building));
    assert!(done.failure.unwrap().sentence.contains("exit code 3"));
    shop.change("FROM scratch\nCOPY missing.txt /\n");
    shop.fails("build_failed").await;
    shop.change("FRON scratch\n");
    shop.fails("build_failed").await;
    shop.change("FROM scratch\nRUN tail /dev/zero\n");
    shop.fails("build_out_of_memory").await;
    std::fs::remove_file(shop.repo.work().join("Dockerfile")).unwrap();
    shop.repo.commit(&[("README", "none")], "Lose the Dockerfile");
    let done = shop.fails("no_dockerfile").await;
    assert!(done.failure.unwrap().sentence.contains("no file Dockerfile"));
    shop.change(GOOD);
    let mended = shop.t.deploy_well(&shop.app).await;
    shop.t.is_live_alone(&shop.app, &mended.id).await;
}

#[tokio::test]
async fn an_application_that_ends_fails_with_its_code_and_its_last_words() {
    let shop = Shop::open().await;
    shop.change("FROM scratch\nCMD [\"sh\", \"-c\", \"echo no database >&2; exit 4\"]\n");
    let done = shop.fails("exited").await;
    assert!(done.failure.as_ref().unwrap().sentence.contains("exit code 4"));
    let dossier = done.dossier.unwrap();
    assert!(dossier.logs.iter().any(|line| line.text == "no database"), "{:?}", dossier.logs);
    assert!(dossier.tasks.iter().any(|task| task.exit_code == Some(4)), "{:?}", dossier.tasks);
    shop.change("FROM scratch\nCMD [\"sh\", \"-c\", \"true\"]\n");
    assert!(shop.fails("exited").await.failure.unwrap().sentence.contains("foreground"));
    shop.change("FROM scratch\nCMD [\"sh\", \"-c\", \"tail /dev/zero\"]\n");
    let done = shop.fails("out_of_memory").await;
    assert!(done.failure.unwrap().sentence.contains("256 MiB") && done.dossier.unwrap().tasks.iter().any(|task| task.out_of_memory));
}

#[tokio::test]
async fn an_application_that_crashes_while_it_is_watched_fails() {
    let shop = Shop::with(|config| config.deploy.stability_seconds = 1).await;
    shop.change(&format!("{GOOD}# crashes later\n"));
    let id = shop.t.ask_to_deploy(&shop.app).await;
    shop.t.fake.behave(id.as_str(), Behaviour::Exit { code: 1, after: Duration::from_millis(300) });
    let done = shop.fails_as(&id, "exited").await;
    assert_eq!(done.failure.unwrap().phase, Phase::Probing);
}

#[tokio::test]
async fn a_container_that_is_refused_fails_in_the_machines_words() {
    let shop = Shop::open().await;
    let id = shop.t.ask_to_deploy(&shop.app).await;
    shop.t.fake.behave(id.as_str(), Behaviour::Reject("invalid mount config".into()));
    assert!(shop.fails_as(&id, "rejected").await.failure.unwrap().sentence.contains("invalid mount config"));
}

#[tokio::test]
async fn no_room_is_told_as_such() {
    let shop = Shop::open().await;
    let filler = ServiceSpec {
        name: "another-tenant".into(),
        image: "big:1".into(),
        command: None,
        env: vec![],
        port: None,
        replicas: 1,
        cpu: MilliCpu(1),
        memory: Bytes::mib(128 * 1024 - 300),
        pids: 1,
        network: None,
        constraints: vec![],
        labels: Labels::new(),
        stop_grace: 1,
        registry: None,
    };
    shop.t.fake.converge(&filler).await.unwrap();
    let done = shop.fails("no_capacity").await;
    let sentence = done.failure.unwrap().sentence;
    assert!(sentence.contains("256 MiB") && sentence.contains("insufficient resources on 1 node"), "{sentence}");
}

#[tokio::test]
async fn another_port_than_expected_is_named() {
    let shop = Shop::open().await;
    let id = shop.t.ask_to_deploy(&shop.app).await;
    shop.t.fake.listens(id.as_str(), &[3000]);
    let done = shop.fails_as(&id, "port_not_answering").await;
    let sentence = done.failure.unwrap().sentence;
    assert!(sentence.contains("Nothing answers on port 8080") && sentence.contains("listens on 3000"), "{sentence}");
    assert!(!done.dossier.unwrap().probes.is_empty());
    let id = shop.t.ask_to_deploy(&shop.app).await;
    shop.t.fake.listens(id.as_str(), &[]);
    assert!(shop.fails_as(&id, "port_not_answering").await.failure.unwrap().sentence.contains("0.0.0.0"));
}

/// The texts of a deployment's log.
async fn log_of(shop: &Shop, id: &DeploymentId) -> Vec<String> {
    let lines = shop.app.owner.get(&format!("/api/paas/deployments/{id}/logs")).await;
    lines.data().as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap().to_string()).collect()
}

#[tokio::test]
async fn what_keeps_visitors_away_is_said_while_the_deployment_waits() {
    let shop = Shop::with(|config| config.deploy.start_seconds = 120).await;
    let ada = &shop.app.owner;
    let id = shop.t.ask_to_deploy(&shop.app).await;
    shop.t.fake.listens_at(id.as_str(), &["127.0.0.1:8080".parse().unwrap()]);
    let panel = shop.t.panel.clone();
    let walk = tokio::spawn(async move { task::pass(&panel).await.map(|_| ()) });
    let told = "The application listens on port 8080 of 127.0.0.1 only";
    let page = format!("/deployments/{id}");
    tokio::time::timeout(Duration::from_secs(100), async {
        while !log_of(&shop, &id).await.iter().any(|line| line.starts_with("Warning: ") && line.contains(told)) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("it is said long before the verdict");
    assert_eq!(shop.t.deployment(&shop.app, &id).await.phase, Phase::Probing);
    let text = ada.browser.get(&page).await.text();
    assert!(text.contains(told) && text.contains("The deployment still waits"), "{text}");
    assert_eq!(ada.post(&format!("/api/paas/deployments/{id}/cancel"), json!({})).await.status(), 202);
    walk.await.unwrap().unwrap();
    assert!(!ada.browser.get(&page).await.text().contains("The deployment still waits"), "a warning ends with the wait");
}

#[tokio::test]
async fn a_program_that_listens_on_its_host_name_is_told_of_the_variable() {
    let shop = Shop::open().await;
    let id = shop.t.ask_to_deploy(&shop.app).await;
    shop.t.fake.listens_at(id.as_str(), &["10.201.4.7:8080".parse().unwrap()]);
    let sentence = shop.fails_as(&id, "port_not_answering").await.failure.unwrap().sentence;
    assert!(sentence.contains("10.201.4.7") && sentence.contains("HOSTNAME=0.0.0.0"), "{sentence}");
    let log = log_of(&shop, &id).await;
    let at = |start: &str| log.iter().position(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start} in {log:#?}"));
    assert!(at("Warning: ") < at("Failed: "), "{log:#?}");
}

#[tokio::test]
async fn a_health_check_of_the_image_that_cannot_run_is_named() {
    let shop = Shop::open().await;
    let id = shop.t.ask_to_deploy(&shop.app).await;
    let (output, after) = ("/bin/sh: curl: not found".to_string(), Duration::ZERO);
    shop.t.fake.behave(id.as_str(), Behaviour::Unhealthy { output, after });
    let sentence = shop.fails_as(&id, "health_check_failed").await.failure.unwrap().sentence;
    assert!(sentence.contains("“/bin/sh: curl: not found”") && sentence.contains("HEALTHCHECK"), "{sentence}");
}

#[tokio::test]
async fn a_user_that_is_not_in_the_image_is_named() {
    let shop = Shop::open().await;
    let id = shop.t.ask_to_deploy(&shop.app).await;
    let words = "unable to find user app: no matching entries in passwd file";
    shop.t.fake.behave(id.as_str(), Behaviour::Unstartable(words.into()));
    let sentence = shop.fails_as(&id, "start_failed").await.failure.unwrap().sentence;
    assert!(sentence.contains("unable to find user app") && sentence.contains("USER line"), "{sentence}");
}

#[tokio::test]
async fn a_health_check_that_never_passes_is_told_with_its_path_and_answer() {
    let shop = Shop::open().await;
    shop.app.owner.put(&shop.app.url(""), json!({ "health_check": { "path": "/healthz" } })).await;
    let id = shop.t.ask_to_deploy(&shop.app).await;
    shop.t.fake.answer(id.as_str(), Answer::status(500));
    let done = shop.fails_as(&id, "unhealthy").await;
    let sentence = done.failure.unwrap().sentence;
    assert!(sentence.contains("GET /healthz") && sentence.contains("500"), "{sentence}");
    assert!(done.dossier.unwrap().probes.iter().any(|probe| !probe.healthy && probe.answer.contains("500")));
}

#[tokio::test]
async fn a_repository_that_cannot_be_read_is_told_apart() {
    let shop = Shop::open().await;
    let id = shop.ask_for_branch("nowhere").await;
    let done = shop.fails_as(&id, "branch_not_found").await;
    assert!(done.failure.unwrap().sentence.contains("“nowhere”"));
    shop.host.repo("private/shop").commit(&[("Dockerfile", GOOD)], "Begin");
    for (path, code) in
        [("nothing", "repository_not_found"), ("private/shop", "repository_needs_credentials"), ("broken/x", "repository_unreachable")]
    {
        let source = json!({ "source": { "git": { "repository_url": shop.host.url(path) } } });
        assert_eq!(shop.app.owner.put(&shop.app.url(""), source).await.status(), 200);
        assert_eq!(shop.fails(code).await.failure.unwrap().phase, Phase::Preparing);
    }
}

#[tokio::test]
async fn a_repository_beyond_the_limit_or_at_a_private_address_is_refused() {
    let shop = Shop::with(|config| config.git.max_repository = Bytes::mib(2)).await;
    let noise: Vec<u8> = (0..4_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    shop.repo.write("noise", &noise);
    shop.repo.commit(&[("Dockerfile", GOOD)], "Grow");
    shop.fails("repository_too_large").await;
    let t = TestPanel::with(|config| config.git.allowed_networks = vec![]).await;
    let host = GitServer::start().await;
    host.repo("shop").commit(&[("Dockerfile", GOOD)], "Begin");
    let app = t.app_from("acme", &host.url("shop")).await;
    assert_eq!(t.deploy(&app).await.failure.unwrap().code, "address_refused");
}

#[tokio::test]
async fn an_image_that_is_not_there_or_is_anothers_build_can_not_be_had() {
    let shop = Shop::open().await;
    let t = &shop.t;
    t.fake.refuse_image("ghcr.io/acme/none:1", "manifest unknown");
    let app = t.app_with("globex", json!({ "source": { "image": { "reference": "ghcr.io/acme/none:1" } } })).await;
    let failure = t.deploy(&app).await.failure.unwrap();
    assert_eq!((failure.code.as_str(), failure.phase), ("image_not_found", Phase::Preparing));
    assert!(failure.sentence.contains("ghcr.io/acme/none:1") && failure.sentence.contains("manifest unknown"), "{}", failure.sentence);
    let acmes = t.fake.look().services.remove(&service(&shop.first)).unwrap().image;
    let thief = t.app_with("globex", json!({ "source": { "image": { "reference": acmes } } })).await;
    assert_eq!(t.deploy(&thief).await.failure.unwrap().code, "image_not_found");
    assert_eq!(t.services(&thief), Vec::<String>::new());
    let own = t.app_with("acme", json!({ "source": { "image": { "reference": acmes } } })).await;
    t.deploy_well(&own).await;
}

#[tokio::test]
async fn a_swarm_that_stays_away_fails_the_deployment_and_nothing_else() {
    let shop = Shop::open().await;
    let t = &shop.t;
    t.fake.set_unreachable(true);
    let id = t.ask_to_deploy(&shop.app).await;
    let walk = t.work();
    t.reaches(&id, Phase::Preparing).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(t.row(&id).await.phase, Phase::Preparing, "it is tried for a while");
    t.clock.advance(Phase::Preparing.deadline() + Duration::from_secs(1));
    t.reaches(&id, Phase::Failed).await;
    walk.await.unwrap().unwrap();
    t.fake.set_unreachable(false);
    shop.fails_as(&id, "swarm_unreachable").await;
}

#[tokio::test]
async fn a_swarm_that_is_away_for_a_while_or_answers_late_or_with_conflicts_is_survived() {
    let shop = Shop::open().await;
    let t = &shop.t;
    for verb in ["ensure_network", "converge", "tasks", "remove"] {
        t.fake.conflict(verb, 1);
    }
    let done = t.deploy_well(&shop.app).await;
    t.is_live_alone(&shop.app, &done.id).await;
    t.fake.delay(Duration::from_millis(200));
    let done = t.deploy_well(&shop.app).await;
    t.fake.delay(Duration::ZERO);
    t.is_live_alone(&shop.app, &done.id).await;
    t.fake.delay_verb("converge", Duration::from_millis(500));
    let id = t.ask_to_deploy(&shop.app).await;
    let walk = t.work();
    t.reaches(&id, Phase::Starting).await;
    t.fake.set_unreachable(true);
    tokio::time::sleep(Duration::from_millis(700)).await;
    t.fake.set_unreachable(false);
    t.fake.delay_verb("converge", Duration::ZERO);
    walk.await.unwrap().unwrap();
    t.settle().await;
    t.is_live_alone(&shop.app, &id).await;
}

async fn cancel(shop: &Shop, id: &DeploymentId) -> (u16, Value) {
    let reply = shop.app.owner.post(&format!("/api/paas/deployments/{id}/cancel"), json!({})).await;
    (reply.status(), reply.json().clone())
}

#[tokio::test]
async fn a_deployment_that_waits_is_cancelled_at_once() {
    let shop = Shop::open().await;
    let id = shop.t.ask_to_deploy(&shop.app).await;
    let (status, answer) = cancel(&shop, &id).await;
    assert_eq!((status, answer["data"]["phase"].as_str()), (202, Some("cancelled")));
    shop.t.settle().await;
    assert_eq!(shop.t.row(&id).await.phase, Phase::Cancelled);
    shop.t.is_live_alone(&shop.app, &shop.first).await;
    assert_eq!(cancel(&shop, &id).await.0, 409, "it is over");
    assert_eq!(cancel(&shop, &shop.first).await.0, 409, "visitors see it");
}

#[tokio::test]
async fn cancelling_stops_the_build_and_not_only_the_row() {
    let shop = Shop::open().await;
    let t = &shop.t;
    let id = t.ask_to_deploy(&shop.app).await;
    t.fake.plan_build(id.as_str(), BuildPlan { lines: vec!["compiling".into()], takes: Duration::from_secs(600), failure: None });
    let walk = t.work();
    t.reaches(&id, Phase::Building).await;
    while t.fake.look().builds == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(cancel(&shop, &id).await.0, 202);
    t.reaches(&id, Phase::Cancelled).await;
    walk.await.unwrap().unwrap();
    assert_eq!(t.fake.look().builds, 0);
    t.settle().await;
    t.is_live_alone(&shop.app, &shop.first).await;
    let done = t.deployment(&shop.app, &id).await;
    assert!(done.failure.is_none() && !done.cancelling && done.finished_at.is_some());
}

#[tokio::test]
async fn cancelling_while_it_is_probed_takes_its_containers_away() {
    let shop = Shop::with(|config| config.deploy.start_seconds = 60).await;
    let t = &shop.t;
    let id = t.ask_to_deploy(&shop.app).await;
    t.fake.answer(id.as_str(), Answer::Refusal);
    let walk = t.work();
    t.reaches(&id, Phase::Probing).await;
    assert_eq!(t.services(&shop.app).len(), 2, "the new one beside the old one");
    assert_eq!(t.visit(&shop.app).await.0, 200);
    assert_eq!(cancel(&shop, &id).await.0, 202);
    t.reaches(&id, Phase::Cancelled).await;
    walk.await.unwrap().unwrap();
    t.settle().await;
    t.is_live_alone(&shop.app, &shop.first).await;
}

#[tokio::test]
async fn stopping_an_application_ends_what_is_being_deployed() {
    let shop = Shop::with(|config| config.deploy.start_seconds = 60).await;
    let t = &shop.t;
    let id = t.ask_to_deploy(&shop.app).await;
    t.fake.answer(id.as_str(), Answer::Refusal);
    let walk = t.work();
    t.reaches(&id, Phase::Probing).await;
    assert_eq!(shop.app.owner.post(&shop.app.url("stop"), json!({})).await.status(), 200);
    t.reaches(&id, Phase::Cancelled).await;
    walk.await.unwrap().unwrap();
    t.settle().await;
    assert_eq!((t.app_row(&shop.app).await.wanted, t.replicas(&shop.app)), (Wanted::Stopped, 0));
    let next = t.deploy_well(&shop.app).await;
    assert_eq!((t.app_row(&shop.app).await.wanted, t.replicas(&shop.app)), (Wanted::Running, 1), "{:?}", next.failure);
}

#[tokio::test]
async fn a_newer_wish_takes_the_place_of_one_that_waits() {
    let shop = Shop::open().await;
    let t = &shop.t;
    let under_way = t.ask_to_deploy(&shop.app).await;
    t.fake.plan_build(under_way.as_str(), BuildPlan { lines: vec![], takes: Duration::from_millis(600), failure: None });
    let walk = t.work();
    t.reaches(&under_way, Phase::Building).await;
    let (second, third) = (t.ask_to_deploy(&shop.app).await, t.ask_to_deploy(&shop.app).await);
    assert_eq!(t.row(&second).await.phase, Phase::Superseded);
    assert_eq!(t.row(&third).await.phase, Phase::Queued);
    assert_eq!(shop.app.owner.get(&shop.app.url("")).await.data()["active_deployment_id"], under_way.as_str());
    walk.await.unwrap().unwrap();
    t.settle().await;
    assert_eq!(t.row(&under_way).await.phase, Phase::Live, "what was under way went on");
    t.is_live_alone(&shop.app, &third).await;
}

async fn set_env(shop: &Shop, name: &str, value: Value) {
    let reply = shop.app.owner.patch(&shop.app.url("env"), json!({ "environment_variables": { name: value } })).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
}

async fn ask(shop: &Shop, url: &str) -> DeploymentId {
    let reply = shop.app.owner.post(url, json!({})).await;
    assert_eq!(reply.status(), 202, "{}", reply.text());
    reply.data()["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_rollback_brings_back_the_image_the_environment_and_the_settings() {
    let shop = Shop::open().await;
    let t = &shop.t;
    set_env(&shop, "COLOUR", json!("red")).await;
    let red = t.deploy_well(&shop.app).await;
    let old = t.fake.look().services.remove(&service(&red.id)).unwrap();
    shop.change(&format!("{GOOD}# blue\n"));
    set_env(&shop, "COLOUR", json!("blue")).await;
    let settings = json!({ "start_command": "httpd -p 8080 -v", "resource_limits": { "memory_bytes": 512 * 1024 * 1024 } });
    shop.app.owner.put(&shop.app.url(""), settings).await;
    let blue = t.deploy_well(&shop.app).await;
    let new = t.fake.look().services.remove(&service(&blue.id)).unwrap();
    assert!(new.image != old.image && new.env != old.env && new.memory != old.memory && new.command.is_some());
    let back = ask(&shop, &format!("/api/paas/deployments/{}/rollback", red.id)).await;
    t.settle().await;
    t.is_live_alone(&shop.app, &back).await;
    let now = t.fake.look().services.remove(&service(&back)).unwrap();
    assert_eq!((&now.image, &now.env, now.memory, &now.command), (&old.image, &old.env, old.memory, &old.command));
    let done = t.deployment(&shop.app, &back).await;
    assert_eq!((done.kind, done.release_number), (Kind::Rollback, red.release_number));
    let phases: Vec<Phase> = done.phases.iter().map(|it| it.phase).collect();
    assert!(!phases.contains(&Phase::Building), "nothing is built again");
    let app = shop.app.owner.get(&shop.app.url("")).await;
    assert_eq!(app.data()["needs_deploy"], true, "what is configured is not what runs");
    let again = shop.app.owner.post(&format!("/api/paas/deployments/{back}/rollback"), json!({})).await;
    assert_eq!(again.status(), 409, "it is live already");
}

#[tokio::test]
async fn what_never_went_live_or_is_no_longer_kept_can_not_be_rolled_back_to() {
    let shop = Shop::with(|config| config.deploy.keep_releases = 2).await;
    let t = &shop.t;
    shop.change("FROM scratch\nRUN exit 1\n");
    let failed = shop.fails("build_failed").await;
    let reply = shop.app.owner.post(&format!("/api/paas/deployments/{}/rollback", failed.id), json!({})).await;
    assert_eq!((reply.status(), reply.code()), (409, "CONFLICT"));
    for n in 0..3 {
        shop.change(&format!("{GOOD}# {n}\n"));
        t.deploy_well(&shop.app).await;
    }
    garbage::pass(&t.panel).await.unwrap();
    assert_eq!(t.fake.look().images.iter().filter(|image| image.labels.contains_key(skypanel::swarm::LABEL_APP)).count(), 2);
    assert!(!t.deployment(&shop.app, &shop.first).await.can_roll_back);
    let reply = shop.app.owner.post(&format!("/api/paas/deployments/{}/rollback", shop.first), json!({})).await;
    assert_eq!(reply.status(), 409);
    assert!(reply.text().contains("no longer kept"), "{}", reply.text());
}

#[tokio::test]
async fn failures_never_take_away_what_can_be_rolled_back_to() {
    let shop = Shop::with(|config| config.deploy.keep_releases = 2).await;
    let t = &shop.t;
    shop.change(&format!("{GOOD}# second\n"));
    let second = t.deploy_well(&shop.app).await;
    for n in 0..4 {
        shop.change(&format!("FROM scratch\nCMD [\"sh\", \"-c\", \"exit {}\"]\n", n + 1));
        assert_eq!(t.deploy(&shop.app).await.failure.unwrap().code, "exited");
        garbage::pass(&t.panel).await.unwrap();
    }
    assert_eq!(t.fake.look().images.iter().filter(|image| image.labels.contains_key(skypanel::swarm::LABEL_APP)).count(), 2);
    let back = ask(&shop, &format!("/api/paas/deployments/{}/rollback", shop.first)).await;
    t.settle().await;
    t.is_live_alone(&shop.app, &back).await;
    assert!(t.deployment(&shop.app, &second.id).await.can_roll_back);
}

#[tokio::test]
async fn a_restart_puts_the_same_release_into_fresh_containers() {
    let shop = Shop::open().await;
    let t = &shop.t;
    let before = t.fake.look().services.remove(&service(&shop.first)).unwrap();
    set_env(&shop, "COLOUR", json!("red")).await;
    let id = ask(&shop, &shop.app.url("restart")).await;
    t.settle().await;
    t.is_live_alone(&shop.app, &id).await;
    let after = t.fake.look().services.remove(&service(&id)).unwrap();
    assert_eq!((&after.image, &after.env), (&before.image, &before.env), "what was changed since waits for its own deployment");
    assert_eq!(release::Entity::find().all(t.panel.db.read()).await.unwrap().len(), 1);
    let fresh = t.app_in("acme").await;
    assert_eq!(fresh.owner.post(&fresh.url("restart"), json!({})).await.status(), 409, "nothing is live yet");
}

#[tokio::test]
async fn a_changed_environment_is_applied_without_building_again() {
    let shop = Shop::open().await;
    let t = &shop.t;
    let before = t.fake.look().services.remove(&service(&shop.first)).unwrap();
    assert_eq!(shop.app.owner.get(&shop.app.url("")).await.data()["needs_deploy"], false);
    set_env(&shop, "COLOUR", json!("red")).await;
    assert_eq!(shop.app.owner.get(&shop.app.url("")).await.data()["needs_deploy"], true);
    assert_eq!(t.fake.look().services[&service(&shop.first)].env, before.env, "the running release keeps its own");
    let (path, app) = ("/fn/skypanel/deployments/fns/configure_application", shop.app.id.to_string());
    shop.app.owner.browser.call(path, &[("id", &app)]).await.unwrap();
    t.settle().await;
    let live = t.app_row(&shop.app).await.live_deployment_id.unwrap();
    t.is_live_alone(&shop.app, &live).await;
    let done = t.deployment(&shop.app, &live).await;
    assert_eq!((done.kind, done.release_number, done.commit_subject.as_deref()), (Kind::Configure, Some(2), Some("Open the shop")));
    let after = t.fake.look().services.remove(&service(&live)).unwrap();
    assert_eq!(after.image, before.image);
    assert!(after.env.contains(&("COLOUR".into(), "red".into())));
    assert_eq!(shop.app.owner.get(&shop.app.url("")).await.data()["needs_deploy"], false);
    assert_eq!(environment::Entity::find().all(t.panel.db.read()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_commit_or_branch_can_be_deployed_and_an_image_has_none() {
    let shop = Shop::open().await;
    let t = &shop.t;
    shop.repo.branch("dev");
    let dev = shop.repo.commit(&[("Dockerfile", GOOD), ("x", "dev")], "Try something");
    let id = shop.ask_for_branch("dev").await;
    t.settle().await;
    let done = t.deployment(&shop.app, &id).await;
    assert_eq!((done.branch.as_deref(), done.commit_hash.as_deref()), (Some("dev"), Some(dev.as_str())));
    let reply = shop.app.owner.post(&shop.app.url("deploy"), json!({ "commit_hash": "abc" })).await;
    assert_eq!(reply.fields(), ["commit_hash"]);
    let image = t.app_in("acme").await;
    assert_eq!(image.owner.post(&image.url("deploy"), json!({ "branch": "main" })).await.status(), 400);
}

#[tokio::test]
async fn applications_do_not_wait_for_each_other() {
    let shop = Shop::open().await;
    let t = &shop.t;
    let other = t.app_in("globex").await;
    let slow = t.ask_to_deploy(&shop.app).await;
    t.fake.plan_build(slow.as_str(), BuildPlan { lines: vec![], takes: Duration::from_secs(600), failure: None });
    let walk = t.work();
    t.reaches(&slow, Phase::Building).await;
    let quick = t.ask_to_deploy(&other).await;
    let second = t.work();
    t.reaches(&quick, Phase::Live).await;
    assert_eq!(t.row(&slow).await.phase, Phase::Building);
    second.await.unwrap().unwrap();
    walk.abort();
}

#[tokio::test]
async fn the_list_of_deployments_is_the_newest_first() {
    let shop = Shop::open().await;
    for _ in 0..2 {
        shop.t.deploy_well(&shop.app).await;
    }
    let viewer = shop.t.member("acme", Role::Viewer).await;
    let reply = viewer.get(&shop.app.url("deployments?limit=2")).await;
    let numbers: Vec<i64> = reply.data().as_array().unwrap().iter().map(|it| it["number"].as_i64().unwrap()).collect();
    assert_eq!((numbers, reply.json()["pagination"]["total"].as_i64()), (vec![3, 2], Some(3)));
}
