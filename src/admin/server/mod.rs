//! The operator's feature on the server.
pub mod api;
pub mod command;
pub mod cookies;
pub mod doctor;
pub mod events;
pub mod forms;
pub mod functions;
pub mod overview;
pub mod service;
