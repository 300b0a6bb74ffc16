//! The certificate of a name, and the order that is under way for it. `names` is JSON; `private_key`, `order_key` and `challenges` are sealed.
use crate::{
    domains::model::{CertificateSource, CertificateState, Method},
    id::{CertificateId, DomainId},
    store::json::JsonText,
    units::Timestamp,
};
use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "certificates")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CertificateId,
    /// None for the platform's own names.
    pub domain_id: Option<DomainId>,
    pub name: String,
    pub source: CertificateSource,
    pub method: Method,
    pub state: CertificateState,
    /// PEM.
    pub chain: Option<String>,
    pub private_key: Option<String>,
    pub names: JsonText<Vec<String>>,
    pub issuer: Option<String>,
    pub fingerprint: Option<String>,
    /// Whether its issuer is one that browsers know, as far as that can be told.
    pub trusted: Option<bool>,
    /// When that, and its key, were last looked at.
    pub looked_at: Timestamp,
    pub issued_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub order_url: Option<String>,
    pub order_key: Option<String>,
    pub challenges: Option<String>,
    /// Why the last attempt failed: a sentence for the customer.
    pub problem: Option<String>,
    pub attempts: i64,
    pub next_try_at: Timestamp,
    pub lease_owner: Option<String>,
    pub lease_until: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// No relations are walked: every look-up says whose rows it wants.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::store::lease::Leased for Entity {
    const OWNER: Column = Column::LeaseOwner;
    const UNTIL: Column = Column::LeaseUntil;
}
