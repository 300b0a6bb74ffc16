//! People: signing up, in and out. A password is stored as argon2id, a session as the hash of its token; guessing is throttled
//! per address and per account.
pub mod fns;
pub mod model;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod server;
