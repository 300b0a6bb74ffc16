//! A swarm that the operator offers. `tls` is JSON: paths of ca, cert and key.
use crate::{id::ProviderId, units::Timestamp};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "providers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProviderId,
    pub name: String,
    pub region: String,
    pub endpoint: String,
    pub tls: Option<String>,
    pub is_enabled: bool,
    pub max_clusters: i64,
    pub created_at: Timestamp,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
