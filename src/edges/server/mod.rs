//! The server's half.
pub mod api;
pub mod doors;
pub mod service;
pub mod stream;
pub mod task;
pub mod versions;
