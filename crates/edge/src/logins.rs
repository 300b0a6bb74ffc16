//! Basic authentication (RFC 7617). A password's hash is dear to compute on purpose; what was found out is remembered for a while
//! under a keyed hash, so that each request of a page does not cost as much as the first, nor a wrong password more than once.
use super::snapshot::Login;
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

type Print = [u8; 32];

/// What came of a look at a request's credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Knock {
    Welcome,
    Unknown,
    /// Too many wrong ones are being looked at.
    Busy,
}

pub(super) struct Doorman {
    /// The salt of the prints, new with each start.
    salt: [u8; 32],
    known: Mutex<HashMap<Print, (bool, Instant)>>,
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

impl std::fmt::Debug for Doorman {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doorman").finish_non_exhaustive()
    }
}

impl Login {
    /// A login for a password, hashed at little cost (8 MiB): it guards a page before its own sign-in, and is asked with each request.
    pub fn new(user: &str, password: &str) -> Result<Self, String> {
        let cost = argon2::Params::new(8 * 1024, 2, 1, None).map_err(|why| why.to_string())?;
        let hasher = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, cost);
        let hash = hasher.hash_password(password.as_bytes()).map_err(|why| why.to_string())?;
        Ok(Login { user: user.into(), hash: hash.to_string() })
    }
}

impl Doorman {
    pub fn new() -> Self {
        Doorman { salt: rand::random(), known: Mutex::default(), turn: Semaphore::new(AT_ONCE) }
    }

    fn print(&self, login: &Login, password: &[u8]) -> Print {
        let mut hash = Sha256::new();
        hash.update(self.salt);
        hash.update((login.hash.len() as u64).to_le_bytes());
        hash.update(&login.hash);
        hash.update(password);
        hash.finalize().into()
    }

    fn remembered(&self, print: &Print) -> Option<bool> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(print).filter(|(_, at)| at.elapsed() < KEPT).map(|(is_right, _)| *is_right)
    }

    fn remember(&self, print: Print, is_right: bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= ANSWERS {
            known.retain(|_, (is_right, at)| *is_right && at.elapsed() < KEPT);
        }
        if known.len() < ANSWERS {
            known.insert(print, (is_right, Instant::now()));
        }
    }

    /// Looks at an `Authorization` header's value.
    pub async fn look(&self, logins: &[Login], queue: &Queue, value: Option<&[u8]>) -> Knock {
        let Some((user, password)) = value.and_then(credentials) else { return Knock::Unknown };
        let Some(login) = logins.iter().find(|login| login.user.as_bytes() == user) else { return Knock::Unknown };
        let print = self.print(login, &password);
        let answer = |is_right| if is_right { Knock::Welcome } else { Knock::Unknown };
        if let Some(is_right) = self.remembered(&print) {
            return answer(is_right);
        }
        let Ok(_place) = queue.0.try_acquire() else { return Knock::Busy };
        let Ok(_turn) = self.turn.acquire().await else { return Knock::Busy };
        if let Some(is_right) = self.remembered(&print) {
            return answer(is_right); // found out while this one waited
        }
        let hash = login.hash.clone();
        let verify = move || PasswordHash::new(&hash).is_ok_and(|hash| Argon2::default().verify_password(&password, &hash).is_ok());
        let is_right = tokio::task::spawn_blocking(verify).await.unwrap_or(false);
        self.remember(print, is_right);
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
        let (doorman, queue, logins) = (Doorman::new(), Queue::default(), [Login::new("ada", "corr:ect").unwrap()]);
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        for _ in 0..2 {
            assert_eq!(doorman.look(&logins, &queue, Some(basic("ada:corr:ect").as_bytes())).await, Knock::Welcome);
            assert_eq!(doorman.look(&logins, &queue, Some(basic("ada:wrong").as_bytes())).await, Knock::Unknown);
        }
        assert_eq!(doorman.known.lock().unwrap().len(), 2);
        for bad in [basic("bob:corr:ect"), basic("ada"), "Basic %%%".into(), "Bearer x".into(), "Bas".into(), String::new()] {
            assert_eq!(doorman.look(&logins, &queue, Some(bad.as_bytes())).await, Knock::Unknown, "{bad}");
        }
        assert_eq!(doorman.look(&logins, &queue, None).await, Knock::Unknown);
    }

    #[tokio::test]
    async fn a_new_password_holds_at_once() {
        let doorman = Doorman::new();
        let (old, new) = ([Login::new("ada", "old").unwrap()], [Login::new("ada", "new").unwrap()]);
        let value = format!("basic {}", BASE64_STANDARD.encode("ada:old"));
        assert_eq!(doorman.look(&old, &Queue::default(), Some(value.as_bytes())).await, Knock::Welcome);
        assert_eq!(doorman.look(&new, &Queue::default(), Some(value.as_bytes())).await, Knock::Unknown);
    }
}
