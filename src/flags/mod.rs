//! Feature flags and announcements, as every request needs them. The operator's pages that change them are in `admin`.
pub mod server;
