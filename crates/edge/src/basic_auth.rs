//! Basic authentication (RFC 7617). A password's hash is dear to compute on purpose; what was found out is remembered for a while
//! under a keyed hash, so that each request of a page does not cost as much as the first, nor a wrong password more than once.
use super::snapshot::Credentials;
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// How long an answer is remembered.
const KEPT: Duration = Duration::from_secs(300);
/// How many answers are remembered.
const ANSWERS: usize = 4096;
/// Hashes computed at the same time, and requests of one route that wait for one or have one computed.
const AT_ONCE: usize = 2;
const WAITING: usize = 16;

/// What a check of a request's credentials found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuthOutcome {
    Valid,
    Invalid,
    /// They were not checked: too many unknown passwords of this route are being hashed.
    Busy,
}

/// Checks names and passwords, and remembers what it found by a keyed hash of the password.
pub(super) struct BasicAuth {
    /// The key of the fingerprints below, new with each start.
    salt: [u8; 32],
    known: Mutex<HashMap<[u8; 32], (bool, Instant)>>,
    turn: Semaphore,
}

/// Room for those who wait at one route, so that a flood of guesses there keeps nobody out elsewhere.
#[derive(Debug)]
pub(super) struct Queue(Semaphore);

impl Default for Queue {
    fn default() -> Self {
        Queue(Semaphore::new(WAITING))
    }
}

impl std::fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BasicAuth").finish_non_exhaustive()
    }
}

impl Credentials {
    /// A login for a password, hashed at little cost (8 MiB): it guards a page before its own sign-in, and is asked with each request.
    pub fn new(user: &str, password: &str) -> Result<Self, String> {
        let cost = argon2::Params::new(8 * 1024, 2, 1, None).map_err(|why| why.to_string())?;
        let hasher = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, cost);
        let hash = hasher.hash_password(password.as_bytes()).map_err(|why| why.to_string())?;
        Ok(Credentials { user: user.into(), hash: hash.to_string() })
    }
}

impl BasicAuth {
    pub fn new() -> Self {
        BasicAuth { salt: rand::random(), known: Mutex::default(), turn: Semaphore::new(AT_ONCE) }
    }

    fn fingerprint(&self, login: &Credentials, password: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.salt);
        hash.update((login.hash.len() as u64).to_le_bytes());
        hash.update(&login.hash);
        hash.update(password);
        hash.finalize().into()
    }

    fn remembered(&self, fingerprint: &[u8; 32]) -> Option<bool> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(fingerprint).filter(|(_, at)| at.elapsed() < KEPT).map(|(is_right, _)| *is_right)
    }

    fn remember(&self, fingerprint: [u8; 32], is_right: bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= ANSWERS {
            known.retain(|_, (is_right, at)| *is_right && at.elapsed() < KEPT);
        }
        if known.len() < ANSWERS {
            known.insert(fingerprint, (is_right, Instant::now()));
        }
    }

    /// Checks the value of an `Authorization` header against a route's logins.
    pub async fn check(&self, logins: &[Credentials], queue: &Queue, value: Option<&[u8]>) -> AuthOutcome {
        let Some((user, password)) = value.and_then(credentials) else { return AuthOutcome::Invalid };
        let Some(login) = logins.iter().find(|login| login.user.as_bytes() == user) else { return AuthOutcome::Invalid };
        let fingerprint = self.fingerprint(login, &password);
        let answer = |is_right| if is_right { AuthOutcome::Valid } else { AuthOutcome::Invalid };
        if let Some(is_right) = self.remembered(&fingerprint) {
            return answer(is_right);
        }
        let Ok(_place) = queue.0.try_acquire() else { return AuthOutcome::Busy };
        let Ok(_turn) = self.turn.acquire().await else { return AuthOutcome::Busy };
        if let Some(is_right) = self.remembered(&fingerprint) {
            return answer(is_right); // found out while this one waited
        }
        let hash = login.hash.clone();
        let verify = move || PasswordHash::new(&hash).is_ok_and(|hash| Argon2::default().verify_password(&password, &hash).is_ok());
        let is_right = tokio::task::spawn_blocking(verify).await.unwrap_or(false);
        self.remember(fingerprint, is_right);
        answer(is_right)
    }
}

/// The name and the password in `Basic …`.
fn credentials(value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (scheme, rest) = value.split_at_checked(6)?;
    let pair = scheme.eq_ignore_ascii_case(b"basic ").then(|| BASE64_STANDARD.decode(rest.trim_ascii()).ok())??;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some((pair[..colon].to_vec(), pair[colon + 1..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_has_the_password_comes_in_and_it_is_looked_at_once() {
        let (basic_auth, queue, logins) = (BasicAuth::new(), Queue::default(), [Credentials::new("ada", "corr:ect").unwrap()]);
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        for _ in 0..2 {
            assert_eq!(basic_auth.check(&logins, &queue, Some(basic("ada:corr:ect").as_bytes())).await, AuthOutcome::Valid);
            assert_eq!(basic_auth.check(&logins, &queue, Some(basic("ada:wrong").as_bytes())).await, AuthOutcome::Invalid);
        }
        assert_eq!(basic_auth.known.lock().unwrap().len(), 2);
        for bad in [basic("bob:corr:ect"), basic("ada"), "Basic %%%".into(), "Bearer x".into(), "Bas".into(), String::new()] {
            assert_eq!(basic_auth.check(&logins, &queue, Some(bad.as_bytes())).await, AuthOutcome::Invalid, "{bad}");
        }
        assert_eq!(basic_auth.check(&logins, &queue, None).await, AuthOutcome::Invalid);
    }

    #[tokio::test]
    async fn a_new_password_holds_at_once() {
        let basic_auth = BasicAuth::new();
        let (old, new) = ([Credentials::new("ada", "old").unwrap()], [Credentials::new("ada", "new").unwrap()]);
        let value = format!("basic {}", BASE64_STANDARD.encode("ada:old"));
        assert_eq!(basic_auth.check(&old, &Queue::default(), Some(value.as_bytes())).await, AuthOutcome::Valid);
        assert_eq!(basic_auth.check(&new, &Queue::default(), Some(value.as_bytes())).await, AuthOutcome::Invalid);
    }
}
