//! What the suites share. Each suite uses a part of it only.
#![allow(dead_code)]
pub mod client;
pub mod git_server;
pub mod panel;
pub mod shop;
