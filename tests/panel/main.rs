//! The panel in-process: real router, real database, fake swarm.
#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod addresses;
mod admin;
mod api;
mod audit;
mod audit_streams;
mod canary;
mod certificates;
mod command_line;
mod deploying;
mod domains;
mod edges;
mod factors;
mod git;
mod invitations;
mod keys;
mod limits;
mod living;
mod mail;
mod metrics;
mod migrations;
mod orgs;
mod passkeys;
mod passwords;
mod plans;
mod providers;
mod reports;
mod rights;
mod routing;
mod secrets;
mod sessions;
mod streams;
mod taking_over;
mod tokens;
