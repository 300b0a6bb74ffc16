//! Domains: claims and their proof, what is found beforehand, who gets a name that two want, and customers' own certificates.
use crate::support::{
    client::Person,
    names::{TestDns, answer_visits, door},
    panel::{App, TestPanel},
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use skypanel::{
    deployments::server::task::routes,
    domains::server::task,
    edge::Target,
    id::Id,
    rights::Role,
    runtime::config::{AcmeDnsConfig, Config},
};
use skypanel::{domains::server::letters::DomainTroubleLetter, edges::server::material::EdgeMaterial};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// A panel with a name server that the test feeds, and somebody who answers visits as an edge does.
struct Place {
    t: TestPanel,
    dns: TestDns,
}

impl Place {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let dns = TestDns::start().await;
        let (listener, port) = door().await;
        let t = TestPanel::with(|config| {
            config.domains.name_servers = vec![dns.address];
            config.domains.http_port = port;
            config.edge.public_addresses = vec!["127.0.0.1".parse().unwrap()];
            config.edge.apps_domain = "apps.sky.example".into();
            // Which authorities browsers know is not the same on every machine: here that can't be told.
            config.acme.trusted_roots = Some("/none".into());
            change(config);
        })
        .await;
        answer_visits(listener, t.panel.clone(), false);
        Place { t, dns }
    }

    /// Claims a name, and answers with its id.
    async fn add(&self, app: &App, name: &str) -> Value {
        let reply = app.owner.post("/api/paas/domains", json!({ "application_id": app.id, "domain": name })).await;
        assert_eq!(reply.status(), 201, "{}", reply.text());
        reply.data().clone()
    }

    /// Sets the ownership record that the panel asked for.
    fn prove(&self, domain: &Value) {
        let record = &domain["records"][0];
        assert_eq!(record["type"], "TXT");
        self.dns.txt(record["name"].as_str().unwrap(), record["value"].as_str().unwrap());
    }

    /// Asks for a look, and answers with what was found.
    async fn verify(&self, app: &App, domain: &Value) -> Value {
        let owner = self.owner(app).await;
        let reply = owner.post(&format!("{}/verify", path(domain)), json!({})).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        reply.data().clone()
    }

    async fn read(&self, app: &App, domain: &Value) -> Value {
        let reply = self.owner(app).await.get(&path(domain)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        reply.data().clone()
    }

    /// The owner, signed in anew: a test moves the clock beyond any session.
    async fn owner(&self, app: &App) -> Person {
        self.t.sign_in(&app.owner.user, &app.owner.org).await
    }

    /// A claim that is proven and points here.
    async fn proven(&self, app: &App, name: &str) -> Value {
        let domain = self.add(app, name).await;
        self.prove(&domain);
        self.dns.address(name, "127.0.0.1");
        let after = self.verify(app, &domain).await;
        assert_eq!(after["claim"], "verified", "{after}");
        after
    }

    /// The applications behind a host, as the edge is told.
    async fn leads_to(&self, host: &str) -> Vec<String> {
        task::pass(&self.t.panel).await.unwrap();
        routes::pass(&self.t.panel).await.unwrap();
        let routes = self.t.panel.routes.lock().await;
        routes.routes.iter().filter(|route| route.host == host).map(|route| route.app.clone()).collect()
    }
}

fn path(domain: &Value) -> String {
    format!("/api/paas/domains/{}", domain["id"].as_str().unwrap())
}

fn check<'a>(domain: &'a Value, kind: &str) -> &'a Value {
    domain["checks"].as_array().unwrap().iter().find(|check| check["kind"] == kind).unwrap_or_else(|| panic!("no {kind} in {domain}"))
}

#[tokio::test]
async fn a_domain_is_claimed_proven_and_leads_to_its_application() {
    let place = Place::start().await;
    let app = place.t.app_in("acme").await;
    place.t.deploy_well(&app).await;
    let domain = place.add(&app, "Bücher.Example").await;
    assert_eq!((domain["domain"].as_str(), domain["shown"].as_str()), (Some("xn--bcher-kva.example"), Some("bücher.example")));
    assert_eq!((domain["claim"].as_str(), domain["primary_domain"].as_bool()), (Some("waiting"), Some(true)));
    let records = domain["records"].as_array().unwrap();
    assert_eq!(records[0]["name"], "_skypanel.xn--bcher-kva.example");
    assert_eq!((records[1]["type"].as_str(), records[1]["value"].as_str()), (Some("A"), Some("127.0.0.1")));
    // Pointing here is not enough.
    place.dns.address("xn--bcher-kva.example", "127.0.0.1");
    assert_eq!(place.leads_to("xn--bcher-kva.example").await, Vec::<String>::new());
    // Nor is a record that says something else.
    place.dns.txt("_skypanel.xn--bcher-kva.example", "skypanel-0000");
    let seen = place.verify(&app, &domain).await;
    assert_eq!((seen["claim"].as_str(), check(&seen, "ownership")["verdict"].as_str()), (Some("waiting"), Some("fail")));
    assert_eq!(check(&seen, "ownership")["found"], json!(["skypanel-0000"]));
    place.prove(&domain);
    let seen = place.verify(&app, &domain).await;
    assert_eq!(seen["claim"], "verified", "{seen}");
    for kind in ["ownership", "address", "reachable"] {
        assert_eq!(check(&seen, kind)["verdict"], "pass", "{seen}");
    }
    assert_eq!(place.leads_to("xn--bcher-kva.example").await, [app.id.to_string()]);
    // A visitor gets what the application says.
    let edge = place.t.panel.edge.as_ref().unwrap().addresses()[0];
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("http://{edge}/")).header("host", "xn--bcher-kva.example").send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_name_below_another_is_pointed_by_an_alias_and_an_apex_by_addresses() {
    let place = Place::start().await;
    let app = place.t.app_in("acme").await;
    let kinds = |domain: &Value| -> Vec<String> {
        let of = |record: &Value| format!("{} {}", record["type"].as_str().unwrap(), record["purpose"].as_str().unwrap());
        domain["records"].as_array().unwrap().iter().map(of).collect()
    };
    assert_eq!(kinds(&place.add(&app, "example.co.uk").await), ["TXT ownership", "A address"]);
    let below = place.add(&app, "shop.example.co.uk").await;
    assert_eq!(kinds(&below), ["TXT ownership", "CNAME address", "A address_instead"]);
    let host = place.t.app_row(&app).await.host;
    assert_eq!(below["records"][1]["value"], format!("{host}.apps.sky.example"));
    place.dns.alias("shop.example.co.uk", &format!("{host}.apps.sky.example"));
    place.dns.address(&format!("{host}.apps.sky.example"), "127.0.0.1");
    let seen = place.verify(&app, &below).await;
    assert_eq!(check(&seen, "address")["verdict"], "pass", "{seen}");
}

#[tokio::test]
async fn what_is_no_domain_or_not_free_to_claim_is_refused_with_a_sentence() {
    let place = Place::with(|config| config.panel.public_url = Some("https://panel.sky.example".into())).await;
    let app = place.t.app_in("acme").await;
    for (name, word) in [
        ("", "Give a domain"),
        ("localhost", "two parts"),
        ("192.0.2.1", "IP address"),
        ("[::1]", "IP address"),
        ("https://shop.example", "without https"),
        ("shop.example:443", "port"),
        ("shop_1.example", "underscores"),
        ("-a.example", "hyphen"),
        ("a..example", "dot too many"),
        ("shop.*.example", "star"),
        ("co.uk", "many share"),
        ("github.io", "many share"),
        ("apps.sky.example", "platform’s own"),
        ("x.apps.sky.example", "platform’s own"),
        ("panel.sky.example", "platform’s own"),
        ("printer.local", "no meaning"),
        ("<script>alert(1)</script>.example", "without https"),
        ("a\u{202e}b.example", "letters"),
        ("xn--a.example", "letters"),
    ] {
        let body = json!({ "application_id": app.id, "domain": name });
        let reply = app.owner.post("/api/paas/domains", body).await;
        assert_eq!((reply.status(), reply.fields()), (400, vec!["domain"]), "{name}: {}", reply.text());
        assert!(reply.text().contains(word), "{name}: {}", reply.text());
    }
    let long = format!("{}.example", "a".repeat(64));
    assert_eq!(app.owner.post("/api/paas/domains", json!({ "application_id": app.id, "domain": long })).await.fields(), ["domain"]);
    for (fields, wrong) in [
        (json!({ "validation_method": "carrier pigeon" }), "validation_method"),
        (json!({ "validation_method": "dns" }), "validation_method"),
        (json!({ "application_id": "app_x" }), "application_id"),
        (json!({ "colour": "red" }), "colour"),
    ] {
        let mut body = json!({ "application_id": app.id, "domain": "shop.example" });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let reply = app.owner.post("/api/paas/domains", body).await;
        assert_eq!((reply.status(), reply.fields()), (400, vec![wrong]), "{}", reply.text());
    }
    place.add(&app, "shop.example").await;
    let again = app.owner.post("/api/paas/domains", json!({ "application_id": app.id, "domain": "SHOP.example." })).await;
    assert_eq!((again.status(), again.fields()), (400, vec!["domain"]), "{}", again.text());
}

#[tokio::test]
async fn an_organization_has_so_many_domains_and_no_more() {
    let place = Place::with(|config| config.domains.per_organization = 2).await;
    let app = place.t.app_in("acme").await;
    let body = |name: &str, both: bool| json!({ "application_id": app.id, "domain": name, "with_counterpart": both });
    assert_eq!(app.owner.post("/api/paas/domains", body("one.example", false)).await.status(), 201);
    let reply = app.owner.post("/api/paas/domains", body("two.example", true)).await;
    assert_eq!((reply.status(), reply.code()), (409, "QUOTA_EXCEEDED"), "{}", reply.text());
    assert_eq!(app.owner.post("/api/paas/domains", body("two.example", false)).await.status(), 201);
    let other = place.t.app_in("globex").await;
    place.add(&other, "three.example").await;
}

#[tokio::test]
async fn a_proven_claim_wins_over_one_that_is_not_and_nobody_learns_whose_it_is() {
    let place = Place::start().await;
    let (acme, globex) = (place.t.app_in("acme").await, place.t.app_in("globex").await);
    let squatter = place.add(&globex, "shop.example").await;
    let owner = place.proven(&acme, "shop.example").await;
    let seen = place.verify(&globex, &squatter).await;
    assert_eq!(seen["claim"], "waiting");
    assert_eq!(place.leads_to("shop.example").await, [acme.id.to_string()]);
    let text = seen.to_string() + &place.t.stranger().get("/api/paas/domains").await.text();
    for secret in [acme.id.to_string(), acme.owner.org.to_string(), acme.name.clone()] {
        assert!(!text.contains(&secret), "{secret} in {text}");
    }
    // Both records are there: the older proof holds, and the newer claim is told so.
    place.prove(&squatter);
    assert_eq!(place.verify(&globex, &squatter).await["claim"], "contested");
    assert_eq!(place.verify(&acme, &owner).await["claim"], "verified");
    // The owner's record goes: whoever can write into the zone now has it.
    place.dns.forget("_skypanel.shop.example");
    place.prove(&squatter);
    assert_eq!(place.verify(&globex, &squatter).await["claim"], "verified");
    assert_eq!(place.read(&acme, &owner).await["claim"], "lapsed");
    assert_eq!(place.leads_to("shop.example").await, [globex.id.to_string()]);
}

#[tokio::test]
async fn a_proof_that_is_gone_is_warned_of_and_lapses_after_several_looks() {
    let place = Place::start().await;
    let app = place.t.app_in("acme").await;
    let domain = place.proven(&app, "shop.example").await;
    // A name server that fails says nothing about the domain.
    place.dns.fail(true);
    for _ in 0..8 {
        place.t.clock.advance(DAY);
        assert!(task::pass(&place.t.panel).await.unwrap().is_some());
    }
    let seen = place.read(&app, &domain).await;
    assert_eq!((seen["claim"].as_str(), check(&seen, "ownership")["verdict"].as_str()), (Some("verified"), Some("unknown")));
    place.dns.fail(false);
    place.dns.forget("_skypanel.shop.example");
    place.t.clock.advance(HOUR);
    task::pass(&place.t.panel).await.unwrap();
    let seen = place.read(&app, &domain).await;
    assert_eq!(seen["claim"], "failing");
    let told = async |t: &TestPanel| -> Vec<(String, String)> {
        let mails = t.mails().await.into_iter().filter_map(|(to, letter)| Some((to, letter.read::<DomainTroubleLetter>()?)));
        mails.filter(|(_, letter)| letter.domain == "shop.example").map(|(to, letter)| (to, letter.words)).collect()
    };
    let mails = told(&place.t).await;
    let email = format!("{}@example.com", app.owner.user.suffix());
    assert_eq!((mails.len(), &mails[0].0), (1, &email), "{mails:?}");
    assert!(mails[0].1.contains("not for longer than two more days"), "{mails:?}");
    assert!(seen["status"].as_str().unwrap().contains("4 more checks"), "{seen}");
    // Pressing the button does not make it lapse sooner, and it serves meanwhile.
    for _ in 0..6 {
        assert_eq!(place.verify(&app, &domain).await["claim"], "failing");
    }
    // Nor does changing what it does.
    for _ in 0..6 {
        let reply = place.owner(&app).await.put(&path(&domain), json!({ "primary_domain": true })).await;
        assert_eq!(reply.status(), 200);
        task::pass(&place.t.panel).await.unwrap();
        assert_eq!(place.read(&app, &domain).await["claim"], "failing");
    }
    // Nor does a name server that fails meanwhile.
    place.dns.fail(true);
    place.verify(&app, &domain).await;
    place.dns.fail(false);
    for _ in 0..6 {
        place.t.clock.advance(Duration::from_secs(900));
        task::pass(&place.t.panel).await.unwrap();
        assert_eq!(place.read(&app, &domain).await["claim"], "failing");
    }
    assert_eq!(place.leads_to("shop.example").await, [app.id.to_string()]);
    for _ in 0..4 {
        place.t.clock.advance(HOUR * 13);
        task::pass(&place.t.panel).await.unwrap();
    }
    assert_eq!(place.read(&app, &domain).await["claim"], "lapsed");
    assert_eq!(place.leads_to("shop.example").await, Vec::<String>::new());
    let mails = told(&place.t).await;
    assert!(mails.len() == 2 && mails[1].1.contains("no longer leads to your application"), "{mails:?}");
    // Set again, it serves again.
    place.prove(&domain);
    assert_eq!(place.verify(&app, &domain).await["claim"], "verified");
}

#[tokio::test]
async fn a_claim_that_nobody_proves_is_looked_at_less_and_less_and_then_no_more() {
    let place = Place::start().await;
    let app = place.t.app_in("acme").await;
    let domain = place.add(&app, "shop.example").await;
    task::pass(&place.t.panel).await.unwrap();
    assert!(place.read(&app, &domain).await["next_check_at"].is_string());
    place.t.clock.advance(DAY * 31);
    task::pass(&place.t.panel).await.unwrap();
    assert!(place.read(&app, &domain).await["next_check_at"].is_null());
    place.prove(&domain);
    assert_eq!(place.verify(&app, &domain).await["claim"], "verified");
}

#[tokio::test]
async fn each_check_says_what_was_found_and_what_was_expected() {
    let place = Place::with(|config| config.acme.directory = Some("https://127.0.0.1:1/directory".into())).await;
    let app = place.t.app_in("acme").await;
    let domain = place.proven(&app, "shop.example").await;
    place.dns.address("shop.example", "203.0.113.9");
    let seen = place.verify(&app, &domain).await;
    assert_eq!(check(&seen, "address")["verdict"], "warning", "{seen}");
    assert_eq!(check(&seen, "address")["expected"], json!(["127.0.0.1"]));
    assert!(check(&seen, "address")["words"].as_str().unwrap().contains("203.0.113.9"));
    place.dns.only("example", "other-authority.example");
    let seen = place.verify(&app, &domain).await;
    assert_eq!(check(&seen, "authority")["verdict"], "fail", "{seen}");
    assert_eq!(check(&seen, "authority")["expected"], json!(["issue \"letsencrypt.org\""]));
    assert_eq!(check(&seen, "authority")["found"], json!(["example: issue \"other-authority.example\""]));
}

#[tokio::test]
async fn a_domain_is_no_way_into_the_panels_network() {
    // Here the loopback is nobody's public address.
    let place = Place::with(|config| config.edge.public_addresses = vec!["198.51.100.7".parse().unwrap()]).await;
    let app = place.t.app_in("acme").await;
    let domain = place.add(&app, "shop.example").await;
    for address in ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.1"] {
        place.dns.forget("shop.example");
        place.dns.address("shop.example", address);
        let seen = place.verify(&app, &domain).await;
        let reachable = check(&seen, "reachable");
        assert_eq!(reachable["verdict"], "fail", "{seen}");
        assert!(reachable["found"][0].as_str().unwrap().contains("private address"), "{address}: {seen}");
    }
}

#[tokio::test]
async fn domains_redirect_to_the_primary_one() {
    let place = Place::start().await;
    let app = place.t.app_in("acme").await;
    let body = json!({ "application_id": app.id, "domain": "shop.example", "with_counterpart": true });
    let primary = app.owner.post("/api/paas/domains", body).await.data().clone();
    place.prove(&primary);
    place.verify(&app, &primary).await;
    let all = app.owner.get(&app.url("domains")).await;
    let www = all.data().as_array().unwrap().iter().find(|it| it["domain"] == "www.shop.example").unwrap().clone();
    assert_eq!((www["redirect_to_primary"].as_bool(), www["primary_domain"].as_bool()), (Some(true), Some(false)));
    place.prove(&www);
    place.verify(&app, &www).await;
    let redirect = |name: &str| {
        let material = place.t.panel.of::<EdgeMaterial>().load();
        material.hosts.iter().find(|host| host.name == name).unwrap().redirect.clone()
    };
    assert_eq!((redirect("www.shop.example").as_deref(), redirect("shop.example")), (Some("shop.example"), None));
    // Turned round.
    let reply = app.owner.put(&path(&www), json!({ "primary_domain": true })).await;
    assert_eq!((reply.status(), reply.data()["redirect_to_primary"].as_bool()), (200, Some(false)), "{}", reply.text());
    assert_eq!(place.read(&app, &primary).await["primary_domain"], false);
    let reply = app.owner.put(&path(&primary), json!({ "redirect_to_primary": true })).await;
    assert_eq!(reply.status(), 200);
    assert_eq!((redirect("shop.example").as_deref(), redirect("www.shop.example")), (Some("www.shop.example"), None));
    let both = app.owner.put(&path(&www), json!({ "redirect_to_primary": true })).await;
    assert_eq!((both.status(), both.fields()), (400, vec!["redirect_to_primary"]));
}

#[tokio::test]
async fn a_domain_moves_to_another_application_of_the_organization_only() {
    let place = Place::start().await;
    let (app, other, foreign) = (place.t.app_in("acme").await, place.t.app_in("acme").await, place.t.app_in("globex").await);
    let domain = place.proven(&app, "shop.example").await;
    let refused = app.owner.put(&path(&domain), json!({ "application_id": foreign.id })).await;
    assert_eq!((refused.status(), refused.code()), (404, "APPLICATION_NOT_FOUND"));
    let moved = app.owner.put(&path(&domain), json!({ "application_id": other.id })).await;
    assert_eq!(moved.status(), 200, "{}", moved.text());
    assert_eq!(place.leads_to("shop.example").await, [other.id.to_string()]);
}

#[tokio::test]
async fn a_wildcard_takes_validation_by_dns_and_the_platforms_zone() {
    let place = Place::with(|config| {
        let dns = AcmeDnsConfig {
            server: ([127, 0, 0, 1], 9).into(),
            zone: "acme.sky.example".into(),
            key_name: "k".into(),
            key_file: "/none".into(),
        };
        config.acme.dns = Some(dns);
    })
    .await;
    let app = place.t.app_in("acme").await;
    let body = json!({ "application_id": app.id, "domain": "*.shop.example", "validation_method": "http" });
    assert_eq!(app.owner.post("/api/paas/domains", body).await.fields(), ["validation_method"]);
    let domain = place.add(&app, "*.shop.example").await;
    assert_eq!((domain["validation_method"].as_str(), domain["primary_domain"].as_bool()), (Some("dns"), Some(false)));
    let challenge = domain["records"].as_array().unwrap().iter().find(|record| record["purpose"] == "challenge").unwrap().clone();
    assert_eq!(challenge["name"], "_acme-challenge.shop.example");
    place.prove(&domain);
    let seen = place.verify(&app, &domain).await;
    assert_eq!((seen["claim"].as_str(), check(&seen, "delegation")["verdict"].as_str()), (Some("verified"), Some("fail")));
    place.dns.alias("_acme-challenge.shop.example", challenge["value"].as_str().unwrap());
    let seen = place.verify(&app, &domain).await;
    assert_eq!(check(&seen, "delegation")["verdict"], "pass", "{seen}");
    // The domain itself asks under the same name, which can be an alias for one other only; another organization's is its own.
    let of = async |app: &App| {
        let body = json!({ "application_id": app.id, "domain": "shop.example", "validation_method": "dns" });
        let reply = app.owner.post("/api/paas/domains", body).await;
        assert_eq!(reply.status(), 201, "{}", reply.text());
        let made = reply.data();
        made["records"].as_array().unwrap().iter().find(|record| record["purpose"] == "challenge").unwrap().clone()
    };
    let apex = of(&app).await;
    assert_eq!((&apex["name"], &apex["value"]), (&challenge["name"], &challenge["value"]));
    let other = place.t.app_in("globex").await;
    assert_ne!(of(&other).await["value"], challenge["value"]);
}

#[tokio::test]
async fn a_wildcard_without_validation_by_dns_takes_the_customers_own_certificate() {
    let change = |config: &mut Config| config.acme.directory = Some("https://127.0.0.1:1/directory".into());
    let place = Place::with(change).await;
    let app = place.t.app_in("acme").await;
    place.t.deploy_well(&app).await;
    let domain = place.add(&app, "*.shop.example").await;
    assert_eq!(domain["automatic_certificates"], false);
    place.prove(&domain);
    let seen = place.verify(&app, &domain).await;
    assert_eq!((seen["claim"].as_str(), &seen["certificate"]), (Some("verified"), &Value::Null), "{seen}");
    let ssl = format!("{}/ssl", path(&domain));
    let refused = app.owner.post(&ssl, json!({ "force_renew": true })).await;
    assert_eq!(refused.status(), 409);
    assert!(refused.text().contains("Upload a certificate"), "{}", refused.text());
    let it = own(&place, "*.shop.example", 60);
    let taken = app.owner.post(&ssl, json!({ "certificate_chain": it.chain, "private_key": it.key })).await;
    assert_eq!(taken.status(), 202, "{}", taken.text());
    assert_eq!(place.leads_to("*.shop.example").await, [app.id.to_string()]);
    // Where the operator does not want any, none is taken.
    let place = Place::with(|config| config.domains.wildcards = false).await;
    let app = place.t.app_in("acme").await;
    let refused = app.owner.post("/api/paas/domains", json!({ "application_id": app.id, "domain": "*.shop.example" })).await;
    assert_eq!((refused.status(), refused.fields()), (400, vec!["domain"]), "{}", refused.text());
    assert!(refused.text().contains("not allowed here"), "{}", refused.text());
}

#[tokio::test]
async fn an_upload_that_lacks_its_intermediate_says_whose() {
    let place = Place::with(|config| config.acme.trusted_roots = Some(config.data_dir.join("roots.pem"))).await;
    let app = place.t.app_in("acme").await;
    let known = own(&place, "known.example", 60);
    let root = known.chain.split_inclusive("-----END CERTIFICATE-----\n").nth(1).unwrap();
    std::fs::write(place.t.panel.config.data_dir.join("roots.pem"), root).unwrap();
    let domain = place.proven(&app, "shop.example").await;
    let it = own(&place, "shop.example", 60);
    let leaf = it.chain.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap();
    let ssl = format!("{}/ssl", path(&domain));
    let refused = app.owner.post(&ssl, json!({ "certificate_chain": leaf, "private_key": it.key })).await;
    assert_eq!((refused.status(), refused.fields()), (400, vec!["certificate_chain"]), "{}", refused.text());
    assert!(refused.text().contains("lacks an intermediate") && refused.text().contains("Customer root"), "{}", refused.text());
    // Whole it is taken, with a word about who knows its root.
    let taken = app.owner.post(&ssl, json!({ "certificate_chain": it.chain, "private_key": it.key })).await;
    assert_eq!(taken.status(), 202, "{}", taken.text());
    assert!(taken.data()["certificate"]["warning"].as_str().unwrap().contains("no authority that browsers know"), "{}", taken.text());
}

#[tokio::test]
async fn what_goes_with_an_application_is_free_again() {
    let place = Place::start().await;
    let (app, other) = (place.t.app_in("acme").await, place.t.app_in("acme").await);
    let domain = place.proven(&app, "shop.example").await;
    assert_eq!(app.owner.delete(&app.url("")).await.status(), 200);
    assert_eq!(place.leads_to("shop.example").await, Vec::<String>::new());
    assert_eq!(app.owner.get(&path(&domain)).await.status(), 404);
    place.add(&other, "shop.example").await;
}

#[tokio::test]
async fn a_domain_that_was_removed_or_went_with_its_organization_can_be_anothers() {
    let place = Place::start().await;
    let (acme, globex, initech) = (place.t.app_in("acme").await, place.t.app_in("globex").await, place.t.app_in("initech").await);
    let first = place.proven(&acme, "shop.example").await;
    assert_eq!(acme.owner.delete(&path(&first)).await.status(), 200);
    assert_eq!(place.leads_to("shop.example").await, Vec::<String>::new());
    // The old record is still there, and proves nothing for the next one.
    let second = place.add(&globex, "shop.example").await;
    assert_ne!(second["records"][0]["value"], first["records"][0]["value"]);
    assert_eq!(place.verify(&globex, &second).await["claim"], "waiting");
    place.prove(&second);
    assert_eq!(place.verify(&globex, &second).await["claim"], "verified");
    assert_eq!(place.leads_to("shop.example").await, [globex.id.to_string()]);
    let gone = globex.owner.delete(&format!("/api/organizations/{}?applications=delete", globex.owner.org)).await;
    assert_eq!(gone.status(), 200, "{}", gone.text());
    place.t.settle().await;
    assert_eq!(place.leads_to("shop.example").await, Vec::<String>::new());
    let third = place.add(&initech, "shop.example").await;
    place.prove(&third);
    assert_eq!(place.verify(&initech, &third).await["claim"], "verified");
}

struct Own {
    chain: String,
    key: String,
}

/// A certificate of a customer's own, for so many days from now.
fn own(place: &Place, name: &str, days: u32) -> Own {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Customer root");
    let root_key = KeyPair::generate().unwrap();
    let root = params.self_signed(&root_key).unwrap();
    let issuer = Issuer::new(params, root_key);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_string()]).unwrap();
    let now = time::OffsetDateTime::from_unix_timestamp(place.t.panel.now().millis() / 1000).unwrap();
    params.not_before = now - time::Duration::days(1);
    params.not_after = now + time::Duration::days(days.into());
    let leaf = params.signed_by(&key, &issuer).unwrap();
    Own { chain: format!("{}{}", leaf.pem(), root.pem()), key: key.serialize_pem() }
}

#[tokio::test]
async fn a_customers_own_certificate_is_kept_sealed_served_and_warned_of_before_its_end() {
    let place = Place::start().await;
    let app = place.t.app_in("acme").await;
    let domain = place.add(&app, "shop.example").await;
    let it = own(&place, "shop.example", 60);
    let body = json!({ "certificate_chain": it.chain, "private_key": it.key });
    let ssl = format!("{}/ssl", path(&domain));
    let early = app.owner.post(&ssl, body.clone()).await;
    assert_eq!((early.status(), early.code()), (409, "CONFLICT"), "{}", early.text());
    place.prove(&domain);
    place.verify(&app, &domain).await;
    let wrong = own(&place, "other.example", 60);
    let refused = app.owner.post(&ssl, json!({ "certificate_chain": wrong.chain, "private_key": wrong.key })).await;
    assert_eq!((refused.status(), refused.fields()), (400, vec!["certificate_chain"]), "{}", refused.text());
    let refused = app.owner.post(&ssl, json!({ "certificate_chain": it.chain, "private_key": wrong.key })).await;
    assert_eq!((refused.status(), refused.fields()), (400, vec!["private_key"]), "{}", refused.text());
    let taken = app.owner.post(&ssl, body).await;
    assert_eq!(taken.status(), 202, "{}", taken.text());
    let certificate = &taken.data()["certificate"];
    assert_eq!((certificate["source"].as_str(), certificate["state"].as_str()), (Some("uploaded"), Some("issued")));
    assert_eq!((certificate["issuer"].as_str(), certificate["warning"].as_str()), (Some("Customer root"), None));
    assert!(!taken.text().contains("PRIVATE KEY"));
    let material = place.t.panel.of::<EdgeMaterial>().load_full();
    assert_eq!(material.certificates.len(), 1);
    assert_eq!((material.certificates[0].name.as_str(), material.certificates[0].key.0.as_str()), ("shop.example", it.key.as_str()));
    assert!(!format!("{material:?}").contains(&it.key[40..80]));
    let inner: String = it.key.lines().nth(1).unwrap().into();
    assert!(!place.t.stored().await.contains(&inner), "the key is stored as it is");
    place.t.clock.advance(DAY * 45 - HOUR);
    let warned = place.read(&app, &domain).await;
    assert!(warned["certificate"]["warning"].as_str().unwrap().contains("expires in 15 days"), "{warned}");
    place.t.clock.advance(DAY * 16);
    let over = place.read(&app, &domain).await;
    assert!(over["certificate"]["warning"].as_str().unwrap().contains("has expired"), "{over}");
    let owner = place.owner(&app).await;
    assert_eq!(owner.delete(&ssl).await.status(), 200);
    assert!(place.t.panel.of::<EdgeMaterial>().load().certificates.is_empty());
    assert_eq!(owner.delete(&ssl).await.code(), "CERTIFICATE_NOT_FOUND");
}

#[tokio::test]
async fn the_pages_say_what_to_set_and_work_without_a_script() {
    let place = Place::start().await;
    let app = place.t.app_in("acme").await;
    let tab = format!("/applications/{}/domains", app.id);
    let page = app.owner.browser.get(&tab).await;
    assert_eq!(page.status(), 200);
    assert!(page.text().contains("None of your own yet"), "{}", page.text());
    let token = page.hidden("_csrf").unwrap();
    let id = app.id.to_string();
    let fields = |domain: &'static str| {
        vec![("_action", "add_domain".to_string()), ("_csrf", token.clone()), ("id", id.clone()), ("domain", domain.to_string())]
    };
    let post = async |page: &str, fields: Vec<(&str, String)>| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        app.owner.browser.submit(page, &fields).await
    };
    let refused = post(&tab, fields("co.uk")).await;
    assert_eq!(refused.status(), 400);
    assert!(refused.text().contains("many share") && refused.text().contains("value=\"co.uk\""), "{}", refused.text());
    let made = post(&tab, fields("shop.example")).await;
    assert_eq!(made.status(), 303, "{}", made.text());
    let place_of = made.header("location").to_string();
    let page = app.owner.browser.get(&place_of).await.text();
    for words in ["_skypanel.shop.example", "skypanel-", "127.0.0.1", "Waiting for the ownership record", "DNS records", "Check now"] {
        assert!(page.contains(words), "{words} is missing in {page}");
    }
    let with = |action: &str, more: &[(&'static str, &str)]| {
        let domain = place_of.rsplit('/').next().unwrap().to_string();
        let mut all = vec![("_action", action.to_string()), ("_csrf", token.clone()), ("id", domain)];
        all.extend(more.iter().map(|(name, value)| (*name, value.to_string())));
        all
    };
    assert_eq!(post(&place_of, with("verify_domain", &[])).await.status(), 303);
    let page = app.owner.browser.get(&place_of).await.text();
    assert!(page.contains("There is no TXT record at _skypanel.shop.example yet"), "{page}");
    // A key that was refused does not come back.
    let domain = json!({ "id": place_of.rsplit('/').next().unwrap() });
    place.prove(&place.read(&app, &domain).await);
    place.verify(&app, &domain).await;
    let it = own(&place, "other.example", 60);
    let refused = post(&place_of, with("upload_certificate", &[("certificate_chain", &it.chain), ("private_key", &it.key)])).await;
    assert_eq!(refused.status(), 400);
    assert!(
        refused.text().contains("and not for shop.example") && !refused.text().contains("BEGIN PRIVATE KEY-----\n"),
        "{}",
        refused.text()
    );
    let list = app.owner.browser.get("/domains").await.text();
    assert!(list.contains("shop.example") && list.contains("Verified") && list.contains(&app.name), "{list}");
    assert!(app.owner.browser.get("/domains?search=nothing").await.text().contains("No domain has this in its name"));
    let wrong = post(&place_of, with("remove_domain", &[("confirm", "shop")])).await;
    assert_eq!(wrong.status(), 400);
    assert!(wrong.text().contains("This is not the domain’s name"), "{}", wrong.text());
    let gone = post(&place_of, with("remove_domain", &[("confirm", "shop.example")])).await;
    assert_eq!((gone.status(), gone.header("location")), (303, tab.as_str()));
    assert_eq!(app.owner.browser.get(&place_of).await.status(), 404);
}

#[tokio::test]
async fn a_member_with_one_application_sees_its_domains_only() {
    let place = Place::start().await;
    let (app, other) = (place.t.app_in("acme").await, place.t.app_in("acme").await);
    place.add(&app, "one.example").await;
    place.add(&other, "two.example").await;
    let viewer = place.t.member("acme", Role::Viewer).await;
    let list = viewer.get("/api/paas/domains?search=one").await;
    assert_eq!(list.json()["pagination"]["total"], 1, "{}", list.text());
    let refused = viewer.post("/api/paas/domains", json!({ "application_id": app.id, "domain": "three.example" })).await;
    assert_eq!((refused.status(), refused.json()["error"]["required"].as_str()), (403, Some("domains")));
    let stranger = place.t.app_in("globex").await;
    assert_eq!(stranger.owner.get("/api/paas/domains").await.json()["pagination"]["total"], 0);
}

#[tokio::test]
async fn checking_by_hand_has_its_limit() {
    let place = Place::start().await;
    let app = place.t.app_in("acme").await;
    let domain = place.add(&app, "shop.example").await;
    for _ in 0..30 {
        place.verify(&app, &domain).await;
    }
    let refused = app.owner.post(&format!("{}/verify", path(&domain)), json!({})).await;
    assert_eq!((refused.status(), refused.code()), (429, "RATE_LIMITED"));
}

#[tokio::test]
async fn a_stopped_application_says_so_at_its_own_domain_too() {
    let place = Place::start().await;
    let app = place.t.app_in("acme").await;
    place.t.deploy_well(&app).await;
    place.proven(&app, "shop.example").await;
    assert_eq!(app.owner.post(&app.url("stop"), json!({})).await.status(), 200);
    place.t.settle().await;
    place.leads_to("shop.example").await;
    let routes = place.t.panel.routes.lock().await;
    assert_eq!(routes.routes.iter().find(|route| route.host == "shop.example").unwrap().target, Target::Stopped);
}
