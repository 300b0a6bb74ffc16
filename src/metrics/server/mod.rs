//! Metrics on the server.
pub mod access;
pub mod api;
pub mod asked;
pub mod prometheus;
pub mod service;
pub mod task;
pub mod watch;
