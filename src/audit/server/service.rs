//! Writes a line of the trail in the transaction of the deed.
use crate::{
    error::Result,
    id::{Id, OrgId},
    platform::{
        ctx::{Ctx, Origin},
        db::{Tx, tables::audit_event},
        fault::Because,
        fresh,
    },
    units::Timestamp,
};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::Value;

/// What was done. `detail` never holds a secret's value.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// `application.scaled`.
    pub name: &'a str,
    /// The id of what it was done to.
    pub target: String,
    pub detail: Value,
}

/// Records what somebody who is signed in does.
pub async fn record(tx: &Tx, ctx: &Ctx, name: &str, target: impl ToString, detail: Value) -> Result<()> {
    let event = Event { name, target: target.to_string(), detail };
    record_for(tx, &ctx.who.org, ctx.who.user.as_str(), &ctx.origin, ctx.panel.now(), event).await
}

/// Records a deed where nobody is signed in yet, or no longer.
pub async fn record_for(tx: &Tx, org: &OrgId, user: &str, origin: &Origin, at: Timestamp, event: Event<'_>) -> Result<()> {
    let row = audit_event::ActiveModel {
        id: Set(fresh::id()),
        organization_id: Set(org.clone()),
        user_id: Set(user.into()),
        event: Set(event.name.into()),
        target: Set(event.target),
        detail: Set(event.detail.to_string()),
        address: Set(origin.address.clone()),
        request_id: Set(origin.request_id.clone()),
        created_at: Set(at),
    };
    audit_event::Entity::insert(row).exec_without_returning(tx).await.because("writing the audit trail").map(|_| ())
}
