//! Mail on the server: the loop that sends ([`task`]), how a message is written ([`render`], [`letter`]), what comes back ([`bounces`],
//! [`dsn`], [`hook`]) and is opened ([`doors`]), and what the operator does ([`service`]).
pub mod api;
pub mod bounces;
pub mod dsn;
pub mod events;
pub mod functions;
pub mod hook;
pub mod letter;
pub mod letters;
pub mod render;
pub mod service;
pub mod smtp;
pub mod task;
pub mod tracking;
pub mod view;
