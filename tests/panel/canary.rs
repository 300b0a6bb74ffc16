//! Canaries: a share of the visitors tries a release, beside the one before, and the numbers of both decide. Every request here goes through
//! a real edge to a real server, and what the pages say is what the visitors counted.
use crate::support::{
    canary::{CANARY, Crowd, Try, quick},
    shop::Shop,
};
use serde_json::json;
use skypanel::{
    deployments::{
        model::{Outcome, Phase, Strategy, Verdict},
        server::task::{converge, routes},
    },
    id::{DeploymentId, Id},
    rights::Role,
    swarm::fake::Answer,
};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_release_that_fails_one_of_twenty_requests_is_taken_back_by_itself() {
    let it = Try::begin(quick(), |backend| backend.fails_every(20)).await;
    let crowd = it.visit(600).await;
    assert!(crowd.new.errors >= 10 && crowd.old.errors == 0, "{crowd:?}");
    let done = it.ends_as(Phase::Failed).await;
    let failure = done.failure.unwrap();
    assert_eq!((failure.code.as_str(), failure.phase), ("canary_worse", Phase::Canary));
    let expected = format!("of {} requests failed; 0 % of {} at the release before.", crowd.new.requests, crowd.old.requests);
    assert!(failure.sentence.ends_with(&expected), "{} and not {expected}", failure.sentence);
    let canary = done.canary.unwrap();
    assert_eq!((canary.outcome, canary.share, canary.steps.len()), (Some(Outcome::RolledBack), 0, 1));
    let numbers = &canary.steps[0].numbers;
    assert_eq!((Crowd::of(numbers), numbers.verdict), (crowd, Verdict::Worse), "what is shown is what the visitors counted");
    it.shop.t.settle().await;
    it.shop.t.is_live_alone(&it.shop.app, &it.shop.first).await;
    assert!(it.audited().await.contains(&"deployment.canary_rolled_back".to_string()));
    assert!(done.dossier.is_some_and(|dossier| !dossier.tasks.is_empty()), "its evidence is kept");
}

#[tokio::test]
async fn a_release_that_does_well_is_promoted_step_by_step() {
    let settings = json!({ "steps": [{ "percent": 20, "seconds": 60 }, { "percent": 60, "seconds": 120 }], "min_requests": 20, "p95_floor_millis": 5_000 });
    let it = Try::begin(settings, |backend| backend).await;
    let t = &it.shop.t;
    assert_eq!(it.shares().await, [(it.shop.first.clone(), 80), (it.id.clone(), 20)]);
    let first = it.visit(300).await;
    assert!((20..130).contains(&first.new.requests), "about a fifth: {first:?}");
    let seen = it.sees(&first).await;
    assert_eq!(seen.steps[0].numbers.verdict, Verdict::Fine);
    assert_eq!(t.row(&it.id).await.phase, Phase::Canary, "the first step takes a minute");
    t.clock.advance(MINUTE);
    it.reaches_step(2).await;
    assert_eq!(it.shares().await, [(it.shop.first.clone(), 40), (it.id.clone(), 60)]);
    let second = it.visit(400).await;
    assert!(second.new.requests > second.old.requests, "{second:?}");
    it.sees(&second).await;
    t.clock.advance(2 * MINUTE);
    let done = it.ends_as(Phase::Live).await;
    t.settle().await;
    assert_eq!(t.app_row(&it.shop.app).await.live_deployment_id, Some(it.id.clone()));
    assert_eq!(t.services(&it.shop.app), [format!("sky-{}", it.id.suffix())], "the old one is gone");
    let canary = done.canary.unwrap();
    assert_eq!((canary.outcome, canary.share), (Some(Outcome::Promoted), 0));
    let counted: Vec<Crowd> = canary.steps.iter().map(|step| Crowd::of(&step.numbers)).collect();
    assert_eq!(counted, [first, second], "each step has its own numbers");
    let phases: Vec<Phase> = done.phases.iter().map(|it| it.phase).collect();
    assert!(phases.windows(2).any(|pair| pair == [Phase::Probing, Phase::Canary]) && phases.contains(&Phase::Switching), "{phases:?}");
    assert!(it.audited().await.contains(&"deployment.canary_promoted".to_string()));
    assert!(it.shares().await.is_empty(), "nothing of it is left at the edge");
}

#[tokio::test]
async fn a_slow_release_is_taken_back() {
    let mut settings = quick();
    settings["p95_floor_millis"] = json!(100);
    let it = Try::begin(settings, |backend| backend.takes(Duration::from_secs(1))).await;
    it.visit(240).await;
    let done = it.ends_as(Phase::Failed).await;
    let failure = done.failure.unwrap();
    assert_eq!(failure.code, "canary_worse");
    assert!(failure.sentence.starts_with("95 of 100 answers began within "), "{}", failure.sentence);
}

#[tokio::test]
async fn a_broken_release_is_taken_back_before_many_have_met_it() {
    let mut settings = quick();
    settings["min_requests"] = json!(1_000);
    let it = Try::begin(settings, |backend| backend.fails_every(1)).await;
    it.visit(60).await;
    assert_eq!(it.ends_as(Phase::Failed).await.failure.unwrap().code, "canary_worse");
}

#[tokio::test]
async fn with_too_few_requests_it_goes_as_was_said() {
    for (said, phase, code) in [("promote", Phase::Live, None), ("roll_back", Phase::Failed, Some("canary_unproven"))] {
        let mut settings = quick();
        (settings["too_little"], settings["longest_seconds"]) = (json!(said), json!(300));
        let it = Try::begin(settings, |backend| backend).await;
        let few = it.visit(6).await;
        assert_eq!(it.sees(&few).await.steps[0].numbers.verdict, Verdict::Waiting);
        it.shop.t.clock.advance(5 * MINUTE);
        let done = it.ends_as(phase).await;
        assert_eq!(done.failure.map(|failure| failure.code).as_deref(), code, "{said}");
    }
    let mut settings = quick();
    (settings["too_little"], settings["longest_seconds"]) = (json!("hold"), json!(300));
    let it = Try::begin(settings, |backend| backend).await;
    it.shop.t.clock.advance(60 * MINUTE);
    it.look().await;
    let enough = it.visit(200).await;
    assert!(enough.new.requests >= 50, "{enough:?}");
    it.ends_as(Phase::Live).await;
}

#[tokio::test]
async fn whoever_deploys_can_promote_it_or_take_it_back_at_once() {
    let it = Try::begin(quick(), |backend| backend).await;
    let (t, app) = (&it.shop.t, &it.shop.app);
    let viewer = t.member("acme", Role::Viewer).await;
    let url = |id: &DeploymentId, what: &str| format!("/api/paas/deployments/{id}/{what}");
    assert_eq!(viewer.post(&url(&it.id, "promote"), json!({})).await.status(), 403);
    assert_eq!(app.owner.post(&url(&it.shop.first, "promote"), json!({})).await.status(), 409, "it is no canary");
    let reply = app.owner.post(&url(&it.id, "promote"), json!({})).await;
    assert_eq!((reply.status(), reply.data()["strategy"].as_str()), (202, Some("canary")), "{}", reply.text());
    let done = it.ends_as(Phase::Live).await;
    let canary = done.canary.unwrap();
    assert_eq!((canary.outcome, canary.decided_by.as_deref()), (Some(Outcome::Promoted), Some("Ada Lovelace")));
    assert_eq!(app.owner.post(&url(&it.id, "rollback-now"), json!({})).await.status(), 409, "it is over");

    let it = Try::begin(quick(), |backend| backend).await;
    let fields = [("id", it.id.as_str())];
    it.shop.app.owner.browser.call("/fn/skypanel/deployments/fns/take_back_canary", &fields).await.unwrap();
    let failure = it.ends_as(Phase::Failed).await.failure.unwrap();
    assert_eq!(failure.code, "canary_taken_back");
    assert_eq!(failure.sentence, "Ada Lovelace took the release back while it had 50 % of the requests.");
    it.shop.t.settle().await;
    it.shop.t.is_live_alone(&it.shop.app, &it.shop.first).await;
}

#[tokio::test]
async fn cancelling_gives_visitors_back_before_anything_stops() {
    let it = Try::begin(quick(), |backend| backend.takes(Duration::from_millis(300))).await;
    let (t, app) = (&it.shop.t, &it.shop.app);
    let visits = it.visit(40);
    let cancel = async {
        while t.panel.edge.as_ref().unwrap().in_flight_of_release(it.id.as_str()) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let reply = app.owner.post(&format!("/api/paas/deployments/{}/cancel", it.id), json!({})).await;
        assert_eq!(reply.status(), 202, "{}", reply.text());
    };
    let (crowd, ()) = tokio::join!(visits, cancel);
    assert_eq!((crowd.new.errors, crowd.old.errors), (0, 0), "nobody noticed: {crowd:?}");
    let done = it.ends_as(Phase::Cancelled).await;
    assert_eq!(done.canary.unwrap().outcome, Some(Outcome::Cancelled));
    t.settle().await;
    t.is_live_alone(app, &it.shop.first).await;
}

#[tokio::test]
async fn a_panel_that_dies_in_a_step_is_followed_by_one_that_goes_on_there() {
    let settings = json!({ "steps": [{ "percent": 30, "seconds": 60 }, { "percent": 50, "seconds": 60 }], "min_requests": 20, "p95_floor_millis": 5_000 });
    let mut it = Try::begin(settings, |backend| backend).await;
    it.visit(200).await;
    it.shop.t.clock.advance(MINUTE);
    it.look().await;
    it.reaches_step(2).await;
    let before = it.visit(60).await;
    it.sees(&before).await;
    it.dies().await;
    let next = it.shop.t.another().await;
    it.goes_on_at(next).await;
    assert_eq!(it.canary().await.steps.len(), 2, "no step is begun again");
    let after = it.visit(60).await;
    it.sees(&before.and(&after)).await;
    it.now().clock.advance(MINUTE);
    let done = it.ends_as(Phase::Live).await;
    let steps = done.canary.unwrap().steps;
    assert_eq!(Crowd::of(&steps[1].numbers), before.and(&after), "what was counted before its death counts");
    it.now().settle().await;
    it.now().is_live_alone(&it.shop.app, &it.id).await;
}

#[tokio::test]
async fn a_cookie_leads_to_the_canary_or_away_from_it() {
    let mut settings = quick();
    settings["steps"] = json!([{ "percent": 1, "seconds": 60 }]);
    let it = Try::begin(settings, |backend| backend).await;
    for (word, led) in [("canary", true), ("stable", false)] {
        let crowd = it.visit_with(&format!("skypanel-release={word}"), 40).await;
        assert_eq!(if led { crowd.new.requests } else { crowd.old.requests }, 40, "{word}: {crowd:?}");
    }
    let fields = [("id", it.id.as_str())];
    it.shop.app.owner.browser.call("/fn/skypanel/deployments/fns/take_back_canary", &fields).await.unwrap();
    it.ends_as(Phase::Failed).await;
    assert_eq!(it.visit_with("skypanel-release=canary", 5).await.old.requests, 5, "the word stands for nothing any more");
}

#[tokio::test]
async fn visitors_stay_with_the_release_that_they_met_where_that_is_wished() {
    let mut settings = quick();
    settings["sticky"] = json!(true);
    let it = Try::begin(settings, |backend| backend).await;
    let mut met = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let (release, cookie) = it.meet().await;
        assert!(cookie.starts_with("skypanel-edge="), "{cookie}");
        let again = it.visit_with(&cookie, 5).await;
        assert_eq!(if release == CANARY { again.new.requests } else { again.old.requests }, 5);
        met.insert(release);
    }
    assert_eq!(met.len(), 2, "some met this one and some the other");
}

#[tokio::test]
async fn a_newer_deployment_takes_the_place_of_a_canary() {
    let it = Try::begin(quick(), |backend| backend).await;
    let t = &it.shop.t;
    let reply = it.shop.app.owner.post(&it.shop.app.url("deploy"), json!({ "strategy": "blue_green" })).await;
    assert_eq!((reply.status(), reply.data()["strategy"].as_str()), (202, Some("blue_green")));
    let newer: DeploymentId = reply.data()["id"].as_str().unwrap().parse().unwrap();
    let done = it.ends_as(Phase::Superseded).await;
    assert_eq!(done.canary.unwrap().outcome, Some(Outcome::Superseded));
    t.settle().await;
    assert_eq!(t.row(&newer).await.phase, Phase::Live);
    t.is_live_alone(&it.shop.app, &newer).await;
}

#[tokio::test]
async fn what_is_scaled_stopped_or_deleted_meanwhile_holds_for_both() {
    let it = Try::begin(quick(), |backend| backend).await;
    let (t, app) = (&it.shop.t, &it.shop.app);
    assert_eq!(app.owner.post(&app.url("scale"), json!({ "replicas": 3 })).await.status(), 200);
    converge::pass(&t.panel).await.unwrap();
    it.until("both have three copies", async || t.replicas(app) == 6).await;
    assert_eq!(app.owner.post(&app.url("stop"), json!({})).await.status(), 200);
    it.ends_as(Phase::Cancelled).await;
    t.settle().await;
    assert_eq!((t.replicas(app), t.visit(app).await.0), (0, 503));

    let it = Try::begin(quick(), |backend| backend).await;
    assert_eq!(it.shop.app.owner.delete(&it.shop.app.url("")).await.status(), 200);
    it.shop.t.reaches(&it.id, Phase::Cancelled).await;
    it.rest().await;
    it.shop.t.settle().await;
    assert_eq!(it.shop.t.services(&it.shop.app), Vec::<String>::new());
}

#[tokio::test]
async fn a_canary_whose_replica_ends_is_taken_back_and_visitors_notice_nothing() {
    let it = Try::begin(quick(), |backend| backend).await;
    let t = &it.shop.t;
    t.fake.crash(it.id.as_str(), 4);
    let done = it.ends_as(Phase::Failed).await;
    assert_eq!(done.failure.unwrap().code, "exited");
    assert_eq!(done.canary.unwrap().outcome, Some(Outcome::Failed));
    t.settle().await;
    t.is_live_alone(&it.shop.app, &it.shop.first).await;
}

#[tokio::test]
async fn where_the_old_release_dies_the_canary_serves_everybody() {
    let it = Try::begin(quick(), |backend| backend).await;
    let t = &it.shop.t;
    t.fake.answer(it.shop.first.as_str(), Answer::Refusal);
    t.fake.crash(it.shop.first.as_str(), 1);
    skypanel::clusters::server::observe::pass(&t.panel).await.unwrap();
    routes::pass(&t.panel).await.unwrap();
    let crowd = it.visit(30).await;
    assert_eq!((crowd.new.requests, crowd.new.errors), (30, 0), "{crowd:?}");
}

#[tokio::test]
async fn the_first_release_and_what_was_live_before_go_to_everybody_at_once() {
    let shop = Shop::open().await;
    let t = &shop.t;
    let put = shop.app.owner.put(&shop.app.url("rollout"), json!({ "strategy": "canary" })).await;
    assert_eq!((put.status(), put.data()["canary"]["steps"][0]["percent"].as_i64()), (200, Some(5)));
    let restart = shop.app.owner.post(&shop.app.url("restart"), json!({})).await;
    assert_eq!(restart.data()["strategy"], "blue_green");
    t.settle().await;
    let back = shop.app.owner.post(&format!("/api/paas/deployments/{}/rollback", shop.first), json!({})).await;
    assert_eq!(back.data()["strategy"], "blue_green");
    t.settle().await;
    let fresh = t.app_in("acme").await;
    fresh.owner.put(&fresh.url("rollout"), json!({ "strategy": "canary" })).await;
    let done = t.deploy_well(&fresh).await;
    assert_eq!((done.strategy, done.canary), (Strategy::Canary, None));
}

#[tokio::test]
async fn canaries_do_not_keep_others_waiting() {
    let it = Try::with(|config| config.deploy.concurrent = 1, quick(), |backend| backend).await;
    let t = &it.shop.t;
    it.dies().await;
    let hands = tokio::spawn(skypanel::deployments::server::task::run(t.panel.clone()));
    it.until("the canary is taken over", async || t.row(&it.id).await.lease_until > Some(t.panel.now())).await;
    let other = t.app_in("globex").await;
    let id = t.ask_to_deploy(&other).await;
    t.reaches(&id, Phase::Live).await;
    assert_eq!(t.row(&it.id).await.phase, Phase::Canary);
    hands.abort();
}

#[tokio::test]
async fn what_is_wrong_with_the_settings_is_told_beside_its_field() {
    let shop = Shop::open().await;
    let owner = &shop.app.owner;
    let wrong = json!({ "strategy": "rainbow", "canary": { "steps": [{ "percent": 50, "seconds": 60 }, { "percent": 5, "seconds": 60 }], "min_requests": 1 } });
    let reply = owner.put(&shop.app.url("rollout"), wrong).await;
    assert_eq!((reply.status(), reply.fields()), (400, vec!["strategy", "canary.steps", "canary.min_requests"]));
    assert_eq!(owner.put(&shop.app.url("rollout"), json!({ "canary": { "colour": "red" } })).await.status(), 400);
    assert_eq!(owner.post(&shop.app.url("deploy"), json!({ "strategy": "slowly" })).await.fields(), ["strategy"]);
    let page = owner.browser.get(&format!("/applications/{}/settings", shop.app.id)).await;
    assert!(page.text().contains("How new releases go online") && page.text().contains("5 % for 5 min"), "{}", page.text());
    let form = |steps: &'static str, points: &'static str| {
        vec![
            ("strategy", "canary"),
            ("steps", steps),
            ("longest_minutes", "60"),
            ("min_requests", "1 000"),
            ("error_points", points),
            ("p95_factor", "200"),
            ("p95_floor", "50"),
            ("too_little", "hold"),
        ]
    };
    let call = async |fields: Vec<(&str, &str)>| {
        let id = shop.app.id.to_string();
        let fields: Vec<(&str, &str)> = fields.into_iter().chain([("id", id.as_str())]).collect();
        owner.browser.call("/fn/skypanel/deployments/fns/change_rollout", &fields).await
    };
    let refused = call(form("ten percent", "much")).await.unwrap_err();
    assert!(refused.for_field("steps").is_some() && refused.for_field("error_points").is_some(), "{refused:?}");
    let refused = call(form("10 % for 90 min", "0")).await.unwrap_err();
    assert!(refused.for_field("longest_minutes").is_some() && refused.for_field("error_points").is_some(), "{refused:?}");
    call(form("10 % for 10 min\n\n50 % for 90 s", "0,5")).await.unwrap();
    let now = owner.get(&shop.app.url("rollout")).await;
    let expected = json!({
        "strategy": "canary",
        "canary": {
            "steps": [{ "percent": 10, "seconds": 600 }, { "percent": 50, "seconds": 90 }], "longest_seconds": 3600, "min_requests": 1000,
            "error_margin_permille": 5, "p95_factor_percent": 200, "p95_floor_millis": 50, "too_little": "hold", "sticky": false,
        }
    });
    assert_eq!(now.data(), &expected);
}

#[tokio::test]
async fn the_pages_show_both_releases_side_by_side_and_keep_what_came_of_it() {
    let it = Try::begin(quick(), |backend| backend.fails_every(20)).await;
    let owner = &it.shop.app.owner;
    let overview = owner.browser.get(&format!("/applications/{}", it.shop.app.id)).await.text();
    let page = owner.browser.get(&format!("/deployments/{}", it.id)).await.text();
    for text in [&overview, &page] {
        for words in ["Release before", "Share now", "50 %", "Promote now", "Roll back now", "Too few requests to compare"] {
            assert!(text.contains(words), "{words}");
        }
    }
    let crowd = it.visit(600).await;
    it.ends_as(Phase::Failed).await;
    let page = owner.browser.get(&format!("/deployments/{}", it.id)).await.text();
    assert!(page.contains(&crowd.new.requests.to_string()) && page.contains("Rolled back") && !page.contains("Promote now"));
    assert!(page.contains("canary_worse"));
}

#[tokio::test]
async fn whoever_watches_hears_the_numbers_change() {
    let it = Try::begin(quick(), |backend| backend).await;
    let viewer = it.shop.t.member("acme", Role::Viewer).await;
    let mut events = viewer.script.events(&format!("/api/paas/deployments/{}/logs?follow=true&after=20000", it.id)).await;
    let first = events.next().await.unwrap();
    assert_eq!((first.name.as_str(), first.data["canary"]["steps"][0]["new"]["requests"].as_i64()), ("state", Some(0)));
    let crowd = it.visit(30).await;
    it.sees(&crowd).await;
    loop {
        let event = events.next().await.unwrap();
        if event.data["canary"]["steps"][0]["new"]["requests"].as_u64() == Some(crowd.new.requests) {
            break;
        }
    }
}
