//! Writing the trail.
pub mod service;
