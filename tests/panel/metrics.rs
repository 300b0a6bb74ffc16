//! What applications were asked: counted once, shown as it was, to those whose it is, and kept within bounds.
use crate::support::{
    client::Reply,
    panel::{App, PATIENCE, TestPanel},
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};
use skypanel::auth::session::SessionCache;
use skypanel::traffic::server::service::Inbox;
use skypanel::{
    edge::{AccessEntry, ReleaseSignals, Signals},
    id::{AppId, DeploymentId},
    metrics::server::{prometheus, task as metrics},
    rights::Role,
    store::{
        random,
        tables::{access_line, traffic as rows},
    },
    swarm::fake::Answer,
    traffic::server::service::{self, Step},
    units::Timestamp,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Requests of one release that took these milliseconds, all answered with 200.
fn release(app: &AppId, release: &str, millis: &[u64]) -> ReleaseSignals {
    let mut one = ReleaseSignals { app: app.to_string(), release: release.into(), ..ReleaseSignals::default() };
    for time in millis {
        one.requests += 1;
        one.classes[1] += 1;
        one.bytes_out += 10;
        one.latency.record(Duration::from_millis(*time));
    }
    one
}

fn signals(until: Timestamp, releases: Vec<ReleaseSignals>) -> Signals {
    let until = until.millis() as u64;
    Signals { since: until - 4_000, until, releases, unrouted: 0 }
}

fn entry(app: &AppId, n: u64, status: u16, path: &str) -> AccessEntry {
    AccessEntry {
        at: n,
        id: format!("req-{n}"),
        app: app.to_string(),
        release: "dep".into(),
        task: "task".into(),
        client: [203, 0, 113, 9].into(),
        method: "GET".into(),
        host: "shop.example.com".into(),
        path: path.into(),
        protocol: "HTTP/1.1".into(),
        is_tls: true,
        status,
        micros: 1_500,
        bytes_in: 0,
        bytes_out: 12,
        user_agent: "<b>a browser</b>\u{1b}[31m".into(),
    }
}

async fn numbers(app: &App, query: &str) -> Value {
    let reply = app.owner.get(&app.url(&format!("metrics{query}"))).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    reply.data().clone()
}

/// The numbers of the last hour, once `requests` of them are counted: an edge counts a request when it has ended on both sides.
async fn counted(t: &TestPanel, app: &App, requests: u64) -> Value {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        metrics::pass(&t.panel).await.unwrap();
        let now = numbers(app, "?range=1h").await;
        if now["total"]["requests"].as_u64().unwrap() >= requests || tokio::time::Instant::now() > end {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Sends a request to the application at the edge; the status and the length of the body.
async fn visit(t: &TestPanel, app: &App, path: &str, body: &str) -> (u16, u64) {
    let edge = t.panel.edge.as_ref().unwrap().addresses()[0];
    let host = format!("{}.{}", t.app_row(app).await.host, t.panel.config.edge.apps_domain);
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let answer = client.post(format!("http://{edge}{path}")).header("host", host).body(body.to_string()).send().await.unwrap();
    (answer.status().as_u16(), answer.bytes().await.unwrap().len() as u64)
}

#[tokio::test]
async fn the_numbers_shown_are_those_that_the_client_counted() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    t.deploy_well(&app).await;
    let (mut classes, mut received, mut sent) = (HashMap::<u16, u64>::new(), 0, 0);
    for round in 0..2 {
        for (status, times) in [(200, 12), (302, 3), (404, 5), (500, 2)] {
            t.fake.answer(&app.id.to_string(), Answer::status(status));
            for n in 0..times {
                let (got, bytes) = visit(&t, &app, &format!("/{round}/{n}"), "12345").await;
                *classes.entry(got / 100).or_default() += 1;
                received += bytes;
                sent += 5;
            }
        }
        metrics::pass(&t.panel).await.unwrap();
        t.clock.advance(MINUTE);
    }
    let shown = counted(&t, &app, 44).await;
    let total = &shown["total"];
    assert_eq!(total["requests"], 44, "{total}");
    for (class, name) in [(2, "success"), (3, "redirect"), (4, "client_error"), (5, "server_error")] {
        assert_eq!(total[name].as_u64().unwrap(), classes[&class], "{name}: {total}");
    }
    assert_eq!((total["bytes_out"].as_u64().unwrap(), total["bytes_in"].as_u64().unwrap()), (received, sent));
    let points = shown["points"].as_array().unwrap();
    let sum: u64 = points.iter().filter_map(|point| point["numbers"]["requests"].as_u64()).sum();
    assert_eq!(sum, 44);
    // What an edge counts is told by release, and a deployment's is the live one's.
    let live = t.app_row(&app).await.live_deployment_id.unwrap();
    let sums = service::totals(t.panel.db.read(), &app.id, &live.to_string(), t.panel.now() - 10 * MINUTE).await.unwrap();
    assert_eq!((sums.requests, sums.bytes_out, sums.latency.count()), (44, received, 44));
    assert_eq!(shown["releases"][0]["deployment_id"], live.to_string());
    assert_eq!(shown["deployments"].as_array().unwrap().len(), 1);
}

/// What was pushed at random: the sums by release.
async fn pushed(t: &TestPanel, apps: &[AppId]) -> BTreeMap<(String, String), u64> {
    let mut sums = BTreeMap::new();
    for n in 0..400_u64 {
        let at = t.panel.now() - Duration::from_secs(rand::random_range(0..86_000));
        let app = &apps[rand::random_range(0..apps.len())];
        let id = format!("dep_{}", rand::random_range(0..3));
        let times: Vec<u64> = (0..rand::random_range(0..6)).map(|_| rand::random_range(1..3_000)).collect();
        let mut one = release(app, &id, &times);
        one.in_flight = rand::random_range(0..9);
        (one.held, one.retried, one.bytes_in) = (n % 3, n % 2, n);
        *sums.entry((app.to_string(), id)).or_default() += one.requests;
        t.panel.of::<Inbox>().push(["edge-a", "edge-b"][rand::random_range(0..2)], signals(at, vec![one]), Vec::new());
        if n % 37 == 0 {
            service::flush(&t.panel).await.unwrap();
        }
    }
    service::flush(&t.panel).await.unwrap();
    sums
}

#[tokio::test]
async fn minutes_quarters_and_days_always_tell_the_same() {
    let t = TestPanel::start().await;
    let apps = [t.app_in("acme").await.id, t.app_in("acme").await.id];
    let sums = pushed(&t, &apps).await;
    let all = (t.panel.now() - 3 * DAY, t.panel.now() + DAY);
    let db = t.panel.db.read();
    for app in &apps {
        let minutes = service::series(db, app, Step::Minute, all, None).await.unwrap();
        assert!(minutes.len() > 50);
        for step in [Step::Quarter, Step::Day] {
            let mut expected: BTreeMap<(i64, String, String), ReleaseSignals> = BTreeMap::new();
            for (at, edge, one) in &minutes {
                let sum = expected.entry((step.begin(at.millis()), edge.clone(), one.release.clone())).or_default();
                (sum.app, sum.release) = (one.app.clone(), one.release.clone());
                *sum += one;
            }
            let told = service::series(db, app, step, all, None).await.unwrap();
            let told: BTreeMap<_, _> = told.into_iter().map(|(at, edge, one)| ((at.millis(), edge, one.release.clone()), one)).collect();
            assert_eq!(told, expected);
            for share in [0.5, 0.95, 0.99] {
                assert!(told.iter().all(|(key, one)| one.latency.quantile(share) == expected[key].latency.quantile(share)));
            }
        }
        for ((_, release), sum) in sums.iter().filter(|((of, _), _)| *of == app.to_string()) {
            let total = service::totals(db, app, release, all.0).await.unwrap();
            assert_eq!((total.requests, total.latency.count()), (*sum, *sum), "both edges together");
        }
    }
}

#[tokio::test]
async fn what_is_cut_off_while_it_writes_counts_once() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    for polls in 0..40 {
        let lines = vec![entry(&app.id, 1, 200, "/")];
        t.panel.of::<Inbox>().push("edge", signals(t.panel.now(), vec![release(&app.id, "dep_1", &[5])]), lines);
        let mut flush = std::pin::pin!(service::flush(&t.panel));
        for _ in 0..polls {
            if futures::poll!(flush.as_mut()).is_ready() {
                break;
            }
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
    }
    service::flush(&t.panel).await.unwrap();
    let total = numbers(&app, "?range=1h").await;
    assert_eq!((total["total"]["requests"].as_u64(), total["releases"].as_array().unwrap().len()), (Some(40), 1));
    let lines = access_line::Entity::find().count(t.panel.db.read()).await.unwrap();
    assert_eq!((lines, service::newest_line(t.panel.db.read(), &app.id).await.unwrap()), (40, 40));
}

#[tokio::test]
async fn several_panels_write_the_same_minute_without_losing_any() {
    let t = TestPanel::start().await;
    let other = t.another().await;
    let app = t.app_in("acme").await;
    for n in 0..10 {
        for panel in [&t.panel, &other.panel] {
            panel.of::<Inbox>().push(
                "edge",
                signals(t.panel.now(), vec![release(&app.id, "dep_1", &[n])]),
                vec![entry(&app.id, n, 200, "/")],
            );
        }
        let (one, two) = tokio::join!(service::flush(&t.panel), service::flush(&other.panel));
        assert_eq!((one.unwrap().len(), two.unwrap().len()), (1, 1));
    }
    assert_eq!(numbers(&app, "?range=1h").await["total"]["requests"], 20);
    assert_eq!(service::newest_line(t.panel.db.read(), &app.id).await.unwrap(), 20);
}

#[tokio::test]
async fn what_is_old_goes_and_what_is_too_much_as_well() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    t.panel.of::<Inbox>().push("edge", signals(t.panel.now(), vec![release(&app.id, "dep_1", &[5])]), vec![entry(&app.id, 1, 200, "/")]);
    service::flush(&t.panel).await.unwrap();
    let count = async |step: Step| {
        let of = rows::Entity::find().filter(rows::Column::Step.eq(step.seconds())).filter(rows::Column::ApplicationId.eq(app.id.clone()));
        of.count(t.panel.db.read()).await.unwrap()
    };
    let left = async || [count(Step::Minute).await, count(Step::Quarter).await, count(Step::Day).await];
    metrics::tidy(&t.panel).await.unwrap();
    assert_eq!(left().await, [1, 1, 1]);
    for (days, expected) in [(2, [0, 1, 1]), (31, [0, 0, 1]), (340, [0, 0, 0])] {
        t.clock.advance(days * DAY);
        assert!(metrics::tidy(&t.panel).await.unwrap().is_some());
        assert_eq!(left().await, expected, "{days} days later");
    }
    assert_eq!(access_line::Entity::find().count(t.panel.db.read()).await.unwrap(), 0);

    let (now, most) = (Step::Day.begin(t.panel.now().millis()), Step::Day.most());
    let many = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) INSERT INTO traffic SELECT '{}', 86400, \
         {now} - (i % 300) * CAST(86400000 AS BIGINT), 'dep_' || i, 'edge', 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, '' FROM n",
        most + 700,
        app.id
    );
    let made = t.panel.db.tx(async |tx| Ok(tx.execute_unprepared(&many).await.unwrap())).await;
    made.unwrap();
    metrics::tidy(&t.panel).await.unwrap();
    let kept = count(Step::Day).await;
    assert!(kept <= most && kept > most - 100, "{kept}");
    let today = rows::Entity::find().filter(rows::Column::At.eq(Timestamp(now))).count(t.panel.db.read()).await.unwrap();
    assert!(today > 30, "the newest stay");
}

#[tokio::test]
async fn silence_is_a_gap_and_no_requests_are_zero() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    t.clock.advance(10 * MINUTE);
    metrics::pass(&t.panel).await.unwrap();
    t.clock.advance(5 * MINUTE);
    t.panel.of::<Inbox>().push("edge", signals(t.panel.now(), vec![release(&app.id, "dep_1", &[5, 5])]), Vec::new());
    metrics::pass(&t.panel).await.unwrap();
    let shown = numbers(&app, "?range=1h").await;
    let points: Vec<&Value> = shown["points"].as_array().unwrap().iter().map(|point| &point["numbers"]).collect();
    let last = points.len() - 1;
    assert_eq!((points[last]["requests"].as_u64(), points[last - 5]["requests"].as_u64()), (Some(2), Some(0)));
    assert!(points[last - 1].is_null() && points[last - 4].is_null() && points[last - 6].is_null() && points[0].is_null());
    // An edge whose clock is ahead is not believed; one that was away for long is not forgotten.
    for at in [t.panel.now() + DAY, t.panel.now() - 40 * DAY] {
        t.panel.of::<Inbox>().push("edge", signals(at, vec![release(&app.id, "dep_1", &[5])]), Vec::new());
    }
    service::flush(&t.panel).await.unwrap();
    assert_eq!(numbers(&app, "?range=1h").await["total"]["requests"], 3);
    assert_eq!(numbers(&app, "?range=7d").await["total"]["requests"], 4);
}

#[tokio::test]
async fn wrong_questions_are_answered_with_the_field() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    for (query, field) in [
        ("range=2h", "range"),
        ("range=1h&from=2026-01-01T00:00:00Z", "range"),
        ("from=2026-01-01T00:00:00Z", "to"),
        ("from=x&to=2026-01-01T00:00:00Z", "from"),
        ("range=30d&step=60", "step"),
        ("step=7", "step"),
        ("release=nobody", "release"),
        ("colour=red", "colour"),
    ] {
        let reply = app.owner.get(&app.url(&format!("metrics?{query}"))).await;
        assert_eq!((reply.status(), reply.fields()), (400, vec![field]), "{query}: {}", reply.text());
    }
    for (query, field) in
        [("class=6", "class"), ("limit=0", "limit"), ("since=x", "since"), ("follow=true&last_event_id=x", "last_event_id")]
    {
        let reply = app.owner.get(&app.url(&format!("access-log?{query}"))).await;
        assert_eq!((reply.status(), reply.fields()), (400, vec![field]), "{query}: {}", reply.text());
    }
}

#[tokio::test]
async fn requests_are_written_down_where_the_application_asks_for_it() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    t.deploy_well(&app).await;
    let share = async |permille: u16| {
        let asked = app.owner.send("PATCH", &app.url("routing"), json!({ "access_log_permille": permille })).await;
        assert_eq!(asked.status(), 200, "{}", asked.text());
        t.settle().await;
    };
    share(0).await;
    visit(&t, &app, "/before", "").await;
    counted(&t, &app, 1).await;
    share(1_000).await;
    for n in 0..5 {
        visit(&t, &app, &format!("/shop/{n}?secret=1"), "").await;
    }
    counted(&t, &app, 6).await;
    let reply = app.owner.get(&app.url("access-log")).await;
    let lines = reply.data().as_array().unwrap();
    let paths: HashSet<&str> = lines.iter().map(|line| line["path"].as_str().unwrap()).collect();
    assert_eq!((lines.len(), paths.len()), (5, 5), "{}", reply.text());
    assert!(lines.iter().all(|line| line["status"] == 200 && line["client"] == "127.0.0.1" && line["method"] == "POST"));
    assert!(!reply.text().contains("secret"));
}

#[tokio::test]
async fn the_access_log_is_filtered_followed_and_kept_within_bounds() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let write = async |lines: Vec<AccessEntry>| {
        t.panel.of::<Inbox>().push("edge", signals(t.panel.now(), Vec::new()), lines);
        metrics::pass(&t.panel).await.unwrap();
    };
    write(vec![
        entry(&app.id, 1, 200, "/cart/100%_off"),
        entry(&app.id, 2, 404, "/CART/100xxoff"),
        entry(&app.id, 3, 503, "/<script>alert(1)</script>"),
        entry(&app.id, 4, 0, "/slow"),
    ])
    .await;
    let seqs = async |query: &str| {
        let reply = app.owner.get(&app.url(&format!("access-log?{query}"))).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        reply.data().as_array().unwrap().iter().map(|line| line["seq"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(seqs("").await, [1, 2, 3, 4]);
    assert_eq!(seqs("limit=2").await, [3, 4]);
    assert_eq!((seqs("class=5").await, seqs("class=0").await), (vec![3], vec![4]));
    assert_eq!((seqs("path=cart").await, seqs("path=%25_").await, seqs("path=cart&class=4").await), (vec![1, 2], vec![1], vec![2]));
    let page = app.owner.browser.get(&format!("/applications/{}/logs/access", app.id)).await;
    assert_eq!(page.status(), 200);
    assert!(page.text().contains("&lt;script&gt;alert(1)") && !page.text().contains("<script>alert(1)"), "{}", page.text());
    assert!(page.text().contains("&lt;b&gt;a browser") && !page.text().contains('\u{1b}'));

    // Who comes back gets what she missed, and what follows.
    let mut stream = app.owner.with("last-event-id", "3").events(&app.url("access-log?follow=true")).await;
    assert_eq!(stream.next().await.unwrap().id, "4");
    write(vec![entry(&app.id, 5, 200, "/later")]).await;
    let event = stream.next().await.unwrap();
    assert_eq!((event.id.as_str(), event.data["path"].as_str()), ("5", Some("/later")));
    // A filter leaves out, and does not stop.
    let mut stream = app.owner.events(&app.url("access-log?follow=true&class=4")).await;
    assert_eq!(stream.next().await.unwrap().id, "2");
    write(vec![entry(&app.id, 6, 200, "/"), entry(&app.id, 7, 410, "/gone")]).await;
    assert_eq!(stream.next().await.unwrap().id, "7");

    for part in 0..4 {
        write((0..1_500).map(|n| entry(&app.id, part * 1_500 + n, 200, "/many")).collect()).await;
    }
    let kept = access_line::Entity::find().count(t.panel.db.read()).await.unwrap();
    assert!((5_000..=5_500).contains(&kept), "{kept}");
    assert_eq!(seqs("limit=1").await, [6_007]);
}

#[tokio::test]
async fn nobody_sees_what_is_anothers() {
    let t = TestPanel::start().await;
    let (app, other) = (t.app_in("acme").await, t.app_in("globex").await);
    t.panel.of::<Inbox>().push(
        "edge",
        signals(t.panel.now(), vec![release(&app.id, "dep_1", &[5])]),
        vec![entry(&app.id, 1, 200, "/ours")],
    );
    metrics::pass(&t.panel).await.unwrap();
    let stranger = &other.owner;
    for path in ["metrics", "access-log", "metrics?follow=true", "access-log?follow=true"] {
        let reply = stranger.get(&app.url(path)).await;
        assert_eq!((reply.status(), reply.code()), (404, "APPLICATION_NOT_FOUND"), "{path}");
    }
    for page in ["metrics", "logs/access"] {
        assert_eq!(stranger.browser.get(&format!("/applications/{}/{page}", app.id)).await.status(), 404, "{page}");
    }
    assert_eq!(numbers(&other, "").await["total"]["requests"], 0);
    // An edge that is told of an application by mistake does not make one.
    t.panel.of::<Inbox>().push(
        "edge",
        signals(t.panel.now(), vec![release(&random::id(), "dep_1", &[5]), release(&other.id, "dep_2", &[5])]),
        Vec::new(),
    );
    metrics::pass(&t.panel).await.unwrap();
    assert_eq!(numbers(&other, "").await["total"]["requests"], 1);
}

#[tokio::test]
async fn pages_show_charts_gaps_and_deployments_without_a_script() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let live = t.deploy_well(&app).await;
    let page = async |path: &str| -> Reply {
        let page = app.owner.browser.get(&format!("/applications/{}{path}", app.id)).await;
        assert_eq!(page.status(), 200, "{}", page.text());
        page
    };
    assert!(page("/metrics").await.text().contains("No requests yet"));
    let mut one = release(&app.id, &live.id.to_string(), &[3; 40]);
    one.classes[4] = 4;
    one.requests += 4;
    t.panel.of::<Inbox>().push("edge", signals(t.panel.now(), vec![one, release(&app.id, "", &[1])]), Vec::new());
    metrics::pass(&t.panel).await.unwrap();
    for range in ["1h", "6h", "24h", "7d", "30d", "1y"] {
        let text = page(&format!("/metrics?range={range}")).await.text();
        assert_eq!(text.matches("role=\"img\"").count(), 5, "{range}");
        for said in ["45 requests, 8.88 % of them", "Deployment 1 went live", "Show the numbers", "Answered by the edge itself", "8.88 %"] {
            assert!(text.contains(said), "{range}: {said}");
        }
        assert!(text.contains("no numbers"), "{range}");
    }
    assert!(page("/metrics?range=nonsense").await.text().contains("24 hours"));
    assert!(page("/metrics?release=edge").await.text().contains("Only what the edge answered by itself."));
    let overview = page("").await.text();
    assert!(overview.contains("The last hour") && overview.contains("Requests a minute"));
    let operator = t.operator().await;
    let text = operator.browser.get("/admin/traffic").await.text();
    assert!(text.contains("Requests of the last day") && text.contains("45 requests at all edges"), "{text}");
    assert_eq!(app.owner.browser.get("/admin/traffic").await.status(), 403);
}

#[tokio::test]
async fn many_releases_take_as_many_statements_as_one() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let mut counts = Vec::new();
    for releases in [1, 15] {
        let all = (0..releases).map(|_| release(&app.id, &random::id::<DeploymentId>().to_string(), &[5])).collect();
        t.panel.of::<Inbox>().push("edge", signals(t.panel.now(), all), (0..releases).map(|n| entry(&app.id, n, 200, "/")).collect());
        t.heard.begin();
        service::flush(&t.panel).await.unwrap();
        let written = t.heard.end().len();
        let mut asked = Vec::new();
        for path in [app.url("metrics?range=7d"), app.url("access-log")] {
            app.owner.get(&path).await;
            t.panel.of::<SessionCache>().forget_user(&app.owner.user);
            t.heard.begin();
            app.owner.get(&path).await;
            asked.push(t.heard.end().len());
        }
        counts.push((written, asked));
    }
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0].0 <= 24 && counts[0].1.iter().all(|count| *count <= 10), "{counts:?}");
}

/// Reads Prometheus's text form (version 0.0.4) strictly and answers with the samples by name and labels.
fn strictly(text: &str) -> BTreeMap<(String, Vec<(String, String)>), f64> {
    let is_name = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
            && !name.as_bytes()[0].is_ascii_digit()
    };
    let (mut kinds, mut samples, mut current) = (HashMap::<String, String>::new(), BTreeMap::new(), String::new());
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (word, name, value) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            assert!(is_name(name) && (word == "HELP" || word == "TYPE"), "{line}");
            if word == "TYPE" {
                assert!(["counter", "gauge", "histogram"].contains(&value), "{line}");
                assert!(kinds.insert(name.into(), value.into()).is_none(), "{line} twice");
                current = name.into();
            }
            continue;
        }
        let (head, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let (name, labels) = head.split_once('{').unwrap_or((head, "}"));
        let base = ["_bucket", "_count", "_sum"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .filter(|base| kinds.get(*base).is_some_and(|kind| kind == "histogram"));
        assert!(is_name(name) && base.unwrap_or(name) == current, "{line} stands under {current}");
        let mut rest = labels.strip_suffix('}').unwrap();
        let mut all = Vec::new();
        while !rest.is_empty() {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(is_name(label), "{line}");
            let mut end = 0;
            while after.as_bytes()[end] != b'"' {
                end += if after.as_bytes()[end] == b'\\' { 2 } else { 1 };
            }
            all.push((label.to_string(), after[..end].to_string()));
            rest = after[end + 1..].strip_prefix(',').unwrap_or(&after[end + 1..]);
        }
        if kinds[&current] == "counter" {
            assert!(current.ends_with("_total") && value >= 0.0, "{line}");
        }
        assert!(samples.insert((name.to_string(), all), value).is_none(), "{line} twice");
    }
    // Buckets grow, and the last one holds all.
    let mut last: HashMap<Vec<(String, String)>, f64> = HashMap::new();
    let mut buckets: Vec<_> = samples.iter().filter(|((name, _), _)| name.ends_with("_bucket")).collect();
    let bound = |labels: &[(String, String)]| {
        labels.iter().find(|(name, _)| name == "le").unwrap().1.replace("+Inf", "inf").parse::<f64>().unwrap()
    };
    buckets.sort_by(|((_, a), _), ((_, b), _)| bound(a).total_cmp(&bound(b)));
    for ((name, labels), value) in buckets {
        let rest: Vec<_> = labels.iter().filter(|(name, _)| name != "le").cloned().collect();
        assert!(last.insert(rest.clone(), *value).unwrap_or(0.0) <= *value);
        if bound(labels).is_infinite() {
            assert_eq!(samples[&(name.replace("_bucket", "_count"), rest)], *value);
        }
    }
    samples
}

#[tokio::test]
async fn prometheus_reads_what_the_operator_lets_it() {
    let t = TestPanel::with(|config| config.metrics.token = Some("a token of thirty-two characters".into())).await;
    let app = t.app_in("acme").await;
    t.deploy_well(&app).await;
    for _ in 0..3 {
        t.visit(&app).await;
    }
    counted(&t, &app, 3).await;
    let scraper = t.stranger();
    assert_eq!(scraper.get("/metrics").await.status(), 401);
    assert_eq!(scraper.with("authorization", "Bearer wrong").get("/metrics").await.status(), 401);
    let reply = scraper.with("authorization", "Bearer a token of thirty-two characters").get("/metrics").await;
    assert_eq!((reply.status(), reply.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
    let samples = strictly(&reply.text());
    let of = |name: &str, class: &str| {
        let is = |labels: &Vec<(String, String)>| {
            labels.iter().any(|(name, value)| name == "app" && *value == app.id.to_string())
                && labels.iter().any(|(name, value)| name == "class" && value == class)
        };
        samples.iter().filter(|((it, labels), _)| it == name && is(labels)).map(|(_, value)| *value).sum::<f64>()
    };
    assert_eq!(of("skypanel_edge_requests_total", "2xx"), 3.0);
    let value = |name: &str| samples.iter().find(|((it, _), _)| it == name).map(|(_, value)| *value).unwrap();
    assert!(value("skypanel_panel_requests_total") >= 1.0 && value("skypanel_build_info") == 1.0);
    assert_eq!(value("skypanel_traffic_lost_requests_total"), 0.0);
    let operator = t.operator().await;
    let reply = operator.get("/api/admin/metrics").await;
    assert_eq!(reply.status(), 200);
    strictly(&reply.text());
    assert_eq!(t.member("acme", Role::Owner).await.get("/api/admin/metrics").await.status(), 403);
    // Without a token there is no such door.
    let closed = TestPanel::start().await;
    assert_eq!(closed.stranger().get("/metrics").await.status(), 404);
    strictly(&prometheus::text(&closed.panel));
}

#[tokio::test]
async fn operators_see_each_edge() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let at = t.panel.now() - 2 * MINUTE;
    for (edge, times) in [("edge-a", 30), ("edge-b", 60)] {
        let mut told = signals(at, vec![release(&app.id, "dep_1", &vec![5; times])]);
        told.unrouted = 7;
        t.panel.of::<Inbox>().push(edge, told, Vec::new());
    }
    metrics::pass(&t.panel).await.unwrap();
    let operator = t.operator().await;
    let reply = operator.get("/api/admin/traffic").await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let edges: Vec<(&str, u64, u64)> = reply.data()["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| (edge["edge"].as_str().unwrap(), edge["requests"].as_u64().unwrap(), edge["unrouted"].as_u64().unwrap()))
        .collect();
    assert!(edges.contains(&("edge-a", 30, 7)) && edges.contains(&("edge-b", 60, 7)), "{edges:?}");
    let total: u64 = reply.data()["points"].as_array().unwrap().iter().filter_map(|point| point["requests"].as_u64()).sum();
    assert_eq!(total, 90);
    assert_eq!(json!(numbers(&app, "?range=1h").await["total"]["requests"]), 90);
}
