//! The PROXY protocol: an announcement is never longer than what came, and what is said of a part is not taken back by the rest.
#![no_main]

#[path = "../../src/header.rs"]
#[allow(dead_code)]
mod proxy_protocol;

use proxy_protocol::read;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = read(bytes);
    if let Ok(Some(header)) = whole {
        assert!(header.length <= bytes.len());
        assert_eq!(read(&bytes[..header.length]), whole, "what follows does not matter");
    }
    for length in 0..bytes.len().min(300) {
        match read(&bytes[..length]) {
            Ok(None) => {}
            Ok(some) => assert_eq!(Ok(some), whole),
            Err(()) => assert_eq!(whole, Err(())),
        }
    }
});
