//! People, whichever organizations they are in.
pub mod service;
