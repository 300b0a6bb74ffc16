//! The running process: its configuration, its clock, the panel that holds what all need, the loops and how they are, and word of
//! what changed. It knows no feature.
pub mod changes;
pub mod clock;
pub mod config;
pub mod fault_reports;
pub mod heartbeats;
pub mod loops;
pub mod panel;
mod parts;
pub mod swarms;
pub mod wakes;
