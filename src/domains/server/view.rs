//! How rows become the domains that members see.
use crate::{
    domains::{
        model::{Certificate, CertificateSource, Claim, Domain, DomainName},
        server::{life, names, records},
    },
    error::Result,
    fault::Because,
    id::{AppId, DomainId},
    runtime::panel::Panel,
    store::{
        json::JsonText,
        tables::{application, certificate, domain},
    },
    units::Timestamp,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use std::collections::HashMap;

/// The name in a row.
pub fn name(row: &domain::Model) -> Result<DomainName> {
    row.name.parse().because("reading a domain's name")
}

/// How the claim in a row stands.
pub fn claim(row: &domain::Model) -> Claim {
    match (row.verified_at, row.lapsed_at) {
        (Some(_), _) if row.failures > 0 => Claim::Failing,
        (Some(_), _) => Claim::Verified,
        _ if row.contested => Claim::Contested,
        (None, Some(_)) => Claim::Lapsed,
        (None, None) => Claim::Waiting,
    }
}

/// Domains of one organization.
pub async fn views(panel: &Panel, rows: Vec<domain::Model>) -> Result<Vec<Domain>> {
    let db = panel.db.read();
    let apps: Vec<AppId> = rows.iter().map(|row| row.application_id.clone()).collect();
    let apps = application::Entity::find().filter(application::Column::Id.is_in(apps)).all(db).await.because("looking up applications")?;
    let apps: HashMap<AppId, application::Model> = apps.into_iter().map(|app| (app.id.clone(), app)).collect();
    let ids: Vec<DomainId> = rows.iter().map(|row| row.id.clone()).collect();
    let found = certificate::Entity::find().filter(certificate::Column::DomainId.is_in(ids)).all(db).await;
    let found = found.because("looking up certificates")?.into_iter();
    let mut certificates: HashMap<DomainId, certificate::Model> = found.filter_map(|it| Some((it.domain_id.clone()?, it))).collect();
    let now = panel.now();
    let one = |row: domain::Model| {
        let app = apps.get(&row.application_id);
        let app = app.ok_or("its application is missing").because("showing a domain")?;
        let certificate = certificates.remove(&row.id).map(|it| of_certificate(&it, now)).transpose()?;
        one(panel, row, app, certificate)
    };
    rows.into_iter().map(one).collect()
}

/// One domain.
pub async fn view(panel: &Panel, row: domain::Model) -> Result<Domain> {
    views(panel, vec![row]).await?.pop().ok_or("nothing came of a row").because("showing a domain")
}

fn one(panel: &Panel, row: domain::Model, app: &application::Model, certificate: Option<Certificate>) -> Result<Domain> {
    let (name, method, claim) = (name(&row)?, row.method, claim(&row));
    let checks = row.checks.as_ref().map(JsonText::read).transpose()?.unwrap_or_default();
    Ok(Domain {
        records: records::records(&panel.config, &row, &name, method, &app.host),
        status: status(&row, claim, &name),
        application_name: app.name.clone(),
        domain: name,
        shown: row.shown,
        claim,
        validation_method: method,
        primary_domain: row.is_primary,
        redirect_to_primary: row.redirects,
        checks,
        checked_at: row.checked_at,
        next_check_at: (row.next_check_at < NEVER).then_some(row.next_check_at),
        verified_at: row.verified_at,
        certificate,
        automatic_certificates: panel.config.acme.directory.is_some() && names::feasible(&panel.config, method).is_ok(),
        version: row.version,
        created_at: row.created_at,
        id: row.id,
        application_id: row.application_id,
    })
}

/// When something that is not done by itself is next due.
pub const NEVER: Timestamp = Timestamp(i64::MAX);

fn status(row: &domain::Model, claim: Claim, name: &DomainName) -> String {
    let at = name.ownership();
    match claim {
        Claim::Waiting if row.next_check_at >= NEVER => {
            format!(
                "The ownership record was not found within a month, and is looked for no more. Set the TXT record at {at}, then check again."
            )
        }
        Claim::Waiting => format!("Set the records below. The domain serves once the TXT record at {at} is found."),
        Claim::Verified => "The domain is proven to be yours and leads to this application.".into(),
        Claim::Failing => {
            let left = (life::LAPSES_AFTER - row.failures).max(1);
            let checks = if left == 1 { "the next check".into() } else { format!("{left} more checks") };
            format!(
                "The TXT record at {at} was not found lately. The domain still serves, but the claim lapses after {checks} without it. Set it again."
            )
        }
        Claim::Contested => {
            format!(
                "The record is there, but a claim that was proven before has one beside it. Remove every TXT record at {at} but this one; then the domain is yours here."
            )
        }
        Claim::Lapsed => format!(
            "The TXT record at {at} was gone for too long, or somebody else proved the domain since. It no longer serves. Set the record again."
        ),
    }
}

/// A certificate as members see it.
pub fn of_certificate(row: &certificate::Model, now: Timestamp) -> Result<Certificate> {
    Ok(Certificate {
        source: row.source,
        method: row.method,
        state: row.state,
        problem: row.problem.clone(),
        attempts: u32::try_from(row.attempts).unwrap_or_default(),
        next_try_at: (row.next_try_at < NEVER).then_some(row.next_try_at),
        names: row.names.read()?,
        issuer: row.issuer.clone(),
        fingerprint: row.fingerprint.clone(),
        issued_at: row.issued_at,
        expires_at: row.expires_at,
        warning: row.expires_at.and_then(|end| warning(row.source, end, now)).or_else(|| untrusted(row)),
    })
}

/// That browsers do not know who issued it.
fn untrusted(row: &certificate::Model) -> Option<String> {
    let issuer = row.issuer.as_deref().filter(|issuer| !issuer.is_empty()).unwrap_or("An unknown authority");
    (row.trusted == Some(false)).then(|| {
        format!("“{issuer}”, which issued this certificate, leads to no authority that browsers know: they warn your visitors, unless these trust it.")
    })
}

fn warning(source: CertificateSource, end: Timestamp, now: Timestamp) -> Option<String> {
    let days = end.since(now).as_secs() / 86_400;
    let uploaded = source == CertificateSource::Uploaded;
    match () {
        () if end <= now && uploaded => {
            Some("The certificate has expired: browsers warn your visitors. Upload a new one, or let the platform order one.".into())
        }
        () if end <= now => Some("The certificate has expired: browsers warn your visitors. See below why it could not be renewed.".into()),
        () if uploaded && now + life::NOTICE >= end => {
            Some(format!("The certificate expires in {days} days. Upload a new one, or let the platform order one."))
        }
        // One of ours is renewed long before: so late, something is wrong.
        () if now + life::NOTICE / 3 >= end => Some(format!("The certificate expires in {days} days and could not be renewed yet.")),
        () => None,
    }
}
