//! Organizations, whoever owns them.
pub mod service;
