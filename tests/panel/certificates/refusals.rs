//! What an authority says instead of a certificate: each has its state, its sentence and its next try.
use super::*;
use crate::support::between::Between;
use skypanel::edges::server::material::EdgeMaterial;
use skypanel::store::tables::acme_attempt;

impl Place {
    /// A place with somebody in between; none where these tests are not asked for.
    async fn between() -> Option<(Self, Between)> {
        let place = Place::with(Wish { between: true, ..Wish::default() }, |_| {}).await?;
        let between = place.authority.between.clone().unwrap();
        Some((place, between))
    }

    /// Seconds until the next try.
    fn wait(&self, certificate: &Value) -> i64 {
        let text = certificate["next_try_at"].as_str().unwrap();
        let at = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap();
        at.unix_timestamp() - self.t.panel.now().millis() / 1000
    }
}

#[tokio::test]
async fn an_authority_that_limits_us_is_left_alone_for_as_long_as_it_says() {
    let Some((place, between)) = Place::between().await else { return };
    let domain = place.proven("shop.example", "http").await;
    between.problem(1, "/order-plz", 429, "rateLimited", Some("7200"));
    let certificate = place.order(&domain).await;
    failed(&certificate, "failed", "limits how many certificates a domain may get. It said: “said the test”.");
    assert!((7_199..=7_201).contains(&place.wait(&certificate)), "{certificate}");
    place.t.clock.advance(Duration::from_secs(7_000));
    assert_eq!(task::certificates(&place.t.panel).await.unwrap(), None, "it was asked before its time");
    // What it limits is no attempt that counts.
    assert_eq!(acme_attempt::Entity::find().all(place.t.panel.db.read()).await.unwrap(), vec![]);
    place.t.clock.advance(Duration::from_secs(300));
    place.issued(&domain).await;
}

#[tokio::test]
async fn an_authority_that_is_too_busy_for_a_word_is_asked_when_it_says() {
    let Some((place, between)) = Place::between().await else { return };
    let domain = place.proven("shop.example", "http").await;
    between.answer(4, "/nonce-plz", 503, "<h1>Busy</h1>".into(), Some("900"));
    between.answer(4, "/order-plz", 503, "<h1>Busy</h1>".into(), Some("900"));
    between.answer(4, "/sign-me-up", 503, "<h1>Busy</h1>".into(), Some("900"));
    let certificate = place.order(&domain).await;
    failed(&certificate, "failed", "too busy just now, and asked us to come back later");
    assert!((899..=901).contains(&place.wait(&certificate)), "{certificate}");
}

#[tokio::test]
async fn each_refusal_has_a_sentence_of_its_own() {
    let Some((place, between)) = Place::between().await else { return };
    let domain = place.proven("shop.example", "http").await;
    for (kind, status, word, counts) in [
        ("rejectedIdentifier", 403, "issues no certificates for this name", true),
        ("caa", 403, "CAA record forbids", true),
        ("userActionRequired", 403, "wants something of the operator", false),
        ("externalAccountRequired", 403, "wants something of the operator", false),
        ("serverInternal", 500, "trouble of its own", false),
        ("malformed", 400, "refused", true),
    ] {
        let before = acme_attempt::Entity::find().all(place.t.panel.db.read()).await.unwrap().len();
        between.problem(1, "/order-plz", status, kind, None);
        place.is_due("shop.example").await;
        failed(&place.order(&domain).await, "failed", word);
        let after = acme_attempt::Entity::find().all(place.t.panel.db.read()).await.unwrap().len();
        assert_eq!(after - before, usize::from(counts), "{kind}");
    }
    between.answer(1, "/order-plz", 201, "<h1>Hello</h1>".into(), None);
    place.is_due("shop.example").await;
    failed(&place.order(&domain).await, "failed", "something that is no answer");
    place.is_due("shop.example").await;
    place.issued(&domain).await;
    assert!(between.is_spent());
}

#[tokio::test]
async fn the_wait_grows_with_each_failure_in_a_row() {
    let Some((place, between)) = Place::between().await else { return };
    let domain = place.proven("shop.example", "http").await;
    for minutes in [5, 10, 20, 40] {
        between.problem(1, "/order-plz", 500, "serverInternal", None);
        let certificate = place.order(&domain).await;
        assert!((minutes * 60 - place.wait(&certificate)).abs() <= 1, "{certificate}");
        place.t.clock.advance(Duration::from_secs(minutes as u64 * 60 + 1));
    }
    assert_eq!(place.issued(&domain).await["attempts"], 0);
}

#[tokio::test]
async fn an_order_that_is_gone_or_expired_is_made_anew() {
    let Some((place, between)) = Place::between().await else { return };
    let domain = place.proven("shop.example", "http").await;
    // Cut off at the end of an order, which the authority has forgotten when it is taken up again.
    between.answer(1, "/finalize-order/", 503, "<h1>Busy</h1>".into(), Some("1"));
    let cut = place.order(&domain).await;
    failed(&cut, "failed", "too busy");
    let left = place.row("shop.example").await.order_url.unwrap();
    between.problem(1, "/my-order/", 404, "malformed", None);
    place.is_due("shop.example").await;
    place.issued(&domain).await;
    // And one whose authorization expired while nobody looked.
    let ssl = format!("/api/paas/domains/{}/ssl", domain["id"].as_str().unwrap());
    assert_eq!(place.app.owner.post(&ssl, json!({ "force_renew": true })).await.status(), 202);
    let expired = json!({ "status": "expired", "identifier": { "type": "dns", "value": "shop.example" }, "challenges": [] });
    between.answer(1, "/authZ/", 200, expired.to_string(), None);
    failed(&place.order(&domain).await, "failed", "gave the order up");
    assert_eq!(place.row("shop.example").await.order_url, None);
    place.is_due("shop.example").await;
    let certificate = place.issued(&domain).await;
    assert!(!left.is_empty() && certificate["attempts"] == 0);
}

#[tokio::test]
async fn an_account_that_nobody_knows_or_that_cant_be_read_is_made_anew_at_once() {
    let Some((place, between)) = Place::between().await else { return };
    let domain = place.proven("shop.example", "http").await;
    between.problem(1, "/order-plz", 400, "accountDoesNotExist", None);
    place.issued(&domain).await;
    // The master key was lost, say: what it sealed is noise.
    let row = acme_account::Entity::find().one(place.t.panel.db.read()).await.unwrap().unwrap();
    let noise = acme_account::ActiveModel { directory: Set(row.directory), credentials: Set("noise".into()), ..Default::default() };
    place.t.panel.db.tx(async |tx| Ok(noise.update(tx).await.unwrap())).await.unwrap();
    let ssl = format!("/api/paas/domains/{}/ssl", domain["id"].as_str().unwrap());
    assert_eq!(place.app.owner.post(&ssl, json!({ "force_renew": true })).await.status(), 202);
    place.issued(&domain).await;
    let row = acme_account::Entity::find().one(place.t.panel.db.read()).await.unwrap().unwrap();
    assert_ne!(row.credentials, "noise");
}

#[tokio::test]
async fn a_clock_that_is_far_off_is_told_and_what_was_issued_is_served() {
    let Some((place, _)) = Place::between().await else { return };
    let domain = place.proven("shop.example", "http").await;
    // The authority's certificates are good for five years.
    place.t.clock.advance(Duration::from_secs(10 * 365 * 86_400));
    let certificate = place.order(&domain).await;
    assert_eq!(certificate["state"], "issued", "{certificate}");
    assert!(certificate["problem"].as_str().unwrap().contains("set the clock"), "{certificate}");
    assert!((place.wait(&certificate) - 12 * 3_600).abs() <= 1, "{certificate}");
    assert_eq!(place.t.panel.of::<EdgeMaterial>().load().certificates.len(), 1);
}

#[tokio::test]
async fn a_key_that_cant_be_read_takes_nobody_elses_certificate_away_and_is_replaced() {
    let Some((place, _)) = Place::between().await else { return };
    let (one, two) = (place.proven("one.example", "http").await, place.proven("two.example", "http").await);
    task::certificates(&place.t.panel).await.unwrap();
    assert_eq!(place.t.panel.of::<EdgeMaterial>().load().certificates.len(), 2);
    let id = place.row("one.example").await.id;
    place.change(certificate::ActiveModel { id: Set(id), private_key: Set(Some("noise".into())), ..Default::default() }).await;
    // Started again, so that nothing is remembered.
    let again = place.t.another().await;
    task::pass(&again.panel).await.unwrap();
    let names: Vec<String> = again.panel.of::<EdgeMaterial>().load().certificates.iter().map(|it| it.name.clone()).collect();
    assert_eq!(names, ["two.example"]);
    place.t.clock.advance(Duration::from_secs(86_401));
    let did = task::certificates(&place.t.panel).await.unwrap().unwrap();
    let problem = place.row("one.example").await.problem;
    assert_eq!(did, "1 certificates are ordered again; 1 of 1 certificates were issued", "{problem:?}");
    let owner = place.t.sign_in(&place.app.owner.user, &place.app.owner.org).await;
    for domain in [one, two] {
        let seen = owner.get(&format!("/api/paas/domains/{}", domain["id"].as_str().unwrap())).await;
        assert_eq!((seen.data()["certificate"]["state"].as_str(), seen.data()["certificate"]["problem"].as_str()), (Some("issued"), None));
    }
    task::pass(&again.panel).await.unwrap();
    assert_eq!(again.panel.of::<EdgeMaterial>().load().certificates.len(), 2);
}
