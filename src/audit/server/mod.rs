//! The trail on the server.
pub mod api;
pub mod export;
pub mod read;
pub mod service;
pub mod streams;
pub mod verify;
