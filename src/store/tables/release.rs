//! An image digest and a configuration, frozen.
use crate::{
    apps::model::Settings,
    id::{AppId, ReleaseId},
    store::json::JsonText,
    units::Timestamp,
};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "releases")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReleaseId,
    pub application_id: AppId,
    pub number: i64,
    pub image: String,
    pub port: i64,
    pub settings: JsonText<Settings>,
    pub env_version: i64,
    pub commit_hash: Option<String>,
    pub commit_subject: Option<String>,
    pub branch: Option<String>,
    pub image_kept: bool,
    pub created_at: Timestamp,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
