//! Waking loops before their tick. What may wake a loop is a constant in the lowest feature that does it, so that a feature below the loop's
//! own can wake it without knowing it, and a new loop adds nothing here.
use elsa::sync::FrozenMap;
use std::fmt;
use tokio::sync::Notify;

/// A reason to wake one loop. Its name is the loop's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wake(&'static str);

impl Wake {
    /// The reason to wake the loop of this name.
    pub const fn new(name: &'static str) -> Self {
        Wake(name)
    }

    /// The name of the loop that it wakes.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// The bells of one panel, each made when it is needed for the first time.
#[derive(Default)]
pub struct Wakes(FrozenMap<&'static str, Box<Notify>>);

impl fmt::Debug for Wakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wakes")
    }
}

impl Wakes {
    /// The bell of a wake. Of two who make it at once, both get the first one's.
    pub fn of(&self, wake: Wake) -> &Notify {
        self.0.get(wake.0).unwrap_or_else(|| self.0.insert(wake.0, Box::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wake_that_came_before_anybody_waited_is_not_lost() {
        let wakes = Wakes::default();
        wakes.of(Wake::new("mail")).notify_one();
        wakes.of(Wake::new("mail")).notified().await;
    }
}
