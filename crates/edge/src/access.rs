//! The access log: a sample of each application's requests, handed on through a channel of fixed size. Where nobody takes them fast
//! enough, entries are dropped and counted; a request never waits.
use serde::{Deserialize, Serialize};
use std::{
    net::IpAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::sync::mpsc;

/// Entries that wait to be taken.
const WAITING: usize = 4096;
/// Characters of a path, and of what a client calls itself, that are kept.
const LONGEST: usize = 512;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessEntry {
    /// Milliseconds since 1970, when it began.
    pub at: u64,
    pub id: String,
    pub app: String,
    /// Both empty where the edge answered by itself.
    pub release: String,
    pub task: String,
    pub client: IpAddr,
    pub method: String,
    pub host: String,
    /// Without the query, which may hold secrets.
    pub path: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub protocol: String,
    pub is_tls: bool,
    /// 0 where the client left before the answer.
    pub status: u16,
    /// To the beginning of the answer, in microseconds.
    pub micros: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub user_agent: String,
}

#[derive(Debug)]
pub(super) struct AccessLog {
    send: mpsc::Sender<AccessEntry>,
    receive: Mutex<Option<mpsc::Receiver<AccessEntry>>>,
    dropped: AtomicU64,
}

/// The beginning of a text that a stranger wrote.
pub(super) fn clipped(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

impl AccessLog {
    pub fn new() -> Self {
        let (send, receive) = mpsc::channel(WAITING);
        AccessLog { send, receive: Mutex::new(Some(receive)), dropped: AtomicU64::new(0) }
    }

    /// Whether a request is one of the sample.
    pub fn is_chosen(permille: u16) -> bool {
        permille >= 1000 || (permille > 0 && rand::random_range(0..1000) < permille)
    }

    pub fn write(&self, entry: AccessEntry) {
        if self.send.try_send(entry).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// The end that entries come out of; once.
    pub fn take(&self) -> Option<mpsc::Receiver<AccessEntry>> {
        self.receive.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Entries that nobody took in time, since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}
