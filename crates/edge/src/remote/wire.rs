//! What a panel and an edge elsewhere say to each other. The panel's side of a stream is one [`Word`] a line; what edges are told is cut
//! into pieces with a key each, so that a change names no more than what it changes. A digest over all pieces says what somebody has:
//! whoever has the same digest has the same content, whichever panel it came from.
use super::super::{
    access::AccessEntry,
    signals::Signals,
    snapshot::{Certificate, Challenge, Route, Snapshot},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What an edge's token begins with.
pub const TOKEN_PREFIX: &str = "sky_edge_";
/// How often a panel that has nothing to say says that it is there.
pub const HEARTBEAT: std::time::Duration = std::time::Duration::from_secs(3);
/// Releases and entries in one report.
pub const MOST_RELEASES: usize = 500;
pub const MOST_ENTRIES: usize = 1_000;
/// Releases that one report says are draining.
pub const MOST_DRAINING: usize = 1_000;

/// One line from the panel.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Everything that there is.
    Full { version: u64, digest: String, pieces: Vec<Keyed> },
    /// What leads from one content to the next.
    Change { from: String, version: u64, digest: String, put: Vec<Keyed>, drop: Vec<String> },
    /// What is live: the content is what it was.
    Now { version: u64, digest: String },
    /// Nothing more comes, and why.
    End { reason: End, message: String },
}

/// Why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The token is good no longer.
    Revoked,
    /// The panel stops; another one, or the same, may be there soon.
    Stopping,
    /// The same edge has opened another stream.
    Replaced,
}

/// A piece under its key, as it was written by the panel: an older edge counts fields that it doesn't know yet, too.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Keyed {
    pub key: String,
    pub piece: Box<RawValue>,
}

/// One piece of what an edge is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    Route(Route),
    Certificate(Certificate),
    Challenge(Challenge),
    CookieKey(Vec<u8>),
}

impl Piece {
    /// What it is called among the others: two pieces with one key can't be there at once.
    pub fn key(&self) -> String {
        match self {
            Piece::Route(route) => format!("route {} {}", route.host, route.path),
            Piece::Certificate(certificate) => format!("certificate {}", certificate.names.join(" ")),
            Piece::Challenge(Challenge::Http { token, .. }) => format!("answer {token}"),
            Piece::Challenge(Challenge::TlsAlpn { certificate }) => format!("handshake {}", certificate.names.join(" ")),
            Piece::CookieKey(_) => "cookies".into(),
        }
    }
}

/// The pieces of a snapshot.
pub fn pieces(snapshot: &Snapshot) -> impl Iterator<Item = Piece> {
    let routes = snapshot.routes.iter().cloned().map(Piece::Route);
    let certificates = snapshot.certificates.iter().cloned().map(Piece::Certificate);
    let challenges = snapshot.challenges.iter().cloned().map(Piece::Challenge);
    routes.chain(certificates).chain(challenges).chain([Piece::CookieKey(snapshot.cookie_key.clone())])
}

/// The snapshot that pieces make up.
pub fn snapshot<'a>(version: u64, pieces: impl Iterator<Item = &'a Piece>) -> Snapshot {
    let mut snapshot = Snapshot { version, ..Snapshot::default() };
    for piece in pieces {
        match piece {
            Piece::Route(route) => snapshot.routes.push(route.clone()),
            Piece::Certificate(certificate) => snapshot.certificates.push(certificate.clone()),
            Piece::Challenge(challenge) => snapshot.challenges.push(challenge.clone()),
            Piece::CookieKey(key) => snapshot.cookie_key.clone_from(key),
        }
    }
    snapshot
}

/// The SHA-256 of one piece as it was written.
pub type Print = [u8; 32];

/// A piece's print.
pub fn print(key: &str, text: &str) -> Print {
    let mut hash = Sha256::new();
    hash.update((key.len() as u64).to_be_bytes());
    hash.update(key);
    hash.update(text);
    hash.finalize().into()
}

/// The digest of pieces in the order of their keys, in hex.
pub fn digest<'a>(prints: impl Iterator<Item = &'a Print>) -> String {
    let mut hash = Sha256::new();
    prints.for_each(|print| hash.update(print));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What an edge tells the panel.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Which start of the edge it is: random, 1 to 64 letters and digits.
    pub boot: String,
    /// Counts the reports with measures since that start; a report without has 0. One that comes twice is counted once.
    #[serde(default)]
    pub sequence: u64,
    /// When it was sent by the edge's clock, in milliseconds since 1970: what it measured is counted by the panel's.
    #[serde(default)]
    pub at: i64,
    /// The version of the edge's program.
    pub software: String,
    /// Milliseconds since 1970.
    #[serde(default)]
    pub started_at: i64,
    /// The version of the routes that are live.
    pub version: u64,
    /// The digest of what is live.
    #[serde(default)]
    pub digest: String,
    /// What is wrong, in a sentence.
    #[serde(default)]
    pub problem: Option<String>,
    /// Requests in hand, by release, where the routes name the release no more.
    #[serde(default)]
    pub draining: BTreeMap<String, u64>,
    #[serde(default)]
    pub figures: Figures,
    #[serde(default)]
    pub signals: Option<Signals>,
    #[serde(default)]
    pub entries: Vec<AccessEntry>,
}

/// How an edge is.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Figures {
    /// Routes and certificates that are live.
    pub routes: u64,
    pub certificates: u64,
    /// Requests in hand.
    pub in_flight: u64,
    /// Requests a second, of late.
    pub per_second: f64,
    /// Measures that had to be given up because nobody took them.
    pub lost: u64,
}

/// What the panel says to a report.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Heard {
    /// Whether the measures were news.
    pub counted: bool,
    /// The newest version.
    pub version: u64,
}
