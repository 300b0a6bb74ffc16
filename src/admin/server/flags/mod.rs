//! How far features are rolled out.
pub mod service;
