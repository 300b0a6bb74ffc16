//! A message in the outbox, and what became of it.
use crate::{
    id::{MailId, OrgId},
    units::Timestamp,
};
use sea_orm::entity::prelude::*;

// Grounds that write the table need its words, too.
pub use crate::mail::model::MailStatus;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mails")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MailId,
    pub organization_id: Option<OrgId>,
    pub recipient: String,
    pub template: String,
    /// Sealed: it may hold links with tokens.
    pub content: String,
    pub status: MailStatus,
    pub attempts: i64,
    pub next_try_at: Timestamp,
    /// From then on it is not sent any more.
    pub expires_at: Timestamp,
    /// The panel that sends it now.
    pub lease_owner: Option<String>,
    /// Until when, by the database's clock.
    pub lease_until: Option<Timestamp>,
    pub last_error: Option<String>,
    pub sent_at: Option<Timestamp>,
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
