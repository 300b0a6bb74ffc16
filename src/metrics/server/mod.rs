//! Metrics on the server.
pub mod access;
pub mod api;
pub mod prometheus;
pub mod query;
pub mod service;
pub mod task;
pub mod watch;
