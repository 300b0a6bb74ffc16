//! Certificates from a real authority: each way of validation, renewal, and everything that can go wrong on the way, with the state and the
//! sentence that the customer reads then. They run where `SKYPANEL_TEST_PEBBLE` names a scratch folder (`scripts/test/acme.sh`).
use crate::support::{
    authority::{Authority, Running, Wish, answer_handshakes, folder, free_port},
    names::answer_visits,
    panel::{App, TestPanel},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use skypanel::edges::server::material::EdgeMaterial;
use skypanel::{
    deployments::server::task::routes,
    domains::{
        model::CertificateState,
        server::{material::place as place_of, task},
    },
    runtime::config::{AcmeDnsConfig, Config},
    store::tables::{acme_account, certificate},
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

mod edge;
mod refusals;

/// A panel, a real authority, and an application that wants a domain.
struct Place {
    t: TestPanel,
    authority: Authority,
    app: App,
}

/// What a browser was shown.
struct Seen {
    status: u16,
    /// SHA-256 of the certificate, in hex.
    fingerprint: String,
    text: String,
}

/// Who answers at the domain.
#[derive(PartialEq)]
enum Doors {
    /// What the panel holds for the edge.
    Open,
    /// Somebody who answers our own visits right, and the authority's wrong.
    Wrong,
    /// Nobody.
    None,
    /// The real edge.
    Edge,
}

impl Place {
    /// None where these tests are not asked for.
    async fn start() -> Option<Self> {
        Self::with(Wish::default(), |_| {}).await
    }

    async fn with(wish: Wish, change: impl FnOnce(&mut Config)) -> Option<Self> {
        Self::behind(Doors::Open, wish, change).await
    }

    async fn behind(doors: Doors, wish: Wish, change: impl FnOnce(&mut Config)) -> Option<Self> {
        let authority = Authority::start(wish)?;
        let t = TestPanel::with(|config| {
            authority.configure(config);
            if doors == Doors::Edge {
                config.edge.listen = vec![([127, 0, 0, 1], authority.http_port).into()];
                config.edge.listen_tls = vec![([127, 0, 0, 1], authority.tls_port).into()];
                config.acme.settle_seconds = 1;
            }
            change(config);
        })
        .await;
        if doors == Doors::Edge {
            tokio::spawn(routes::LOOP.calm(Duration::ZERO).run(t.panel.clone()));
        } else if doors != Doors::None {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", authority.http_port)).await.unwrap();
            answer_visits(listener, t.panel.clone(), doors == Doors::Wrong);
            answer_handshakes(authority.tls_port, t.panel.clone());
        }
        let app = t.app_in("acme").await;
        Some(Place { t, authority, app })
    }

    /// A domain whose claim is proven and which points to the test's doors.
    async fn proven(&self, name: &str, method: &str) -> Value {
        let body = json!({ "application_id": self.app.id, "domain": name, "validation_method": method });
        let reply = self.app.owner.post("/api/paas/domains", body).await;
        assert_eq!(reply.status(), 201, "{}", reply.text());
        let domain = reply.data().clone();
        let record = &domain["records"][0];
        self.authority.txt(record["name"].as_str().unwrap(), record["value"].as_str().unwrap()).await;
        self.authority.address(name, "127.0.0.1").await;
        task::pass(&self.t.panel).await.unwrap();
        let seen = self.read(&domain).await;
        assert_eq!(seen["claim"], "verified", "{seen}");
        domain
    }

    /// A domain of a zone that takes updates, validated by DNS, whose claim is proven.
    async fn proven_in_zone(&self, name: &str, updates: &AcmeDnsConfig) -> Value {
        let body = json!({ "application_id": self.app.id, "domain": name, "validation_method": "dns" });
        let reply = self.app.owner.post("/api/paas/domains", body).await;
        assert_eq!(reply.status(), 201, "{}", reply.text());
        let domain = reply.data().clone();
        let record = &domain["records"][0];
        let zone = skypanel::domains::server::dns_update::updates(updates);
        zone.add(record["name"].as_str().unwrap(), record["value"].as_str().unwrap()).await.unwrap();
        task::pass(&self.t.panel).await.unwrap();
        let seen = self.read(&domain).await;
        assert_eq!(seen["claim"], "verified", "{seen}");
        domain
    }

    async fn read(&self, domain: &Value) -> Value {
        let owner = self.t.sign_in(&self.app.owner.user, &self.app.owner.org).await;
        owner.get(&format!("/api/paas/domains/{}", domain["id"].as_str().unwrap())).await.data().clone()
    }

    /// One pass of the loop, and the certificate after it.
    async fn order(&self, domain: &Value) -> Value {
        task::certificates(&self.t.panel).await.unwrap();
        self.read(domain).await["certificate"].clone()
    }

    /// The pass that issues one.
    async fn issued(&self, domain: &Value) -> Value {
        let certificate = self.order(domain).await;
        assert_eq!((certificate["state"].as_str(), certificate["problem"].as_str()), (Some("issued"), None), "{certificate}");
        certificate
    }

    /// What a browser that trusts the authority gets at the domain.
    async fn browse(&self, name: &str) -> reqwest::Result<Seen> {
        let root = reqwest::Certificate::from_pem(self.authority.root().await.as_bytes()).unwrap();
        let port = self.authority.tls_port;
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]).resolve(name, ([127, 0, 0, 1], port).into());
        let answer = client.tls_info(true).build().unwrap().get(format!("https://{name}:{port}/")).send().await?;
        let shown = answer.extensions().get::<reqwest::tls::TlsInfo>().and_then(|tls| tls.peer_certificate().map(<[u8]>::to_vec));
        let print = shown.map(|der| Sha256::digest(der).iter().map(|byte| format!("{byte:02x}")).collect());
        let status = answer.status().as_u16();
        Ok(Seen { status, fingerprint: print.unwrap_or_default(), text: answer.text().await? })
    }

    /// Changes a certificate's row behind the panel's back.
    async fn change(&self, change: certificate::ActiveModel) {
        self.t.panel.db.tx(async |tx| Ok(change.update(tx).await.unwrap())).await.unwrap();
    }

    /// As if its time had come.
    async fn is_due(&self, name: &str) {
        let id = self.row(name).await.id;
        self.change(certificate::ActiveModel { id: Set(id), next_try_at: Set(self.t.panel.now()), ..Default::default() }).await;
    }

    async fn row(&self, name: &str) -> certificate::Model {
        let all = certificate::Entity::find().all(self.t.panel.db.read()).await.unwrap();
        all.into_iter().find(|row| row.name == name).unwrap()
    }
}

/// The state, and a word of the sentence.
fn failed(certificate: &Value, state: &str, word: &str) {
    assert_eq!(certificate["state"], state, "{certificate}");
    assert!(certificate["problem"].as_str().unwrap_or_default().contains(word), "{certificate}");
    assert!(certificate["next_try_at"].is_string(), "{certificate}");
}

#[tokio::test]
async fn a_certificate_is_had_over_http_and_browsers_trust_it() {
    let Some(place) = Place::start().await else { return };
    let domain = place.proven("shop.example", "http").await;
    assert_eq!(place.read(&domain).await["certificate"]["state"], "preflight");
    assert!(place.browse("shop.example").await.is_err());
    let certificate = place.issued(&domain).await;
    assert_eq!((certificate["names"].clone(), certificate["method"].as_str()), (json!(["shop.example"]), Some("http")));
    assert!(certificate["issuer"].as_str().unwrap().contains("Pebble"), "{certificate}");
    assert_eq!(place.browse("shop.example").await.unwrap().text, "hello");
    // Nothing is left of the order, and the key is nowhere as it is.
    let row = place.row("shop.example").await;
    assert_eq!((row.challenges, row.order_url, row.order_key, row.lease_owner), (None, None, None, None));
    let key = place.t.panel.of::<EdgeMaterial>().load().certificates[0].key.0.lines().nth(1).unwrap().to_string();
    assert!(!place.t.stored().await.contains(&key));
    // A second pass has nothing to do.
    assert_eq!(task::certificates(&place.t.panel).await.unwrap(), None);
}

#[tokio::test]
async fn a_certificate_is_had_in_a_handshake() {
    let Some(place) = Place::start().await else { return };
    let domain = place.proven("shop.example", "tls").await;
    assert_eq!(place.issued(&domain).await["method"], "tls");
    assert_eq!(place.browse("shop.example").await.unwrap().text, "hello");
    assert!(place.t.panel.of::<EdgeMaterial>().load().handshakes.is_empty());
}

#[tokio::test]
async fn a_certificate_is_renewed_at_two_thirds_of_its_life() {
    let Some(place) = Place::start().await else { return };
    let domain = place.proven("shop.example", "http").await;
    let first = place.issued(&domain).await;
    let at = |certificate: &Value, field: &str| -> i64 {
        let text = certificate[field].as_str().unwrap();
        time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap().unix_timestamp()
    };
    let (issued, expires, renews) = (at(&first, "issued_at"), at(&first, "expires_at"), at(&first, "next_try_at"));
    let third = (expires - issued) / 3;
    assert!((renews - (issued + 2 * third)).abs() < 120, "{issued} {renews} {expires}");
    place.t.clock.advance(Duration::from_secs((renews - issued - 3_600) as u64));
    assert_eq!(place.order(&domain).await["fingerprint"], first["fingerprint"]);
    place.t.clock.advance(Duration::from_secs(7_200));
    let second = place.issued(&domain).await;
    assert_ne!(second["fingerprint"], first["fingerprint"]);
    assert_eq!(place.t.panel.of::<EdgeMaterial>().load().certificates[0].fingerprint, second["fingerprint"].as_str().unwrap());
}

#[tokio::test]
async fn a_renewal_that_fails_keeps_what_is_served() {
    let Some(mut place) = Place::start().await else { return };
    let domain = place.proven("shop.example", "http").await;
    let first = place.issued(&domain).await;
    place.authority.down();
    let ssl = format!("/api/paas/domains/{}/ssl", domain["id"].as_str().unwrap());
    assert_eq!(place.app.owner.post(&ssl, json!({ "force_renew": true })).await.status(), 202);
    let certificate = place.order(&domain).await;
    failed(&certificate, "failed", "does not answer just now");
    assert_eq!(certificate["fingerprint"], first["fingerprint"]);
    assert_eq!(place.t.panel.of::<EdgeMaterial>().load().certificates.len(), 1);
}

#[tokio::test]
async fn an_authority_that_is_away_or_forgot_us_is_asked_again_later() {
    let Some(mut place) = Place::start().await else { return };
    let domain = place.proven("shop.example", "http").await;
    place.authority.down();
    let certificate = place.order(&domain).await;
    failed(&certificate, "failed", "does not answer just now. Nothing is wrong with your domain");
    assert_eq!(certificate["attempts"], 1);
    // Not before its time.
    assert_eq!(task::certificates(&place.t.panel).await.unwrap(), None);
    place.authority.up();
    place.t.clock.advance(Duration::from_secs(301));
    place.issued(&domain).await;
    let before = acme_account::Entity::find().one(place.t.panel.db.read()).await.unwrap().unwrap();
    // It comes back with nothing in its memory: our account is another then.
    place.authority.down();
    place.authority.up();
    let ssl = format!("/api/paas/domains/{}/ssl", domain["id"].as_str().unwrap());
    let owner = place.t.sign_in(&place.app.owner.user, &place.app.owner.org).await;
    assert_eq!(owner.post(&ssl, json!({ "force_renew": true })).await.status(), 202);
    place.issued(&domain).await;
    let after = acme_account::Entity::find().one(place.t.panel.db.read()).await.unwrap().unwrap();
    assert_ne!(before.credentials, after.credentials);
}

#[tokio::test]
async fn an_authority_whose_own_address_is_not_trusted_is_told_from_one_that_is_away() {
    let Some(place) = Place::with(Wish::default(), |config| config.acme.ca_file = None).await else { return };
    let domain = place.proven("shop.example", "http").await;
    failed(&place.order(&domain).await, "failed", "could not be trusted");
}

#[tokio::test]
async fn a_domain_that_points_elsewhere_costs_no_attempt_and_goes_on_by_itself() {
    let Some(place) = Place::start().await else { return };
    let domain = place.proven("shop.example", "http").await;
    place.authority.address("shop.example", "203.0.113.9").await;
    failed(&place.order(&domain).await, "preflight", "points elsewhere, to 203.0.113.9");
    assert!(acme_account::Entity::find().one(place.t.panel.db.read()).await.unwrap().is_none(), "the authority was asked");
    place.authority.address("shop.example", "127.0.0.1").await;
    let verify = format!("/api/paas/domains/{}/verify", domain["id"].as_str().unwrap());
    assert_eq!(place.app.owner.post(&verify, json!({})).await.status(), 200);
    place.issued(&domain).await;
}

#[tokio::test]
async fn a_caa_record_that_forbids_is_told() {
    let Some(place) = Place::start().await else { return };
    let domain = place.proven("shop.example", "http").await;
    place.authority.only("shop.example", "somebody-else.example").await;
    failed(&place.order(&domain).await, "preflight", "forbid our certificate authority");
    place.authority.anybody("shop.example").await;
    place.t.clock.advance(Duration::from_secs(301));
    place.issued(&domain).await;
}

#[tokio::test]
async fn a_handshake_that_nobody_answers_is_told_and_counted_and_then_left_alone() {
    // Our checks don't look at this door, the authority does.
    let Some(place) = Place::behind(Doors::None, Wish::default(), |_| {}).await else { return };
    let domain = place.proven("shop.example", "tls").await;
    // Five are taken by the authority; the sixth is not asked for.
    for attempt in 1..=5 {
        let certificate = place.order(&domain).await;
        failed(&certificate, "failed", "could not reach this domain");
        assert_eq!(certificate["attempts"], attempt);
        place.is_due("shop.example").await;
    }
    failed(&place.order(&domain).await, "preflight", "5 attempts for this domain failed within an hour");
    place.t.clock.advance(Duration::from_secs(3_600));
    place.is_due("shop.example").await;
    failed(&place.order(&domain).await, "failed", "could not reach this domain");
}

#[tokio::test]
async fn an_answer_that_is_wrong_is_told() {
    let Some(place) = Place::behind(Doors::Wrong, Wish::default(), |_| {}).await else { return };
    let domain = place.proven("shop.example", "http").await;
    failed(&place.order(&domain).await, "failed", "Something else answered the certificate authority");
}

#[tokio::test]
async fn a_door_that_is_shut_is_found_before_the_authority_finds_it() {
    let Some(place) = Place::behind(Doors::None, Wish::default(), |_| {}).await else { return };
    let domain = place.proven("shop.example", "http").await;
    failed(&place.order(&domain).await, "preflight", "Nothing answers at port");
}

#[tokio::test]
async fn an_authority_that_refuses_every_nonce_is_told_and_one_that_refuses_some_is_no_trouble() {
    let Some(place) = Place::with(Wish { bad_nonces: 100, ..Wish::default() }, |_| {}).await else { return };
    let domain = place.proven("shop.example", "http").await;
    failed(&place.order(&domain).await, "failed", "stale");
    let Some(place) = Place::with(Wish { bad_nonces: 15, ..Wish::default() }, |_| {}).await else { return };
    let domain = place.proven("shop.example", "http").await;
    for _ in 0..5 {
        if place.order(&domain).await["state"] == "issued" {
            return;
        }
        place.t.clock.advance(Duration::from_secs(3_600));
    }
    panic!("{}", place.read(&domain).await);
}

#[tokio::test]
async fn two_panels_make_one_order_for_a_name() {
    let Some(place) = Place::with(Wish::default(), |config| config.acme.settle_seconds = 1).await else { return };
    let domain = place.proven("shop.example", "http").await;
    let other = place.t.another().await;
    // The doors know what the first panel knows, whichever orders.
    let panel = place.t.panel.clone();
    tokio::spawn(async move {
        while !panel.stop.is_cancelled() {
            task::challenges(&panel).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let (one, two) = tokio::join!(task::certificates(&place.t.panel), task::certificates(&other.panel));
    let did = [one.unwrap(), two.unwrap()].into_iter().flatten().collect::<Vec<_>>();
    assert_eq!(did, ["1 of 1 certificates were issued"]);
    // The one that did not order it finds it, too.
    task::pass(&other.panel).await.unwrap();
    assert_eq!(other.panel.of::<EdgeMaterial>().load().certificates.len(), 1);
    assert_eq!(place.read(&domain).await["certificate"]["state"], "issued");
}

#[tokio::test]
async fn an_order_that_was_interrupted_is_gone_on_with() {
    let Some(place) = Place::with(Wish::default(), |config| config.acme.settle_seconds = 3).await else { return };
    let domain = place.proven("shop.example", "http").await;
    // The panel is cut off while every edge hears of the answer.
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    let panel = place.t.panel.clone();
    let work = tokio::spawn(async move { task::certificates(&panel).await });
    while place.row("shop.example").await.state != CertificateState::Validating {
        assert!(tokio::time::Instant::now() < end, "it does not get so far");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    work.abort();
    let row = place.row("shop.example").await;
    let secrets = &place.t.panel.secrets;
    let key = secrets.unseal(&place_of(&row.id, "order"), row.order_key.as_ref().unwrap()).unwrap();
    // Nobody takes it before its lease is over.
    assert_eq!(task::certificates(&place.t.panel).await.unwrap(), None);
    place.change(certificate::ActiveModel { id: Set(row.id.clone()), lease_until: Set(None), ..Default::default() }).await;
    place.issued(&domain).await;
    assert_eq!(place.t.panel.of::<EdgeMaterial>().load().certificates[0].key.0, key, "another order was made");
}

/// A real name server that takes signed updates of a zone.
struct Bind {
    address: SocketAddr,
    key_file: PathBuf,
    folder: PathBuf,
    _running: Running,
}

const SECRET: &str = "c2t5cGFuZWwtdGVzdC1rZXktb2YtMzItYnl0ZXMtISE=";

impl Bind {
    fn start(records: &str) -> Option<Self> {
        let folder = folder()?;
        let port = free_port();
        let zone = format!("$TTL 5\n@ IN SOA ns.zone.example. root.zone.example. 1 60 60 60 5\n@ IN NS ns\nns IN A 127.0.0.1\n{records}\n");
        std::fs::write(folder.join("zone.db"), zone).unwrap();
        let dir = folder.display();
        let config = format!(
            "options {{ directory \"{dir}\"; pid-file none; session-keyfile none; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
               recursion no; allow-query {{ any; }}; dnssec-validation no; }};
             controls {{ }};
             key \"panel\" {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};
             zone \"zone.example\" {{ type primary; file \"{dir}/zone.db\"; allow-update {{ key \"panel\"; }}; }};\n"
        );
        std::fs::write(folder.join("named.conf"), config).unwrap();
        let key_file = folder.join("panel.key");
        std::fs::write(&key_file, format!("{SECRET}\n")).unwrap();
        // A copy: where the system confines its name server to its own folders, that is by its path.
        let named = folder.join("named");
        std::fs::copy("/usr/sbin/named", &named).unwrap();
        let mut command = Command::new(named);
        command.arg("-g").arg("-n").arg("1").arg("-c").arg(folder.join("named.conf"));
        let running = Running::start(&folder, "bind", &mut command);
        running.listens(port);
        Some(Bind { address: ([127, 0, 0, 1], port).into(), key_file, folder, _running: running })
    }

    fn updates(&self, key_file: &Path) -> AcmeDnsConfig {
        AcmeDnsConfig { server: self.address, zone: "zone.example".into(), key_name: "panel".into(), key_file: key_file.into() }
    }
}

#[tokio::test]
async fn a_wildcard_is_had_by_a_record_in_a_zone_that_takes_signed_updates() {
    let Some(bind) = Bind::start("* IN A 127.0.0.1") else { return };
    let wish = Wish { dns: Some(bind.address), ..Wish::default() };
    let updates = bind.updates(&bind.key_file);
    let Some(place) = Place::with(wish, |config| config.acme.dns = Some(updates.clone())).await else { return };
    let domain = place.proven_in_zone("*.shop.zone.example", &updates).await;
    assert_eq!(place.issued(&domain).await["names"], json!(["*.shop.zone.example"]));
    assert_eq!(place.browse("red.shop.zone.example").await.unwrap().text, "hello");
    // The answer was taken back out of the zone.
    let dns = skypanel::domains::server::resolve::Dns::open(&place.t.panel.config).unwrap();
    assert_eq!(dns.texts("_acme-challenge.shop.zone.example").await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn the_platforms_own_names_get_theirs_the_same_way() {
    let Some(bind) = Bind::start("* IN A 127.0.0.1\n*.apps IN A 127.0.0.1") else { return };
    let wish = Wish { dns: Some(bind.address), ..Wish::default() };
    let updates = bind.updates(&bind.key_file);
    let change = |config: &mut Config| {
        config.acme.dns = Some(updates.clone());
        config.acme.platform = true;
        config.panel.public_url = Some("https://panel.zone.example".into());
        config.edge.apps_domain = "apps.zone.example".into();
    };
    let Some(place) = Place::with(wish, change).await else { return };
    assert_eq!(task::certificates(&place.t.panel).await.unwrap().as_deref(), Some("2 of 2 certificates were issued"));
    assert_eq!(place.browse("panel.zone.example").await.unwrap().text, "hello");
    assert_eq!(place.browse("any.apps.zone.example").await.unwrap().text, "hello");
}

#[tokio::test]
async fn a_zone_that_does_not_take_the_update_is_told() {
    let Some(bind) = Bind::start("* IN A 127.0.0.1") else { return };
    let wish = Wish { dns: Some(bind.address), ..Wish::default() };
    let wrong = bind.folder.join("wrong.key");
    std::fs::write(&wrong, "d3Jvbmcga2V5IHdyb25nIGtleSB3cm9uZyBrZXkgISE=").unwrap();
    let (right, wrong) = (bind.updates(&bind.key_file), bind.updates(&wrong));
    let Some(place) = Place::with(wish, |config| config.acme.dns = Some(wrong)).await else { return };
    let domain = place.proven_in_zone("shop.zone.example", &right).await;
    failed(&place.order(&domain).await, "failed", "own name server did not take the answer");
}
