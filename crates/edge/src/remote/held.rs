//! What an edge has been told, chunk by chunk. A control message from the panel is taken wholly or not at all: what comes of it must have the digest
//! that the message names.
use super::wire::{Chunk, Control, Fingerprint, KeyedChunk, digest, fingerprint, snapshot};
use crate::snapshot::{Route, Snapshot, Target};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{
    borrow::Borrow,
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// All of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChunkSet {
    pub version: u64,
    pub digest: String,
    items: BTreeMap<String, KnownChunk>,
}

#[derive(Debug, Clone, PartialEq)]
struct KnownChunk {
    fingerprint: Fingerprint,
    /// None where this program does not know such a chunk: a newer panel said it.
    chunk: Option<Arc<Chunk>>,
}

/// What became of a control message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// There is something new to serve.
    New,
    /// It is as it was.
    Same,
    /// It is older than what is held. A panel that was told so says something newer soon.
    Older,
}

/// Why a control message could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncFault {
    /// It follows on something that this edge has not heard.
    Missed,
    /// What came of it is not what the panel has.
    Broken,
}

/// As it stands on the disk.
#[derive(Serialize, Deserialize)]
struct StoredChunks<K, P> {
    version: u64,
    digest: K,
    items: Vec<(K, String, Option<P>)>,
}

fn item<T: Borrow<RawValue>>(keyed: &KeyedChunk<T>) -> KnownChunk {
    let text: &RawValue = keyed.chunk.borrow();
    let text = text.get();
    let mut chunk: serde_json::Result<Chunk> = serde_json::from_str(text);
    // A list that was read has room for more, and there are as many lists as routes.
    if let Ok(Chunk::Route(Route { target: Target::Tasks { backends, .. }, .. })) = &mut chunk {
        backends.shrink_to_fit();
    }
    if let Err(why) = &chunk {
        tracing::warn!(key = ?keyed.key, "the panel says something that this program does not know; a newer one may ({why})");
    }
    KnownChunk { fingerprint: fingerprint(&keyed.key, text), chunk: chunk.ok().map(Arc::new) }
}

impl ChunkSet {
    /// Takes a control message of the panel.
    pub fn take<T: Borrow<RawValue>>(&mut self, control: &Control<T>) -> Result<Taken, SyncFault> {
        let (version, digest) = match control {
            Control::Full { version, digest, .. } | Control::Change { version, digest, .. } | Control::Now { version, digest } => {
                (*version, digest)
            }
            Control::End { .. } => return Ok(Taken::Same),
        };
        if version < self.version {
            return Ok(Taken::Older);
        }
        let items = match control {
            Control::Full { chunks, .. } => chunks.iter().map(|keyed| (keyed.key.clone(), self.known(keyed))).collect(),
            Control::Change { from, put, drop, .. } => {
                if *from != self.digest {
                    // Said again, after the connection broke.
                    return if *digest == self.digest { Ok(Taken::Same) } else { Err(SyncFault::Missed) };
                }
                let mut items = self.items.clone();
                drop.iter().for_each(|key| std::mem::drop(items.remove(key)));
                items.extend(put.iter().map(|keyed| (keyed.key.clone(), item(keyed))));
                items
            }
            _ if *digest != self.digest => return Err(SyncFault::Missed),
            _ if version == self.version => return Ok(Taken::Same),
            _ => {
                self.version = version;
                return Ok(Taken::New);
            }
        };
        if super::wire::digest(items.values().map(|item: &KnownChunk| &item.fingerprint)) != *digest {
            return Err(SyncFault::Broken);
        }
        *self = ChunkSet { version, digest: digest.clone(), items };
        Ok(Taken::New)
    }

    /// A chunk of everything: what is held already is not read again.
    fn known<T: Borrow<RawValue>>(&self, keyed: &KeyedChunk<T>) -> KnownChunk {
        let text: &RawValue = keyed.chunk.borrow();
        let fingerprint = fingerprint(&keyed.key, text.get());
        self.items.get(&keyed.key).filter(|known| known.fingerprint == fingerprint).cloned().unwrap_or_else(|| item(keyed))
    }

    fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.items.values().filter_map(|item| item.chunk.as_deref())
    }

    /// What to serve.
    pub fn snapshot(&self) -> Snapshot {
        snapshot(self.version, self.chunks())
    }

    /// Releases that routes name, and how many routes and certificates there are.
    pub fn named(&self) -> (HashSet<String>, u64, u64) {
        let (mut releases, mut routes, mut certificates) = (HashSet::new(), 0, 0);
        for chunk in self.chunks() {
            match chunk {
                Chunk::Route(route) => {
                    routes += 1;
                    if let Target::Tasks { backends, .. } = &route.target {
                        releases.extend(backends.iter().map(|backend| backend.release.clone()));
                    }
                }
                Chunk::Certificate(_) => certificates += 1,
                _ => {}
            }
        }
        (releases, routes, certificates)
    }

    /// As bytes for the disk.
    pub fn to_bytes(&self) -> Vec<u8> {
        let hex = |fingerprint: &Fingerprint| fingerprint.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let items = self.items.iter().map(|(key, item)| (key.as_str(), hex(&item.fingerprint), item.chunk.as_deref()));
        let stored = StoredChunks { version: self.version, digest: self.digest.as_str(), items: items.collect() };
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// From such bytes; nothing where they are not whole.
    pub fn from_bytes(bytes: &[u8]) -> Option<ChunkSet> {
        let stored: StoredChunks<String, Chunk> = serde_json::from_slice(bytes).ok()?;
        let item = |(key, hex, chunk): (String, String, Option<Chunk>)| {
            let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect::<Option<Vec<u8>>>();
            Some((key, KnownChunk { fingerprint: bytes?.try_into().ok()?, chunk: chunk.map(Arc::new) }))
        };
        let items: BTreeMap<String, KnownChunk> = stored.items.into_iter().map(item).collect::<Option<_>>()?;
        (digest(items.values().map(|item| &item.fingerprint)) == stored.digest).then_some(ChunkSet {
            version: stored.version,
            digest: stored.digest,
            items,
        })
    }
}
