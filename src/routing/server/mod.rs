//! Routing on the server: what members change ([`service`]), and what the edge gets of it ([`policies()`]).
pub mod api;
pub mod forms;
pub mod paths;
pub mod policies;
pub mod service;

pub use policies::policies;
