//! A key of the API.
use crate::{
    id::{ApiKeyId, OrgId, UserId},
    rights::Permissions,
    store::json::JsonText,
    units::Timestamp,
};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ApiKeyId,
    pub organization_id: OrgId,
    /// Whose it is.
    pub user_id: UserId,
    pub name: String,
    /// The last letters of the secret.
    pub hint: String,
    /// A JSON list of permissions.
    pub scope: JsonText<Permissions>,
    pub version: i64,
    pub created_at: Timestamp,
    pub rotated_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub last_used_from: Option<String>,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
