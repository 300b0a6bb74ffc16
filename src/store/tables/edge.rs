//! An edge that runs elsewhere, and what it said last. `figures` and `draining` are JSON.
use crate::{id::EdgeId, units::Timestamp};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "edges")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EdgeId,
    pub name: String,
    pub token_hash: String,
    /// The last characters of the token.
    pub hint: String,
    pub created_at: Timestamp,
    pub rotated_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// When it last reported.
    pub heard_at: Option<Timestamp>,
    /// The address that it reported from.
    pub heard_from: Option<String>,
    /// The version of its program.
    pub software: Option<String>,
    pub started_at: Option<Timestamp>,
    /// The version of the routes that are live on it.
    pub live_version: i64,
    /// Since when it has not had the newest version.
    pub behind_since: Option<Timestamp>,
    /// Which start of the program the sequence counts for.
    pub boot: Option<String>,
    /// The last report that was counted.
    pub sequence: i64,
    /// What is wrong there, in a sentence.
    pub problem: Option<String>,
    pub figures: Option<String>,
    /// Requests in hand at releases that its routes name no more.
    pub draining: Option<String>,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
