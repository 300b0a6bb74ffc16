//! What edges elsewhere are told, in the form that it is told in. A change is written down once, as one line, however many edges hear
//! it; the lines of the last changes are kept, so that an edge that was away for a moment gets those alone.
use crate::edge::{
    Snapshot,
    remote::{Chunk, Control, Fingerprint, KeyedChunk, chunks, digest, fingerprint},
};
use bytes::Bytes;
use serde_json::value::RawValue;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::sync::watch;

/// Changes that are kept, and bytes of them.
const KEPT: usize = 64;
const KEPT_BYTES: usize = 4 * 1024 * 1024;

/// How far ahead of what is live a version may be that an edge is believed to have.
const FARTHEST: u64 = 1_000_000;

/// What is live and who listens.
#[derive(Debug)]
pub struct Distribution {
    live: watch::Sender<Arc<Live>>,
    /// Open streams, by edge: which is the newest, and what ends it.
    streams: Mutex<HashMap<String, Stream>>,
    count: AtomicU64,
    heard: AtomicU64,
}

#[derive(Debug, Clone)]
struct Stream {
    number: u64,
    /// Of the token that it was opened with.
    token_hash: String,
    end: watch::Sender<Option<crate::edge::remote::End>>,
}

/// One version of it. Version 0 is what there is before anything was told.
#[derive(Debug, Default)]
pub struct Live {
    pub version: u64,
    pub digest: String,
    items: BTreeMap<String, Item>,
    steps: VecDeque<Step>,
    full: OnceLock<Bytes>,
}

#[derive(Debug, Clone)]
struct Item {
    text: Arc<RawValue>,
    fingerprint: Fingerprint,
}

/// A change as it is told.
#[derive(Debug, Clone)]
struct Step {
    from: Arc<str>,
    version: u64,
    line: Bytes,
}

/// What may become live: it has no version yet.
#[derive(Debug)]
pub struct Draft {
    pub digest: String,
    items: BTreeMap<String, Item>,
}

impl Default for Distribution {
    fn default() -> Self {
        Distribution {
            live: watch::Sender::new(Arc::default()),
            streams: Mutex::default(),
            count: AtomicU64::new(0),
            heard: AtomicU64::new(0),
        }
    }
}

/// A control message as a line.
pub fn line<T: serde::Serialize>(control: &Control<T>) -> Bytes {
    let mut text = serde_json::to_vec(control).unwrap_or_default();
    text.push(b'\n');
    text.into()
}

impl Live {
    /// Everything, as one line; written when the first edge needs it.
    pub fn full(&self) -> Bytes {
        let write = || {
            let chunks = self.items.iter().map(|(key, item)| keyed(key, item)).collect();
            line(&Control::Full { version: self.version, digest: self.digest.clone(), chunks })
        };
        self.full.get_or_init(write).clone()
    }

    /// That it is live.
    pub fn now(&self) -> Bytes {
        line(&Control::<&RawValue>::Now { version: self.version, digest: self.digest.clone() })
    }

    /// What an edge needs that has the content of a digest under a version: nothing new, some changes, or everything. Changes that were
    /// told under older versions it would not take.
    pub fn since(&self, digest: &str, version: u64) -> Vec<Bytes> {
        if digest == self.digest {
            return vec![self.now()];
        }
        // The last one: a content that was left and came back stands there twice.
        match self.steps.iter().rposition(|step| *step.from == *digest) {
            Some(at) if self.steps.iter().skip(at).any(|step| step.version < version) => vec![self.full()],
            Some(at) => self.steps.iter().skip(at).map(|step| step.line.clone()).collect(),
            None => vec![self.full()],
        }
    }
}

fn keyed<'a>(key: &str, item: &'a Item) -> KeyedChunk<&'a RawValue> {
    KeyedChunk { key: key.to_string(), chunk: &item.text }
}

/// What edges elsewhere are told, as the parts of this process share it.
pub type EdgeDistribution = Arc<Distribution>;

impl Distribution {
    /// What is live.
    pub fn live(&self) -> Arc<Live> {
        self.live.borrow().clone()
    }

    /// Hears of every version from now on.
    pub fn listen(&self) -> watch::Receiver<Arc<Live>> {
        self.live.subscribe()
    }

    /// Writes a snapshot down. What did not change since the last one is not hashed again.
    pub fn draft(&self, snapshot: &Snapshot) -> Draft {
        let live = self.live();
        let item = |chunk: Chunk| {
            let (key, text) = (chunk.key(), serde_json::value::to_raw_value(&chunk).ok()?);
            let item = match live.items.get(&key).filter(|known| known.text.get() == text.get()) {
                Some(known) => known.clone(),
                None => Item { fingerprint: fingerprint(&key, text.get()), text: text.into() },
            };
            Some((key, item))
        };
        let items: BTreeMap<String, Item> = chunks(snapshot).filter_map(item).collect();
        Draft { digest: digest(items.values().map(|item| &item.fingerprint)), items }
    }

    /// Makes a draft live under a version. Says to how many streams it goes.
    pub fn publish(&self, draft: Draft, version: u64) -> usize {
        let live = self.live();
        let mut steps = live.steps.clone();
        if draft.digest != live.digest && live.version > 0 {
            let is_new = |(key, item): &(&String, &Item)| live.items.get(*key).is_none_or(|known| known.fingerprint != item.fingerprint);
            let put = draft.items.iter().filter(is_new).map(|(key, item)| keyed(key, item)).collect();
            let drop = live.items.keys().filter(|key| !draft.items.contains_key(*key)).cloned().collect();
            let control = Control::Change { from: live.digest.clone(), version, digest: draft.digest.clone(), put, drop };
            steps.push_back(Step { from: live.digest.as_str().into(), version, line: line(&control) });
            while steps.len() > KEPT || steps.iter().map(|step| step.line.len()).sum::<usize>() > KEPT_BYTES {
                steps.pop_front();
            }
        }
        self.live.send_replace(Arc::new(Live { version, digest: draft.digest, items: draft.items, steps, full: OnceLock::new() }));
        self.streams()
    }

    /// How many edges listen here.
    pub fn streams(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Edges that listen here, and the hashes of the tokens that they came with.
    pub fn listeners(&self) -> Vec<(String, String)> {
        self.lock().iter().map(|(edge, stream)| (edge.clone(), stream.token_hash.clone())).collect()
    }

    /// Notes that an edge has a version: what is told next must be newer, or be this. A version that is too far ahead is none that a
    /// panel of ours gave: it is left aside, so that one edge can't use the numbers up.
    pub fn heard_of(&self, version: u64) {
        if version <= self.live().version.saturating_add(FARTHEST) {
            self.heard.fetch_max(version, Relaxed);
        }
    }

    /// The highest version that any edge has said to have.
    pub fn heard(&self) -> u64 {
        self.heard.load(Relaxed)
    }

    /// Opens a stream of an edge; an older one of the same edge ends.
    pub fn open(self: &Arc<Self>, edge: &str, token_hash: &str) -> Listener {
        let (end, ends) = watch::channel(None);
        let number = self.count.fetch_add(1, Relaxed);
        let old = self.lock().insert(edge.into(), Stream { number, token_hash: token_hash.into(), end });
        if let Some(old) = old {
            old.end.send_replace(Some(crate::edge::remote::End::Replaced));
        }
        Listener { fleet: self.clone(), edge: edge.into(), number, ends }
    }

    /// Ends the stream of an edge, where it has one here.
    pub fn cut(&self, edge: &str) {
        if let Some(stream) = self.lock().get(edge) {
            stream.end.send_replace(Some(crate::edge::remote::End::Revoked));
        }
    }
}

/// An open stream. It counts until it is dropped.
#[derive(Debug)]
pub struct Listener {
    fleet: Arc<Distribution>,
    edge: String,
    number: u64,
    ends: watch::Receiver<Option<crate::edge::remote::End>>,
}

impl Listener {
    /// Waits until it has to end, and says why.
    pub async fn ended(&mut self) -> crate::edge::remote::End {
        match self.ends.wait_for(Option::is_some).await.map(|end| *end) {
            Ok(Some(end)) => end,
            _ => crate::edge::remote::End::Replaced,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut streams = self.fleet.lock();
        if streams.get(&self.edge).is_some_and(|stream| stream.number == self.number) {
            streams.remove(&self.edge);
        }
    }
}
