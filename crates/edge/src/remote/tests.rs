//! What an edge takes, what it refuses, and what it keeps.
use super::{
    held::{ChunkSet, SyncFault, Taken},
    store::SnapshotFile,
    wire::{Chunk, Control, KeyedChunk, digest, fingerprint},
};
use crate::{Route, Target};
use serde_json::value::{RawValue, to_raw_value};

fn keyed(chunk: &Chunk) -> KeyedChunk {
    KeyedChunk { key: chunk.key(), chunk: to_raw_value(chunk).unwrap() }
}

fn route(host: &str, app: &str) -> Chunk {
    Chunk::Route(Route::new(host, app, Target::Empty))
}

fn digest_of(all: &[KeyedChunk]) -> String {
    let mut all: Vec<_> = all.iter().collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    let fingerprints: Vec<_> = all.iter().map(|keyed| fingerprint(&keyed.key, keyed.chunk.get())).collect();
    digest(fingerprints.iter())
}

fn full(version: u64, chunks: &[Chunk]) -> Control {
    let chunks: Vec<KeyedChunk> = chunks.iter().map(keyed).collect();
    Control::Full { version, digest: digest_of(&chunks), chunks }
}

fn change(from: &str, version: u64, to: &[Chunk], put: &[Chunk], drop: &[Chunk]) -> Control {
    let digest = digest_of(&to.iter().map(keyed).collect::<Vec<_>>());
    Control::Change {
        from: from.into(),
        version,
        digest,
        put: put.iter().map(keyed).collect(),
        drop: drop.iter().map(Chunk::key).collect(),
    }
}

#[test]
fn changes_lead_from_one_content_to_the_next() {
    let (a, b, c) = (route("a.example", "app_a"), route("b.example", "app_b"), route("c.example", "app_c"));
    let mut held = ChunkSet::default();
    assert_eq!(held.take(&full(3, &[a.clone(), b.clone()])), Ok(Taken::New));
    let step = change(&held.digest, 4, &[b.clone(), c.clone()], std::slice::from_ref(&c), &[a]);
    assert_eq!(held.take(&step), Ok(Taken::New));
    let hosts: Vec<String> = held.snapshot().routes.into_iter().map(|route| route.host).collect();
    assert_eq!((hosts, held.version), (vec!["b.example".to_string(), "c.example".into()], 4));
    // Said again.
    assert_eq!(held.take(&step), Ok(Taken::Same));
}

#[test]
fn a_change_that_was_missed_is_noticed_and_nothing_is_half_taken() {
    let (a, b) = (route("a.example", "app_a"), route("b.example", "app_b"));
    let mut held = ChunkSet::default();
    held.take(&full(1, std::slice::from_ref(&a))).unwrap();
    let before = held.clone();
    assert_eq!(held.take(&change(&"0".repeat(64), 3, &[a.clone(), b.clone()], std::slice::from_ref(&b), &[])), Err(SyncFault::Missed));
    // The right beginning and a wrong end.
    assert_eq!(held.take(&change(&before.digest, 2, std::slice::from_ref(&b), std::slice::from_ref(&b), &[])), Err(SyncFault::Broken));
    let Control::Full { digest, chunks, .. } = full(2, &[a, b]) else { unreachable!() };
    assert_eq!(held.take(&Control::Full { version: 2, digest: digest.clone(), chunks: chunks[..1].to_vec() }), Err(SyncFault::Broken));
    assert_eq!(held.take(&Control::<Box<RawValue>>::Now { version: 2, digest }), Err(SyncFault::Missed));
    assert_eq!(held, before);
}

#[test]
fn older_routes_never_take_the_place_of_newer_ones() {
    let mut held = ChunkSet::default();
    held.take(&full(5, &[route("a.example", "app_a")])).unwrap();
    assert_eq!(held.take(&full(4, &[route("b.example", "app_b")])), Ok(Taken::Older));
    assert_eq!(held.snapshot().routes[0].host, "a.example");
}

#[test]
fn what_a_newer_panel_says_is_left_out_and_counted() {
    let mut held = ChunkSet::default();
    let strange = KeyedChunk { key: "teapot 1".into(), chunk: to_raw_value(&serde_json::json!({ "teapot": 1 })).unwrap() };
    let chunks = vec![keyed(&route("a.example", "app_a")), strange];
    assert_eq!(held.take(&Control::Full { version: 1, digest: digest_of(&chunks), chunks }), Ok(Taken::New));
    assert_eq!(held.snapshot().routes.len(), 1);
    assert_eq!(ChunkSet::from_bytes(&held.to_bytes()), Some(held));
}

#[test]
fn what_is_kept_is_private_sealed_and_whole_or_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (store, file) = (SnapshotFile::new(dir.path()), dir.path().join("edge.snapshot"));
    assert_eq!(store.load("sky_edge_x"), Ok(None));
    let mut held = ChunkSet::default();
    held.take(&full(7, &[route("secret.example", "app_a")])).unwrap();
    store.save("sky_edge_x", &held).unwrap();
    store.save("sky_edge_x", &held).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(6).any(|six| six == b"secret"));
    assert_eq!(store.load("sky_edge_x"), Ok(Some(held)));
    assert!(store.load("sky_edge_y").unwrap_err().contains("another token"));
    // Every way of being damaged.
    for at in [0, 7, 8, 20, 40, bytes.len() - 1] {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        std::fs::write(&file, &bad).unwrap();
        assert!(store.load("sky_edge_x").is_err(), "byte {at}");
        std::fs::write(&file, &bytes[..at]).unwrap();
        assert!(store.load("sky_edge_x").is_err(), "{at} bytes");
    }
}
