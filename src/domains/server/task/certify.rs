//! The way of a certificate: preflight, ordered, validating, issued; renewing at two thirds of its life; failed with a sentence and a next
//! try. Where it is stands in its row before each step, so that whoever takes it over goes on from there. A lease in the row sees to it that
//! one order is under way for a name, among all panels. It is told by the database's clock; everything else by the panel's.
use crate::{
    audit::server::service::{Event, record_for},
    domains::{
        model::{CertificateSource, CertificateState, DomainName, Method},
        server::{
            authority::{self, Authority, Failure},
            dns_update, events, life,
            material::{self, Challenges, place},
            names, pem,
            preflight::{self, Subject},
            records,
            resolve::Dns,
            trust,
        },
    },
    error::{Error, Result},
    fault::Because,
    runtime::panel::Panel,
    store::{
        EventKind,
        json::JsonText,
        lease::{Lease, is_free, is_mine},
        random,
        tables::{acme_attempt, application, certificate, domain},
    },
    units::Timestamp,
    web::ctx::Origin,
};
use instant_acme::{AuthorizationStatus, Identifier, NewOrder, Order, OrderStatus, RetryPolicy};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use std::time::Duration;

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(150);
/// How long a lease holds: longer than an attempt.
const LEASE: Duration = Duration::from_secs(180);
/// How long the authority may take to validate, and to issue.
const POLL: RetryPolicy = RetryPolicy::new().initial_delay(Duration::from_millis(250)).backoff(1.5).timeout(Duration::from_secs(50));
/// The clocks differ by more than any certificate allows for.
const SKEWED: &str = "The clock of this platform and that of the certificate authority are far apart. The certificate is served, but when it ends can’t be told. The operator of the platform has to set the clock.";
/// How often it is looked whether the zone's name servers tell the answer.
const LOOKS: usize = 15;

/// Takes certificates that are due and that nobody holds.
pub async fn claim(panel: &Panel, most: u64) -> Result<Vec<certificate::Model>> {
    let now = panel.db.now().await?;
    let due = certificate::Entity::find()
        .filter(certificate::Column::NextTryAt.lte(panel.now()))
        .filter(certificate::Column::Source.eq(CertificateSource::Acme))
        .filter(is_free::<certificate::Entity>(now))
        .order_by_asc(certificate::Column::NextTryAt)
        .limit(most);
    let mut taken = Vec::new();
    for row in due.all(panel.db.read()).await.because("looking for certificates to order")? {
        let same = Condition::all().add(certificate::Column::Id.eq(row.id.clone())).add(certificate::Column::NextTryAt.eq(row.next_try_at));
        let lease = Lease { db: &panel.db, owner: &panel.owner, lasts: LEASE };
        if lease.claim::<certificate::Entity>(same, |claim| claim).await? {
            taken.push(row);
        }
    }
    Ok(taken)
}

/// One attempt at a certificate that was claimed, from where it is to its end. Says whether there is one now.
pub async fn drive(panel: &Panel, row: certificate::Model) -> Result<bool> {
    let mut walk = Walk { panel, row, open: Challenges::default() };
    walk.open = material::challenges(panel, &walk.row).unwrap_or_default();
    let done = tokio::time::timeout(ATTEMPT, walk.attempt()).await;
    let done = done.unwrap_or_else(|_| Err(Failure::new("It took too long, and was given up.")));
    walk.clean_up().await;
    let ended = match &done {
        Ok(()) => Ok(true),
        Err(failure) => walk.fail(failure).await.map(|()| false),
    };
    walk.let_go().await?;
    material::publish(panel).await?;
    ended
}

/// One attempt.
struct Walk<'a> {
    panel: &'a Panel,
    row: certificate::Model,
    /// Answers that are out in the world.
    open: Challenges,
}

fn given_up() -> Failure {
    Failure { over: true, ..Failure::new("The certificate authority gave the order up. Another is made.") }
}

impl Walk<'_> {
    /// From wherever it is to a certificate.
    async fn attempt(&mut self) -> Result<(), Failure> {
        let name: DomainName = self.row.name.parse().map_err(Failure::new)?;
        let method = self.row.method;
        self.step(CertificateState::Preflight, certificate::ActiveModel::default()).await?;
        self.preflight(&name, method).await?;
        self.within_budget(&name).await?;
        let (authority, mut order) = self.begin(&name).await?;
        if order.state().status == OrderStatus::Pending {
            self.validate(&authority, &mut order, &name, method).await?;
        }
        let chain = self.issue(&authority, &mut order).await?;
        self.keep(&name, &chain).await
    }

    /// Writes the row, as long as it is ours.
    async fn write(&self, change: certificate::ActiveModel) -> Result<()> {
        let ours = certificate::Entity::update_many()
            .set(change)
            .filter(certificate::Column::Id.eq(self.row.id.clone()))
            .filter(is_mine::<certificate::Entity>(&self.panel.owner));
        let done = self.panel.db.tx(async |tx| ours.exec(tx).await.because("writing a certificate")).await?;
        // The domain was removed, or its owner uploaded a certificate meanwhile.
        if done.rows_affected == 1 { Ok(()) } else { Err(Error::Conflict("The certificate is not wanted any more.".into())) }
    }

    /// Enters a state. A certificate that is being replaced is “renewing” through all of them.
    async fn step(&mut self, state: CertificateState, change: certificate::ActiveModel) -> Result<()> {
        let state = if self.row.chain.is_some() && state != CertificateState::Issued { CertificateState::Renewing } else { state };
        self.write(certificate::ActiveModel { state: Set(state), ..change }).await
    }

    /// Our own checks, so that what can't succeed does not count at the authority.
    async fn preflight(&self, name: &DomainName, method: Method) -> Result<(), Failure> {
        let held = |sentence: String| Failure { ours: true, ..Failure::new(sentence) };
        let config = &self.panel.config;
        let found = match &self.row.domain_id {
            None => preflight::look(config, &Subject::of_platform(config, &self.row, name, method)).await?,
            Some(id) => {
                let db = self.panel.db.read();
                let row = domain::Entity::find_by_id(id.clone()).one(db).await.because("looking up a domain")?;
                let Some(row) = row.filter(|row| row.verified_at.is_some()) else {
                    return Err(held("The domain is not proven to be yours.".into()));
                };
                let app = application::Entity::find_by_id(row.application_id.clone()).one(db).await;
                let Some(app) = app.because("looking up an application")?.filter(|app| app.deleted_at.is_none()) else {
                    return Err(held("The application was deleted.".into()));
                };
                preflight::look(config, &Subject::of_claim(config, &row, name, method, &app.host)).await?
            }
        };
        match found.hindrance(method) {
            Some(check) => Err(held(check.words.clone())),
            None => Ok(()),
        }
    }

    async fn within_budget(&self, name: &DomainName) -> Result<(), Failure> {
        let now = self.panel.now();
        let all = acme_attempt::Entity::find()
            .filter(acme_attempt::Column::Registered.eq(names::registered(name.as_str()).unwrap_or(name.base())))
            .filter(acme_attempt::Column::At.gt(now - life::REMEMBERED));
        let all = all.all(self.panel.db.read()).await.because("looking at earlier attempts")?;
        let of = |outcome: &str| all.iter().filter(|it| it.outcome == outcome).map(|it| it.at).collect::<Vec<_>>();
        match life::budget(&of("failed"), &of("issued"), now) {
            None => Ok(()),
            Some((at, why)) => Err(Failure {
                retry_after: Some(at.since(now)),
                ours: true,
                ..Failure::new(format!("{why}, and the certificate authority takes no more. It is tried again by itself."))
            }),
        }
    }

    /// The way to the authority and an order there. An account that it has forgotten is made anew, once.
    async fn begin(&mut self, name: &DomainName) -> Result<(Authority, Order), Failure> {
        let authority = Authority::open(self.panel).await?;
        if let Some(order) = self.order(&authority, name).await? {
            return Ok((authority, order));
        }
        authority.forget(self.panel).await?;
        let authority = Authority::open(self.panel).await?;
        let refused = || Failure::new("The certificate authority does not know the account that it has just made.");
        let order = self.order(&authority, name).await?.ok_or_else(refused)?;
        Ok((authority, order))
    }

    /// The order that is under way, or a new one; none where the authority does not know our account.
    async fn order(&mut self, authority: &Authority, name: &DomainName) -> Result<Option<Order>, Failure> {
        if let Some(url) = self.row.order_url.clone()
            && self.order_key().is_ok()
            && let Ok(mut order) = authority.account.order(url).await
            && order.state().status != OrderStatus::Invalid
        {
            return Ok(Some(order));
        }
        let identifiers = [Identifier::Dns(name.to_string())];
        let order = match authority.account.new_order(&NewOrder::new(&identifiers)).await {
            Ok(order) => order,
            Err(why) if authority::is_forgotten(&why) => return Ok(None),
            Err(why) => return Err(authority.failure(&why)),
        };
        let key = self.panel.secrets.seal(&place(&self.row.id, "order"), &pem::new_key()?)?;
        (self.row.order_url, self.row.order_key) = (Some(order.url().to_string()), Some(key.clone()));
        let change =
            certificate::ActiveModel { order_url: Set(self.row.order_url.clone()), order_key: Set(Some(key)), ..Default::default() };
        self.step(CertificateState::Ordered, change).await?;
        Ok(Some(order))
    }

    /// Answers the authority's challenges and waits for its verdict.
    async fn validate(&mut self, authority: &Authority, order: &mut Order, name: &DomainName, method: Method) -> Result<(), Failure> {
        let mut all = order.authorizations();
        while let Some(authorization) = all.next().await {
            let mut authorization = authorization.map_err(|why| authority.failure(&why))?;
            match authorization.status {
                AuthorizationStatus::Pending => {}
                AuthorizationStatus::Valid => continue,
                _ => return Err(given_up()),
            }
            let offered = authorization.challenge(authority::challenge(method));
            let unoffered =
                || Failure::new(format!("The certificate authority does not offer validation by {} for this name.", method.words()));
            let mut challenge = offered.ok_or_else(unoffered)?;
            let key = challenge.key_authorization();
            match method {
                Method::Http => self.open.http.push((challenge.token.clone(), key.as_str().to_string())),
                Method::Tls => self.open.tls.push(pem::handshake(name.as_str(), key.digest().as_ref())?),
                Method::Dns => self.answer_in_zone(name, key.dns_value()).await?,
            }
            self.publish().await?;
            challenge.set_ready().await.map_err(|why| authority.failure(&why))?;
        }
        let polled = order.poll_ready(&POLL).await;
        match polled {
            Ok(OrderStatus::Ready) => Ok(()),
            Ok(_) | Err(instant_acme::Error::Api(_)) => {
                let general = polled.err().map(|why| authority.failure(&why));
                Err(self.verdict(authority, order).await.or(general).unwrap_or_else(given_up))
            }
            Err(why) => Err(authority.failure(&why)),
        }
    }

    /// Why the authority did not take an answer.
    async fn verdict(&self, authority: &Authority, order: &mut Order) -> Option<Failure> {
        let mut all = order.authorizations();
        while let Some(authorization) = all.next().await {
            let mut authorization = authorization.ok()?;
            let state = authorization.refresh().await.ok()?;
            if let Some(problem) = state.challenges.iter().find_map(|it| it.error.as_ref()) {
                return Some(authority.failure(&instant_acme::Error::Api(problem.clone())));
            }
        }
        None
    }

    /// Writes the answers down, and waits until every edge has them.
    async fn publish(&mut self) -> Result<(), Failure> {
        let text = serde_json::to_string(&self.open).because("writing a certificate's challenges")?;
        let sealed = self.panel.secrets.seal(&place(&self.row.id, "challenges"), &text)?;
        let change = certificate::ActiveModel { challenges: Set(Some(sealed)), ..Default::default() };
        self.step(CertificateState::Validating, change).await?;
        material::publish(self.panel).await?;
        tokio::time::sleep(Duration::from_secs(self.panel.config.acme.settle_seconds)).await;
        Ok(())
    }

    async fn answer_in_zone(&mut self, name: &DomainName, text: String) -> Result<(), Failure> {
        let unset = || Failure::new("This platform does not offer validation by DNS. Choose http or tls.");
        let config = self.panel.config.acme.dns.as_ref().ok_or_else(unset)?;
        let of = match &self.row.domain_id {
            None => records::PLATFORM.to_string(),
            Some(id) => {
                let claim = domain::Entity::find_by_id(id.clone()).one(self.panel.db.read()).await.because("looking up a domain")?;
                records::label(&claim.ok_or("it is gone").because("looking up a domain")?, name)
            }
        };
        let at = records::challenge_at(&self.panel.config, &of, name).ok_or_else(unset)?;
        self.open.dns.push((at.clone(), text.clone()));
        dns_update::updates(config).add(&at, &text).await.map_err(|why| {
            tracing::warn!(cause = ?why, "an answer could not be written into the zone");
            Failure::new("The platform’s own name server did not take the answer. The operator of the platform has to look at it.")
        })?;
        // The zone's other servers hear of it a little later.
        let dns = Dns::open(&self.panel.config)?;
        for _ in 0..LOOKS {
            if dns.texts(&at).await.is_ok_and(|all| all.contains(&text)) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    /// Sends the request for the certificate, and waits for it.
    async fn issue(&self, authority: &Authority, order: &mut Order) -> Result<String, Failure> {
        if order.state().status == OrderStatus::Ready {
            let request = pem::request(&self.row.name, &self.order_key()?)?;
            order.finalize_csr(&request).await.map_err(|why| authority.failure(&why))?;
        }
        order.poll_certificate(&POLL).await.map_err(|why| authority.failure(&why))
    }

    fn order_key(&self) -> Result<String> {
        let sealed = self.row.order_key.as_ref().ok_or("there is none").because("reading an order's key")?;
        self.panel.secrets.unseal(&place(&self.row.id, "order"), sealed)
    }

    /// Keeps what was issued, and says when it is renewed.
    async fn keep(&mut self, name: &DomainName, chain: &str) -> Result<(), Failure> {
        let key = self.order_key()?;
        let strange = |why: String| Failure::new(format!("The certificate authority sent a certificate that was not ordered: {why}."));
        let known = pem::is_ordered(name.as_str(), chain, &key).map_err(strange)?;
        let now = self.panel.now();
        let are_apart = life::are_apart(known.from, known.to, now);
        // Where the clocks differ a little, at least an hour passes before it is renewed.
        let next = match are_apart {
            true => now + life::AGAIN_SKEWED,
            false => life::renew_at(known.from.max(Timestamp(0)), known.to).max(now + Duration::from_secs(3_600)),
        };
        let change = certificate::ActiveModel {
            chain: Set(Some(chain.to_string())),
            private_key: Set(Some(self.panel.secrets.seal(&place(&self.row.id, "key"), &key)?)),
            names: Set(JsonText::of(&known.names)?),
            issuer: Set(Some(known.issuer)),
            fingerprint: Set(Some(known.fingerprint)),
            trusted: Set(trust::Roots::load(&self.panel.config).judge(name.as_str(), chain, now)),
            looked_at: Set(now),
            issued_at: Set(Some(now)),
            expires_at: Set(Some(known.to)),
            order_url: Set(None),
            order_key: Set(None),
            problem: Set(are_apart.then(|| SKEWED.to_string())),
            attempts: Set(0),
            next_try_at: Set(next),
            ..Default::default()
        };
        self.step(CertificateState::Issued, change).await?;
        self.count(name, "issued").await?;
        self.tell(events::CERTIFICATE_ISSUED).await?;
        Ok(())
    }

    /// Writes down why there is none, and when it is tried again.
    async fn fail(&mut self, failure: &Failure) -> Result<()> {
        let attempts = self.row.attempts + 1;
        let wait = life::backoff(u32::try_from(attempts).unwrap_or(u32::MAX)).max(failure.retry_after.unwrap_or_default());
        if failure.counts
            && let Ok(name) = self.row.name.parse::<DomainName>()
        {
            self.count(&name, "failed").await?;
        }
        let change = certificate::ActiveModel {
            problem: Set(Some(failure.sentence.clone())),
            attempts: Set(attempts),
            next_try_at: Set(self.panel.now() + wait),
            ..Default::default()
        };
        let told = match failure.ours {
            true => self.step(CertificateState::Preflight, change).await,
            // An order that the authority judged is over.
            false => {
                let over = if failure.counts || failure.over { Set(None) } else { Set(self.row.order_url.clone()) };
                self.write(certificate::ActiveModel { state: Set(CertificateState::Failed), order_url: over, ..change }).await
            }
        };
        match told {
            Err(Error::Conflict(_)) => Ok(()),
            told => told,
        }
    }

    /// Counts what the authority counts, and forgets what it has forgotten.
    async fn count(&self, name: &DomainName, outcome: &str) -> Result<()> {
        let now = self.panel.now();
        let row = acme_attempt::ActiveModel {
            id: Set(random::suffix()),
            registered: Set(names::registered(name.as_str()).unwrap_or(name.base()).into()),
            outcome: Set(outcome.into()),
            at: Set(now),
        };
        let over = acme_attempt::Entity::delete_many().filter(acme_attempt::Column::At.lte(now - life::REMEMBERED));
        let counted = self.panel.db.tx(async |tx| {
            over.exec(tx).await.because("forgetting old attempts")?;
            acme_attempt::Entity::insert(row).exec_without_returning(tx).await.because("counting an attempt").map(|_| ())
        });
        counted.await
    }

    /// Writes it into the trail of the domain's organization.
    async fn tell(&self, kind: EventKind) -> Result<()> {
        let Some(id) = &self.row.domain_id else { return Ok(()) };
        let row = domain::Entity::find_by_id(id.clone()).one(self.panel.db.read()).await.because("looking up a domain")?;
        let Some(row) = row else { return Ok(()) };
        let event = Event { kind, target: row.id.to_string(), detail: json!({ "domain": row.name }) };
        let told =
            self.panel.db.tx(async |tx| record_for(tx, &row.organization_id, "system", &Origin::system(), self.panel.now(), event).await);
        told.await
    }

    /// Takes answers back out of the zone.
    async fn clean_up(&mut self) {
        let Some(config) = &self.panel.config.acme.dns else { return };
        let updates = dns_update::updates(config);
        for (at, text) in self.open.dns.drain(..) {
            if let Err(why) = updates.remove(&at, &text).await {
                tracing::warn!(cause = ?why, "an answer stays in the zone");
            }
        }
    }

    async fn let_go(&self) -> Result<()> {
        let change =
            certificate::ActiveModel { challenges: Set(None), lease_owner: Set(None), lease_until: Set(None), ..Default::default() };
        match self.write(change).await {
            Err(Error::Conflict(_)) => Ok(()),
            done => done,
        }
    }
}
