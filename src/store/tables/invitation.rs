//! An invitation into an organization.
use crate::{
    id::{InvitationId, MailId, OrgId, UserId},
    orgs::model::InvitationStatus,
    units::Timestamp,
};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InvitationId,
    pub organization_id: OrgId,
    /// In lower case.
    pub email: String,
    /// A given role's name, or the id of one of the organization's own.
    pub role: String,
    pub message: String,
    pub token_hash: String,
    pub invited_by: UserId,
    pub status: InvitationStatus,
    /// How long each sending is good.
    pub hours: i64,
    /// How often it was sent.
    pub sends: i64,
    pub mail_id: Option<MailId>,
    pub created_at: Timestamp,
    pub sent_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
