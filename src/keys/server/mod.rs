//! Keys on the server.
pub mod api;
pub mod once;
pub mod service;
