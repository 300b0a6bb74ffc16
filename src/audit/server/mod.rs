//! The trail on the server.
pub mod api;
pub mod chain;
pub mod export;
pub mod read;
pub mod service;
pub mod stream_address;
pub mod stream_send;
pub mod task;
pub mod verify;
