//! Routing on the server: what members change ([`service`]), and what the edge gets of it ([`policies()`]).
pub mod api;
pub mod events;
pub mod forms;
pub mod functions;
pub mod policies;
pub mod rules;
pub mod service;

pub use policies::policies;
