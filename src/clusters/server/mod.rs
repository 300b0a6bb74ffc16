//! Clusters on the server.
pub mod observe;
pub mod service;
pub mod task;
