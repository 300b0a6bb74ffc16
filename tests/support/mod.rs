//! What the suites share. Each suite uses a part of it only.
#![allow(dead_code)]
pub mod account;
pub mod authenticator;
pub mod authority;
pub mod between;
pub mod canary;
pub mod client;
pub mod factors;
pub mod forms;
pub mod git_server;
pub mod names;
pub mod oidc_provider;
pub mod panel;
pub mod shop;
pub mod smtp;
