//! Error reports on the server.
pub mod api;
pub mod service;
pub mod task;
