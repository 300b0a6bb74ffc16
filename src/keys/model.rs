//! What both sides know of a key: how it is shown, and the bodies that make and change one.
use crate::{
    error::{Error, Fields, Result, Thing},
    id::{ApiKeyId, UserId},
    rights::{Action, Permissions},
    units::Timestamp,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

/// What an API key is called where there is none.
pub const API_KEY: Thing = Thing::new("API_KEY", "API key");
/// The kinds of things of this feature.
pub const THINGS: &[Thing] = &[API_KEY];

/// Keys that one person may have in one organization.
pub const MOST: u64 = 50;
/// Hours that the old secret may live on after a rotation.
pub const GRACE: u32 = 24;
/// How far away an end may lie.
const FARTHEST: Duration = Duration::from_secs(3_660 * 86_400);

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    /// How the secret begins and ends.
    #[schema(example = "sk_live_…x7Qa")]
    pub hint: String,
    /// What it may do, as far as its owner may.
    pub permissions: Permissions,
    /// Whose it is.
    pub user: KeyOwner,
    pub created_at: Timestamp,
    /// When its secret was replaced last.
    pub rotated_at: Option<Timestamp>,
    /// Until when the secret before that is taken, too.
    pub old_secret_until: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// To the minute.
    pub last_used_at: Option<Timestamp>,
    /// The address that it was used from.
    pub last_used_from: Option<String>,
    /// Grows with each change: the `ETag`.
    pub version: i64,
}

/// The person whose key it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct KeyOwner {
    pub id: UserId,
    pub name: String,
}

/// A key with its secret, which is told this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NewApiKey {
    #[serde(flatten)]
    pub key: ApiKey,
    /// For `Authorization: Bearer …` or `X-API-Key`. It can't be shown again.
    #[schema(example = "sk_live_4fZk…")]
    pub secret: String,
}

/// The body of `POST /api/api-keys`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "Continuous integration", "permissions": ["view", "deploy"], "expires_in_days": 90 }))]
pub struct CreateApiKey {
    /// 1 to 80 characters.
    pub name: String,
    /// What it may do: some of what its maker may.
    pub permissions: Permissions,
    /// Days until it ends; without an end where neither this nor `expires_at` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3660)]
    pub expires_in_days: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The body of `PUT /api/api-keys/{id}`: what is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "Releases", "permissions": ["deploy"], "expires_at": null }))]
pub struct UpdateApiKey {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Some of those that it has: a key never gets more than it was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
    /// `null` for no end.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given", serialize_with = "inner")]
    #[schema(value_type = Option<Timestamp>)]
    pub expires_at: Option<Option<Timestamp>>,
}

/// The body of `POST /api/api-keys/{id}/rotate`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "grace_hours": 2 }))]
pub struct RotateApiKey {
    /// Hours that the old secret is still taken; none where it is left out.
    #[serde(default)]
    #[schema(maximum = 24)]
    pub grace_hours: u32,
}

/// A page of keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyPage {
    pub keys: Vec<ApiKey>,
    pub page: u64,
    pub pages: u64,
    /// What whoever looks may give a key.
    pub mine: Permissions,
    /// Who looks.
    pub me: UserId,
    /// Whether she may see those of all members.
    pub may_see_all: bool,
    /// Whether the page holds those.
    pub all: bool,
}

fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Timestamp>>, D::Error> {
    Option::deserialize(from).map(Some)
}

fn inner<S: Serializer>(value: &Option<Option<Timestamp>>, to: S) -> Result<S::Ok, S::Error> {
    value.flatten().serialize(to)
}

/// What a key is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub name: String,
    pub permissions: Permissions,
    pub expires_at: Option<Timestamp>,
}

/// A key's name, 1 to 80 characters.
pub fn check_name(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let sound = (1..=80).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if sound { Ok(text.to_string()) } else { Err("Give the key a name of 1 to 80 characters, like the place where it will be used.") }
}

fn check_end(at: Timestamp, now: Timestamp) -> Result<Timestamp, &'static str> {
    match at {
        at if at <= now => Err("This lies in the past. Choose a later time."),
        at if at > now + FARTHEST => Err("A key ends within ten years, or never."),
        at => Ok(at),
    }
}

/// Refuses what the maker may not do herself, by name.
fn check_scope(wanted: Permissions, allowed: Permissions, whose: &str) -> Result<Permissions, String> {
    let beyond = wanted.without(allowed);
    match (wanted.is_empty(), beyond.is_empty()) {
        (true, _) => Err("Choose at least one permission; a key without any could do nothing.".into()),
        (_, false) => Err(format!("{whose}: {beyond}. Leave these out.")),
        _ => Ok(wanted),
    }
}

impl CreateApiKey {
    /// Parses every field; all that are wrong are told at once.
    pub fn parse(&self, mine: Permissions, now: Timestamp) -> Result<Wanted> {
        let mut fields = Fields::default();
        let name = fields.take("name", check_name(&self.name));
        let scope = fields.take("permissions", check_scope(self.permissions, mine, "You don’t have these permissions yourself here"));
        let expires_at = match (self.expires_in_days, self.expires_at) {
            (Some(_), Some(_)) => {
                fields.refuse("expires_at", "Send expires_in_days or expires_at, not both.");
                None
            }
            (Some(days), None) => {
                let end = if (1..=3_660).contains(&days) {
                    Ok(now + Duration::from_secs(u64::from(days) * 86_400))
                } else {
                    Err("1 to 3660 days.")
                };
                fields.take("expires_in_days", end)
            }
            (None, at) => at.and_then(|at| fields.take("expires_at", check_end(at, now))),
        };
        fields.done()?;
        match (name, scope) {
            (Some(name), Some(permissions)) => Ok(Wanted { name, permissions, expires_at }),
            _ => Err(Error::invalid("body", "The key could not be read.")),
        }
    }
}

impl UpdateApiKey {
    /// Parses what is given over what is; the scope gets narrower at most.
    pub fn parse(&self, is: Wanted, now: Timestamp) -> Result<Wanted> {
        let mut fields = Fields::default();
        let name = self.name.as_deref().and_then(|text| fields.take("name", check_name(text)));
        let words = "A key never gets more than it was made with, which these are not part of";
        let scope = self.permissions.and_then(|wanted| fields.take("permissions", check_scope(wanted, is.permissions, words)));
        let end = match self.expires_at {
            Some(Some(at)) => fields.take("expires_at", check_end(at, now)),
            Some(None) => None,
            None => is.expires_at,
        };
        fields.done()?;
        Ok(Wanted { name: name.unwrap_or(is.name), permissions: scope.unwrap_or(is.permissions), expires_at: end })
    }
}

impl RotateApiKey {
    /// How long the old secret lives on.
    pub fn grace(&self) -> Result<Duration> {
        match self.grace_hours {
            hours if hours <= GRACE => Ok(Duration::from_secs(u64::from(hours) * 3_600)),
            _ => Err(Error::invalid("grace_hours", "The old secret may be taken for 0 to 24 more hours.")),
        }
    }
}

/// The form's choice of an end: nothing, a number of days, or `date` with the day beside it.
pub fn parse_end(choice: &str, day: &str) -> Result<(Option<u32>, Option<Timestamp>)> {
    let choice = choice.trim();
    if choice.is_empty() {
        return Ok((None, None));
    }
    if choice != "date" {
        return choice.parse().map(|days| (Some(days), None)).map_err(|_| Error::invalid("expires", "Choose when the key ends."));
    }
    let end = serde_json::from_value(format!("{}T23:59:59Z", day.trim()).into());
    end.map(|at| (None, Some(at))).map_err(|_| Error::invalid("expires_on", "Give a day like 2027-01-31."))
}

/// The form's ticked permissions.
pub fn parse_ticked(ticked: impl IntoIterator<Item = String>) -> Result<Permissions> {
    let all: Result<Permissions, String> = ticked.into_iter().map(|name| name.parse::<Action>()).collect();
    all.map_err(|why| Error::invalid("permissions", why))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn fields<T: std::fmt::Debug>(result: Result<T>) -> Vec<String> {
        match result {
            Err(Error::Invalid(fields)) => fields.into_iter().map(|f| f.field).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_key_gets_no_more_than_its_maker_has_and_everything_wrong_is_told() {
        let mine = Permissions::of(&[Action::View, Action::Deploy]);
        let good = CreateApiKey { name: " CI ".into(), permissions: Permissions::of(&[Action::Deploy]), ..Default::default() };
        assert_eq!(good.parse(mine, NOW).unwrap().name, "CI");
        let bad = CreateApiKey { permissions: Permissions::of(&[Action::Delete]), expires_in_days: Some(0), ..Default::default() };
        assert_eq!(fields(bad.parse(mine, NOW)), ["name", "permissions", "expires_in_days"]);
        let both = CreateApiKey { expires_in_days: Some(1), expires_at: Some(NOW), ..good.clone() };
        assert_eq!(fields(both.parse(mine, NOW)), ["expires_at"]);
        let past = CreateApiKey { expires_at: Some(NOW), ..good.clone() };
        assert_eq!(fields(past.parse(mine, NOW)), ["expires_at"]);
        assert_eq!(fields(CreateApiKey { permissions: Permissions::NONE, ..good }.parse(mine, NOW)), ["permissions"]);
    }

    #[test]
    fn a_change_narrows_only() {
        let is = Wanted {
            name: "CI".into(),
            permissions: Permissions::of(&[Action::View, Action::Deploy]),
            expires_at: Some(NOW + Duration::from_secs(9)),
        };
        let to = |text: &str| serde_json::from_str::<UpdateApiKey>(text).unwrap().parse(is.clone(), NOW);
        assert_eq!(to("{}").unwrap(), is);
        assert_eq!(to(r#"{"expires_at":null}"#).unwrap().expires_at, None);
        assert_eq!(to(r#"{"permissions":["deploy"]}"#).unwrap().permissions, Permissions::of(&[Action::Deploy]));
        assert_eq!(fields(to(r#"{"permissions":["deploy","delete"],"name":""}"#)), ["name", "permissions"]);
    }

    #[test]
    fn a_form_names_an_end() {
        assert_eq!(parse_end("", "x").unwrap(), (None, None));
        assert_eq!(parse_end("30", "").unwrap(), (Some(30), None));
        assert_eq!(parse_end("date", "2027-01-31").unwrap().1.unwrap().plain(), "2027-01-31 23:59:59 UTC");
        assert_eq!(fields(parse_end("date", "soon")), ["expires_on"]);
        assert_eq!(fields(parse_end("x", "")), ["expires"]);
    }
}
