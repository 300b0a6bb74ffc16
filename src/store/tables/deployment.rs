//! A deployment. `request`, `settings`, `failure` and `dossier` are JSON.
use crate::{
    apps::model::Settings,
    deployments::model::{DeployRequest, Dossier, Failure},
    id::{AppId, DeploymentId, OrgId, ReleaseId},
    store::json::JsonText,
    units::Timestamp,
};
use sea_orm::entity::prelude::*;

// Features below that read the table need its words, too.
pub use crate::deployments::model::{Kind, Phase};

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deployments")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DeploymentId,
    pub organization_id: OrgId,
    pub application_id: AppId,
    pub number: i64,
    pub kind: Kind,
    pub phase: Phase,
    pub request: JsonText<DeployRequest>,
    pub settings: JsonText<Settings>,
    pub env_version: i64,
    pub image: Option<String>,
    pub image_port: Option<i64>,
    pub branch: Option<String>,
    pub commit_hash: Option<String>,
    pub commit_subject: Option<String>,
    pub release_id: Option<ReleaseId>,
    pub previous_deployment_id: Option<DeploymentId>,
    pub cancel_requested: bool,
    pub failure: Option<JsonText<Failure>>,
    pub dossier: Option<JsonText<Dossier>>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub phase_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub lease_owner: Option<String>,
    pub lease_until: Option<Timestamp>,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::store::lease::Leased for Entity {
    const OWNER: Column = Column::LeaseOwner;
    const UNTIL: Column = Column::LeaseUntil;
}
