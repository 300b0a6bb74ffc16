//! Panels die, and several run on one database: a deployment reaches a true end all the same, and nobody drives it twice.
use crate::support::{panel::TestPanel, shop::Shop};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, QueryFilter};
use skypanel::{
    deployments::{
        model::Phase,
        server::{task as queue, task::garbage},
    },
    id::{DeploymentId, Id},
    runtime::changes::Changed,
    store::tables::{deployment, deployment_log},
    swarm::{
        LABEL_DEPLOYMENT,
        fake::{Answer, BuildPlan},
    },
};
use std::time::Duration;

/// The lease runs out.
async fn expire(t: &TestPanel, id: &DeploymentId) {
    let row = deployment::ActiveModel {
        id: Set(id.clone()),
        lease_until: Set(Some(t.panel.now() - Duration::from_secs(3600))),
        ..Default::default()
    };
    t.panel.db.tx(async |tx| Ok(row.update(tx).await.unwrap())).await.unwrap();
}

/// Lines are numbered from 1 without a gap, and phases only go forward.
async fn is_sound(shop: &Shop, t: &TestPanel, id: &DeploymentId) {
    use sea_orm::{ColumnTrait, QueryOrder};
    let lines = deployment_log::Entity::find()
        .filter(deployment_log::Column::DeploymentId.eq(id.clone()))
        .order_by_asc(deployment_log::Column::Seq);
    let lines = lines.all(t.panel.db.read()).await.unwrap();
    assert!(lines.iter().zip(1..).all(|(line, at)| line.seq == at));
    let phases: Vec<Phase> = t.deployment(&shop.app, id).await.phases.iter().map(|it| it.phase).collect();
    assert!(phases.windows(2).all(|pair| pair[0] < pair[1]), "{phases:?}");
}

/// Deploys again and again, and each time the panel dies one word later, until one lives to the end.
async fn die_at_every_word(shop: &Shop, died_in: &mut std::collections::BTreeSet<Phase>) {
    for word in 0.. {
        let id = shop.t.ask_to_deploy(&shop.app).await;
        // Dies when the deployment has been heard of so often: on another line of its code each time.
        let first = shop.t.another().await;
        let mut heard = first.panel.changes.listen();
        let mut walk = first.work();
        let mut count = 0;
        let dies = async {
            while let Ok(what) = heard.recv().await {
                count += usize::from(what == Changed::Deployment(id.clone()));
                if count > word {
                    return;
                }
            }
        };
        let finished = tokio::select! { done = &mut walk => { done.unwrap().unwrap(); true }, () = dies => { walk.abort(); let _ = walk.await; false } };
        let row = shop.t.row(&id).await;
        if finished {
            assert_eq!(row.phase, Phase::Live);
            break;
        }
        died_in.insert(row.phase);
        drop(first);
        if row.finished_at.is_none() {
            expire(&shop.t, &id).await;
        }
        let next = shop.t.another().await;
        next.settle().await;
        assert_eq!(next.row(&id).await.phase, Phase::Live, "after dying in {}: {:?}", row.phase, next.row(&id).await.failure);
        next.is_live_alone(&shop.app, &id).await;
        is_sound(shop, &next, &id).await;
        assert_eq!(next.fake.look().builds, 0);
    }
}

#[tokio::test]
async fn however_early_or_late_a_panel_dies_the_next_one_brings_the_deployment_to_its_end() {
    let shop = Shop::open().await;
    let mut died_in = std::collections::BTreeSet::new();
    let wanted = [Phase::Preparing, Phase::Building, Phase::Starting, Phase::Probing, Phase::Draining];
    // Between the word and the death the panel runs on for a moment, so one round may leap over a short phase.
    for _ in 0..5 {
        die_at_every_word(&shop, &mut died_in).await;
        if wanted.iter().all(|phase| died_in.contains(phase)) {
            break;
        }
    }
    for phase in wanted {
        assert!(died_in.contains(&phase), "nobody died in {phase}: {died_in:?}");
    }
    garbage::pass(&shop.t.panel).await.unwrap();
    assert!(shop.t.fake.look().images.len() <= 6, "{}", shop.t.fake.look().images.len());
}

#[tokio::test]
async fn who_lost_the_lease_stops_and_touches_nothing_more() {
    let shop = Shop::open().await;
    let t = &shop.t;
    let id = t.ask_to_deploy(&shop.app).await;
    t.fake.plan_build(id.as_str(), BuildPlan { lines: vec![], takes: Duration::from_secs(600), failure: None });
    let walk = t.work();
    t.reaches(&id, Phase::Building).await;
    let until = t.panel.db.now().await.unwrap() + Duration::from_secs(600);
    let row = deployment::ActiveModel {
        id: Set(id.clone()),
        lease_owner: Set(Some("panel_another".into())),
        lease_until: Set(Some(until)),
        ..Default::default()
    };
    t.panel.db.tx(async |tx| Ok(row.update(tx).await.unwrap())).await.unwrap();
    tokio::time::timeout(queue::BEAT * 3, walk).await.expect("it stops at its next beat").unwrap().unwrap();
    let row = t.row(&id).await;
    assert_eq!((row.phase, row.lease_owner.as_deref()), (Phase::Building, Some("panel_another")));
    assert_eq!(t.fake.look().builds, 0, "its build is given up");
    t.is_live_alone(&shop.app, &shop.first).await;
    t.settle().await;
    assert_eq!(t.row(&id).await.phase, Phase::Building, "nobody takes what another one holds");
}

#[tokio::test]
async fn who_comes_back_late_does_not_undo_what_followed() {
    let shop = Shop::open().await;
    let (t, other) = (&shop.t, shop.t.another().await);
    let late = t.ask_to_deploy(&shop.app).await;
    t.fake.delay_verb("nodes", Duration::from_secs(3600));
    let walk = t.work();
    // It looks at the swarm in the switch, and the swarm takes its time.
    t.reaches(&late, Phase::Switching).await;
    t.fake.delay_verb("nodes", Duration::ZERO);
    expire(t, &late).await;
    other.settle().await;
    assert_eq!(other.row(&late).await.phase, Phase::Live);
    let newer = other.deploy_well(&shop.app).await;
    t.fake.advance(Duration::from_secs(3601));
    tokio::time::timeout(queue::BEAT * 4, walk).await.expect("it notices").unwrap().unwrap();
    other.settle().await;
    other.is_live_alone(&shop.app, &newer.id).await;
}

#[tokio::test]
async fn two_panels_on_one_database_never_drive_one_deployment_both() {
    let t = TestPanel::start().await;
    let other = t.another().await;
    let mut asked = Vec::new();
    for n in 0..6 {
        let app = t.app_in(&format!("org-{n}")).await;
        asked.push((t.ask_to_deploy(&app).await, app));
    }
    let (one, two, three, four) = (t.work(), other.work(), t.work(), other.work());
    for walk in [one, two, three, four] {
        walk.await.unwrap().unwrap();
    }
    t.settle().await;
    let there = t.fake.look();
    for (id, app) in &asked {
        t.is_live_alone(app, id).await;
        let lines = deployment_log::Entity::find().all(t.panel.db.read()).await.unwrap();
        let starts = lines.iter().filter(|line| line.deployment_id == *id && line.text.starts_with("Starting ")).count();
        assert_eq!(starts, 1);
        let tasks = there.tasks.iter().filter(|task| task.labels.get(LABEL_DEPLOYMENT) == Some(&id.to_string())).count();
        assert_eq!(tasks, 1);
    }
    assert_eq!(there.calls["converge"], 6, "each service was made once");
}

#[tokio::test]
async fn a_panel_that_ends_gives_its_leases_back() {
    let shop = Shop::open().await;
    let (t, first) = (&shop.t, shop.t.another().await);
    let id = t.ask_to_deploy(&shop.app).await;
    t.fake.answer(id.as_str(), Answer::Refusal);
    let run = tokio::spawn(queue::run(first.panel.clone()));
    t.reaches(&id, Phase::Probing).await;
    first.panel.stop.cancel();
    run.await.unwrap();
    let row = t.row(&id).await;
    assert_eq!((row.phase, row.lease_until), (Phase::Probing, None));
    t.fake.answer(id.as_str(), Answer::status(200));
    t.settle().await;
    t.is_live_alone(&shop.app, &id).await;
    assert_eq!(t.services(&shop.app), [format!("sky-{}", id.suffix())]);
}
