//! Domains on the server: claims and their proof ([`verify`]), what is looked at beforehand ([`preflight`]), the way of a certificate
//! ([`certify`]) through the authority ([`authority`]), of the platform's names, too ([`own`]), and what the edge gets of it all ([`material`]).
pub mod api;
pub mod authority;
pub mod dns_update;
pub mod events;
pub mod functions;
pub mod letters;
pub mod life;
pub mod material;
pub mod names;
pub mod pem;
pub mod preflight;
pub mod reach;
pub mod records;
pub mod resolve;
pub mod service;
pub mod task;
pub mod trust;
pub mod view;
pub mod warn;

use crate::runtime::wakes::Wake;

/// There may be a domain to check.
pub const DOMAINS: Wake = Wake::new("domains");
/// There may be a certificate to order.
pub const CERTIFICATES: Wake = Wake::new("certificates");
