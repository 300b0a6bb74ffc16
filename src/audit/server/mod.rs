//! The trail on the server.
pub mod api;
pub mod chain;
pub mod events;
pub mod export;
pub mod functions;
pub mod read;
pub mod service;
pub mod stream_address;
pub mod stream_send;
pub mod task;
pub mod verify;

use crate::runtime::wakes::Wake;

/// There may be lines of the audit trail to send.
pub const STREAMS: Wake = Wake::new("audit streams");
