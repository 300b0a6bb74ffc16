//! What a line of the audit trail can tell. The trail is the feature `audit`'s; every feature declares what of its own stands there.

/// A kind of event. Each feature declares its own in `server/events.rs`: there are no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventKind {
    name: &'static str,
    words: &'static str,
}

impl EventKind {
    /// A kind by its name, as in `application.scaled`, and what it means for people: "An application was scaled".
    pub const fn new(name: &'static str, words: &'static str) -> Self {
        EventKind { name, words }
    }

    /// Its name, as lines and the API have it.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// What it means for people.
    pub fn words(self) -> &'static str {
        self.words
    }
}
