//! Those who are invited.
pub mod service;
