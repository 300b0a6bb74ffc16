//! Reading customers' repositories. The `git` program does the protocol work; we hold it in: no shell, `http` and `https` only,
//! no prompt, no configuration of the machine's, no hooks or filters, the host's addresses looked up once, checked and pinned
//! (so that a name can't change its mind between the check and the use), redirects off, bounded in time and size, and killed
//! with its children when the caller stops waiting.
//!
//! Submodules and LFS objects are not fetched: a checkout has what the commit itself holds, empty folders where submodules
//! stand and pointer files where LFS objects do. Symbolic links are kept as the author made them and may lead anywhere: who
//! reads a checkout on the panel's side must not follow them.
mod model;
#[cfg(feature = "server")]
pub mod server;

pub use model::{Branch, CommitHash, GitUrl, Remote};
#[cfg(feature = "server")]
pub use server::{
    address::AddressPolicy,
    clone::{Checkout, CloneSpec, clone},
    command::check,
    error::GitError,
    remote::ls_remote,
};
