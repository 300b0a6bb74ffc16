//! SkyPanel: a platform for Docker Swarm that can be sold to strangers.
//!
//! This is the module table. Grounds (the crates `base`, `swarm`, `git`, `edge`, `agent`, and the modules `store`, `runtime`, `auth`, `web`, `outbox`, `kit`)
//! know no feature; features
//! stand in the order in which they may import each other. `docs/architecture.md` tells the why, `tests/architecture.rs` holds it.
#![recursion_limit = "256"]

// The grounds that are crates of their own are named here as if they were modules: `crate::swarm` is `crates/swarm`.
pub use base::{error, id, rights, units};
pub use git;
#[cfg(feature = "ssr")]
pub use {agent, edge, swarm};

pub mod kit;

#[cfg(feature = "ssr")]
pub mod auth;
#[cfg(feature = "ssr")]
pub mod fault;
#[cfg(feature = "ssr")]
pub mod feature;
#[cfg(feature = "ssr")]
pub mod outbox;
#[cfg(feature = "ssr")]
pub mod runtime;
#[cfg(feature = "ssr")]
pub mod store;
#[cfg(feature = "ssr")]
pub mod web;

#[cfg(feature = "ssr")]
pub mod flags;

pub mod audit;

pub mod accounts;

pub mod keys;
pub mod orgs;

pub mod mail;

pub mod reports;

pub mod plans;

pub mod clusters;

#[cfg(feature = "ssr")]
pub mod traffic;

pub mod edges;

pub mod apps;

pub mod routing;

pub mod deployments;

pub mod admin;
pub mod domains;

pub mod metrics;

pub mod site;

#[cfg(feature = "ssr")]
pub mod features;
#[cfg(feature = "ssr")]
pub mod router;
#[cfg(feature = "ssr")]
pub mod serve;

/// Wakes the islands of a page that the server has rendered.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
}
