//! What both sides know of error reports.
use crate::{error::Thing, units::Timestamp};
use serde::{Deserialize, Serialize};

/// What an error report is called where there is none.
pub const REPORT: Thing = Thing::new("REPORT", "error report");
/// The kinds of things of this feature.
pub const THINGS: &[Thing] = &[REPORT];

/// Faults of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErrorGroup {
    /// Of what was being done and the cause without its particulars.
    #[schema(example = "5f1d7a80c3e29b46")]
    pub fingerprint: String,
    /// What was being done.
    #[schema(example = "reading the service back from the swarm")]
    pub doing: String,
    /// The cause as it was the first time.
    #[schema(example = "connection refused")]
    pub cause: String,
    /// How often it happened.
    pub count: i64,
    pub first_seen_at: Timestamp,
    pub last_seen_at: Timestamp,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErrorReport {
    /// What the customer was shown.
    #[schema(example = "err_01jd0000000000000000000000")]
    pub reference: String,
    pub fingerprint: String,
    pub cause: String,
    /// Method and pattern of the route; none where it was no request.
    #[schema(example = "POST /api/paas/applications/{id}/deploy")]
    pub route: Option<String>,
    pub request_id: Option<String>,
    pub organization_id: Option<String>,
    pub user_id: Option<String>,
    pub created_at: Timestamp,
}

/// A kind of fault and the newest of it, the one that was asked for first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErrorDetail {
    pub group: ErrorGroup,
    pub reports: Vec<ErrorReport>,
}

/// A page of kinds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorPage {
    pub groups: Vec<ErrorGroup>,
    pub page: u64,
    pub pages: u64,
    pub total: u64,
}

/// A cause without its particulars: ids, numbers and hashes stand as `#`, so that the same fault twice is the same text.
pub fn normalised(cause: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    let close = |word: &mut String, out: &mut String| {
        if word.chars().any(|c| c.is_ascii_digit()) {
            out.push('#')
        } else {
            out.push_str(word)
        }
        word.clear();
    };
    for c in cause.chars() {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
        } else {
            close(&mut word, &mut out);
            out.push(c);
        }
    }
    close(&mut word, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn particulars_do_not_make_another_kind() {
        let one = normalised("no route to 10.0.0.7:2377 for app_01jd0000000000000000000000 (sha256:ab12)");
        assert_eq!(one, normalised("no route to 10.1.2.3:99 for app_01jx0000000000000000000009 (sha256:ff01)"));
        assert_ne!(one, normalised("connection refused"));
        assert_eq!(normalised("line 12"), "line #");
    }
}
