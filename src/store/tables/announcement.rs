//! A note of the operator to users.
use crate::{
    id::{AnnouncementId, OrgId},
    store::json::JsonText,
    units::Timestamp,
};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "announcements")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AnnouncementId,
    pub title: String,
    pub body: String,
    pub level: String,
    /// A JSON list of ids; empty is everybody.
    pub organizations: JsonText<Vec<OrgId>>,
    pub starts_at: Timestamp,
    pub ends_at: Option<Timestamp>,
    pub is_dismissable: bool,
    pub version: i64,
    pub created_at: Timestamp,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
