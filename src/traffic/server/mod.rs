//! Traffic on the server.
pub mod service;
