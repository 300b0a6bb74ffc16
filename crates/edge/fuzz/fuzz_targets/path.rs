//! A path that is made plain climbs nowhere, and two spellings of one path lead to one place.
#![no_main]

#[path = "../../src/paths.rs"]
#[allow(dead_code)]
mod paths;

use paths::{begins_with, plain, prefix};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|pair: (&str, &str)| {
    let (path, route) = pair;
    let once = plain(path);
    assert!(once.starts_with('/'));
    assert!(!once.contains("//") && !once.contains("/../") && !once.ends_with("/.."));
    assert!(!once.contains("/./") && !once.ends_with("/.") && !once.contains('\\'));
    if !once.contains('%') && !once.contains(';') {
        assert_eq!(plain(&once), once, "what is plain stays so");
    }
    let prefix = prefix(route);
    assert!(!prefix.ends_with('/'));
    if begins_with(&once, &prefix) {
        assert!(once.len() >= prefix.len());
        let rest = &once[prefix.len()..];
        assert!(rest.is_empty() || rest.starts_with('/'));
    }
});
