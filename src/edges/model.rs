//! What both sides know of an edge: how it is shown, how it stands, and the bodies that add and rename one.
use crate::{
    error::{Error, Result, Thing},
    id::EdgeId,
    units::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// What an edge is called where there is none.
pub const EDGE: Thing = Thing::new("EDGE", "edge");
/// The kinds of things of this feature.
pub const THINGS: &[Thing] = &[EDGE];

/// Edges that there may be.
pub const MOST: u64 = 200;
/// How long an edge may be silent before it counts as away.
pub const SILENCE: Duration = Duration::from_secs(20);
/// How long an edge may lack the newest routes before it counts as behind.
pub const LAG: Duration = Duration::from_secs(2);

/// How an edge stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EdgeState {
    /// It was never heard of.
    New,
    /// It has the newest routes.
    Current,
    /// It has older routes for longer than it should.
    Behind,
    /// It was not heard of lately. It may serve on with what it has.
    Away,
    /// Its token is good no longer.
    Revoked,
}

impl fmt::Display for EdgeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EdgeState::New => "Not started yet",
            EdgeState::Current => "Current",
            EdgeState::Behind => "Behind",
            EdgeState::Away => "Not heard of",
            EdgeState::Revoked => "Revoked",
        })
    }
}

/// An edge that runs elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Edge {
    pub id: EdgeId,
    pub name: String,
    pub state: EdgeState,
    /// How its token ends.
    #[schema(example = "…x7Qa")]
    pub hint: String,
    pub created_at: Timestamp,
    /// When its token was replaced last.
    pub rotated_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// When it last reported, and from where.
    pub heard_at: Option<Timestamp>,
    pub heard_from: Option<String>,
    /// The version of its program.
    pub software: Option<String>,
    pub started_at: Option<Timestamp>,
    /// The version of the routes that are live on it, and the newest.
    pub version: u64,
    pub newest_version: u64,
    /// Since when it lacks the newest.
    pub behind_since: Option<Timestamp>,
    /// What is wrong there, as it says itself.
    pub problem: Option<String>,
    pub routes: u64,
    pub certificates: u64,
    /// Requests in hand.
    pub in_flight: u64,
    /// Requests a second, of late.
    pub requests_per_second: f64,
    /// Reports with measures that it had to give up, because no panel took them in time.
    pub lost_reports: u64,
}

/// An edge with its token, which is told this once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NewEdge {
    pub edge: Edge,
    /// For the file that `--token-file` names. It can't be shown again.
    #[schema(example = "sky_edge_4fZk…")]
    pub token: String,
    /// How the edge is started.
    pub command: String,
}

/// The body of `POST /api/admin/edges` and `PUT /api/admin/edges/{id}`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "fra-1" }))]
pub struct EdgeForm {
    /// 1 to 60 characters, unlike any other edge's.
    pub name: String,
}

impl EdgeForm {
    /// The name without spaces around it.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it is no name.
    pub fn name(&self) -> Result<String> {
        let name = self.name.trim();
        if !(1..=60).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(Error::invalid("name", "A name has 1 to 60 characters in one line."));
        }
        Ok(name.to_string())
    }
}

/// A page of edges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EdgePage {
    pub edges: Vec<Edge>,
    pub page: u64,
    pub pages: u64,
}

/// How an edge stands, by what its row says.
pub fn state(revoked_at: Option<Timestamp>, heard_at: Option<Timestamp>, behind_since: Option<Timestamp>, now: Timestamp) -> EdgeState {
    match (revoked_at, heard_at) {
        (Some(_), _) => EdgeState::Revoked,
        (None, None) => EdgeState::New,
        (None, Some(at)) if now.since(at) > SILENCE => EdgeState::Away,
        (None, Some(_)) if behind_since.is_some_and(|since| now.since(since) > LAG) => EdgeState::Behind,
        (None, Some(_)) => EdgeState::Current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_is_what_its_row_says() {
        let now = Timestamp(1_000_000);
        let ago = |seconds| Some(now - Duration::from_secs(seconds));
        assert_eq!(state(None, None, None, now), EdgeState::New);
        assert_eq!(state(None, ago(1), None, now), EdgeState::Current);
        assert_eq!(state(None, ago(1), ago(1), now), EdgeState::Current);
        assert_eq!(state(None, ago(1), ago(3), now), EdgeState::Behind);
        assert_eq!(state(None, ago(21), ago(3), now), EdgeState::Away);
        assert_eq!(state(ago(1), ago(1), None, now), EdgeState::Revoked);
    }

    #[test]
    fn a_name_is_one_line() {
        let named = |name: &str| EdgeForm { name: name.into() }.name();
        assert_eq!(named(" fra-1 "), Ok("fra-1".into()));
        assert!(named("  ").is_err() && named("a\nb").is_err() && named(&"x".repeat(61)).is_err());
    }
}
