//! What the pages' forms send, as it was typed, and what the page of a member is given.
use super::{Grant, Member, OrganizationRole};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One member with what can be done about her.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberPage {
    pub member: Member,
    /// Whether it is the caller.
    pub is_me: bool,
    /// What her role includes that the caller lacks keeps the caller from changing it.
    pub is_above: bool,
    pub givable: Vec<OrganizationRole>,
    pub grants: Vec<Grant>,
    /// Applications that could be granted: id and name.
    pub apps: Vec<(String, String)>,
}

/// The fields of the settings' form, as they are typed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SettingsForm {
    pub name: String,
    pub slug: String,
    pub contact_email: String,
    pub billing_address: Option<String>,
    pub tax_id: Option<String>,
    pub replicas: String,
    pub memory_mib: String,
    pub cpu: String,
    pub branch: String,
    pub requires_two_factor: Option<String>,
}

/// Ticked boxes and chosen lines, by their names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticked(pub BTreeMap<String, String>);
