//! The seed of a person's authenticator app.
use crate::{id::UserId, units::Timestamp};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "totp_seeds")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// Sealed, in base 32.
    pub sealed: String,
    /// The step of the last code that was taken.
    pub last_step: i64,
    pub created_at: Timestamp,
    /// When a first code proved that the app has it.
    pub confirmed_at: Option<Timestamp>,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
