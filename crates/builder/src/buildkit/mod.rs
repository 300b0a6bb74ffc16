//! A build by BuildKit, over the engine's own API, with no client of Docker's: the request, the progress, and the session in which BuildKit
//! asks back.
pub mod masks;
pub mod proto;
pub mod request;
pub mod session;
pub mod trace;
