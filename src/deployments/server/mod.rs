//! Deployments on the server: the queue and its leases ([`task`]), the walk through the phases ([`drive`], [`steps`],
//! [`canary`]), and the loops that
//! keep what is live as it should be ([`converge`], [`routes`], [`garbage`]).
pub mod api;
pub mod canary;
pub mod converge;
pub mod dossier;
pub mod drive;
pub mod failure;
pub mod garbage;
pub mod log;
pub mod routes;
pub mod service;
pub mod spec;
pub mod start;
pub mod steps;
pub mod task;
pub mod view;
pub mod watch;
