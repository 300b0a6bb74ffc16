//! Notes to users.
pub mod service;
