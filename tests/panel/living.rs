//! What is live stays as it is wanted: scaled, stopped, started, deleted, made again when it vanishes, and moved to another swarm.
use crate::support::{
    panel::{TestPanel, services},
    shop::Shop,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait};
use serde_json::json;
use skypanel::{
    deployments::server::task::{converge, garbage},
    id::{Id, ProviderId},
    store::{
        random,
        tables::{cluster, provider},
    },
    swarm::{
        LABEL_APP, LABEL_DEPLOYMENT, NetworkSpec, OURS, Swarm,
        fake::{Answer, Fake},
    },
};
use std::{sync::Arc, time::Duration};

async fn status(shop: &Shop) -> (String, u64, u64) {
    let reply = shop.app.owner.get(&shop.app.url("")).await;
    let replicas = &reply.data()["replicas"];
    (reply.data()["status"].as_str().unwrap().to_string(), replicas["wanted"].as_u64().unwrap(), replicas["running"].as_u64().unwrap())
}

#[tokio::test]
async fn scaling_changes_the_copies_and_nothing_else() {
    let shop = Shop::open().await;
    let t = &shop.t;
    for (to, from) in [(4, 1), (2, 4)] {
        let reply = shop.app.owner.post(&shop.app.url("scale"), json!({ "replicas": to })).await;
        assert_eq!((reply.status(), reply.data()["previous_replicas"].as_u64()), (200, Some(from)));
        t.settle().await;
        assert_eq!((t.replicas(&shop.app), status(&shop).await), (to as usize, ("running".into(), to, to)));
        assert_eq!(t.routed_to(&shop.app).await.len(), to as usize);
        t.is_live_alone(&shop.app, &shop.first).await;
    }
    for wrong in [0, 11, 1000] {
        let reply = shop.app.owner.post(&shop.app.url("scale"), json!({ "replicas": wrong })).await;
        assert_eq!((reply.status(), reply.fields()), (400, vec!["replicas"]), "{wrong}");
    }
    t.deploy_well(&shop.app).await;
    assert_eq!(t.replicas(&shop.app), 2, "the next release has as many");
}

#[tokio::test]
async fn what_is_scaled_during_a_deployment_holds_for_the_new_release() {
    let shop = Shop::with(|config| config.deploy.stability_seconds = 1).await;
    let t = &shop.t;
    let id = t.ask_to_deploy(&shop.app).await;
    let walk = t.work();
    t.reaches(&id, skypanel::deployments::model::Phase::Probing).await;
    assert_eq!(shop.app.owner.post(&shop.app.url("scale"), json!({ "replicas": 3 })).await.status(), 200);
    converge::pass(&t.panel).await.unwrap();
    walk.await.unwrap().unwrap();
    t.settle().await;
    t.is_live_alone(&shop.app, &id).await;
    assert_eq!(t.replicas(&shop.app), 3);
}

#[tokio::test]
async fn stopping_keeps_the_release_and_starting_brings_it_back() {
    let shop = Shop::open().await;
    let t = &shop.t;
    assert_eq!(shop.app.owner.post(&shop.app.url("stop"), json!({})).await.data()["status"], "stopped");
    t.settle().await;
    assert_eq!((t.replicas(&shop.app), status(&shop).await), (0, ("stopped".into(), 0, 0)));
    let (code, page) = t.visit(&shop.app).await;
    assert!(code == 503 && page.contains("stopped"), "{page}");
    assert_eq!(shop.app.owner.post(&shop.app.url("start"), json!({})).await.status(), 200);
    t.settle().await;
    t.is_live_alone(&shop.app, &shop.first).await;
    assert_eq!(status(&shop).await, ("running".into(), 1, 1));
    let fresh = t.app_in("acme").await;
    assert_eq!(fresh.owner.post(&fresh.url("stop"), json!({})).await.status(), 409, "nothing is live yet");
}

#[tokio::test]
async fn deleting_takes_the_containers_the_address_and_the_images_away_but_not_the_history() {
    let shop = Shop::open().await;
    let t = &shop.t;
    let ada = &shop.app.owner;
    let wrong = ada.browser.call("/fn/skypanel/apps/fns/delete_application", &[("id", &shop.app.id.to_string()), ("confirm", "sho")]).await;
    assert!(wrong.unwrap_err().for_field("confirm").is_some());
    assert_eq!(ada.delete(&shop.app.url("")).await.status(), 200);
    t.settle().await;
    garbage::pass(&t.panel).await.unwrap();
    assert_eq!(t.services(&shop.app), Vec::<String>::new());
    assert!(t.fake.look().images.iter().all(|image| image.labels.get(LABEL_APP) != Some(&shop.app.id.to_string())));
    assert_eq!(t.visit(&shop.app).await.0, 404);
    assert_eq!(ada.get(&shop.app.url("")).await.status(), 404);
    let history = ada.get(&format!("/api/paas/deployments/{}", shop.first)).await;
    assert_eq!((history.status(), history.data()["phase"].as_str()), (200, Some("live")));
    let stored = t.stored().await;
    assert!(stored.contains("application.deleted"));
}

#[tokio::test]
async fn deleting_during_a_deployment_leaves_nothing_behind() {
    let shop = Shop::with(|config| config.deploy.start_seconds = 60).await;
    let t = &shop.t;
    let id = t.ask_to_deploy(&shop.app).await;
    t.fake.answer(id.as_str(), Answer::Refusal);
    let walk = t.work();
    t.reaches(&id, skypanel::deployments::model::Phase::Probing).await;
    assert_eq!(shop.app.owner.delete(&shop.app.url("")).await.status(), 200);
    t.reaches(&id, skypanel::deployments::model::Phase::Cancelled).await;
    walk.await.unwrap().unwrap();
    t.settle().await;
    assert_eq!(t.services(&shop.app), Vec::<String>::new());
}

#[tokio::test]
async fn a_service_that_vanished_or_was_changed_by_hand_is_mended() {
    let shop = Shop::open().await;
    let t = &shop.t;
    let name = t.services(&shop.app).remove(0);
    let before = t.fake.look().services.remove(&name).unwrap();
    t.fake.remove(&name).await.unwrap();
    let network = before.network.clone().unwrap().0;
    t.fake.remove_network(&network).await.unwrap();
    t.settle().await;
    assert_eq!(t.fake.look().services.remove(&name), Some(before));
    t.is_live_alone(&shop.app, &shop.first).await;
    t.fake.scale(&name, 7).await.unwrap();
    t.settle().await;
    assert_eq!(t.replicas(&shop.app), 1);
}

#[tokio::test]
async fn leftovers_of_ours_go_and_what_is_somebody_elses_stays() {
    let shop = Shop::open().await;
    let t = &shop.t;
    let name = t.services(&shop.app).remove(0);
    let ours = t.fake.look().services.remove(&name).unwrap();
    let left = skypanel::swarm::ServiceSpec { name: "sky-leftover".into(), ..ours.clone() };
    t.fake.converge(&left).await.unwrap();
    let mut others = skypanel::swarm::ServiceSpec { name: "sky-others".into(), ..ours.clone() };
    others.labels.insert(LABEL_APP.into(), "app_00000000000000000000000000".into());
    others.labels.insert(LABEL_DEPLOYMENT.into(), "dep_00000000000000000000000000".into());
    t.fake.converge(&others).await.unwrap();
    let mut unknown = skypanel::swarm::ServiceSpec { name: "unlabelled".into(), ..ours };
    unknown.labels = [(OURS.to_string(), "something".to_string())].into();
    t.fake.converge(&unknown).await.unwrap();
    t.settle().await;
    assert_eq!(t.fake.look().services.keys().map(String::as_str).collect::<Vec<_>>(), [name.as_str(), "sky-others", "unlabelled"]);
    t.is_live_alone(&shop.app, &shop.first).await;
}

#[tokio::test]
async fn while_the_swarm_is_away_the_page_says_so_and_visitors_are_served() {
    let shop = Shop::open().await;
    let t = &shop.t;
    t.fake.set_unreachable(true);
    t.settle().await;
    assert_eq!(status(&shop).await.0, "unknown");
    assert_eq!(t.visit(&shop.app).await.0, 200, "the edge goes on with what it knows");
    t.fake.set_unreachable(false);
    t.settle().await;
    assert_eq!(status(&shop).await.0, "running");
}

#[tokio::test]
async fn a_crash_shows_until_the_swarm_has_mended_it() {
    let shop = Shop::open().await;
    let t = &shop.t;
    t.fake.crash(shop.first.as_str(), 1);
    t.settle().await;
    assert_eq!(status(&shop).await, ("down".into(), 1, 0));
    t.fake.advance(Duration::from_secs(3));
    t.settle().await;
    assert_eq!(status(&shop).await, ("running".into(), 1, 1));
    t.is_live_alone(&shop.app, &shop.first).await;
}

/// A second swarm of the operator's.
async fn second_swarm(t: &TestPanel) -> (ProviderId, Fake) {
    let (id, fake): (ProviderId, Fake) = (random::id(), Fake::new());
    fake.set_pace(Duration::ZERO, Duration::ZERO);
    fake.serve();
    let row = provider::ActiveModel {
        id: Set(id.clone()),
        name: Set("second".into()),
        region: Set("elsewhere".into()),
        endpoint: Set("fake:".into()),
        tls: Set(None),
        is_enabled: Set(true),
        max_clusters: Set(1_000),
        created_at: Set(t.panel.now()),
    };
    t.panel.db.tx(async |tx| Ok(row.insert(tx).await.unwrap())).await.unwrap();
    t.panel.swarms.put(id.clone(), Arc::new(fake.clone()));
    (id, fake)
}

#[tokio::test]
async fn a_cluster_moves_to_another_swarm_and_nothing_above_the_door_notices() {
    let shop = Shop::open().await;
    let t = &shop.t;
    let neighbour = t.app_in("globex").await;
    let stays = t.deploy_well(&neighbour).await;
    let (id, second) = second_swarm(t).await;
    let row = cluster::ActiveModel { id: Set(t.app_row(&shop.app).await.cluster_id), provider_id: Set(id), ..Default::default() };
    t.panel.db.tx(async |tx| Ok(row.update(tx).await.unwrap())).await.unwrap();
    let moved = t.deploy_well(&shop.app).await;
    t.settle().await;
    assert_eq!(services(&second, &shop.app), [format!("sky-{}", moved.id.suffix())]);
    assert_eq!(t.services(&shop.app), Vec::<String>::new(), "nothing is left on the first");
    assert_eq!(t.visit(&shop.app).await.0, 200);
    assert_eq!(status(&shop).await, ("running".into(), 1, 1));
    t.is_live_alone(&neighbour, &stays.id).await;
    shop.app.owner.post(&shop.app.url("scale"), json!({ "replicas": 2 })).await;
    t.settle().await;
    assert_eq!(second.look().tasks.len(), 2);
}

#[tokio::test]
async fn new_organizations_go_where_there_is_most_room_and_have_networks_of_their_own() {
    let t = TestPanel::start().await;
    let (id, second) = second_swarm(&t).await;
    let row = provider::ActiveModel { id: Set(t.provider().await), max_clusters: Set(1), ..Default::default() };
    t.panel.db.tx(async |tx| Ok(row.update(tx).await.unwrap())).await.unwrap();
    let apps = [t.app_in("acme").await, t.app_in("globex").await];
    for app in &apps {
        t.deploy_well(app).await;
        assert_eq!(services(&second, app).len(), 1);
    }
    let networks: Vec<NetworkSpec> = second.look().networks;
    assert_eq!(networks.len(), 2);
    assert_ne!(networks[0].subnet, networks[1].subnet);
    let row = provider::ActiveModel { id: Set(id), is_enabled: Set(false), ..Default::default() };
    t.panel.db.tx(async |tx| Ok(row.update(tx).await.unwrap())).await.unwrap();
    let third = t.app_in("initech").await;
    t.deploy_well(&third).await;
    assert_eq!(t.services(&third).len(), 1, "a swarm that is taken out gets nobody new");
}

#[tokio::test]
async fn what_a_word_that_nobody_knows_says_of_an_application_is_never_run_and_keeps_no_other_from_running() {
    let shop = Shop::open().await;
    let t = &shop.t;
    let other = t.app_in("globex").await;
    t.deploy_well(&other).await;
    let odd = format!("UPDATE applications SET wanted = 'paused' WHERE id = '{}'", shop.app.id);
    t.panel.db.tx(async |tx| Ok(tx.execute_unprepared(&odd).await.unwrap())).await.unwrap();
    for app in [&shop.app, &other] {
        for service in t.services(app) {
            t.fake.remove(&service).await.unwrap();
        }
    }
    t.settle().await;
    assert_eq!((t.replicas(&shop.app), t.replicas(&other)), (0, 1));
    assert_eq!(t.visit(&other).await.0, 200);
    let shown = shop.app.owner.get(&shop.app.url("")).await;
    assert_eq!((shown.status(), shown.code()), (500, "INTERNAL_ERROR"), "{}", shown.text());
}
