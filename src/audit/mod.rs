//! The audit trail: who did what, on what, from where. A line is written in the transaction of the deed, so that there is
//! never one without the other.
#[cfg(feature = "ssr")]
pub mod server;
