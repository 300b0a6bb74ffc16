//! The proof of a claim. Whoever can write into a domain's zone owns it: the record with the claim's token proves it, a proven claim keeps
//! the name as long as its record stands, and where two records stand the older claim holds.
use crate::{
    audit::server::service::{Event, record_for},
    domains::{
        model::{CertificateSource, CertificateState},
        server::{
            CERTIFICATES, DOMAINS, events, life, names,
            preflight::{self, Found, Subject},
            view::{self, NEVER},
            warn,
        },
    },
    error::{Error, Result, Thing},
    fault::Because,
    runtime::{changes::Changed, panel::Panel},
    store::{
        EventKind, Tx,
        json::JsonText,
        random,
        tables::{application, certificate, domain},
    },
    units::Timestamp,
    web::ctx::Origin,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};
use serde_json::json;

/// Looks at a domain and writes down what that means for its claim. Answers with the row as it is then.
pub async fn check(panel: &Panel, row: domain::Model) -> Result<domain::Model> {
    let app =
        application::Entity::find_by_id(row.application_id.clone()).one(panel.db.read()).await.because("looking up an application")?;
    let app = app.ok_or(Error::NotFound(Thing::APPLICATION))?;
    let (name, method) = (view::name(&row)?, row.method);
    let found = preflight::look(&panel.config, &Subject::of_claim(&panel.config, &row, &name, method, &app.host)).await?;
    let verified_before = row.verified_at.is_some();
    let id = row.id.clone();
    panel.db.tx(async |tx| settle(tx, panel, &row, &found).await).await?;
    let after = domain::Entity::find_by_id(id).one(panel.db.read()).await.because("looking up a domain")?;
    let after = after.ok_or(Error::NotFound(Thing::DOMAIN))?;
    if after.verified_at.is_some() != verified_before {
        panel.wake(DOMAINS);
        panel.wake(CERTIFICATES);
        panel.changes.tell(Changed::App(after.application_id.clone()));
    }
    Ok(after)
}

async fn settle(tx: &Tx, panel: &Panel, row: &domain::Model, found: &Found) -> Result<()> {
    let now = panel.now();
    let seen = domain::ActiveModel { checks: Set(Some(JsonText::of(&found.checks)?)), checked_at: Set(Some(now)), ..Default::default() };
    let unchanged = domain::Entity::update_many()
        .set(seen)
        .filter(domain::Column::Id.eq(row.id.clone()))
        .filter(domain::Column::NextCheckAt.eq(row.next_check_at))
        .filter(domain::Column::Failures.eq(row.failures));
    if unchanged.exec(tx).await.because("writing what was found of a domain")?.rows_affected == 0 {
        // Another panel was faster: what it concluded counts.
        return Ok(());
    }
    let mut change = domain::ActiveModel { next_check_at: Set(next_look(row, now)), ..Default::default() };
    let proven = row.verified_at.is_some();
    match &found.proofs {
        // Nothing is known, and nothing is concluded.
        None if row.failures > 0 && now < row.next_check_at => change.next_check_at = Set(row.next_check_at),
        None if proven => change.next_check_at = Set(now + life::AGAIN_UNKNOWN),
        None => change.next_check_at = Set(next_look(row, now).max(now + life::AGAIN_UNKNOWN)),
        Some(texts) if texts.iter().any(|text| text.trim() == row.token) => {
            change.failures = Set(0);
            change.contested = Set(false);
            if proven {
                change.next_check_at = Set(now + life::AGAIN);
            } else if rival(tx, panel, row, texts).await? {
                change.contested = Set(true);
            } else {
                change.verified_at = Set(Some(now));
                change.lapsed_at = Set(None);
                change.next_check_at = Set(now + life::AGAIN);
                tell(tx, panel, row, events::DOMAIN_VERIFIED).await?;
            }
        }
        Some(_) if !proven => change.contested = Set(false),
        // Looking more often must not make it lapse sooner.
        Some(_) if row.failures > 0 && now < row.next_check_at => change.next_check_at = Set(row.next_check_at),
        Some(_) if row.failures + 1 >= life::LAPSES_AFTER => return lapse(tx, panel, row).await,
        Some(_) => {
            warn_of_missing_proof(tx, panel, row).await?;
            change.failures = Set(row.failures + 1);
            change.next_check_at = Set(now + life::AGAIN_FAILING);
        }
    }
    let verified = change.verified_at.is_set() || proven;
    domain::Entity::update_many()
        .set(change)
        .filter(domain::Column::Id.eq(row.id.clone()))
        .exec(tx)
        .await
        .because("writing how a claim stands")?;
    if verified {
        order(tx, panel, row).await?;
        if found.hindrance(row.method).is_none() {
            go_on(tx, panel, row).await?;
        }
    }
    Ok(())
}

/// Tells the owners, once, that the record is gone which proves their claim.
async fn warn_of_missing_proof(tx: &Tx, panel: &Panel, row: &domain::Model) -> Result<()> {
    if row.failures > 0 {
        return Ok(());
    }
    let words = format!(
        "The TXT record at {}, which proves that the domain is yours, was not found. The domain still serves, but not for longer than two more days without it. Set the record again.",
        view::name(row)?.ownership()
    );
    warn::owners(tx, panel, row, &words).await
}

fn next_look(row: &domain::Model, now: Timestamp) -> Timestamp {
    match (row.verified_at, row.lapsed_at) {
        (Some(_), _) => now + life::AGAIN,
        (None, lapsed) => life::next_look(lapsed.unwrap_or(row.created_at), now).map_or(NEVER, |after| now + after),
    }
}

/// Whether another claim to the name was proven before and still is. One whose record is gone ends here.
async fn rival(tx: &Tx, panel: &Panel, row: &domain::Model, texts: &[String]) -> Result<bool> {
    let other = domain::Entity::find()
        .filter(domain::Column::Name.eq(&row.name))
        .filter(domain::Column::VerifiedAt.is_not_null())
        .filter(domain::Column::Id.ne(row.id.clone()));
    let Some(other) = other.one(tx).await.because("looking for another claim")? else { return Ok(false) };
    if texts.iter().any(|text| text.trim() == other.token) {
        return Ok(true);
    }
    lapse(tx, panel, &other).await?;
    Ok(false)
}

/// Ends a proven claim: it serves no more, and its certificate goes.
async fn lapse(tx: &Tx, panel: &Panel, row: &domain::Model) -> Result<()> {
    let now = panel.now();
    let change = domain::ActiveModel {
        verified_at: Set(None),
        lapsed_at: Set(Some(now)),
        failures: Set(0),
        contested: Set(false),
        next_check_at: Set(now + life::AGAIN_UNKNOWN),
        ..Default::default()
    };
    domain::Entity::update_many().set(change).filter(domain::Column::Id.eq(row.id.clone())).exec(tx).await.because("ending a claim")?;
    let certificates = certificate::Entity::delete_many().filter(certificate::Column::DomainId.eq(row.id.clone()));
    certificates.exec(tx).await.because("removing a certificate")?;
    let words = format!(
        "The TXT record at {} was gone for too long, or somebody else has proven the domain since. It no longer leads to your application. Set the record again and check the domain.",
        view::name(row)?.ownership()
    );
    warn::owners(tx, panel, row, &words).await?;
    tell(tx, panel, row, events::DOMAIN_LAPSED).await
}

/// Writes what the platform did by itself into the organization's trail.
async fn tell(tx: &Tx, panel: &Panel, row: &domain::Model, kind: EventKind) -> Result<()> {
    let event = Event { kind, target: row.id.to_string(), detail: json!({ "domain": row.name }) };
    record_for(tx, &row.organization_id, "system", &Origin::system(), panel.now(), event).await
}

/// Orders a certificate for a proven domain that has none, where the platform can.
pub async fn order(tx: &Tx, panel: &Panel, row: &domain::Model) -> Result<()> {
    if panel.config.acme.directory.is_none() || names::feasible(&panel.config, row.method).is_err() {
        return Ok(());
    }
    let new = certificate::ActiveModel {
        id: Set(random::id()),
        domain_id: Set(Some(row.id.clone())),
        name: Set(row.name.clone()),
        source: Set(CertificateSource::Acme),
        method: Set(row.method),
        state: Set(CertificateState::Preflight),
        next_try_at: Set(panel.now()),
        created_at: Set(panel.now()),
        ..Default::default()
    };
    let once = OnConflict::column(certificate::Column::Name).do_nothing().to_owned();
    match certificate::Entity::insert(new).on_conflict(once).exec_without_returning(tx).await {
        Err(sea_orm::DbErr::RecordNotInserted) => Ok(()),
        done => done.because("ordering a certificate").map(|_| ()),
    }
}

/// What our own checks held up goes on once they pass.
async fn go_on(tx: &Tx, panel: &Panel, row: &domain::Model) -> Result<()> {
    let held = certificate::Entity::update_many()
        .col_expr(certificate::Column::NextTryAt, Expr::value(panel.now().0))
        .filter(certificate::Column::DomainId.eq(row.id.clone()))
        .filter(certificate::Column::State.eq(CertificateState::Preflight))
        .filter(certificate::Column::NextTryAt.gt(panel.now()));
    let done = held.exec(tx).await.because("going on with a certificate")?;
    if done.rows_affected > 0 {
        panel.wake(CERTIFICATES);
    }
    Ok(())
}
