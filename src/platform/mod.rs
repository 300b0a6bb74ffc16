//! The grounds that features stand on: configuration, database, clock and secrets, the panel that holds them, the context of a
//! request with its rights, the doors' conventions, and the loops.
pub mod api;
pub mod clock;
pub mod config;
pub mod ctx;
pub mod db;
pub mod fault;
pub mod forms;
pub mod fresh;
pub mod http;
pub mod hub;
pub mod mail;
pub mod openapi;
pub mod panel;
pub mod secrets;
pub mod session;
pub mod sse;
pub mod swarms;
pub mod tasks;
pub mod throttle;
