//! What the operator sees of people and organizations, and what she asks for.
use crate::{
    audit::model::Activity,
    error::{Error, Fields, Result, Thing},
    id::{AnnouncementId, AppId, OrgId, UserId},
    units::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an announcement is called where there is none.
pub const ANNOUNCEMENT: Thing = Thing::new("ANNOUNCEMENT", "announcement");
/// What a feature flag is called where there is none.
pub const FLAG: Thing = Thing::new("FLAG", "feature flag");
/// The kinds of things of this feature.
pub const THINGS: &[Thing] = &[ANNOUNCEMENT, FLAG];

/// How the platform stands, in figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    pub users: u64,
    pub suspended_users: u64,
    pub organizations: u64,
    pub suspended_organizations: u64,
    pub applications: u64,
    /// Since midnight, UTC.
    pub deployments_today: u64,
    pub failed_deployments_today: u64,
    /// Messages that wait in the outbox.
    pub mails_waiting: u64,
    /// What is wrong with the walls of the panel’s machine, where something is.
    pub walls: Option<String>,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdminUser {
    pub id: UserId,
    pub name: String,
    pub email: String,
    pub is_operator: bool,
    pub has_second_factor: bool,
    pub email_verified_at: Option<Timestamp>,
    pub last_seen_at: Option<Timestamp>,
    pub suspended_at: Option<Timestamp>,
    pub suspended_reason: Option<String>,
    /// In how many organizations she is.
    pub organizations: u64,
    pub created_at: Timestamp,
}

/// What somebody is in an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdminMembership {
    pub organization_id: OrgId,
    pub organization_name: String,
    pub user_id: UserId,
    pub user_name: String,
    pub user_email: String,
    /// A given role’s name, or the name of one that the organization made.
    pub role: String,
    pub since: Timestamp,
}

/// A person with where she is a member and what she did lately.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AdminUserDetail {
    pub user: AdminUser,
    /// The first hundred.
    pub memberships: Vec<AdminMembership>,
    pub sessions: u64,
    /// The last twenty lines.
    pub activity: Vec<Activity>,
}

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdminOrganization {
    pub id: OrgId,
    pub name: String,
    pub slug: String,
    pub members: u64,
    pub applications: u64,
    pub suspended_at: Option<Timestamp>,
    pub suspended_reason: Option<String>,
    pub deleted_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// An application, as the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdminApplication {
    pub id: AppId,
    pub name: String,
    /// `running` or `stopped`.
    pub wanted: String,
    pub replicas: u64,
    pub created_at: Timestamp,
}

/// An organization with its members, applications and what happened lately.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AdminOrganizationDetail {
    pub organization: AdminOrganization,
    pub contact_email: String,
    /// The first hundred.
    pub members: Vec<AdminMembership>,
    /// The first hundred.
    pub applications: Vec<AdminApplication>,
    /// The last twenty lines.
    pub activity: Vec<Activity>,
}

/// What is looked for among people and organizations.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct AdminQuery {
    /// Words in the name or the address, or an id.
    pub search: Option<String>,
    /// `active`, `suspended`, and for people `operator`.
    pub status: Option<String>,
    /// From 1.
    pub page: Option<u64>,
    /// 1 to 200.
    pub limit: Option<u64>,
}

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountStatus {
    Active,
    Suspended,
    Operator,
}

impl AdminQuery {
    /// The words, at most 200 characters, and which of them.
    pub fn parse(&self, operators: bool) -> Result<(Option<String>, Option<AccountStatus>)> {
        let mut fields = Fields::default();
        let search = self.search.as_ref().map(|text| text.trim().to_string()).filter(|text| !text.is_empty());
        if search.as_ref().is_some_and(|text| text.chars().count() > 200) {
            fields.refuse("search", "Look for at most 200 characters.");
        }
        let status = match self.status.as_deref().unwrap_or_default() {
            "" => None,
            "active" => Some(AccountStatus::Active),
            "suspended" => Some(AccountStatus::Suspended),
            "operator" if operators => Some(AccountStatus::Operator),
            _ => {
                fields.refuse("status", "A status is active or suspended, and of people also operator.");
                None
            }
        };
        fields.done()?;
        Ok((search, status))
    }
}

/// Why somebody is suspended, or why an operator acts in her name: 3 to 500 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks the field `reason`.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let count = text.chars().count();
        if !(3..=500).contains(&count) || text.chars().any(|c| c.is_control() && c != '\n') {
            return Err(Error::invalid("reason", "Say why, in 3 to 500 characters."));
        }
        Ok(Reason(text.to_string()))
    }
}

/// Suspends a person.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "Sent spam from her applications." }))]
pub struct SuspendUser {
    /// Why; she is told when she tries to sign in.
    pub reason: String,
}

/// Suspends an organization.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "The invoice of March was not paid.", "stop_applications": true }))]
pub struct SuspendOrganization {
    /// Why; the members are told.
    pub reason: String,
    /// Stops what runs, too. Without it applications go on serving and only changes are refused.
    #[serde(default)]
    pub stop_applications: bool,
}

/// Acts in somebody’s name.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "Ticket 4711: a deployment does not start." }))]
pub struct Impersonate {
    /// Why; it stands in the audit trail of the organization.
    pub reason: String,
    /// Where; her oldest organization where it is left out.
    #[serde(default)]
    pub organization_id: Option<OrgId>,
}

/// A bearer token in somebody else’s name.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ImpersonationToken {
    /// For `Authorization: Bearer …`.
    pub access_token: String,
    pub token_type: String,
    pub expires_at: Timestamp,
    pub user_id: UserId,
    pub organization_id: OrgId,
}

/// Makes somebody an operator, or no longer one.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "is_operator": true }))]
pub struct SetOperator {
    pub is_operator: bool,
}

/// How much an announcement asks to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    #[default]
    Info,
    Warning,
    Critical,
}

impl Level {
    /// Every level, the quietest first.
    pub const ALL: [Level; 3] = [Level::Info, Level::Warning, Level::Critical];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Critical => "critical",
        }
    }
}

impl std::str::FromStr for Level {
    type Err = &'static str;
    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Level::ALL.into_iter().find(|level| level.name() == text).ok_or("A level is info, warning or critical.")
    }
}

/// A note of the operator to users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Announcement {
    pub id: AnnouncementId,
    #[schema(example = "Maintenance on Sunday")]
    pub title: String,
    pub body: String,
    pub level: Level,
    /// Whose members see it; empty is everybody.
    pub organizations: Vec<OrgId>,
    pub starts_at: Timestamp,
    pub ends_at: Option<Timestamp>,
    /// Whoever has read it can put it away.
    pub is_dismissable: bool,
    pub version: i64,
    pub created_at: Timestamp,
}

/// An announcement as it is asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "title": "Maintenance on Sunday", "body": "Deployments pause from 02:00 to 03:00 UTC.", "level": "warning", "ends_at": "2027-01-31T03:00:00Z" }))]
pub struct AnnouncementForm {
    /// 1 to 120 characters.
    pub title: String,
    /// At most 1000 characters.
    #[serde(default)]
    pub body: String,
    #[serde(default)]
    pub level: Level,
    /// At most 200; empty is everybody.
    #[serde(default)]
    pub organizations: Vec<OrgId>,
    /// Now where it is left out.
    #[serde(default)]
    pub starts_at: Option<Timestamp>,
    #[serde(default)]
    pub ends_at: Option<Timestamp>,
    #[serde(default = "yes")]
    pub is_dismissable: bool,
}

fn yes() -> bool {
    true
}

impl AnnouncementForm {
    /// Checks every field.
    pub fn check(&self, now: Timestamp) -> Result<()> {
        let mut fields = Fields::default();
        let plain = |text: &str, lines: bool| !text.chars().any(|c| c.is_control() && !(lines && c == '\n'));
        if !(1..=120).contains(&self.title.trim().chars().count()) || !plain(&self.title, false) {
            fields.refuse("title", "A title has 1 to 120 characters, on one line.");
        }
        if self.body.chars().count() > 1_000 || !plain(&self.body, true) {
            fields.refuse("body", "A text has at most 1000 characters.");
        }
        if self.organizations.len() > 200 {
            fields.refuse("organizations", "Name at most 200 organizations, or none for everybody.");
        }
        let starts = self.starts_at.unwrap_or(now);
        if self.ends_at.is_some_and(|end| end <= starts) {
            fields.refuse("ends_at", "An announcement ends after it began.");
        }
        fields.done()
    }
}

/// An organization that gets a feature, or does not, whatever its share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagFor {
    pub organization_id: OrgId,
    pub is_on: bool,
}

/// A feature that is rolled out in stages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FeatureFlag {
    #[schema(example = "audit_streams")]
    pub name: String,
    pub description: String,
    /// To how many organizations in a hundred it is given.
    pub percent: u8,
    /// Those that are set apart.
    pub organizations: Vec<FlagFor>,
}

/// How far a feature is to be rolled out.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "percent": 25, "organizations": [] }))]
pub struct SetFlag {
    /// 0 to 100.
    pub percent: u8,
    /// Those that get it, or do not, whatever their share; at most 1000. Replaces what was set before.
    #[serde(default)]
    pub organizations: Vec<FlagFor>,
}

/// The fields of the form of an announcement, as they are typed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AnnouncementFields {
    pub title: String,
    pub body: String,
    pub level: String,
    /// Ids, one a line.
    pub organizations: String,
    pub starts_at: String,
    pub ends_at: String,
    pub is_dismissable: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_neither_nothing_nor_a_novel() {
        assert!(Reason::parse("  x ").is_err() && Reason::parse(&"x".repeat(501)).is_err() && Reason::parse("a\0bc").is_err());
        assert_eq!(Reason::parse(" spam ").unwrap().as_str(), "spam");
    }

    #[test]
    fn organizations_are_no_operators() {
        let query = AdminQuery { status: Some("operator".into()), ..Default::default() };
        assert!(query.parse(false).is_err());
        assert_eq!(query.parse(true).unwrap().1, Some(AccountStatus::Operator));
    }
}
