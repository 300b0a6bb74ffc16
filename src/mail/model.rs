//! What the operator sees of mail: messages and what became of them, figures, addresses that get none, and how templates look.
use crate::{
    error::{Error, Result, Thing},
    id::{MailId, OrgId},
    units::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a mail is called where there is none.
pub const MESSAGE: Thing = Thing::new("MESSAGE", "message");
/// The kinds of things of this feature.
pub const THINGS: &[Thing] = &[MESSAGE];

/// How a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailStatus {
    /// Waits to be sent.
    Queued,
    /// Is being handed to the mail server.
    Sending,
    /// Was not taken and is tried again.
    Deferred,
    /// The mail server took it.
    Sent,
    /// It came back, or the server refused the address for good.
    Bounced,
    /// The server refused it for good, for another reason than the address.
    Failed,
    /// Its address gets no mail any more.
    Suppressed,
    /// It was not sent before it lost its meaning.
    Expired,
    /// An operator ended it.
    Cancelled,
}

impl MailStatus {
    /// Every status, in the order in which pages list them.
    pub const ALL: [MailStatus; 9] = [
        MailStatus::Queued,
        MailStatus::Sending,
        MailStatus::Deferred,
        MailStatus::Sent,
        MailStatus::Bounced,
        MailStatus::Failed,
        MailStatus::Suppressed,
        MailStatus::Expired,
        MailStatus::Cancelled,
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            MailStatus::Queued => "queued",
            MailStatus::Sending => "sending",
            MailStatus::Deferred => "deferred",
            MailStatus::Sent => "sent",
            MailStatus::Bounced => "bounced",
            MailStatus::Failed => "failed",
            MailStatus::Suppressed => "suppressed",
            MailStatus::Expired => "expired",
            MailStatus::Cancelled => "cancelled",
        }
    }

    /// Its name for people.
    pub fn word(self) -> &'static str {
        match self {
            MailStatus::Queued => "Queued",
            MailStatus::Sending => "Sending",
            MailStatus::Deferred => "Deferred",
            MailStatus::Sent => "Sent",
            MailStatus::Bounced => "Bounced",
            MailStatus::Failed => "Failed",
            MailStatus::Suppressed => "Suppressed",
            MailStatus::Expired => "Expired",
            MailStatus::Cancelled => "Cancelled",
        }
    }

    /// Parses a name on the wire.
    pub fn parse(text: &str) -> Result<Self> {
        let found = MailStatus::ALL.into_iter().find(|status| status.name() == text);
        found.ok_or_else(|| Error::invalid("status", format!("A status is one of {}.", MailStatus::ALL.map(MailStatus::name).join(", "))))
    }

    /// Whether it waits to be sent.
    pub fn waits(self) -> bool {
        matches!(self, MailStatus::Queued | MailStatus::Deferred)
    }

    /// Whether it was not delivered, so that sending it again makes sense.
    pub fn can_retry(self) -> bool {
        matches!(self, MailStatus::Deferred | MailStatus::Bounced | MailStatus::Failed | MailStatus::Suppressed | MailStatus::Cancelled)
    }
}

impl FromStr for MailStatus {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        MailStatus::parse(text)
    }
}

impl fmt::Display for MailStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A kind of message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailKind {
    pub name: String,
    /// Its name for people.
    pub word: String,
}

/// A kind's name for people, among those that there are.
pub fn kind_word(kinds: &[MailKind], name: &str) -> String {
    kinds.iter().find(|kind| kind.name == name).map_or(name, |kind| &kind.word).to_string()
}

/// A message as the operator sees it: never what it says, which may hold links that sign somebody in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Message {
    pub id: MailId,
    /// The organization that it was sent for.
    pub organization_id: Option<OrgId>,
    pub recipient: String,
    /// `invitation`, `reset_password` …
    pub template: String,
    pub status: MailStatus,
    /// How often it was tried.
    pub attempts: u64,
    /// When it is tried next, where it waits.
    pub next_try_at: Option<Timestamp>,
    /// From then on it is not sent any more.
    pub expires_at: Timestamp,
    /// What the mail server said last.
    pub last_error: Option<String>,
    pub sent_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// One thing that happened to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MailEvent {
    /// `queued`, `sent`, `deferred`, `bounced`, `opened` …
    pub kind: String,
    pub detail: Option<String>,
    pub at: Timestamp,
}

/// A message with everything that happened to it, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MessageDetail {
    pub message: Message,
    /// Its `Message-ID`.
    pub message_id: Option<String>,
    pub events: Vec<MailEvent>,
}

/// A page of messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    pub messages: Vec<Message>,
    pub page: u64,
    pub pages: u64,
    pub total: u64,
}

/// What happened within a span of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MailCounts {
    pub sent: u64,
    pub deferred: u64,
    pub bounced: u64,
    pub failed: u64,
    pub suppressed: u64,
    pub expired: u64,
    pub complained: u64,
    pub opened: u64,
    pub clicked: u64,
}

/// A day by UTC and what happened on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MailDay {
    /// `2026-01-31`.
    pub day: String,
    pub counts: MailCounts,
}

/// How mail is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MailOverview {
    /// Whether a mail server is set; without one messages wait until they expire.
    pub is_set_up: bool,
    /// `smtp.example.com:587 (starttls)`.
    pub mail_server: Option<String>,
    pub from: Option<String>,
    /// Whether what comes back finds its way here.
    pub reads_bounces: bool,
    pub has_webhook: bool,
    pub tracking: bool,
    /// Messages that wait.
    pub queue: u64,
    /// When the one that waits longest was written.
    pub oldest: Option<Timestamp>,
    /// The last 24 hours.
    pub day: MailCounts,
    /// The last seven days.
    pub week: MailCounts,
    /// Each of the last seven days, the newest first.
    pub days: Vec<MailDay>,
}

/// An address that gets no mail any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Suppression {
    pub address: String,
    /// `bounce`, `complaint` or `operator`.
    pub reason: String,
    /// What the other side said.
    pub detail: Option<String>,
    /// The message that showed it.
    pub mail_id: Option<MailId>,
    pub created_at: Timestamp,
}

/// A page of addresses that get no mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppressions {
    pub suppressions: Vec<Suppression>,
    pub page: u64,
    pub pages: u64,
    pub total: u64,
}

/// How a kind of message looks, with made-up content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TemplatePreview {
    pub kind: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Whether a status (RFC 3463) says that an address is dead: there is no such mailbox or domain, or it was closed. A full mailbox, a
/// policy or a suspicion of spam says nothing of the kind.
pub fn is_dead_address(status: &str) -> bool {
    let mut parts = status.split('.').map(|part| part.parse::<u16>().ok());
    let (class, subject, detail) = (parts.next().flatten(), parts.next().flatten(), parts.next().flatten());
    matches!(
        (class, subject, detail),
        (Some(5), Some(1), Some(0..=4 | 6 | 10)) | (Some(5), Some(2), Some(1)) | (Some(5), Some(4), Some(4)) | (Some(5), Some(0), Some(0))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dead_address_is_one() {
        for dead in ["5.1.1", "5.1.2", "5.1.10", "5.2.1", "5.4.4", "5.0.0"] {
            assert!(is_dead_address(dead), "{dead}");
        }
        for alive in ["4.1.1", "5.2.2", "5.7.1", "5.1.8", "4.4.7", "5", "", "5.1", "x.y.z", "550"] {
            assert!(!is_dead_address(alive), "{alive}");
        }
    }

    #[test]
    fn a_status_reads_back() {
        for status in MailStatus::ALL {
            assert_eq!(MailStatus::parse(status.name()), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
        assert!(MailStatus::parse("gone").is_err());
    }
}
