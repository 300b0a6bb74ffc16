//! Where a cause becomes [`Error::Internal`]: it is logged once, with what was being done, under the reference that the customer
//! is shown.
use crate::error::{Error, Result};
use std::{fmt::Display, sync::OnceLock};

/// Who else is told of each cause: its reference, what was being done, the cause. Must neither fail nor wait.
pub type Listener = fn(&str, &str, &str);

static LISTENER: OnceLock<Listener> = OnceLock::new();

/// Tells this listener of every cause from now on. The first one stays.
pub fn listen(listener: Listener) {
    LISTENER.set(listener).ok();
}

/// Says what was being done when something failed that should not.
pub trait Because<T> {
    /// Logs the cause and answers with its reference. `doing` is a clause: "reading the service back from the swarm".
    fn because(self, doing: &'static str) -> Result<T>;
}

// What the standard library takes as the cause of an error: every `std::error::Error`, and plain text. Our own `Error` is neither: what it
// says is meant for the caller, and must reach her.
impl<T, E: Into<Box<dyn std::error::Error>>> Because<T> for Result<T, E> {
    fn because(self, doing: &'static str) -> Result<T> {
        self.map_err(|cause| internal(doing, cause.into()))
    }
}

/// Logs a cause and answers with its reference.
pub fn internal(doing: &str, cause: impl Display) -> Error {
    let reference = format!("err_{}", crate::store::random::suffix());
    let cause = cause.to_string();
    // `?` quotes control characters: a cause may hold what a tenant typed.
    tracing::error!(error.reference = %reference, cause = ?cause, "failed while {doing}");
    if let Some(listener) = LISTENER.get() {
        listener(&reference, doing, &cause);
    }
    Error::Internal(reference)
}

#[cfg(test)]
mod tests {
    use super::{Because, Error};

    // A refusal that became a fault would tell a customer that we are broken, in place of what she can do.
    static_assertions::assert_not_impl_any!(Result<(), Error>: Because<()>);
    static_assertions::assert_impl_all!(Result<(), &'static str>: Because<()>);
    static_assertions::assert_impl_all!(Result<(), std::io::Error>: Because<()>);
}
