//! Accounts on the server.
pub mod api;
pub mod doors;
pub mod passwords;
pub mod service;
