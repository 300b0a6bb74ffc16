//! Roles on single applications.
pub mod api;
pub mod service;
