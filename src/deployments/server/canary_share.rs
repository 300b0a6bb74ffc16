//! What the edges are told of canaries: which release gets which share beside the live one.
use crate::{
    edge::{Balance, ReleaseCookie, Sticky},
    error::Result,
    fault::Because,
    id::{AppId, DeploymentId},
    runtime::panel::Panel,
    store::{Tx, tables::canary},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use std::collections::HashMap;

/// The word that leads a client to the new release.
pub const CANARY: &str = "canary";
/// The word that leads it to the one before.
pub const STABLE: &str = "stable";

/// A release that has a share beside the live one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    pub new: DeploymentId,
    /// The live deployment that it is tried beside.
    pub old: DeploymentId,
    /// Of the requests, 1 to 100.
    pub percent: u32,
    pub sticky: bool,
}

/// The shares of all applications that have a canary now.
pub async fn all(panel: &Panel) -> Result<HashMap<AppId, Share>> {
    let running = canary::Entity::find().filter(canary::Column::Share.gt(0)).all(panel.db.read()).await.because("looking up canaries")?;
    let mut all = HashMap::with_capacity(running.len());
    for row in running {
        let sticky = row.settings.read()?.sticky;
        let Some(old) = row.previous_deployment_id else { continue };
        let percent = row.share.clamp(1, 100) as u32;
        all.insert(row.application_id, Share { new: row.deployment_id, old, percent, sticky });
    }
    Ok(all)
}

impl Share {
    /// Lays the shares and the cookie over how an application's requests are spread otherwise.
    pub fn over(&self, mut balance: Balance) -> Balance {
        balance.weights = [(self.old.to_string(), 100 - self.percent), (self.new.to_string(), self.percent)].into();
        balance.cookie = Some(ReleaseCookie::of([(CANARY, self.new.to_string()), (STABLE, self.old.to_string())]));
        if self.sticky {
            balance.sticky = balance.sticky.or(Some(Sticky::Release));
        }
        balance
    }
}

/// The switch is done: what leads to the release from now on is that it is live.
pub async fn landed(tx: &Tx, id: &DeploymentId) -> Result<()> {
    let over = canary::Entity::update_many()
        .set(canary::ActiveModel { share: Set(0), ..Default::default() })
        .filter(canary::Column::DeploymentId.eq(id.clone()));
    over.exec(tx).await.because("ending a canary").map(|_| ())
}
