//! What is sent, and how it is parsed: every wrong field is told at once, under the name that the API gives it.
use super::*;
use crate::{
    accounts::model::Email,
    error::{Error, Fields, Result},
    rights::{Action, Role},
    units::{MAX_REPLICAS, check_cpu, check_memory},
};

/// The body of `POST /api/organizations`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "Acme", "slug": "acme" }))]
pub struct CreateOrganization {
    pub name: String,
    /// Without it, one is made up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
}

impl CreateOrganization {
    /// Parses every field.
    pub fn parse(&self) -> Result<(OrgName, Option<Slug>)> {
        let mut fields = Fields::default();
        let name = fields.take("name", self.name.parse::<OrgName>());
        let slug = filled(&self.slug).and_then(|text| fields.take("slug", text.parse::<Slug>()));
        fields.done()?;
        Ok((name.ok_or_else(unread)?, slug))
    }
}

fn unread() -> Error {
    Error::invalid("body", "The request could not be read.")
}

fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// The body of `PUT /api/organizations/{id}`: what is left out stays, an empty text is cleared.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "Acme", "contact_email": "it@acme.example", "defaults": { "replicas": 2 }, "requires_two_factor": true }))]
pub struct UpdateOrganization {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_id: Option<String>,
    /// Replaces all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<DefaultsInput>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires_two_factor: Option<bool>,
}

/// What new applications are to begin with; what is left out has the panel's own default.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({ "replicas": 2, "cpu_millis": 500, "memory_bytes": 268_435_456, "branch": "main" }))]
pub struct DefaultsInput {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

/// Settings, parsed; none is unchanged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewSettings {
    pub name: Option<OrgName>,
    pub slug: Option<Slug>,
    pub contact_email: Option<String>,
    pub billing_address: Option<String>,
    pub tax_id: Option<String>,
    pub defaults: Option<Defaults>,
    pub requires_two_factor: Option<bool>,
}

impl UpdateOrganization {
    /// Parses every field; all that are wrong are told at once.
    pub fn parse(&self) -> Result<NewSettings> {
        let mut fields = Fields::default();
        let name = self.name.as_ref().and_then(|text| fields.take("name", text.parse()));
        let slug = self.slug.as_ref().and_then(|text| fields.take("slug", text.parse()));
        let contact_email = self.contact_email.as_ref().and_then(|text| match text.trim() {
            "" => Some(String::new()),
            text => fields.take("contact_email", text.parse::<Email>()).map(String::from),
        });
        let address = |text: &String| lines(text, 500).ok_or("An address has at most 500 characters.");
        let billing_address = self.billing_address.as_ref().and_then(|text| fields.take("billing_address", address(text)));
        let tax = |text: &String| line(text, 0, 40).ok_or("A tax id has at most 40 characters on one line.");
        let tax_id = self.tax_id.as_ref().and_then(|text| fields.take("tax_id", tax(text)));
        let defaults = self.defaults.as_ref().map(|input| input.parse(&mut fields));
        fields.done()?;
        let requires_two_factor = self.requires_two_factor;
        Ok(NewSettings { name, slug, contact_email, billing_address, tax_id, defaults, requires_two_factor })
    }
}

impl DefaultsInput {
    fn parse(&self, fields: &mut Fields) -> Defaults {
        let replicas = self.replicas.and_then(|n| {
            let sound = (1..=MAX_REPLICAS).contains(&n);
            fields.take("defaults.replicas", if sound { Ok(n) } else { Err(format!("A number from 1 to {MAX_REPLICAS}.")) })
        });
        Defaults {
            replicas,
            cpu_millis: self.cpu_millis.and_then(|n| fields.take("defaults.cpu_millis", check_cpu(n))),
            memory_bytes: self.memory_bytes.and_then(|n| fields.take("defaults.memory_bytes", check_memory(n))),
            branch: filled(&self.branch).and_then(|text| fields.take("defaults.branch", text.parse())),
        }
    }
}

/// The body of `POST /api/organizations/{id}/transfer`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "user_id": "usr_01jd0000000000000000000000" }))]
pub struct Transfer {
    /// The member who is to own the organization.
    #[schema(value_type = String)]
    pub user_id: UserId,
}

/// The body of `PUT /api/organizations/{id}/members/{user_id}`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "role": "developer" }))]
pub struct SetRole {
    /// A given role's name, or the id of one of the organization's own.
    pub role: String,
}

/// The body of `POST /api/organizations/{id}/members/bulk`: all of them, or none.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "user_ids": ["usr_01jd0000000000000000000000"], "role": "viewer" }))]
pub struct ChangeMembers {
    /// At most 200.
    #[schema(value_type = Vec<String>)]
    pub user_ids: Vec<UserId>,
    /// The role that they are to have; without it they are removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Says that they are to be removed.
    #[serde(default)]
    pub remove: bool,
}

/// What is to become of members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// They get this role.
    Role(String),
    Remove,
}

impl ChangeMembers {
    /// Parses who, and what is to become of them.
    pub fn parse(&self) -> Result<(Vec<UserId>, Deed)> {
        let mut users = self.user_ids.clone();
        users.sort();
        users.dedup();
        let mut fields = Fields::default();
        if users.is_empty() || users.len() > MAX_BULK {
            fields.refuse("user_ids", format!("Choose 1 to {MAX_BULK} members."));
        }
        let deed = match (&self.role, self.remove) {
            (Some(role), false) => Some(Deed::Role(role.trim().into())),
            (None, true) => Some(Deed::Remove),
            _ => None,
        };
        if deed.is_none() {
            fields.refuse("role", "Name either a role, or remove: true.");
        }
        fields.done()?;
        Ok((users, deed.ok_or_else(unread)?))
    }
}

/// The body of `POST` and `PUT /api/organizations/{id}/roles`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "Release manager", "description": "Deploys and scales.", "permissions": ["view", "deploy", "scale"] }))]
pub struct RoleInput {
    pub name: String,
    #[serde(default)]
    pub description: String,
    /// Ownership can't be among them.
    pub permissions: Permissions,
}

impl RoleInput {
    /// Parses every field.
    pub fn parse(&self) -> Result<(RoleName, String, Permissions)> {
        let mut fields = Fields::default();
        let name = fields.take("name", self.name.parse::<RoleName>());
        let description = line(&self.description, 0, MAX_DESCRIPTION).ok_or("A description has at most 300 characters on one line.");
        let description = fields.take("description", description);
        if self.permissions.may(Action::Ownership) {
            fields.refuse("permissions", "Ownership can’t be in a role that you make. Make the person an owner instead.");
        }
        fields.done()?;
        Ok((name.ok_or_else(unread)?, description.unwrap_or_default(), self.permissions))
    }
}

/// The body of `POST /api/organizations/{id}/members/{user_id}/grants`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "application_id": "app_01jd0000000000000000000000", "role": "developer" }))]
pub struct GrantInput {
    pub application_id: String,
    /// A given role's name (not `owner`), or the id of one of the organization's own.
    pub role: String,
}

impl GrantInput {
    /// Parses every field.
    pub fn parse(&self) -> Result<(AppId, String)> {
        let mut fields = Fields::default();
        let app = fields.take("application_id", self.application_id.trim().parse::<AppId>());
        let role = self.role.trim().to_string();
        if role == Role::Owner.name() {
            fields.refuse("role", "An owner owns the whole organization, not one application. Grant admin instead.");
        }
        fields.done()?;
        Ok((app.ok_or_else(unread)?, role))
    }
}

/// The body of `POST /api/organizations/{id}/members/invite`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "email": "grace@example.com", "role": "developer", "message": "Join us.", "expires_hours": 168 }))]
pub struct InviteInput {
    pub email: String,
    /// A given role's name, or the id of one of the organization's own.
    pub role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// 1 to 720; 168 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_hours: Option<u32>,
}

/// An invitation, parsed.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    pub email: Email,
    pub role: String,
    pub message: String,
    pub hours: u32,
}

impl InviteInput {
    /// Parses every field; all that are wrong are told at once.
    pub fn parse(&self) -> Result<NewInvitation> {
        let mut fields = Fields::default();
        let email = fields.take("email", self.email.parse::<Email>());
        let message = lines(self.message.as_deref().unwrap_or_default(), MAX_MESSAGE).ok_or("A message has at most 1000 characters.");
        let message = fields.take("message", message);
        let hours = self.expires_hours.unwrap_or(INVITATION_HOURS);
        if !(1..=720).contains(&hours) {
            fields.refuse("expires_hours", "An invitation is good for 1 to 720 hours.");
        }
        fields.done()?;
        Ok(NewInvitation { email: email.ok_or_else(unread)?, role: self.role.trim().into(), message: message.unwrap_or_default(), hours })
    }
}

/// The body of accepting or declining; empty for whoever is signed in with a verified address.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "token": "the last part of the link in the mail" }))]
pub struct InvitationAnswer {
    /// From the link in the mail; proves the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}
