//! Paths under hosts of the organization.
pub mod service;
