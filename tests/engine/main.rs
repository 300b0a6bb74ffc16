//! What Docker really does, on an engine of our own (`scripts/engine.sh`). `make test` starts it and runs these inside its network:
//! first the adapter (`swarm`), then whole deployments by a panel that runs as its own process (`spine`, `bad_input`, `load`), at last
//! alone what kills panels and engines (`crash`).
#[path = "../support/mod.rs"]
mod support;

#[macro_use]
mod conformance;
mod bad_input;
mod crash;
mod load;
mod panel;
mod spine;
mod swarm;
