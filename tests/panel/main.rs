//! The panel in-process: real router, real database, fake swarm.
#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod api;
mod command_line;
mod deploying;
mod git;
mod living;
mod migrations;
mod rights;
mod secrets;
mod streams;
mod swarm;
mod taking_over;
