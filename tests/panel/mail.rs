//! Mail: sent from the outbox to a real server (one of the test's own), once; what comes back; what the operator sees and does.
use crate::support::{
    client::Client,
    panel::TestPanel,
    smtp::{Mood, Post, Taken},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, QueryOrder};
use serde_json::{Value, json};
use skypanel::{
    accounts::server::letters::PasswordChangedLetter,
    fault::Because,
    id::{Id, MailId},
    mail::{model::MailStatus, server::task},
    orgs::server::letters::InvitationLetter,
    outbox::{Letter, Mail, is_suppressed, queue},
    rights::Role,
    runtime::config::{BounceConfig, Config, Security, SmtpConfig},
    store::tables::mail,
};
use std::{path::Path, time::Duration};

const HOUR: Duration = Duration::from_secs(3_600);

fn sends_to(port: u16) -> impl Fn(&mut Config) {
    move |config| {
        let host = "127.0.0.1".into();
        config.mail.smtp =
            Some(SmtpConfig { host, port: Some(port), security: Security::None, username: None, password_file: None, ca_file: None });
        config.mail.from = Some("panel@example.com".into());
        config.brand.name = "Example Cloud".into();
    }
}

async fn with_post() -> (TestPanel, Post) {
    let post = Post::start().await;
    (TestPanel::with(sends_to(post.port)).await, post)
}

async fn write(t: &TestPanel, to: &str, letter: impl Letter) -> MailId {
    let mail = Mail { to: to.into(), org: None, letter };
    t.panel.db.tx(async |tx| queue(tx, &t.panel, mail).await).await.unwrap()
}

async fn hello(t: &TestPanel, to: &str) -> MailId {
    write(t, to, PasswordChangedLetter { name: "Ada".into() }).await
}

fn invitation(t: &TestPanel, organization: &str, good_for: Duration) -> InvitationLetter {
    InvitationLetter {
        organization: organization.into(),
        inviter: "Grace".into(),
        role: "Developer".into(),
        message: None,
        link: format!("{}/invitations/secret-token", t.panel.config.public_url()),
        expires_at: t.panel.now() + good_for,
    }
}

async fn row(t: &TestPanel, id: &MailId) -> mail::Model {
    mail::Entity::find_by_id(id.clone()).one(t.panel.db.read()).await.unwrap().unwrap()
}

async fn status(t: &TestPanel, id: &MailId) -> String {
    row(t, id).await.status.name().into()
}

async fn change(t: &TestPanel, row: mail::ActiveModel) {
    t.panel.db.tx(async |tx| row.update(tx).await.because("changing a row")).await.unwrap();
}

/// What the operator sees of a message.
async fn seen(t: &TestPanel, id: &MailId) -> Value {
    let reply = t.operator().await.get(&format!("/api/admin/mail/messages/{id}")).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    reply.data().clone()
}

async fn kinds(t: &TestPanel, id: &MailId) -> Vec<String> {
    let seen = seen(t, id).await;
    seen["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap().to_string()).collect()
}

#[tokio::test]
async fn a_message_arrives_once_in_both_forms() {
    let (t, post) = with_post().await;
    let id = write(&t, "Ada@Example.org", invitation(&t, "Zürich Rockets", 24 * HOUR)).await;
    t.settle().await;
    t.clock.advance(HOUR);
    t.settle().await;
    let [mail] = post.taken().try_into().unwrap();
    let mail: Taken = mail;
    assert_eq!((mail.from.as_str(), mail.to.as_str()), ("panel@example.com", "ada@example.org"));
    assert_eq!(mail.header("Message-ID"), format!("<{id}@example.com>"));
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    assert_eq!(mail.header("From"), "\"Example Cloud\" <panel@example.com>");
    let read = mail_parser::MessageParser::default().parse(mail.data.as_bytes()).unwrap();
    assert_eq!(read.subject(), Some("Grace invites you to Zürich Rockets"));
    for body in [read.body_html(0).unwrap(), read.body_text(0).unwrap()] {
        assert!(body.contains("/invitations/secret-token") && body.contains("Example Cloud"), "{body}");
    }
    assert_eq!(kinds(&t, &id).await, ["queued", "sent"]);
    let seen = seen(&t, &id).await;
    assert_eq!(seen["message"]["status"], "sent");
    assert!(!seen.to_string().contains("secret-token"), "what it says stays between us: {seen}");
    assert!(!t.stored().await.contains("secret-token"));
}

#[tokio::test]
async fn what_somebody_typed_puts_nothing_into_the_headers() {
    let (t, post) = with_post().await;
    let name = "Acme\r\nBcc: all@example.com\r\n\r\n<script>\u{202e}";
    write(&t, "ada@example.org", invitation(&t, name, HOUR)).await;
    t.settle().await;
    let mail = post.taken().remove(0);
    assert_eq!(mail.header("Bcc"), "");
    let read = mail_parser::MessageParser::default().parse(mail.data.as_bytes()).unwrap();
    assert_eq!(read.subject(), Some("Grace invites you to Acme Bcc: all@example.com <script>"));
    assert!(!read.body_html(0).unwrap().contains("<script"));
}

#[tokio::test]
async fn while_the_server_is_down_mail_waits_and_arrives_once() {
    let port = Post::nowhere();
    let t = TestPanel::with(sends_to(port)).await;
    let ids = [hello(&t, "ada@example.org").await, hello(&t, "bob@example.org").await];
    t.settle().await;
    assert!(ids.len() == 2 && status(&t, &ids[0]).await == "deferred");
    assert!(row(&t, &ids[0]).await.last_error.unwrap().contains("can’t be used"));
    let post = Post::start_at(port).await;
    t.clock.advance(HOUR);
    t.settle().await;
    t.clock.advance(HOUR);
    t.settle().await;
    let mut to: Vec<String> = post.taken().into_iter().map(|mail| mail.to).collect();
    to.sort();
    assert_eq!(to, ["ada@example.org", "bob@example.org"]);
    assert_eq!(kinds(&t, &ids[0]).await, ["queued", "deferred", "sent"]);
}

#[tokio::test]
async fn two_panels_send_one_outbox_once() {
    let (one, post) = with_post().await;
    let other = one.another().await;
    for number in 0..30 {
        hello(&one, &format!("p{number}@example.org")).await;
    }
    let (first, second) = tokio::join!(task::pass(&one.panel), task::pass(&other.panel));
    first.unwrap();
    second.unwrap();
    let mut to: Vec<String> = post.taken().into_iter().map(|mail| mail.to).collect();
    to.sort();
    let all = to.len();
    to.dedup();
    assert_eq!((all, to.len()), (30, 30));
    assert!(post.connections() <= 8, "connections are used again: {}", post.connections());
}

#[tokio::test]
async fn a_message_that_is_not_taken_now_is_tried_later_and_not_before() {
    let (t, post) = with_post().await;
    post.will(Mood::Recipient("450 4.2.1 greylisted, come back")).will(Mood::Content("451 4.3.0 try again"));
    let id = hello(&t, "ada@example.org").await;
    t.settle().await;
    assert_eq!(status(&t, &id).await, "deferred");
    assert_eq!(row(&t, &id).await.last_error.as_deref(), Some("450 4.2.1 greylisted, come back"));
    t.clock.advance(Duration::from_secs(10));
    t.settle().await;
    assert_eq!(row(&t, &id).await.attempts, 1, "too early");
    t.clock.advance(Duration::from_secs(90));
    t.settle().await;
    assert_eq!((row(&t, &id).await.attempts, post.taken().len()), (2, 0));
    t.clock.advance(HOUR);
    t.settle().await;
    assert_eq!((status(&t, &id).await.as_str(), post.taken().len()), ("sent", 1));
    assert_eq!(kinds(&t, &id).await, ["queued", "deferred", "deferred", "sent"]);
}

#[tokio::test]
async fn a_dead_address_bounces_and_gets_no_more_mail_until_an_operator_lifts_it() {
    let (t, post) = with_post().await;
    post.will(Mood::Recipient("550 5.1.1 no such user here"));
    let id = hello(&t, "gone@example.org").await;
    t.settle().await;
    assert_eq!(status(&t, &id).await, "bounced");
    assert_eq!(row(&t, &id).await.last_error.as_deref(), Some("550 5.1.1 no such user here"));
    assert!(is_suppressed(&t.panel, "GONE@example.org").await.unwrap());
    let next = hello(&t, "Gone@Example.org").await;
    t.settle().await;
    assert_eq!((status(&t, &next).await.as_str(), post.taken().len()), ("suppressed", 0));

    let operator = t.operator().await;
    let again = format!("/api/admin/mail/messages/{next}/retry");
    assert_eq!(operator.post(&again, json!({})).await.status(), 409);
    let list = operator.get("/api/admin/mail/suppressions?search=gone").await;
    assert_eq!(list.data()[0]["address"], "gone@example.org");
    assert_eq!(list.data()[0]["mail_id"], id.to_string());
    assert_eq!(operator.delete("/api/admin/mail/suppressions/gone@example.org").await.status(), 200);
    assert_eq!(operator.delete("/api/admin/mail/suppressions/gone@example.org").await.fields(), ["address"]);
    assert_eq!(operator.post(&again, json!({})).await.status(), 200);
    t.settle().await;
    assert_eq!((status(&t, &next).await.as_str(), post.taken().len()), ("sent", 1));
    assert_eq!(operator.post(&again, json!({})).await.status(), 409, "it was sent");
}

#[tokio::test]
async fn a_refusal_that_is_not_about_the_address_suppresses_nobody() {
    let (t, post) = with_post().await;
    for mood in [Mood::Sender("553 5.7.1 not your address"), Mood::Content("554 5.7.1 looks like spam")] {
        post.will(mood);
        let id = hello(&t, "ada@example.org").await;
        t.settle().await;
        assert_eq!(status(&t, &id).await, "failed");
    }
    post.will(Mood::Recipient("552 5.2.2 mailbox full"));
    let full = hello(&t, "ada@example.org").await;
    t.settle().await;
    assert_eq!(status(&t, &full).await, "bounced");
    assert!(!is_suppressed(&t.panel, "ada@example.org").await.unwrap());
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_message_was_handed_over_costs_nothing() {
    let (t, post) = with_post().await;
    post.will(Mood::HangUpEarly);
    let id = hello(&t, "ada@example.org").await;
    t.settle().await;
    t.clock.advance(HOUR);
    t.settle().await;
    assert_eq!((status(&t, &id).await.as_str(), post.taken().len()), ("sent", 1));
}

#[tokio::test]
async fn when_the_server_takes_a_message_and_says_nothing_it_gets_the_same_one_again() {
    let (t, post) = with_post().await;
    post.will(Mood::HangUpLate);
    let id = hello(&t, "ada@example.org").await;
    t.settle().await;
    assert_eq!(kinds(&t, &id).await, ["queued", "interrupted"]);
    t.clock.advance(HOUR);
    t.settle().await;
    let ids: Vec<String> = post.taken().iter().map(|mail| mail.header("Message-ID")).collect();
    assert_eq!(ids, [format!("<{id}@example.com>"), format!("<{id}@example.com>")], "so that it can see that they are one");
}

#[tokio::test]
async fn what_a_dead_panel_was_sending_is_taken_over_when_its_lease_is_over() {
    let (t, post) = with_post().await;
    let id = hello(&t, "ada@example.org").await;
    let now = t.panel.db.now().await.unwrap();
    let held = |until| mail::ActiveModel {
        id: Set(id.clone()),
        status: Set(MailStatus::Sending),
        lease_owner: Set(Some("panel_dead".into())),
        lease_until: Set(Some(until)),
        ..Default::default()
    };
    change(&t, held(now + HOUR)).await;
    t.settle().await;
    assert_eq!(post.taken().len(), 0, "it may be alive");
    change(&t, held(now - HOUR)).await;
    t.settle().await;
    assert_eq!((status(&t, &id).await.as_str(), post.taken().len()), ("sent", 1));
    assert_eq!(kinds(&t, &id).await, ["queued", "interrupted", "sent"]);
}

#[tokio::test]
async fn a_panel_that_lost_its_lease_does_not_hand_the_message_over() {
    let (t, post) = with_post().await;
    post.will(Mood::Wait);
    let id = hello(&t, "ada@example.org").await;
    let panel = t.panel.clone();
    let slow = tokio::spawn(async move { task::pass(&panel).await });
    post.waiting.notified().await;
    // Another panel thought that this one was dead.
    change(&t, mail::ActiveModel { id: Set(id.clone()), lease_owner: Set(Some("panel_other".into())), ..Default::default() }).await;
    post.go_on.notify_one();
    slow.await.unwrap().unwrap();
    assert_eq!((status(&t, &id).await.as_str(), post.taken().len()), ("sending", 0));
}

#[tokio::test]
async fn an_invitation_that_is_no_longer_good_is_not_sent() {
    let port = Post::nowhere();
    let t = TestPanel::with(sends_to(port)).await;
    let id = write(&t, "ada@example.org", invitation(&t, "Acme", HOUR)).await;
    t.settle().await;
    t.clock.advance(2 * HOUR);
    let post = Post::start_at(port).await;
    t.settle().await;
    assert_eq!((status(&t, &id).await.as_str(), post.taken().len()), ("expired", 0));
    assert_eq!(t.operator().await.post(&format!("/api/admin/mail/messages/{id}/retry"), json!({})).await.status(), 409);
}

#[tokio::test]
async fn without_a_mail_server_the_panel_works_and_says_so() {
    let t = TestPanel::start().await;
    let id = hello(&t, "ada@example.org").await;
    t.settle().await;
    assert_eq!(status(&t, &id).await, "queued");
    let operator = t.operator().await;
    let page = operator.browser.get("/admin/mail").await;
    assert!(page.status() == 200 && page.text().contains("Mail is not set up"), "{}", page.text());
    let figures = operator.get("/api/admin/mail/figures").await;
    assert_eq!((&figures.data()["is_set_up"], &figures.data()["queue"]), (&json!(false), &json!(1)));
    t.clock.advance(80 * HOUR);
    t.settle().await;
    assert_eq!(status(&t, &id).await, "expired", "it does not wait for ever");
    t.clock.advance(24 * 91 * HOUR);
    t.settle().await;
    assert!(mail::Entity::find_by_id(id).one(t.panel.db.read()).await.unwrap().is_none(), "nor is it kept for ever");
}

#[tokio::test]
async fn an_operator_ends_a_message_that_waits() {
    let t = TestPanel::start().await;
    let id = hello(&t, "ada@example.org").await;
    let operator = t.operator().await;
    let form = [("_action", "cancel_mail"), ("id", id.as_str())];
    let page = format!("/admin/mail/messages/{id}");
    let token = operator.browser.get(&page).await.hidden("_csrf").unwrap();
    let done = operator.browser.submit(&page, &[&form[..], &[("_csrf", token.as_str())]].concat()).await;
    assert_eq!(done.status(), 303, "{}", done.text());
    assert_eq!(status(&t, &id).await, "cancelled");
    assert_eq!(operator.post(&format!("/api/admin/mail/messages/{id}/cancel"), json!({})).await.status(), 409);
}

#[tokio::test]
async fn the_list_is_filtered_and_counted() {
    let (t, post) = with_post().await;
    post.will(Mood::Recipient("550 5.1.1 no such user"));
    let gone = hello(&t, "gone@example.org").await;
    t.settle().await;
    for number in 0..3 {
        write(&t, &format!("p{number}@example.org"), invitation(&t, "Acme", HOUR)).await;
    }
    t.settle().await;
    let operator = t.operator().await;
    let count = async |query: &str| operator.get(&format!("/api/admin/mail?{query}")).await.json()["pagination"]["total"].as_u64();
    assert_eq!(count("").await, Some(4));
    assert_eq!(count("status=bounced").await, Some(1));
    assert_eq!(count("template=invitation&status=sent").await, Some(3));
    assert_eq!(count("search=P1@example.org").await, Some(1));
    assert_eq!(count(&format!("search={gone}")).await, Some(1));
    assert_eq!(operator.get("/api/admin/mail?status=lost").await.fields(), ["status"]);
    assert_eq!(operator.get("/api/admin/mail?template=lost").await.fields(), ["template"]);
    let figures = operator.get("/api/admin/mail/figures").await.data().clone();
    for span in [&figures["day"], &figures["week"], &figures["days"][0]["counts"]] {
        assert_eq!((&span["sent"], &span["bounced"]), (&json!(3), &json!(1)), "{figures}");
    }
    assert_eq!((&figures["queue"], figures["days"].as_array().unwrap().len()), (&json!(0), 7));
    let page = operator.browser.get("/admin/mail?status=bounced").await.text();
    assert!(page.contains("gone@example.org") && page.contains("no such user") && !page.contains("p1@example.org"));
}

/// A message of a mail server about one that it could not deliver.
fn report(to: &str, action: &str, status: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example.org\r\nTo: {to}\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\nFinal-Recipient: rfc822; x@example.org\r\n\
         Action: {action}\r\nStatus: {status}\r\nDiagnostic-Code: smtp; 550 {status} refused\r\n\r\n--b--\r\n"
    )
}

fn drop_off(spool: &Path, name: &str, text: impl AsRef<[u8]>) {
    std::fs::write(spool.join("new").join(name), text).unwrap();
}

fn files(folder: &Path) -> Vec<String> {
    let Ok(all) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_comes_back_is_read_once_and_forgeries_change_nothing() {
    let post = Post::start().await;
    let spool = tempfile::tempdir().unwrap();
    std::fs::create_dir(spool.path().join("new")).unwrap();
    let t = TestPanel::with(|config| {
        sends_to(post.port)(config);
        config.mail.bounces = Some(BounceConfig { domain: "b.example.com".into(), spool: Some(spool.path().into()) });
        config.check().unwrap();
    })
    .await;
    let (gone, full, well) =
        (hello(&t, "gone@example.org").await, hello(&t, "full@example.org").await, hello(&t, "well@example.org").await);
    t.settle().await;
    let taken = post.taken();
    let back = |to: &str| taken.iter().find(|mail| mail.to == to).unwrap().from.clone();
    let (gone_to, well_to) = (back("gone@example.org"), back("well@example.org"));
    assert!(gone_to.starts_with("bounce+") && gone_to.ends_with("@b.example.com") && gone_to.find('@').unwrap() <= 64, "{gone_to}");
    assert_ne!(gone_to, well_to);

    // The message's id with somebody else's tag, another domain, and no tag at all.
    let forged = format!("bounce+{}.{}", well.suffix(), gone_to.split('.').nth(1).unwrap());
    drop_off(spool.path(), "1-forged", report(&format!("{forged}@b.example.com"), "failed", "5.1.1"));
    drop_off(spool.path(), "2-elsewhere", report(&well_to.replace("b.example.com", "evil.example"), "failed", "5.1.1"));
    drop_off(spool.path(), "3-untagged", report(&format!("bounce+{}@b.example.com", well.suffix()), "failed", "5.1.1"));
    drop_off(spool.path(), "4-holiday", format!("To: {well_to}\r\nSubject: Back on Monday\r\n\r\nHi"));
    drop_off(spool.path(), "5-nonsense", b"\xff\0\xfe--b\r\n");
    drop_off(spool.path(), "6-large", vec![b'x'; 2 * 1024 * 1024]);
    std::fs::create_dir(spool.path().join("new").join("7-folder")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", spool.path().join("new").join("8-link")).unwrap();
    t.settle().await;
    assert_eq!(files(&spool.path().join("new")), [""; 0], "nothing is looked at again");
    assert_eq!(files(&spool.path().join("rejected")).len(), 8);
    assert_eq!(kinds(&t, &well).await, ["queued", "sent"]);
    assert!(!is_suppressed(&t.panel, "well@example.org").await.unwrap());

    drop_off(spool.path(), "9", report(&gone_to, "failed", "5.1.1"));
    drop_off(spool.path(), "10", report(&gone_to, "failed", "5.1.1"));
    drop_off(spool.path(), "11", report(&back("full@example.org").to_uppercase(), "failed", "5.2.2"));
    drop_off(spool.path(), "12", report(&well_to, "delayed", "4.4.1"));
    t.settle().await;
    assert_eq!(files(&spool.path().join("new")), [""; 0]);
    assert_eq!(kinds(&t, &gone).await, ["queued", "sent", "bounced"], "the same report is taken once");
    assert_eq!(
        (status(&t, &gone).await, status(&t, &full).await, status(&t, &well).await),
        ("bounced".into(), "bounced".into(), "sent".into())
    );
    assert_eq!(row(&t, &gone).await.last_error.as_deref(), Some("550 5.1.1 refused"));
    assert!(is_suppressed(&t.panel, "gone@example.org").await.unwrap());
    assert!(!is_suppressed(&t.panel, "full@example.org").await.unwrap(), "a full mailbox is no dead address");
    assert_eq!(kinds(&t, &well).await, ["queued", "sent", "delayed"]);
}

#[tokio::test]
async fn a_providers_webhook_is_taken_once_and_from_nobody_else() {
    let post = Post::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "0123456789abcdef\n").unwrap();
    let t = TestPanel::with(|config| {
        sends_to(post.port)(config);
        config.mail.webhook_secret_file = Some(file.path().into());
    })
    .await;
    let (gone, spam) = (hello(&t, "gone@example.org").await, hello(&t, "spam@example.org").await);
    t.settle().await;
    let event = |id: &str, kind: &str, mail: &MailId| json!({ "id": id, "type": kind, "message_id": format!("<{mail}@example.com>"), "status": "5.1.1", "reason": "no such user" });
    let body = json!({ "events": [event("e1", "bounced", &gone), event("e2", "complained", &spam), event("e3", "bounced", &MailId::from_suffix("01jd0000000000000000000000")),
                                  { "id": "e4", "type": "delivered", "message_id": "<somebody@else>" }] });
    for wrong in ["", "0123456789abcdeX", "0123456789abcdef0"] {
        let reply = t.stranger().with("x-webhook-secret", wrong).post("/api/hooks/mail", body.clone()).await;
        assert_eq!(reply.status(), 401, "{wrong}");
    }
    assert_eq!(status(&t, &gone).await, "sent");
    let provider: Client = t.stranger().with("x-webhook-secret", "0123456789abcdef");
    let first = provider.post("/api/hooks/mail", body.clone()).await;
    assert_eq!(first.data(), &json!({ "taken": 2, "repeated": 0, "unknown": 2 }), "{}", first.text());
    assert_eq!(provider.post("/api/hooks/mail", body).await.data(), &json!({ "taken": 0, "repeated": 2, "unknown": 2 }));
    assert_eq!(
        (status(&t, &gone).await.as_str(), kinds(&t, &spam).await),
        ("bounced", vec!["queued".into(), "sent".into(), "complained".into()])
    );
    assert!(is_suppressed(&t.panel, "gone@example.org").await.unwrap() && is_suppressed(&t.panel, "spam@example.org").await.unwrap());
    assert_eq!(
        provider.post("/api/hooks/mail", json!({ "events": [{ "id": "", "type": "bounced", "message_id": "x" }] })).await.fields(),
        ["events[0].id"]
    );
    assert_eq!(
        provider.post("/api/hooks/mail", json!({ "events": [{ "id": "x", "type": "eaten", "message_id": "x" }] })).await.status(),
        400
    );
    assert_eq!(provider.post("/api/hooks/mail", json!({ "events": [], "more": 1 })).await.fields(), ["more"]);
}

#[tokio::test]
async fn opening_is_noted_only_where_it_is_allowed_and_links_lead_home() {
    let post = Post::start().await;
    let t = TestPanel::with(|config| {
        sends_to(post.port)(config);
        config.mail.tracking = true;
    })
    .await;
    let id = write(&t, "ada@example.org", invitation(&t, "Acme", HOUR)).await;
    t.settle().await;
    let mail = post.taken().remove(0);
    let read = mail_parser::MessageParser::default().parse(mail.data.as_bytes()).unwrap();
    let html = read.body_html(0).unwrap().into_owned();
    assert!(!html.contains("secret-token"), "{html}");
    let find = |of: &str| format!("/m/{of}/{}", html.split(&format!("/m/{of}/")).nth(1).unwrap().split('"').next().unwrap());
    let (open, click) = (find("o"), find("c"));
    for _ in 0..2 {
        let pixel = t.stranger().get(&open).await;
        assert_eq!((pixel.status(), pixel.header("content-type")), (200, "image/gif"));
    }
    assert_eq!(t.stranger().raw("HEAD", &click, "", axum::body::Body::empty()).await.status(), 303);
    assert_eq!(kinds(&t, &id).await, ["queued", "sent", "opened"], "once, and a HEAD is nobody's look");
    let gone = t.stranger().get(&click).await;
    assert_eq!(
        (gone.status(), gone.header("location")),
        (303, format!("{}/invitations/secret-token", t.panel.config.public_url()).as_str())
    );
    assert_eq!(kinds(&t, &id).await, ["queued", "sent", "opened", "clicked"]);
    // A token for one purpose or message is none for another.
    let swapped = click.replace("/c/", "/o/");
    assert_eq!(t.stranger().get(&swapped).await.status(), 200);
    assert_eq!(t.stranger().get(&open.replace("/o/", "/c/")).await.status(), 404);
    assert_eq!(t.stranger().get("/m/c/https:%2F%2Fevil.example").await.status(), 404);
    assert_eq!(t.stranger().get("/m/o/nonsense").await.status(), 200);
    assert_eq!(kinds(&t, &id).await, ["queued", "sent", "opened", "clicked"]);

    let (plain, post) = with_post().await;
    write(&plain, "ada@example.org", invitation(&plain, "Acme", HOUR)).await;
    plain.settle().await;
    assert!(!post.taken()[0].data.contains("/m/"));
}

#[tokio::test]
async fn an_operator_sees_how_templates_look_and_sends_one_to_herself() {
    let post = Post::start().await;
    let t = TestPanel::with(|config| {
        sends_to(post.port)(config);
        config.brand.accent = Some("#0a7d4f".into());
    })
    .await;
    let operator = t.operator().await;
    let page = operator.browser.get("/admin/mail/templates/invitation").await;
    let text = page.text();
    assert!(text.contains("<title>Invitation · Example Cloud</title>") && text.contains("--accent: #0a7d4f"), "{text}");
    assert!(text.contains("sandbox=\"\"") && text.contains("src=\"/admin/mail/templates/invitation/html\""));
    let frame = operator.browser.get("/admin/mail/templates/invitation/html").await;
    assert!(frame.text().contains("#0a7d4f") && frame.header("content-security-policy").contains("sandbox"));
    assert_eq!(frame.header("x-frame-options"), "SAMEORIGIN");
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert_eq!(operator.browser.get("/admin/mail/templates/nothing").await.status(), 404);
    let token = page.hidden("_csrf").unwrap();
    let form = [("_action", "send_test_mail"), ("_csrf", token.as_str()), ("template", "invitation")];
    let done = operator.browser.submit("/admin/mail/templates/invitation", &form).await;
    assert_eq!(done.status(), 303, "{}", done.text());
    assert!(done.header("location").starts_with("/admin/mail/messages/mal_"));
    t.settle().await;
    assert_eq!(post.taken().len(), 1);
    assert!(operator.browser.get(done.header("location")).await.text().contains("The mail server took it"));
}

#[tokio::test]
async fn nobody_but_an_operator_sees_mail() {
    let t = TestPanel::start().await;
    let (owner, id) = (t.member("acme", Role::Owner).await, hello(&t, "ada@example.org").await);
    for page in [
        "/admin/mail".to_string(),
        format!("/admin/mail/messages/{id}"),
        "/admin/mail/templates".into(),
        "/admin/mail/templates/test".into(),
        "/admin/mail/templates/test/html".into(),
        "/admin/mail/suppressions".into(),
    ] {
        let reply = owner.browser.get(&page).await;
        assert!(reply.status() == 403 && !reply.text().contains("ada@example.org"), "{page}: {}", reply.status());
        assert!([303, 401].contains(&t.stranger().get(&page).await.status()), "{page}");
    }
    let newest = mail::Entity::find().order_by_desc(mail::Column::Id).one(t.panel.db.read()).await.unwrap().unwrap();
    assert_eq!(newest.id, id);
}
