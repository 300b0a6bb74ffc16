//! Accounts on the server.
pub mod api;
mod breached;
pub mod devices;
pub mod doors;
pub mod factors;
pub mod passwords;
pub mod service;
pub mod task;
pub mod tokens;
