//! What the edge gets: proven hosts and where they lead, certificates, answers to open challenges. Read wholly each time and put into the
//! panel, where whoever tells the edge finds it.
use crate::edges::server::material::EdgeMaterial;
use crate::orgs::server::ROUTES;
use crate::{
    domains::server::reach,
    edges::server::material::{Answer, Handshake, Host, KeyPem, Material, Served},
    error::Result,
    fault::Because,
    id::{AppId, CertificateId, DomainId},
    runtime::panel::Panel,
    store::tables::{application, certificate, domain},
};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Query};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// The answers to a certificate's open challenges, as its row keeps them (sealed).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenges {
    /// Token and body, over HTTP.
    pub http: Vec<(String, String)>,
    /// Certificate and key, in a handshake.
    pub tls: Vec<(String, String)>,
    /// Name and text, in the zone.
    pub dns: Vec<(String, String)>,
}

/// Where a certificate's secrets are sealed to.
pub fn place(id: &CertificateId, what: &str) -> String {
    format!("{id}/{what}")
}

/// A certificate's open challenges.
pub fn challenges(panel: &Panel, row: &certificate::Model) -> Result<Challenges> {
    let Some(sealed) = &row.challenges else { return Ok(Challenges::default()) };
    let text = panel.secrets.unseal(&place(&row.id, "challenges"), sealed)?;
    serde_json::from_str(&text).because("reading a certificate's challenges")
}

/// All of it, as it is now.
pub async fn material(panel: &Panel) -> Result<Material> {
    let db = panel.db.read();
    let alive = Query::select()
        .column(application::Column::Id)
        .from(application::Entity)
        .and_where(application::Column::DeletedAt.is_null())
        .to_owned();
    let all = domain::Entity::find().filter(domain::Column::ApplicationId.in_subquery(alive)).order_by_asc(domain::Column::Name);
    let proven = all.clone().filter(domain::Column::VerifiedAt.is_not_null()).all(db).await.because("looking up domains")?;
    let primaries: HashMap<&AppId, &str> =
        proven.iter().filter(|row| row.is_primary).map(|row| (&row.application_id, row.name.as_str())).collect();
    let host = |row: &domain::Model| {
        let primary = primaries.get(&row.application_id).copied().filter(|primary| row.redirects && *primary != row.name);
        Host { name: row.name.clone(), app: row.application_id.clone(), redirect: primary.map(str::to_string) }
    };
    // The probe of a claim is answered before it is proven, so that its owner sees that the way is right.
    let claimed: Vec<(String, String)> =
        all.select_only().columns([domain::Column::Name, domain::Column::Token]).into_tuple().all(db).await.because("looking up claims")?;
    let probe = |(name, token): (String, String)| {
        let (file, body) = reach::probe(&token);
        Answer { host: name, token: file, body }
    };
    let mut material =
        Material { hosts: proven.iter().map(host).collect(), answers: claimed.into_iter().map(probe).collect(), ..Material::default() };
    let known: HashSet<&DomainId> = proven.iter().map(|row| &row.id).collect();
    let rows = certificates(panel).await?;
    let before = panel.of::<EdgeMaterial>().load();
    for row in rows {
        if row.domain_id.as_ref().is_some_and(|id| !known.contains(id)) {
            continue;
        }
        if row.domain_id.is_none() {
            material.answers.push(probe((row.name.clone(), row.id.to_string())));
        }
        add(panel, &before, row, &mut material);
    }
    Ok(material)
}

/// Certificates that can be served or are being ordered.
async fn certificates(panel: &Panel) -> Result<Vec<certificate::Model>> {
    let useful = Condition::any()
        .add(certificate::Column::Chain.is_not_null())
        .add(certificate::Column::Challenges.is_not_null())
        .add(certificate::Column::DomainId.is_null());
    let rows = certificate::Entity::find().filter(useful).order_by_asc(certificate::Column::Name).all(panel.db.read()).await;
    rows.because("looking up certificates")
}

/// Adds what edges need of a row. One row that can't be opened must not take all others from the edge.
fn add(panel: &Panel, before: &Material, row: certificate::Model, material: &mut Material) {
    let open = challenges(panel, &row).unwrap_or_default();
    if row.challenges.is_some() {
        material.open.insert(row.id.clone());
    }
    material.answers.extend(open.http.into_iter().map(|(token, body)| Answer { host: row.name.clone(), token, body }));
    let handshake = |(certificate, key)| Handshake { host: row.name.clone(), certificate, key: KeyPem(key) };
    material.handshakes.extend(open.tls.into_iter().map(handshake));
    let id = row.id.clone();
    match served(panel, before, row) {
        Ok(served) => material.certificates.extend(served),
        Err(why) => tracing::warn!(certificate = %id, "a certificate can't be served: {why}"),
    }
}

/// A row's certificate. One that was opened before is not opened again.
fn served(panel: &Panel, before: &Material, row: certificate::Model) -> Result<Option<Served>> {
    let (Some(chain), Some(sealed), Some(fingerprint)) = (row.chain, row.private_key, row.fingerprint) else { return Ok(None) };
    let known = before.certificates.binary_search_by(|it| it.name.cmp(&row.name)).ok().map(|at| &before.certificates[at]);
    let key = match known.filter(|known| known.fingerprint == fingerprint) {
        Some(known) => known.key.clone(),
        None => KeyPem(panel.secrets.unseal(&place(&row.id, "key"), &sealed)?),
    };
    Ok(Some(Served { name: row.name, chain, key, fingerprint }))
}

/// Reads it and, where it changed, puts it into the panel and wakes whoever tells the edge. Says whether it did.
pub async fn publish(panel: &Panel) -> Result<bool> {
    let now = material(panel).await?;
    if **panel.of::<EdgeMaterial>().load() == now {
        return Ok(false);
    }
    panel.of::<EdgeMaterial>().store(Arc::new(now));
    panel.wake(ROUTES);
    Ok(true)
}
