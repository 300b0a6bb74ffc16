//! A host that the edge takes has one spelling, which is its own, and nothing in it that means more than a name.
#![no_main]

#[path = "../../src/host.rs"]
#[allow(dead_code)]
mod host;

use host::{is_host, normal_host};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let normal = normal_host(text);
    assert!(!normal.bytes().any(|byte| byte.is_ascii_uppercase()));
    assert!(normal.len() <= text.len());
    if is_host(text.as_bytes()) {
        assert!(normal.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte)), "{normal:?}");
        assert_eq!(normal, normal_host(&text.to_ascii_uppercase()));
        if !text.starts_with('[') {
            assert!(!normal.contains(':'));
            // A port and one trailing dot do not matter.
            let name = text.split(':').next().unwrap();
            assert_eq!(normal, normal_host(&format!("{name}:8080")));
        }
    }
});
