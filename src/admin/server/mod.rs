//! The operator's feature on the server.
pub mod announcements;
pub mod api;
pub mod command;
pub mod doctor;
pub mod doors;
pub mod flags;
pub mod forms;
pub mod impersonation;
pub mod organizations;
pub mod overview;
pub mod people;
