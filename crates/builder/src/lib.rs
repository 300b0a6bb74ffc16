//! Strangers' code is built in a box: a place of its own for each organization, from which nothing of the platform, its machines or another
//! tenant can be reached. `docs/builders.md` says what is decided and why.
//!
//! Architecture invariant: the wall is a place, not a check. What is judged here by name or text (`ranges` for names, the scanner of
//! Dockerfiles) makes better sentences; nothing relies on it.
#![allow(clippy::disallowed_methods, reason = "each task here ends with what it belongs to: a box, a build, a connection")]
pub mod boxes;
pub mod buildkit;
pub mod context;
pub mod dockerfile;
pub mod fake;
pub mod ignore;
pub mod ranges;
pub mod seam;
pub mod verdict;

pub use boxes::{BoxConfig, Boxes};
pub use seam::Builder;
