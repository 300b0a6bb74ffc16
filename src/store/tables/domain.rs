//! A domain of an application: a claim to a name, and how it stands. `checks` is JSON.
use crate::{
    domains::model::{Check, Method},
    id::{AppId, DomainId, OrgId},
    store::json::JsonText,
    units::Timestamp,
};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "domains")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DomainId,
    pub organization_id: OrgId,
    pub application_id: AppId,
    /// In A-labels.
    pub name: String,
    /// As it was typed.
    pub shown: String,
    /// What the ownership record must say.
    pub token: String,
    pub method: Method,
    pub is_primary: bool,
    /// Sends visitors to the primary domain.
    pub redirects: bool,
    /// Since when the claim is proven.
    pub verified_at: Option<Timestamp>,
    /// When it was proven no longer.
    pub lapsed_at: Option<Timestamp>,
    /// The record is there, and somebody else's, too.
    pub contested: bool,
    /// Checks in a row that did not find the record.
    pub failures: i64,
    pub checks: Option<JsonText<Vec<Check>>>,
    pub checked_at: Option<Timestamp>,
    pub next_check_at: Timestamp,
    pub version: i64,
    pub created_at: Timestamp,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
