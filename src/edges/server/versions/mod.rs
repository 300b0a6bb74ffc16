//! Which version of what edges are told is the newest.
pub mod service;
