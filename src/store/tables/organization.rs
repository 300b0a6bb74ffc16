//! An organization.
use crate::{id::OrgId, orgs::model::Defaults, store::json::JsonText, units::Timestamp};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "organizations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrgId,
    pub name: String,
    pub created_at: Timestamp,
    /// Its name in addresses; unique.
    pub slug: String,
    pub contact_email: String,
    pub billing_address: String,
    pub tax_id: String,
    /// What new applications begin with, as JSON.
    pub defaults: JsonText<Defaults>,
    pub requires_two_factor: bool,
    /// The OpenID provider that members must sign in with.
    pub required_provider: Option<String>,
    pub version: i64,
    pub suspended_at: Option<Timestamp>,
    pub suspended_reason: Option<String>,
    pub deleted_at: Option<Timestamp>,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
