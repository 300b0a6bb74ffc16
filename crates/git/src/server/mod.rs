//! The server's half of reading repositories: the address rules, the held-in program, and the two things done with it.
pub mod address;
pub mod clone;
pub mod command;
pub mod error;
pub mod remote;
