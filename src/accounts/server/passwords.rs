//! Hashing passwords: argon2id with the library's recommended cost, off the async threads, two at a time, so that a flood of
//! sign-ins can't take the machine's memory.
use crate::{accounts::model::Password, error::Result, platform::fault::Because};
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use std::sync::OnceLock;
use tokio::sync::Semaphore;

static TURN: Semaphore = Semaphore::const_new(2);
static NOBODY: OnceLock<String> = OnceLock::new();

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let _turn = TURN.acquire().await.because("waiting for a turn to hash")?;
    tokio::task::spawn_blocking(work).await.because("hashing a password")
}

/// The hash to store.
pub async fn hash(password: &Password) -> Result<String> {
    let bytes = password.as_bytes().to_vec();
    blocking(move || Argon2::default().hash_password(&bytes).map(|hash| hash.to_string())).await?.because("hashing a password")
}

/// Whether the password is the one. Without a hash it takes as long and says no, so that the time doesn't tell who has an account.
pub async fn verify(password: &str, hash: Option<&str>) -> Result<bool> {
    let known = hash.is_some();
    let nobody = || Argon2::default().hash_password(b"nobody has this one").map(|hash| hash.to_string()).unwrap_or_default();
    let hash = hash.map(str::to_string);
    let bytes = password.as_bytes().to_vec();
    blocking(move || {
        let hash = hash.unwrap_or_else(|| NOBODY.get_or_init(nobody).clone());
        let matches = PasswordHash::new(&hash).is_ok_and(|hash| Argon2::default().verify_password(&bytes, &hash).is_ok());
        matches && known
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let hash = hash(&"correct horse".parse().unwrap()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify("correct horse", Some(&hash)).await.unwrap());
        assert!(!verify("correct horsf", Some(&hash)).await.unwrap());
        assert!(!verify("nobody has this one", None).await.unwrap());
    }
}
