//! New ids and new secrets.
use crate::id::Id;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use std::sync::Mutex;

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

static LAST: Mutex<Option<ulid::Generator>> = Mutex::new(None);

/// The part of an id after its prefix; grows with time, also within a millisecond.
pub fn suffix() -> String {
    let mut last = LAST.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let next = last.get_or_insert_with(ulid::Generator::new).generate();
    next.unwrap_or_else(|_| ulid::Ulid::new()).to_string().to_lowercase()
}

/// A new id.
pub fn id<T: Id>() -> T {
    T::from_suffix(&suffix())
}

/// A new secret of 256 bits, for cookies and links.
pub fn token() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<32>())
}

/// Random bytes from the system.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    rand::fill(&mut out);
    out
}

/// How a token is stored: its SHA-256, in hex. Enough for a secret of 256 random bits; passwords take argon2id instead.
pub fn hash(token: &str) -> String {
    hex(&digest(token))
}

/// The SHA-256 of a token.
pub fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
