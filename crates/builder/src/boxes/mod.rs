//! Boxes that are real: one an organization, each a private engine in namespaces, a cgroup and a disk of its own, behind a gate.
//!
//! ```text
//! keeper (this process)  ──socket──  warden = the gate  ──parent──  box: first process → dockerd → containerd → steps
//! ```
//! The keeper decides, wardens do. Architecture invariant: nothing that a tenant typed reaches a program's arguments, a rule or a path
//! here; a box is known by its organization's id.
pub mod cgroup;
pub mod disk;
pub mod engine;
pub mod gate;
pub mod init;
mod keeper;
pub mod machine;
mod real;
pub mod resolver;
mod run;
mod tree;
pub mod warden;

pub use keeper::{BoxConfig, Boxes, Running};
