//! A line of the audit trail.
use crate::{
    id::{AuditId, OrgId},
    units::Timestamp,
};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditId,
    pub organization_id: OrgId,
    pub user_id: String,
    pub event: String,
    pub target: String,
    pub detail: String,
    pub address: String,
    pub request_id: String,
    pub created_at: Timestamp,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
