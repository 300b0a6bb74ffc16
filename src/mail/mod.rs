//! The operator's side of mail: it is sent from the outbox, what comes back is read, and pages show what became of each message. Other
//! features put messages into the outbox with `platform::mail::queue`.
pub mod fns;
pub mod model;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod server;
