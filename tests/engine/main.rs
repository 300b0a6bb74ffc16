//! What Docker really does, on an engine of our own (`scripts/engine.sh`). `make test` starts it and runs these inside its network:
//! first the adapter (`swarm`), then whole deployments by a panel that runs as its own process (`spine`, `bad_input`, `load`), alone
//! what kills panels and engines (`crash`), and at last on several engines (`scripts/swarm.sh`) what they keep apart (`walls`) and what is left
//! when one is lost (`loss`).
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    reason = "a test may fail where it stands, tells a whole story, and runs what it waits for"
)]
#[path = "../support/mod.rs"]
mod support;

#[macro_use]
#[path = "../../crates/swarm/tests/conformance/mod.rs"]
mod conformance;
mod away;
mod bad_input;
mod canary;
mod crash;
mod load;
mod loss;
mod panel;
mod several;
mod spine;
mod swarm;
mod walls;
