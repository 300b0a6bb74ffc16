//! Canaries on the server: what an application says of its new releases and what members can do while one runs ([`service`]), the
//! steps of one ([`task`]), what both releases were asked ([`numbers`]), what the edges are told ([`share`]), and how it is shown ([`view`]).
pub mod forms;
pub mod numbers;
pub mod service;
pub mod share;
pub mod task;
pub mod view;
