//! A look at certificates that are served, once a day: can their key still be read, and do browsers still trust who issued them? One that
//! fails either is ordered again at once, where it is ours to order.
use crate::{
    domains::{
        model::{CertificateSource, CertificateState},
        server::{life, material::place, trust::Roots},
    },
    error::Result,
    fault::Because,
    runtime::panel::Panel,
    store::tables::certificate,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

/// Certificates that one pass looks at.
const BATCH: u64 = 100;

const UNTRUSTED: &str = "Browsers no longer trust the authority that issued this certificate.";
const UNREADABLE: &str = "The certificate’s key can’t be read any more.";

/// Looks at those that are due. Says how many are ordered again.
pub async fn pass(panel: &Panel) -> Result<u64> {
    let now = panel.now();
    let due = certificate::Entity::find()
        .filter(certificate::Column::LookedAt.lte(now - life::LOOK))
        .filter(certificate::Column::Chain.is_not_null())
        .order_by_asc(certificate::Column::LookedAt)
        .limit(BATCH);
    let due = due.all(panel.db.read()).await.because("looking for certificates to look at")?;
    if due.is_empty() {
        return Ok(0);
    }
    let roots = Roots::load(&panel.config);
    let mut again = 0;
    for row in due {
        let judged = row.chain.as_ref().and_then(|chain| roots.judge(&row.name, chain, now));
        let sealed = row.private_key.as_deref().unwrap_or_default();
        let trouble = match panel.secrets.unseal(&place(&row.id, "key"), sealed) {
            Err(_) => Some(UNREADABLE),
            // One that was never trusted (an authority for tests, or the operator's own) is no news.
            Ok(_) if row.trusted == Some(true) && judged == Some(false) => Some(UNTRUSTED),
            Ok(_) => None,
        };
        let mut change = certificate::ActiveModel { looked_at: Set(now), trusted: Set(judged.or(row.trusted)), ..Default::default() };
        if let Some(sentence) = trouble {
            tracing::warn!(certificate = %row.id, "{sentence}");
            let is_ours = row.source == CertificateSource::Acme && panel.config.acme.directory.is_some();
            let remedy = if is_ours { "A new one is ordered." } else { "Upload a new one, or let the platform order one." };
            change.problem = Set(Some(format!("{sentence} {remedy}")));
            if is_ours {
                change.state = Set(CertificateState::Renewing);
                change.next_try_at = Set(now);
                again += 1;
            }
        }
        let unchanged = certificate::Entity::update_many()
            .set(change)
            .filter(certificate::Column::Id.eq(row.id))
            .filter(certificate::Column::Fingerprint.eq(row.fingerprint));
        panel.db.tx(async |tx| unchanged.exec(tx).await.because("writing what was seen of a certificate")).await?;
    }
    Ok(again)
}
