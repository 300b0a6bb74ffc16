//! Applications on the server.
pub mod api;
pub mod ending;
pub mod env;
pub mod events;
pub mod forms;
pub mod functions;
pub mod logs;
pub mod service;
pub mod task;
pub mod view;
pub mod watch;
