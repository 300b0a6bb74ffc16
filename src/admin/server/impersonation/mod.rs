//! Acting in somebody’s name.
pub mod service;
