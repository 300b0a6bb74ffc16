//! What an application asks of the edge. `rules` and `logins` are JSON.
use crate::{
    id::{AppId, OrgId},
    units::Timestamp,
};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "routing")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub application_id: AppId,
    pub organization_id: OrgId,
    pub rules: String,
    /// Names and hashes of passwords.
    pub logins: String,
    /// Grows with each change; a row is never removed.
    pub version: i64,
    pub updated_at: Timestamp,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
