//! Keys on the server.
pub mod api;
pub mod doors;
pub mod service;
