//! The server's half.
pub mod api;
pub mod distribution;
pub mod events;
pub mod functions;
pub mod material;
pub mod once;
pub mod service;
pub mod stream;
pub mod task;
