//! An application. `settings` is JSON.
use crate::{
    apps::model::Settings,
    id::{AppId, ClusterId, DeploymentId, OrgId},
    store::json::JsonText,
    units::Timestamp,
};
use sea_orm::entity::prelude::*;

// Features below that read the table need its words, too.
pub use crate::apps::model::Wanted;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "applications")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AppId,
    pub organization_id: OrgId,
    pub cluster_id: ClusterId,
    pub name: String,
    pub host: String,
    pub settings: JsonText<Settings>,
    pub replicas: i64,
    pub wanted: Wanted,
    /// It ran when its organization was suspended, and starts again when that goes on.
    pub stopped_by_suspension: bool,
    pub env_version: i64,
    pub live_deployment_id: Option<DeploymentId>,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
