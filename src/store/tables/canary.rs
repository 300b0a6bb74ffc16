//! A deployment that shall be, is or was a canary. `settings` and `failure` are JSON; `share` is the percentage that edges give it now.
use crate::{
    deployments::model::{CanarySettings, Outcome, Wish},
    id::{AppId, DeploymentId},
    store::json::JsonText,
    units::Timestamp,
};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "canaries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub deployment_id: DeploymentId,
    pub application_id: AppId,
    pub settings: JsonText<CanarySettings>,
    pub previous_deployment_id: Option<DeploymentId>,
    pub share: i64,
    pub wish: Option<Wish>,
    pub wished_by: Option<String>,
    pub outcome: Option<Outcome>,
    pub failure: Option<JsonText<(String, String)>>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
