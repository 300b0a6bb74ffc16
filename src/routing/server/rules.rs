//! What applications ask of the edge, kept in the form that routes need, so that a pass over many applications parses only what changed.
use crate::{edge::Policy, id::AppId};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Which requests without TLS are sent to the same address with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpsWish {
    /// Those for a host that has a certificate.
    #[default]
    WhereCertified,
    /// All.
    Always,
    /// None.
    Never,
}

/// What one application asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AppRules {
    /// The version of its row.
    pub version: i64,
    pub https: HttpsWish,
    /// Its replicas speak HTTP/2 without TLS.
    pub h2c: bool,
    /// All that does not hang on the host.
    pub policy: Policy,
}

/// The rules by application, as was last read.
#[derive(Debug, Default)]
pub struct Rulebook(Mutex<Arc<HashMap<AppId, Arc<AppRules>>>>);

impl Rulebook {
    /// What is known.
    pub fn known(&self) -> Arc<HashMap<AppId, Arc<AppRules>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another in its place.
    pub fn replace(&self, with: Arc<HashMap<AppId, Arc<AppRules>>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = with;
    }
}
