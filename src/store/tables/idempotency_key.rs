//! An answer that was given to a request with an idempotency key.
use crate::{id::UserId, units::Timestamp};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_hash: String,
    pub request_hash: String,
    pub status: Option<i64>,
    /// Sealed: an answer may hold a new secret.
    pub body: Option<String>,
    pub expires_at: Timestamp,
    /// A JSON object: those of the answer's headers that a replay repeats.
    pub headers: Option<String>,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
