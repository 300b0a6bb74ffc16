//! The trail as it is read, taken along and sent elsewhere.
use crate::support::{client::Person, panel::TestPanel};
use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use serde_json::{Value, json};
use skypanel::{
    audit::server::{
        service::{Event, record_for},
        task,
    },
    id::OrgId,
    rights::Role,
    store::EventKind,
    web::ctx::Origin,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Semaphore;

const DONE: EventKind = EventKind::new("thing.done", "A thing was done");

async fn deeds(t: &TestPanel, org: &OrgId, from: usize, count: usize) {
    let origin = Origin { address: "203.0.113.9".into(), agent: "=cmd|' /C calc'!A0".into(), request_id: "req_1".into() };
    t.panel
        .db
        .tx(async |tx| {
            for number in from..from + count {
                let event = Event { kind: DONE, target: format!("=1+{number}"), detail: json!({ "number": number, "text": "a \"b\", c" }) };
                record_for(tx, org, "", &origin, t.panel.now(), event).await?;
            }
            Ok(())
        })
        .await
        .unwrap();
}

fn url(who: &Person, what: &str) -> String {
    format!("/api/organizations/{}/{what}", who.org)
}

#[tokio::test]
async fn a_trail_is_shown_to_its_members_wherever_they_work_just_now() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let ada = &app.owner;
    let other = ada.post("/api/organizations", json!({ "name": "Initech" })).await.data()["id"].as_str().unwrap().to_string();
    ada.post(&app.url("scale"), json!({ "replicas": 2 })).await;
    for (org, event) in [(ada.org.to_string(), "application.scaled"), (other.clone(), "organization.created")] {
        let read = ada.get(&format!("/api/organizations/{org}/activity?event={event}")).await;
        assert_eq!((read.status(), read.data().as_array().unwrap().len()), (200, 1), "{org}: {}", read.text());
        for what in ["activity/export", "audit-streams"] {
            assert_eq!(ada.get(&format!("/api/organizations/{org}/{what}")).await.status(), 200, "{org}/{what}");
        }
    }
    let stranger = t.app_in("globex").await.owner;
    assert_eq!(stranger.get(&format!("/api/organizations/{other}/activity")).await.status(), 404);
}

#[tokio::test]
async fn the_trail_is_read_page_by_page_and_by_what_one_looks_for() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let ada = &app.owner;
    ada.post(&app.url("scale"), json!({ "replicas": 2 })).await;
    deeds(&t, &ada.org, 0, 5).await;
    let get = async |query: &str| ada.get(&url(ada, &format!("activity?{query}"))).await;
    let first = get("limit=3").await;
    assert_eq!(first.status(), 200, "{}", first.text());
    let events = |reply: &Value| reply.as_array().unwrap().iter().map(|it| it["event"].as_str().unwrap().to_string()).collect::<Vec<_>>();
    assert_eq!(events(first.data()), ["thing.done"; 3]);
    let cursor = first.json()["pagination"]["next_cursor"].as_i64().unwrap();
    let second = get(&format!("limit=3&cursor={cursor}")).await;
    assert_eq!(events(second.data()), ["thing.done", "thing.done", "application.scaled"]);
    assert_eq!(get("event=application.scaled").await.data()[0]["actor"]["id"], ada.user.to_string());
    assert_eq!(events(get("event=application.").await.data()), ["application.scaled", "application.created"]);
    assert_eq!(events(get(&format!("person={}", ada.user)).await.data()).len(), 2);
    assert_eq!(events(get(&format!("target={}", app.id)).await.data()).len(), 2);
    assert_eq!(events(get("search=%221%2B%22").await.data()).len(), 0);
    assert_eq!(events(get("search=%3D1%2B3").await.data()).len(), 1);
    assert_eq!(events(get("until=2020-01-01").await.data()).len(), 0);
    assert_eq!(events(get("from=2020-01-01&until=2999-01-01").await.data()).len(), 7);
    let credential = get("event=application.scaled").await.data()[0]["credential"].as_str().unwrap().to_string();
    assert_eq!(events(get(&format!("credential={credential}")).await.data()).len(), 2);
    assert_eq!(get("from=x&limit=0&cursor=0").await.fields().len(), 3);
    assert_eq!(get("colour=red").await.status(), 400);
    let page = ada.browser.get("/organization/activity?event=application.scaled").await;
    assert!(page.status() == 200 && page.text().contains("application.scaled") && page.text().contains("Ada Lovelace"));
    let developer = t.member("acme", Role::Developer).await;
    assert_eq!(developer.browser.get("/organization/activity").await.status(), 403);
    assert_eq!(ada.get(&url(&developer, "activity")).await.status(), 200);
    let stranger = t.member("globex", Role::Owner).await;
    assert_eq!(stranger.get(&url(ada, "activity")).await.code(), "ORGANIZATION_NOT_FOUND");
}

#[tokio::test]
async fn the_trail_is_taken_along_whole_and_no_cell_is_a_formula() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    deeds(&t, &ada.org, 0, 1_234).await;
    let file = ada.get(&url(&ada, "activity/export?format=csv")).await;
    assert_eq!(file.status(), 200);
    assert!(file.header("content-disposition").starts_with("attachment; filename=\"activity-"));
    let text = file.text();
    assert!(text.starts_with("\"seq\","), "no byte order mark, a heading");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1_235, "the export itself is a line, too");
    for (index, row) in rows.iter().take(1_234).enumerate() {
        assert_eq!(
            (&row[0], &row[8], &row[13]),
            ((index + 1).to_string().as_str(), format!("'=1+{index}").as_str(), "'=cmd|' /C calc'!A0")
        );
    }
    assert!(rows.iter().all(|row| row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r']))));
    // What compresses an answer asks once more after its end; a short one is over before that.
    for query in ["", "?event=thing.nobody_did", "?format=jsonl&event=thing.nobody_did"] {
        let packed = ada.script.with("accept-encoding", "gzip").get(&url(&ada, &format!("activity/export{query}"))).await;
        assert_eq!(packed.status(), 200, "{query}");
    }
    let lines = ada.get(&url(&ada, "activity/export?format=jsonl&event=thing.done")).await.text();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), lines[1_233]["detail"]["number"].as_u64()), (1_234, Some(1_233)));
    assert_eq!(lines[0]["hash"].as_str().unwrap().len(), 64);
    assert_eq!(ada.get(&url(&ada, "activity/export?format=xls")).await.fields(), ["format"]);
    let viewer = t.member("acme", Role::Viewer).await;
    assert_eq!(viewer.get(&url(&ada, "activity/export")).await.status(), 403);
}

/// What came, in order: headers and body of each.
type Got = Arc<Mutex<Vec<(HeaderMap, Vec<u8>)>>>;

/// A place that trails are sent to: what it got, and how it answers next.
#[derive(Clone)]
struct Receiver {
    got: Got,
    answers: Arc<Mutex<Vec<u16>>>,
    /// How many requests may still be answered.
    go_on: Arc<Semaphore>,
}

impl Default for Receiver {
    fn default() -> Self {
        Receiver { got: Got::default(), answers: Default::default(), go_on: Arc::new(Semaphore::new(10_000)) }
    }
}

impl Receiver {
    /// One that answers nothing until it may, and its address.
    async fn holding() -> (Self, String) {
        let it = Receiver { go_on: Arc::new(Semaphore::new(0)), ..Receiver::default() };
        let place = it.start().await;
        (it, place)
    }

    /// Waits until so many batches came.
    async fn gets(&self, batches: usize) {
        let came = async {
            while self.got.lock().unwrap().len() < batches {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), came).await.expect("it comes");
    }

    async fn start(&self) -> String {
        let it = self.clone();
        let answer = move |headers: HeaderMap, body: Bytes| {
            it.got.lock().unwrap().push((headers, body.to_vec()));
            let status = it.answers.lock().unwrap().pop().unwrap_or(204);
            let go_on = it.go_on.clone();
            async move {
                go_on.acquire().await.unwrap().forget();
                axum::http::StatusCode::from_u16(status).unwrap()
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/in", post(answer))).await });
        format!("http://{address}/in")
    }

    /// The numbers of the lines that arrived, batch by batch.
    fn batches(&self) -> Vec<Vec<i64>> {
        let seqs = |body: &Vec<u8>| {
            let body: Value = serde_json::from_slice(body).unwrap();
            body["events"].as_array().unwrap().iter().map(|it| it["seq"].as_i64().unwrap()).collect()
        };
        self.got.lock().unwrap().iter().map(|(_, body)| seqs(body)).collect()
    }
}

const SECRET: &str = "0123456789abcdef";

async fn stream_to(ada: &Person, place: &str) -> String {
    let reply = ada.post(&url(ada, "audit-streams"), json!({ "name": "siem", "url": place, "secret": SECRET })).await;
    assert_eq!(reply.status(), 201, "{}", reply.text());
    assert!(!reply.text().contains(SECRET));
    reply.data()["id"].as_str().unwrap().into()
}

#[tokio::test]
async fn a_webhook_gets_every_line_in_order_signed_and_again_until_it_takes_it() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let receiver = Receiver::default();
    let id = stream_to(&ada, &receiver.start().await).await;
    deeds(&t, &ada.org, 0, 149).await;
    receiver.answers.lock().unwrap().extend([204, 503, 503]);
    assert_eq!(task::pass(&t.panel).await.unwrap(), None, "it refuses");
    assert_eq!(task::pass(&t.panel).await.unwrap(), None, "it is not asked again at once");
    let shown = ada.get(&url(&ada, &format!("audit-streams/{id}"))).await;
    assert_eq!(shown.data()["last_error"], "It answered with 503.");
    t.clock.advance(Duration::from_secs(5));
    assert_eq!(task::pass(&t.panel).await.unwrap(), None);
    t.clock.advance(Duration::from_secs(10));
    while task::pass(&t.panel).await.unwrap().is_some() {}
    let batches = receiver.batches();
    assert_eq!(batches.len(), 4);
    assert!(batches[0] == batches[1] && batches[1] == batches[2], "the same lines until they are taken");
    let all: Vec<i64> = batches[2].iter().chain(&batches[3]).copied().collect();
    // The stream's own making is its first line.
    assert_eq!(all, (1..=150).collect::<Vec<i64>>());
    let shown = ada.get(&url(&ada, &format!("audit-streams/{id}"))).await;
    assert_eq!((shown.data()["sent_seq"].as_i64(), shown.data()["waiting"].as_i64()), (Some(150), Some(0)));
    assert!(shown.data()["failing_since"].is_null());
    let (headers, body) = receiver.got.lock().unwrap()[3].clone();
    let signature = headers["x-skypanel-signature"].to_str().unwrap().to_string();
    let (seconds, mac) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    assert_eq!(mac, signed(&format!("{seconds}.{}", String::from_utf8(body).unwrap())));
}

fn signed(text: &str) -> String {
    use hmac::{KeyInit, Mac};
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_stream_that_fails_for_three_days_is_switched_off_and_goes_on_where_it_stopped() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let receiver = Receiver::default();
    let id = stream_to(&ada, &receiver.start().await).await;
    receiver.answers.lock().unwrap().extend([500; 100]);
    for _ in 0..74 {
        task::pass(&t.panel).await.unwrap();
        t.clock.advance(Duration::from_secs(3_600));
    }
    let again = t.sign_in(&ada.user, &ada.org).await;
    let shown = again.get(&url(&ada, &format!("audit-streams/{id}"))).await;
    assert_eq!(shown.data()["is_enabled"], false, "{}", shown.text());
    assert!(shown.data()["disabled_reason"].as_str().unwrap().contains("three days"));
    let page = again.browser.get("/organization/activity/streams").await.text();
    assert!(page.contains("Switched off after failing"));
    receiver.answers.lock().unwrap().clear();
    receiver.got.lock().unwrap().clear();
    let on = again.put(&url(&ada, &format!("audit-streams/{id}")), json!({ "is_enabled": true })).await;
    assert_eq!(on.status(), 200, "{}", on.text());
    while task::pass(&t.panel).await.unwrap().is_some() {}
    let all: Vec<i64> = receiver.batches().concat();
    assert_eq!(all, (1..=all.len() as i64).collect::<Vec<i64>>());
    let events = again.get(&url(&ada, "activity?event=audit_stream.disabled")).await;
    assert_eq!(events.data().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_panel_whose_clock_runs_ahead_sends_nothing_that_another_is_sending() {
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let (receiver, place) = Receiver::holding().await;
    stream_to(&ada, &place).await;
    let slow = {
        let panel = t.panel.clone();
        tokio::spawn(async move { task::pass(&panel).await })
    };
    receiver.gets(1).await;
    let other = t.another().await;
    t.clock.advance(Duration::from_secs(3_600));
    assert_eq!(task::pass(&other.panel).await.unwrap(), None, "it is being sent");
    receiver.go_on.add_permits(1);
    assert!(slow.await.unwrap().unwrap().is_some());
    receiver.gets(1).await;
    assert_eq!(receiver.batches().len(), 1, "each line came once");
    deeds(&t, &ada.org, 0, 1).await;
    receiver.go_on.add_permits(1);
    assert!(task::pass(&other.panel).await.unwrap().is_some(), "the lease was given back");
}

#[tokio::test]
async fn nothing_is_sent_into_private_networks_nor_unencrypted_out() {
    let t = TestPanel::with(|config| config.git.allowed_networks.clear()).await;
    let ada = t.member("acme", Role::Owner).await;
    for place in [
        "https://127.0.0.1/",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "syslog+tcp://10.0.0.1:514",
        "http://192.0.2.1/",
        "http://1.1.1.1/",
    ] {
        let secret = if place.starts_with("syslog") { Value::Null } else { json!(SECRET) };
        let reply = ada.post(&url(&ada, "audit-streams"), json!({ "name": "siem", "url": place, "secret": secret })).await;
        assert_eq!((reply.status(), reply.fields()), (400, vec!["url"]), "{place}");
    }
    for (body, field) in [
        (json!({ "name": "siem", "url": "https://user:pw@example.com/", "secret": SECRET }), "url"),
        (json!({ "name": "siem", "url": "ftp://example.com/", "secret": SECRET }), "url"),
        (json!({ "name": "siem", "url": "https://example.com/", "secret": "short" }), "secret"),
        (json!({ "name": "siem", "url": "https://example.com/" }), "secret"),
        (json!({ "name": "", "url": "https://example.com/", "secret": SECRET }), "name"),
    ] {
        let reply = ada.post(&url(&ada, "audit-streams"), body).await;
        assert_eq!(reply.fields(), [field]);
    }
}

#[tokio::test]
async fn syslog_gets_whole_messages_over_tcp_and_udp() {
    use tokio::io::AsyncReadExt;
    let t = TestPanel::start().await;
    let ada = t.member("acme", Role::Owner).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("syslog+tcp://{}", listener.local_addr().unwrap());
    let reply = ada.post(&url(&ada, "audit-streams"), json!({ "name": "tcp", "url": place })).await;
    assert_eq!(reply.status(), 201, "{}", reply.text());
    let reading = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    });
    assert!(task::pass(&t.panel).await.unwrap().is_some());
    let text = reading.await.unwrap();
    let (length, message) = text.split_once(' ').unwrap();
    assert_eq!(length.parse::<usize>().unwrap(), message.len());
    assert!(message.starts_with("<109>1 ") && message.contains(" skypanel - audit_stream.created [audit@32473 id=\"aud_"), "{message}");
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let place = format!("syslog+udp://{}", socket.local_addr().unwrap());
    let made = ada.post(&url(&ada, "audit-streams"), json!({ "name": "udp", "url": place })).await;
    let id = made.data()["id"].as_str().unwrap().to_string();
    assert_eq!(ada.post(&url(&ada, &format!("audit-streams/{id}/test")), json!({})).await.status(), 200);
    let mut buffer = vec![0; 65_536];
    let size = tokio::time::timeout(Duration::from_secs(10), socket.recv(&mut buffer)).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&buffer[..size]).contains(" audit_stream.test "));
}
