//! A path under a host that leads to an application.
use crate::{
    id::{AppId, DomainId, OrgId, PathId},
    units::Timestamp,
};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "path_routes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PathId,
    pub organization_id: OrgId,
    /// Whom the path leads to.
    pub application_id: AppId,
    /// The domain that the host is; none where it is an application's own.
    pub domain_id: Option<DomainId>,
    /// The application whose own host it is; none where it is a domain.
    pub host_application_id: Option<AppId>,
    pub host: String,
    /// `/part/part`.
    pub path: String,
    pub strip_path: bool,
    pub created_at: Timestamp,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
