//! Sending the trail elsewhere as it grows.
mod address;
mod send;
pub mod service;
pub mod task;
