//! What every other crate stands on, on the server and in the browser alike: ids, units, rights, and the one error. It knows nothing
//! of databases, pages or Docker; where those need it in their own shape (a column, the answer of a server function), a feature of this
//! crate adds that shape, because Rust lets only the crate of a type do so.
//!
//! Architecture invariant: nothing here reads a clock, a file or the network.
pub mod id;

#[cfg(feature = "store")]
mod columns;
pub mod error;
#[cfg(feature = "pages")]
mod pages;
pub mod rights;
pub mod units;

/// For [`id_columns`], whose callers need not name the library.
#[cfg(feature = "store")]
#[doc(hidden)]
pub use sea_orm;
