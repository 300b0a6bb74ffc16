//! What an edge has been told, piece by piece. A word from the panel is taken wholly or not at all: what comes of it must have the digest
//! that the word names.
use super::wire::{Keyed, Piece, Print, Word, digest, print, snapshot};
use crate::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// All of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Held {
    pub version: u64,
    pub digest: String,
    items: BTreeMap<String, Item>,
}

#[derive(Debug, Clone, PartialEq)]
struct Item {
    print: Print,
    /// None where this program does not know such a piece: a newer panel said it.
    piece: Option<Arc<Piece>>,
}

/// What became of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// There is something new to serve.
    New,
    /// It is as it was.
    Same,
    /// It is older than what is held. A panel that was told so says something newer soon.
    Older,
}

/// Why a word could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It follows on something that this edge has not heard.
    Missed,
    /// What came of it is not what the panel has.
    Broken,
}

/// As it stands on the disk.
#[derive(Serialize, Deserialize)]
struct Stored<K, P> {
    version: u64,
    digest: K,
    items: Vec<(K, String, Option<P>)>,
}

fn item(keyed: &Keyed) -> Item {
    let piece = serde_json::from_str(keyed.piece.get());
    if let Err(why) = &piece {
        tracing::warn!(key = ?keyed.key, "the panel says something that this program does not know; a newer one may ({why})");
    }
    Item { print: print(&keyed.key, keyed.piece.get()), piece: piece.ok().map(Arc::new) }
}

impl Held {
    /// Takes a word of the panel.
    pub fn take(&mut self, word: &Word) -> Result<Taken, Fault> {
        let (version, digest) = match word {
            Word::Full { version, digest, .. } | Word::Change { version, digest, .. } | Word::Now { version, digest } => (*version, digest),
            Word::End { .. } => return Ok(Taken::Same),
        };
        if version < self.version {
            return Ok(Taken::Older);
        }
        let items = match word {
            Word::Full { pieces, .. } => pieces.iter().map(|keyed| (keyed.key.clone(), self.known(keyed))).collect(),
            Word::Change { from, put, drop, .. } => {
                if *from != self.digest {
                    // Said again, after the connection broke.
                    return if *digest == self.digest { Ok(Taken::Same) } else { Err(Fault::Missed) };
                }
                let mut items = self.items.clone();
                drop.iter().for_each(|key| std::mem::drop(items.remove(key)));
                items.extend(put.iter().map(|keyed| (keyed.key.clone(), item(keyed))));
                items
            }
            _ if *digest != self.digest => return Err(Fault::Missed),
            _ if version == self.version => return Ok(Taken::Same),
            _ => {
                self.version = version;
                return Ok(Taken::New);
            }
        };
        if super::wire::digest(items.values().map(|item: &Item| &item.print)) != *digest {
            return Err(Fault::Broken);
        }
        *self = Held { version, digest: digest.clone(), items };
        Ok(Taken::New)
    }

    /// A piece of everything: what is held already is not read again.
    fn known(&self, keyed: &Keyed) -> Item {
        let print = print(&keyed.key, keyed.piece.get());
        self.items.get(&keyed.key).filter(|known| known.print == print).cloned().unwrap_or_else(|| item(keyed))
    }

    fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.items.values().filter_map(|item| item.piece.as_deref())
    }

    /// What to serve.
    pub fn snapshot(&self) -> Snapshot {
        snapshot(self.version, self.pieces())
    }

    /// Releases that routes name, and how many routes and certificates there are.
    pub fn named(&self) -> (HashSet<String>, u64, u64) {
        let (mut releases, mut routes, mut certificates) = (HashSet::new(), 0, 0);
        for piece in self.pieces() {
            match piece {
                Piece::Route(route) => {
                    routes += 1;
                    if let crate::Target::Tasks { backends, .. } = &route.target {
                        releases.extend(backends.iter().map(|backend| backend.release.clone()));
                    }
                }
                Piece::Certificate(_) => certificates += 1,
                _ => {}
            }
        }
        (releases, routes, certificates)
    }

    /// As bytes for the disk.
    pub fn to_bytes(&self) -> Vec<u8> {
        let hex = |print: &Print| print.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let items = self.items.iter().map(|(key, item)| (key.as_str(), hex(&item.print), item.piece.as_deref()));
        let stored = Stored { version: self.version, digest: self.digest.as_str(), items: items.collect() };
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// From such bytes; nothing where they are not whole.
    pub fn from_bytes(bytes: &[u8]) -> Option<Held> {
        let stored: Stored<String, Piece> = serde_json::from_slice(bytes).ok()?;
        let item = |(key, hex, piece): (String, String, Option<Piece>)| {
            let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect::<Option<Vec<u8>>>();
            Some((key, Item { print: bytes?.try_into().ok()?, piece: piece.map(Arc::new) }))
        };
        let items: BTreeMap<String, Item> = stored.items.into_iter().map(item).collect::<Option<_>>()?;
        (digest(items.values().map(|item| &item.print)) == stored.digest).then_some(Held {
            version: stored.version,
            digest: stored.digest,
            items,
        })
    }
}
