//! What a panel and an edge elsewhere say to each other. The panel's side of a stream is one [`Control`] a line; what edges are told is cut
//! into chunks with a key each, so that a change names no more than what it changes. A digest over all chunks says what somebody has:
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

/// One line from the panel. `T` is a chunk's text: owned, or a part of the line that it was read from.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control<T = Box<RawValue>> {
    /// Everything that there is.
    Full {
        version: u64,
        digest: String,
        #[serde(rename = "pieces")]
        chunks: Vec<KeyedChunk<T>>,
    },
    /// What leads from one content to the next.
    Change { from: String, version: u64, digest: String, put: Vec<KeyedChunk<T>>, drop: Vec<String> },
    /// What is live: the content is what it was.
    Now { version: u64, digest: String },
    /// Nothing more comes, and why.
    End { reason: End, message: String },
}

/// Why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The token is no longer valid.
    Revoked,
    /// The panel stops; another one, or the same, may be there soon.
    Stopping,
    /// The same edge has opened another stream.
    Replaced,
}

/// A chunk under its key, as it was written by the panel: an older edge counts fields that it doesn't know yet, too.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyedChunk<T = Box<RawValue>> {
    pub key: String,
    /// Its name on the line is from before chunks were called so.
    #[serde(rename = "piece")]
    pub chunk: T,
}

/// One chunk of what an edge is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chunk {
    Route(Route),
    Certificate(Certificate),
    Challenge(Challenge),
    CookieKey(Vec<u8>),
}

impl Chunk {
    /// What it is called among the others: two chunks with one key can't be there at once.
    pub fn key(&self) -> String {
        match self {
            Chunk::Route(route) => format!("route {} {}", route.host, route.path),
            Chunk::Certificate(certificate) => format!("certificate {}", certificate.names.join(" ")),
            Chunk::Challenge(Challenge::Http { token, .. }) => format!("answer {token}"),
            Chunk::Challenge(Challenge::TlsAlpn { certificate }) => format!("handshake {}", certificate.names.join(" ")),
            Chunk::CookieKey(_) => "cookies".into(),
        }
    }
}

/// The chunks of a snapshot.
pub fn chunks(snapshot: &Snapshot) -> impl Iterator<Item = Chunk> {
    let routes = snapshot.routes.iter().cloned().map(Chunk::Route);
    let certificates = snapshot.certificates.iter().cloned().map(Chunk::Certificate);
    let challenges = snapshot.challenges.iter().cloned().map(Chunk::Challenge);
    routes.chain(certificates).chain(challenges).chain([Chunk::CookieKey(snapshot.cookie_key.clone())])
}

/// The snapshot that chunks make up.
pub fn snapshot<'a>(version: u64, chunks: impl Iterator<Item = &'a Chunk>) -> Snapshot {
    let mut snapshot = Snapshot { version, ..Snapshot::default() };
    for chunk in chunks {
        match chunk {
            Chunk::Route(route) => snapshot.routes.push(route.clone()),
            Chunk::Certificate(certificate) => snapshot.certificates.push(certificate.clone()),
            Chunk::Challenge(challenge) => snapshot.challenges.push(challenge.clone()),
            Chunk::CookieKey(key) => snapshot.cookie_key.clone_from(key),
        }
    }
    snapshot
}

/// The SHA-256 of one chunk as it was written.
pub type Fingerprint = [u8; 32];

/// A chunk's fingerprint.
pub fn fingerprint(key: &str, text: &str) -> Fingerprint {
    let mut hash = Sha256::new();
    hash.update((key.len() as u64).to_be_bytes());
    hash.update(key);
    hash.update(text);
    hash.finalize().into()
}

/// The digest of chunks in the order of their keys, in hex.
pub fn digest<'a>(fingerprints: impl Iterator<Item = &'a Fingerprint>) -> String {
    let mut hash = Sha256::new();
    fingerprints.for_each(|fingerprint| hash.update(fingerprint));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What an edge tells the panel.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeReport {
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
pub struct ReportReply {
    /// Whether the measures were news.
    pub counted: bool,
    /// The newest version.
    pub version: u64,
}
