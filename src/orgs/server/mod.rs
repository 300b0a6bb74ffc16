//! Organizations on the server.
pub mod api;
pub mod forms;
pub mod hold;
pub mod service;
pub mod view;
