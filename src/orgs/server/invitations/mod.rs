//! Invitations: those who send them, and those who answer.
pub mod answer;
pub mod api;
pub mod service;
