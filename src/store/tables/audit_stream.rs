//! Where an audit trail is sent.
use crate::{
    id::{OrgId, StreamId},
    units::Timestamp,
};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_streams")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: StreamId,
    pub organization_id: OrgId,
    pub name: String,
    pub url: String,
    /// Sealed.
    pub secret: Option<String>,
    /// The last row that arrived.
    pub sent_seq: i64,
    pub is_enabled: bool,
    pub disabled_reason: Option<String>,
    pub attempts: i64,
    pub failing_since: Option<Timestamp>,
    pub last_error: Option<String>,
    pub last_sent_at: Option<Timestamp>,
    pub next_try_at: Timestamp,
    /// The panel that sends it now.
    pub lease_owner: Option<String>,
    /// Until when, by the database's clock.
    pub lease_until: Option<Timestamp>,
    pub version: i64,
    pub created_at: Timestamp,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::store::lease::Leased for Entity {
    const OWNER: Column = Column::LeaseOwner;
    const UNTIL: Column = Column::LeaseUntil;
}
