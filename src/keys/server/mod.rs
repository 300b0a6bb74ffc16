//! Keys on the server.
pub mod api;
pub mod events;
pub mod functions;
pub mod once;
pub mod service;
