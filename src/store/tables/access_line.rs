//! A line of an application’s access log. `entry` is JSON.
use crate::{id::AppId, units::Timestamp};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access_lines")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub application_id: AppId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub at: Timestamp,
    pub status: i64,
    pub path: String,
    pub entry: String,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
