//! The whole way: the authority's questions come to a real edge, and browsers get what was issued from it.
use super::*;
use skypanel::domains::server::task::own;

impl Place {
    /// None where these tests are not asked for.
    async fn at_the_edge(wish: Wish, change: impl FnOnce(&mut Config)) -> Option<Self> {
        let place = Place::behind(Doors::Edge, wish, change).await?;
        place.t.deploy_well(&place.app).await;
        Some(place)
    }

    /// What a browser is shown over TLS, once the edge has heard of it.
    async fn sees(&self, name: &str, fingerprint: &Value) -> Seen {
        let end = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            match self.browse(name).await {
                Ok(seen) if seen.fingerprint == fingerprint.as_str().unwrap() => return seen,
                seen => assert!(tokio::time::Instant::now() < end, "{name} is shown {:?}", seen.map(|seen| seen.fingerprint)),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn an_order_by_http_goes_through_the_edge_and_so_do_the_visitors() {
    let Some(place) = Place::at_the_edge(Wish::default(), |_| {}).await else { return };
    let domain = place.proven("shop.example", "http").await;
    let checks = place.read(&domain).await["checks"].clone();
    let reachable = checks.as_array().unwrap().iter().find(|check| check["kind"] == "reachable").unwrap().clone();
    assert_eq!(reachable["verdict"], "pass", "{reachable}");
    let certificate = place.issued(&domain).await;
    let seen = place.sees("shop.example", &certificate["fingerprint"]).await;
    assert_eq!(seen.status, 200, "{}", seen.text);
    // Another name has another certificate, on the same address.
    let other = place.proven("other.example", "http").await;
    let another = place.issued(&other).await;
    assert_ne!(another["fingerprint"], certificate["fingerprint"]);
    place.sees("other.example", &another["fingerprint"]).await;
    place.sees("shop.example", &certificate["fingerprint"]).await;
    assert!(place.browse("unknown.example").await.is_err());
}

#[tokio::test]
async fn an_order_by_handshake_goes_through_the_edge_and_its_renewal_is_shown_at_once() {
    let Some(place) = Place::at_the_edge(Wish::default(), |_| {}).await else { return };
    let domain = place.proven("shop.example", "tls").await;
    let first = place.issued(&domain).await;
    assert_eq!(place.sees("shop.example", &first["fingerprint"]).await.status, 200);
    let ssl = format!("/api/paas/domains/{}/ssl", domain["id"].as_str().unwrap());
    assert_eq!(place.app.owner.post(&ssl, json!({ "force_renew": true })).await.status(), 202);
    let second = place.issued(&domain).await;
    assert_ne!(second["fingerprint"], first["fingerprint"]);
    assert_eq!(place.sees("shop.example", &second["fingerprint"]).await.status, 200);
}

#[tokio::test]
async fn a_wildcard_by_dns_is_shown_for_every_name_one_label_below() {
    let Some(bind) = Bind::start("* IN A 127.0.0.1") else { return };
    let wish = Wish { dns: Some(bind.address), ..Wish::default() };
    let updates = bind.updates(&bind.key_file);
    let Some(place) = Place::at_the_edge(wish, |config| config.acme.dns = Some(updates.clone())).await else { return };
    let domain = place.proven_in_zone("*.shop.zone.example", &updates).await;
    let certificate = place.issued(&domain).await;
    for name in ["red.shop.zone.example", "blue.shop.zone.example"] {
        assert_eq!(place.sees(name, &certificate["fingerprint"]).await.status, 200, "{name}");
    }
    assert!(place.browse("dark.red.shop.zone.example").await.is_err());
    assert!(place.browse("shop.zone.example").await.is_err());
}

#[tokio::test]
async fn the_panel_and_each_application_have_their_own_where_there_is_no_wildcard() {
    let change = |config: &mut Config| {
        config.acme.platform = true;
        config.panel.public_url = Some("https://panel.sky.example".into());
    };
    let Some(place) = Place::at_the_edge(Wish::default(), change).await else { return };
    assert_eq!(own::of_panel(&place.t.panel.config).as_deref(), Some("panel.sky.example"));
    let app_name = format!("{}.apps.sky.example", place.t.app_row(&place.app).await.host);
    for name in [app_name.as_str(), "panel.sky.example"] {
        place.authority.address(name, "127.0.0.1").await;
    }
    let never_deployed = place.t.app_in("acme").await;
    // Asked for, and ordered once the edges have heard of it.
    assert_eq!(task::certificates(&place.t.panel).await.unwrap(), None);
    let asked = place.t.panel.now();
    place.t.clock.advance(Duration::from_secs(2));
    let end = tokio::time::Instant::now() + Duration::from_secs(10);
    while place.t.panel.routes.lock().await.challenges.len() < 2 {
        assert!(tokio::time::Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(task::certificates(&place.t.panel).await.unwrap().as_deref(), Some("2 of 2 certificates were issued"), "{asked}");
    for name in [app_name.as_str(), "panel.sky.example"] {
        let print = place.row(name).await.fingerprint;
        place.sees(name, &json!(print)).await;
    }
    let rows = certificate::Entity::find().all(place.t.panel.db.read()).await.unwrap();
    assert_eq!(rows.len(), 2, "{} was never deployed", never_deployed.name);
    // It goes with its application.
    assert_eq!(place.app.owner.delete(&place.app.url("")).await.status(), 200);
    task::certificates(&place.t.panel).await.unwrap();
    let rows = certificate::Entity::find().all(place.t.panel.db.read()).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["panel.sky.example"]);
}

#[tokio::test]
async fn a_platform_on_one_machine_asks_for_no_names_of_its_own() {
    let change = |config: &mut Config| {
        config.acme.platform = true;
        config.edge.apps_domain = "localhost".into();
        config.panel.public_url = Some("https://localhost:3000".into());
    };
    let Some(place) = Place::at_the_edge(Wish::default(), change).await else { return };
    assert_eq!(task::certificates(&place.t.panel).await.unwrap(), None);
    assert_eq!(certificate::Entity::find().all(place.t.panel.db.read()).await.unwrap(), vec![]);
}

#[tokio::test]
async fn a_certificate_whose_authority_lost_its_trust_is_told_and_replaced() {
    let Some(mut place) = Place::at_the_edge(Wish::default(), |_| {}).await else { return };
    place.authority.trust().await;
    let domain = place.proven("shop.example", "http").await;
    let first = place.issued(&domain).await;
    assert_eq!(first["warning"], Value::Null, "{first}");
    // A day later all is well.
    place.t.clock.advance(Duration::from_secs(86_401));
    assert_eq!(task::certificates(&place.t.panel).await.unwrap(), None);
    // The authority begins anew with another root, browsers give the old one up, and just now it can't be reached.
    place.authority.down();
    place.authority.up();
    place.authority.trust().await;
    place.authority.down();
    place.t.clock.advance(Duration::from_secs(86_401));
    task::certificates(&place.t.panel).await.unwrap();
    let now = place.read(&domain).await["certificate"].clone();
    failed(&now, "failed", "does not answer just now");
    assert!(now["warning"].as_str().unwrap().contains("they warn your visitors"), "{now}");
    assert_eq!(now["fingerprint"], first["fingerprint"]);
    // Back again: an account it does not know, a new order, a certificate that is trusted.
    place.authority.up();
    place.authority.trust().await;
    place.t.clock.advance(Duration::from_secs(301));
    let second = place.issued(&domain).await;
    assert_ne!(second["fingerprint"], first["fingerprint"]);
    assert_eq!(second["warning"], Value::Null, "{second}");
    place.sees("shop.example", &second["fingerprint"]).await;
}

#[tokio::test]
async fn one_that_browsers_never_trusted_is_told_and_left() {
    let Some(place) = Place::at_the_edge(Wish::default(), |_| {}).await else { return };
    // Visitors trust another authority.
    let ca = std::fs::read(&place.authority.ca_file).unwrap();
    std::fs::write(&place.authority.trusted_roots, ca).unwrap();
    let domain = place.proven("shop.example", "http").await;
    let certificate = place.issued(&domain).await;
    assert!(certificate["warning"].as_str().unwrap().contains("leads to no authority that browsers know"), "{certificate}");
    place.t.clock.advance(Duration::from_secs(86_401));
    assert_eq!(task::certificates(&place.t.panel).await.unwrap(), None);
}
