//! A step of a canary. `baseline` is what both releases had counted at its beginning, `numbers` what they counted since; both are JSON.
use crate::{
    deployments::model::Numbers,
    store::json::JsonText,
    {id::DeploymentId, units::Timestamp},
};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "canary_steps")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub deployment_id: DeploymentId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub step: i64,
    pub percent: i64,
    pub baseline: String,
    pub numbers: JsonText<Numbers>,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
