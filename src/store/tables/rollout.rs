//! How new releases of an application come before visitors. `canary` is JSON.
use crate::{
    deployments::model::{CanarySettings, Strategy},
    store::json::JsonText,
    {id::AppId, units::Timestamp},
};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rollouts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub application_id: AppId,
    pub strategy: Strategy,
    pub canary: JsonText<CanarySettings>,
    pub updated_at: Timestamp,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
