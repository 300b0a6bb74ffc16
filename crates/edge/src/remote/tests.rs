//! What an edge takes, what it refuses, and what it keeps.
use super::{
    held::{Fault, Held, Taken},
    store::Store,
    wire::{Keyed, Piece, Word, digest, print},
};
use crate::{Route, Target};
use serde_json::value::to_raw_value;

fn keyed(piece: &Piece) -> Keyed {
    Keyed { key: piece.key(), piece: to_raw_value(piece).unwrap() }
}

fn route(host: &str, app: &str) -> Piece {
    Piece::Route(Route::new(host, app, Target::Empty))
}

fn digest_of(all: &[Keyed]) -> String {
    let mut all: Vec<_> = all.iter().collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    let prints: Vec<_> = all.iter().map(|keyed| print(&keyed.key, keyed.piece.get())).collect();
    digest(prints.iter())
}

fn full(version: u64, pieces: &[Piece]) -> Word {
    let pieces: Vec<Keyed> = pieces.iter().map(keyed).collect();
    Word::Full { version, digest: digest_of(&pieces), pieces }
}

fn change(from: &str, version: u64, to: &[Piece], put: &[Piece], drop: &[Piece]) -> Word {
    let digest = digest_of(&to.iter().map(keyed).collect::<Vec<_>>());
    Word::Change { from: from.into(), version, digest, put: put.iter().map(keyed).collect(), drop: drop.iter().map(Piece::key).collect() }
}

#[test]
fn changes_lead_from_one_content_to_the_next() {
    let (a, b, c) = (route("a.example", "app_a"), route("b.example", "app_b"), route("c.example", "app_c"));
    let mut held = Held::default();
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
    let mut held = Held::default();
    held.take(&full(1, std::slice::from_ref(&a))).unwrap();
    let before = held.clone();
    assert_eq!(held.take(&change(&"0".repeat(64), 3, &[a.clone(), b.clone()], std::slice::from_ref(&b), &[])), Err(Fault::Missed));
    // The right beginning and a wrong end.
    assert_eq!(held.take(&change(&before.digest, 2, std::slice::from_ref(&b), std::slice::from_ref(&b), &[])), Err(Fault::Broken));
    let Word::Full { digest, pieces, .. } = full(2, &[a, b]) else { unreachable!() };
    assert_eq!(held.take(&Word::Full { version: 2, digest: digest.clone(), pieces: pieces[..1].to_vec() }), Err(Fault::Broken));
    assert_eq!(held.take(&Word::Now { version: 2, digest }), Err(Fault::Missed));
    assert_eq!(held, before);
}

#[test]
fn older_routes_never_take_the_place_of_newer_ones() {
    let mut held = Held::default();
    held.take(&full(5, &[route("a.example", "app_a")])).unwrap();
    assert_eq!(held.take(&full(4, &[route("b.example", "app_b")])), Ok(Taken::Older));
    assert_eq!(held.snapshot().routes[0].host, "a.example");
}

#[test]
fn what_a_newer_panel_says_is_left_out_and_counted() {
    let mut held = Held::default();
    let strange = Keyed { key: "teapot 1".into(), piece: to_raw_value(&serde_json::json!({ "teapot": 1 })).unwrap() };
    let pieces = vec![keyed(&route("a.example", "app_a")), strange];
    assert_eq!(held.take(&Word::Full { version: 1, digest: digest_of(&pieces), pieces }), Ok(Taken::New));
    assert_eq!(held.snapshot().routes.len(), 1);
    assert_eq!(Held::from_bytes(&held.to_bytes()), Some(held));
}

#[test]
fn what_is_kept_is_private_sealed_and_whole_or_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (store, file) = (Store::new(dir.path()), dir.path().join("edge.snapshot"));
    assert_eq!(store.load("sky_edge_x"), Ok(None));
    let mut held = Held::default();
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
