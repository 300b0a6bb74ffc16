//! What an operator does: each file is one kind of thing.
pub mod announcements;
pub mod flags;
pub mod impersonation;
pub mod organizations;
pub mod people;
mod role_names;
