//! The panel in-process: real router, real database, fake swarm.
#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod addresses;
mod admin;
mod api;
mod audit;
mod audit_streams;
mod certificates;
mod command_line;
mod deploying;
mod domains;
mod factors;
mod git;
mod invitations;
mod keys;
mod limits;
mod living;
mod mail;
mod migrations;
mod orgs;
mod passkeys;
mod passwords;
mod plans;
mod providers;
mod reports;
mod rights;
mod secrets;
mod sessions;
mod streams;
mod swarm;
mod taking_over;
mod tokens;
