//! What one release of an application was asked at one edge in one span of time. `latency` is a histogram as text.
use crate::{id::AppId, units::Timestamp};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "traffic")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub application_id: AppId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub step: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub at: Timestamp,
    #[sea_orm(primary_key, auto_increment = false)]
    pub deployment_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub edge: String,
    pub requests: i64,
    pub informed: i64,
    pub succeeded: i64,
    pub redirected: i64,
    pub refused: i64,
    pub failed: i64,
    pub aborted: i64,
    pub bytes_in: i64,
    pub bytes_out: i64,
    pub retried: i64,
    pub held: i64,
    pub in_flight: i64,
    pub latency: String,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
