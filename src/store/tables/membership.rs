//! A person in an organization, with a role.
use crate::{
    id::{OrgId, UserId},
    units::Timestamp,
};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "memberships")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrgId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// A given role's name, or the id of one of the organization's own.
    pub role: String,
    pub created_at: Timestamp,
    /// Whether there are rows of `app_grants`; spares the look-up for the many who have none.
    pub has_grants: bool,
    pub last_seen_at: Option<Timestamp>,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
