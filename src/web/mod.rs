//! What a request goes through on its way to a feature: who asks and what she may do ([`ctx`]), forms, the REST conventions (errors,
//! pages of lists, ETags, idempotency, the OpenAPI document), streams, and the limits of it all. It knows no feature.
pub mod api;
pub mod attempts;
pub mod ctx;
pub mod declared;
pub mod docs;
pub mod etag;
pub mod forms;
pub mod gzipped;
pub mod http;
pub mod idempotency;
pub mod in_flight;
pub mod openapi;
pub mod published;
pub mod rate_limits;
pub mod sse;
pub mod unread;
