//! What may be asked of an application's numbers and of its access log.
use crate::{
    error::{Error, Fields, Result},
    traffic::server::service::LineFilter,
    units::Timestamp,
};
use serde::Deserialize;
use utoipa::IntoParams;

/// Characters of a path that can be looked for.
const LONGEST: usize = 200;

/// Which numbers.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MetricsQuery {
    /// `1h`, `6h`, `24h` (the default), `7d`, `30d` or `1y`: what ends now.
    #[param(example = "24h")]
    pub range: Option<String>,
    /// Instead of a range: the beginning and the end, as RFC 3339.
    #[param(example = "2026-01-31T11:00:00Z")]
    pub from: Option<String>,
    #[param(example = "2026-01-31T12:00:00Z")]
    pub to: Option<String>,
    /// The length of a point in seconds: 60, 300, 900, 3600, 10800, 21600, 43200 or 86400. Minutes are kept for a day, quarters of an
    /// hour for a month, days for a year.
    pub step: Option<i64>,
    /// Only this release: the id of its deployment, or `edge` for what no replica answered.
    pub release: Option<String>,
    /// Server-sent events `minute` whenever a minute has passed and there is something new to ask for.
    #[serde(default)]
    pub follow: bool,
    /// Taken and not needed: an event says only that there is something new.
    #[serde(rename = "last_event_id")]
    pub _last_event_id: Option<String>,
}

/// Which lines of the access log.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LinesQuery {
    /// The first digit of the status: 1 to 5, or 0 where the client left before the answer.
    pub class: Option<u8>,
    /// A part of the path.
    pub path: Option<String>,
    /// RFC 3339.
    pub since: Option<String>,
    pub until: Option<String>,
    /// Lines at most, the newest: 1 to 1000, 200 where nothing is said.
    pub limit: Option<u64>,
    /// Server-sent events `line` that go on.
    #[serde(default)]
    pub follow: bool,
    /// Where to go on after: the number of a line, for those who can't send the header.
    pub last_event_id: Option<String>,
}

impl LinesQuery {
    /// The filter and the limit, checked.
    pub fn parse(&self) -> Result<(LineFilter, u64)> {
        let mut fields = Fields::default();
        let moment =
            |text: &String| serde_json::from_value::<Timestamp>(text.as_str().into()).map_err(|_| "A time like 2026-01-31T12:00:00Z.");
        let since = self.since.as_ref().and_then(|text| fields.take("since", moment(text)));
        let until = self.until.as_ref().and_then(|text| fields.take("until", moment(text)));
        let limit = self.limit.unwrap_or(200);
        if !(1..=1_000).contains(&limit) {
            fields.refuse("limit", "1 to 1000 lines.");
        }
        if self.class.is_some_and(|class| class > 5) {
            fields.refuse("class", "The first digit of a status: 1 to 5, or 0 for clients that left.");
        }
        let path = self.path.clone().filter(|path| !path.is_empty());
        if path.as_ref().is_some_and(|path| path.chars().count() > LONGEST || path.chars().any(char::is_control)) {
            fields.refuse("path", "At most 200 characters of a path, and none that controls.");
        }
        fields.done()?;
        Ok((LineFilter { class: self.class, path, since, until, after: None }, limit))
    }
}

/// The number of a line that a stream goes on after.
pub fn cursor(text: &str) -> Result<i64> {
    let number = text.parse().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| Error::invalid("last_event_id", "This is not the id of an event of this stream."))
}
