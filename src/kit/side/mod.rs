//! The two sides of the wire. The same verbs stand in `browser` and in `server`: what only a browser can do does nothing on the
//! server, and the other way round, so that a component is written once and names neither side. This is the only place in the
//! pages that knows which side it is compiled for, and `browser` the only file that names `web_sys`.
#[cfg(feature = "hydrate")]
mod browser;
#[cfg(feature = "hydrate")]
pub use browser::*;

#[cfg(not(feature = "hydrate"))]
mod server;
#[cfg(not(feature = "hydrate"))]
pub use server::*;
