//! The panel in-process: real router, real database, fake swarm.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    reason = "a test may fail where it stands, tells a whole story, and runs what it waits for"
)]
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
mod forms;
mod git;
mod invitations;
mod keys;
mod letters;
mod limits;
mod living;
mod mail;
mod metrics;
mod migrations;
mod openapi_document;
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
