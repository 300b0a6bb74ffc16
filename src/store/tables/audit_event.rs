//! A line of the audit trail.
use crate::{
    id::{AuditId, OrgId, UserId},
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
    /// Empty where nobody is known.
    pub user_id: String,
    pub event: String,
    pub target: String,
    /// JSON.
    pub detail: String,
    pub address: String,
    pub request_id: String,
    pub created_at: Timestamp,
    /// The person's name at the time.
    pub user_name: String,
    pub impersonator_id: Option<UserId>,
    pub impersonator_name: Option<String>,
    pub agent: String,
    pub credential: String,
    /// `browser`, `bearer`, `key`, or empty.
    pub credential_kind: String,
    /// The place in the organization's chain, from 1; none in rows from before there was one.
    pub seq: Option<i64>,
    pub prev_hash: Option<String>,
    pub hash: Option<String>,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
