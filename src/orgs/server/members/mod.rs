//! Members.
pub mod api;
pub mod service;
