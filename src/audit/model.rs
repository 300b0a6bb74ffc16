//! What both sides know of the audit trail: a line as people and scripts see it, and what one may look for.
use crate::{
    error::{Fields, Result, Thing},
    id::{AuditId, Id, OrgId, StreamId},
    units::Timestamp,
};
use serde::{Deserialize, Serialize};

/// What a stream of the audit trail is called where there is none.
pub const STREAM: Thing = Thing::new("STREAM", "stream");
/// The kinds of things of this feature.
pub const THINGS: &[Thing] = &[STREAM];

/// The most lines of a page.
pub const MOST: u64 = 200;

/// A person as a line names her: her id, and her name at the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Actor {
    #[schema(example = "usr_01jd0000000000000000000000")]
    pub id: String,
    #[schema(example = "Ada Lovelace")]
    pub name: String,
}

/// A line of the trail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Activity {
    pub id: AuditId,
    /// Its number in the organization's chain, from 1.
    pub seq: i64,
    pub at: Timestamp,
    /// Who did it; null where nobody was signed in, or the panel did.
    pub actor: Option<Actor>,
    /// The operator who did it in the actor's name.
    pub impersonator: Option<Actor>,
    #[schema(example = "application.scaled")]
    pub event: String,
    /// The id of what it was done to.
    pub target: String,
    /// What kind of thing that is.
    #[schema(example = "application")]
    pub target_kind: String,
    /// The id of the session or of the key of the API; empty where nobody was signed in.
    pub credential: String,
    /// `browser`, `bearer` or `key`.
    pub credential_kind: String,
    pub address: String,
    /// What the browser or the script calls itself.
    pub agent: String,
    pub request_id: String,
    /// What was done; `before` and `after` where something was changed.
    pub detail: serde_json::Value,
    /// What chains the line to the one before it.
    pub hash: String,
}

/// What an id is of, by its prefix; else by the event’s first word.
pub fn kind_of(target: &str, event: &str) -> String {
    let known = match target.split_once('_').map(|(prefix, _)| prefix) {
        Some("usr") => "user",
        Some("org") => "organization",
        Some("ses") => "session",
        Some("app") => "application",
        Some("dep") => "deployment",
        Some("rol") => "role",
        Some("inv") => "invitation",
        Some("key") => "api_key",
        Some("mal") => "message",
        Some("psk") => "passkey",
        Some("str") => "stream",
        Some("ann") => "announcement",
        Some("cls") => "cluster",
        _ => event.split('.').next().unwrap_or_default(),
    };
    known.to_string()
}

/// A kind of event that stands in a trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownEvent {
    /// `application.scaled`.
    pub name: String,
    /// What it means for people.
    pub words: String,
}

/// A page of the trail, the newest line first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActivityPage {
    pub activities: Vec<Activity>,
    /// What leads to the lines before these; none where these are the last.
    pub next: Option<i64>,
}

/// What is looked for, as the address says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ActivityQuery {
    /// The id of who did it.
    pub person: Option<String>,
    /// An event, like `application.scaled`, or the first part of some, like `application.`.
    pub event: Option<String>,
    /// The id of what it was done to.
    pub target: Option<String>,
    /// The id of the session or key that it was done with.
    pub credential: Option<String>,
    /// From this moment on: RFC 3339, or a day like 2026-11-23.
    pub from: Option<String>,
    /// Before this moment; a day is meant wholly.
    pub until: Option<String>,
    /// Words in the event, the target, the person's name or the detail.
    pub search: Option<String>,
    /// Lines before this number.
    pub cursor: Option<i64>,
    /// How many lines, 1 to 200.
    pub limit: Option<u64>,
}

/// What is looked for, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub person: Option<String>,
    pub event: Option<String>,
    pub target: Option<String>,
    pub credential: Option<String>,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub search: Option<String>,
    pub before: Option<i64>,
    pub limit: u64,
}

impl ActivityQuery {
    /// Checks every field.
    pub fn parse(self) -> Result<Filter> {
        let mut fields = Fields::default();
        let mut words = |field: &str, text: Option<String>| {
            let text = text.map(|text| text.trim().to_string()).filter(|text| !text.is_empty());
            if text.as_ref().is_some_and(|text| text.chars().count() > 200 || text.chars().any(char::is_control)) {
                fields.refuse(field, "Look for at most 200 characters, without control characters.");
                return None;
            }
            text
        };
        let (person, event, target) = (words("person", self.person), words("event", self.event), words("target", self.target));
        let (credential, search) = (words("credential", self.credential), words("search", self.search));
        let (from, until) = (words("from", self.from), words("until", self.until));
        let mut moment = |field: &str, text: Option<String>, later: bool| text.and_then(|text| fields.take(field, when(&text, later)));
        let (from, until) = (moment("from", from, false), moment("until", until, true));
        if self.cursor.is_some_and(|cursor| cursor < 1) {
            fields.refuse("cursor", "A cursor counts from 1. Take the one of the page before.");
        }
        let limit = self.limit.unwrap_or(50);
        if !(1..=MOST).contains(&limit) {
            fields.refuse("limit", "A page has 1 to 200 entries.");
        }
        fields.done()?;
        Ok(Filter { person, event, target, credential, from, until, search, before: self.cursor, limit })
    }

    /// The query as a page's address says it, with another cursor.
    pub fn address(&self, cursor: Option<i64>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("person", &self.person),
            ("event", &self.event),
            ("target", &self.target),
            ("credential", &self.credential),
            ("from", &self.from),
            ("until", &self.until),
            ("search", &self.search),
        ] {
            if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
                query.append_pair(name, value);
            }
        }
        if let Some(cursor) = cursor {
            query.append_pair("cursor", &cursor.to_string());
        }
        query.finish()
    }
}

/// A moment, or the beginning of a day; `later` is the day's end.
fn when(text: &str, later: bool) -> std::result::Result<Timestamp, &'static str> {
    let day = text.len() == 10;
    let whole = if day { format!("{text}T00:00:00Z") } else { text.to_string() };
    let at: Timestamp =
        serde_json::from_value(whole.into()).map_err(|_| "Give a moment like 2026-11-23T09:30:00Z, or a day like 2026-11-23.")?;
    Ok(if day && later { at + std::time::Duration::from_secs(86_400) } else { at })
}

/// The forms in which the trail can be taken along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// Comma-separated values with a heading, for spreadsheets.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// The name of an organization's chain in files.
pub fn file_name(org: &OrgId, format: ExportFormat) -> String {
    let ending = match format {
        ExportFormat::Csv => "csv",
        ExportFormat::Jsonl => "jsonl",
    };
    format!("activity-{}.{ending}", org.suffix())
}

/// How a trail is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamKind {
    /// HTTP POSTs with a signature.
    Webhook,
    /// RFC 5424 over TLS, TCP or UDP.
    Syslog,
}

impl StreamKind {
    /// What the scheme of an address means.
    pub fn of(url: &str) -> Self {
        if url.starts_with("syslog") { StreamKind::Syslog } else { StreamKind::Webhook }
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            StreamKind::Webhook => "Webhook",
            StreamKind::Syslog => "Syslog",
        }
    }
}

/// Where an organization’s trail is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditStream {
    pub id: StreamId,
    #[schema(example = "siem")]
    pub name: String,
    #[schema(example = "https://siem.example.com/skypanel")]
    pub url: String,
    pub kind: StreamKind,
    /// Switched off by somebody, or after it failed for three days.
    pub is_enabled: bool,
    /// Why it was switched off, where the panel did.
    pub disabled_reason: Option<String>,
    /// The number of the last line that arrived.
    pub sent_seq: i64,
    /// Lines that wait.
    pub waiting: i64,
    /// Since when nothing arrives.
    pub failing_since: Option<Timestamp>,
    pub last_error: Option<String>,
    pub last_sent_at: Option<Timestamp>,
    pub version: i64,
    pub created_at: Timestamp,
}

/// Sends the trail somewhere, from now on.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "siem", "url": "https://siem.example.com/skypanel", "secret": "a long secret that the receiver knows" }))]
pub struct CreateStream {
    /// 1 to 60 characters.
    pub name: String,
    /// `https://…`, or `syslog+tls://host:port`, `syslog+tcp://…`, `syslog+udp://…`.
    pub url: String,
    /// What a webhook’s requests are signed with: 16 to 200 characters. Never shown again.
    #[serde(default)]
    pub secret: Option<String>,
}

/// Changes where the trail is sent; what is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "is_enabled": true }))]
pub struct UpdateStream {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub url: Option<String>,
    #[serde(default)]
    pub secret: Option<String>,
    /// Goes on where it stopped, or stops.
    #[serde(default)]
    pub is_enabled: Option<bool>,
}

/// Checks a stream’s fields.
pub fn check_stream(name: &str, url: &str, secret: Option<&str>) -> Result<()> {
    let mut fields = Fields::default();
    if !(1..=60).contains(&name.trim().chars().count()) || name.chars().any(char::is_control) {
        fields.refuse("name", "A name has 1 to 60 characters.");
    }
    let schemes = ["https", "http", "syslog+tls", "syslog+tcp", "syslog+udp"];
    let sound = url::Url::parse(url).is_ok_and(|parsed| {
        let place = parsed.host_str().is_some_and(|host| !host.is_empty()) && parsed.username().is_empty() && parsed.password().is_none();
        let syslog = parsed.scheme().starts_with("syslog");
        let whole = !syslog || parsed.port().is_some() && matches!(parsed.path(), "" | "/") && parsed.query().is_none();
        schemes.contains(&parsed.scheme()) && place && whole && parsed.fragment().is_none()
    });
    if !sound || url.len() > 500 {
        fields.refuse("url", "Give https://host/path, or syslog+tls://host:port (also syslog+tcp and syslog+udp), without a user’s name.");
    }
    let usable = |secret: &str| (16..=200).contains(&secret.chars().count()) && !secret.chars().any(char::is_control);
    match (StreamKind::of(url), secret) {
        (StreamKind::Webhook, Some(secret)) if usable(secret) => {}
        (StreamKind::Webhook, _) => {
            fields.refuse("secret", "A webhook’s secret has 16 to 200 characters. The receiver checks the signature with it.")
        }
        (StreamKind::Syslog, Some(_)) => fields.refuse("secret", "Syslog takes no secret."),
        (StreamKind::Syslog, None) => {}
    }
    fields.done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_field_of_a_query_is_named_at_once() {
        let wrong = ActivityQuery {
            person: Some("a\u{0}b".into()),
            from: Some("yesterday".into()),
            until: Some("2026-13-01".into()),
            cursor: Some(0),
            limit: Some(201),
            ..Default::default()
        };
        let why = wrong.parse().unwrap_err();
        for field in ["person", "from", "until", "cursor", "limit"] {
            assert!(why.for_field(field).is_some(), "{field} in {why:?}");
        }
    }

    #[test]
    fn a_day_is_meant_wholly() {
        let day = || Some("2026-11-23".to_string());
        let filter = ActivityQuery { from: day(), until: day(), ..Default::default() }.parse().unwrap();
        let (from, until) = (filter.from.unwrap(), filter.until.unwrap());
        assert_eq!(until.since(from).as_secs(), 86_400);
        assert_eq!(from.plain(), "2026-11-23 00:00:00 UTC");
    }

    #[test]
    fn a_target_tells_its_kind() {
        assert_eq!(kind_of("app_01jd0000000000000000000000", "application.scaled"), "application");
        assert_eq!(kind_of("ada@example.com", "account.sign_in_failed"), "account");
    }
}
