//! Organizations on the server.
pub mod api;
pub mod forms;
pub mod grants;
pub mod hold;
pub mod invitations;
pub mod members;
pub mod roles;
pub mod service;
pub mod view;
