//! Passwords: whether one is good enough, and hashing. Hashes are argon2id with the library's recommended cost, off the async threads, two at a time, so that a flood of
//! sign-ins can't take the machine's memory.
//!
//! One password has several spellings in Unicode: keyboards send an `é` as one character or as two, by the system that they belong to. What is
//! hashed and what is checked is the composed spelling (NFC, as RFC 8265 has it for passwords; NIST SP 800-63B asks for a normal form). A hash from
//! before this rule is of what was typed, so that spelling is tried as well, and the hash is replaced once it has matched.
use super::breached;
use crate::{
    accounts::model::Password,
    error::{Error, Result},
    fault::Because,
    runtime::panel::Panel,
};
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use std::sync::OnceLock;
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

static TURN: Semaphore = Semaphore::const_new(2);
static NOBODY: OnceLock<String> = OnceLock::new();

/// How a password stands to a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordMatch {
    /// It is another password.
    No,
    /// It is the one.
    Yes,
    /// It is the one, but the hash is of a spelling that is not normalized. Whoever may write replaces it by [`rehash`].
    OtherSpelling,
}

/// The spelling of a password that is hashed.
fn normalized(password: &str) -> String {
    password.nfc().collect()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let _turn = TURN.acquire().await.because("waiting for a turn to hash")?;
    tokio::task::spawn_blocking(work).await.because("hashing a password")
}

/// Refuses a password that is easy to guess, for somebody of whom `about` is known, or that is in the operator's list of stolen ones.
/// `field` is the form's name of it.
pub async fn judge(panel: &Panel, field: &str, password: &Password, about: &[&str]) -> Result<()> {
    let parts = about.iter().flat_map(|text| text.split(['@', ' ', '.']).chain([*text]));
    let about: Vec<String> = parts.map(str::to_lowercase).collect();
    let (list, bytes) = (panel.config.accounts.breached_passwords_file.clone(), normalized(password.as_str()).into_bytes());
    let refused = blocking(move || {
        let mut about: Vec<&str> = about.iter().map(String::as_str).filter(|word| word.len() > 2).collect();
        about.push("skypanel");
        if let Some(why) = too_easy(&String::from_utf8_lossy(&bytes), &about) {
            return Some(why);
        }
        match list.map(|list| breached::lists(&list, &bytes)) {
            Some(Ok(true)) => Some("This password is in a list of stolen ones, which attackers try first; choose another.".into()),
            Some(Err(why)) => {
                tracing::error!(cause = ?why.to_string(), "the list of stolen passwords can’t be searched");
                None
            }
            _ => None,
        }
    });
    refused.await?.map_or(Ok(()), |why| Err(Error::invalid(field, why)))
}

/// Why a password is too easy to guess; nothing where it is not.
fn too_easy(password: &str, about: &[&str]) -> Option<String> {
    let guessed = zxcvbn::zxcvbn(password, about);
    let warning = || guessed.feedback().and_then(|feedback| feedback.warning()).map(|warning| format!(" {warning}")).unwrap_or_default();
    let is_easy = guessed.score() < zxcvbn::Score::Two;
    is_easy.then(|| {
        format!("This password is easy to guess.{} Take, for example, four words that have nothing to do with each other.", warning())
    })
}

/// The hash to store.
pub async fn hash(password: &Password) -> Result<String> {
    rehash(password.as_str()).await
}

/// The hash to store of a password that has matched an older hash.
pub async fn rehash(password: &str) -> Result<String> {
    let bytes = normalized(password).into_bytes();
    blocking(move || Argon2::default().hash_password(&bytes).map(|hash| hash.to_string())).await?.because("hashing a password")
}

/// Whether the password is the one. Without a hash it takes as long and says no, so that the time doesn't tell who has an account.
pub async fn verify(password: &str, hash: Option<&str>) -> Result<PasswordMatch> {
    // An account that signs in by other ways only has no password.
    let hash = hash.filter(|hash| hash.starts_with('$'));
    let known = hash.is_some();
    let nobody = || Argon2::default().hash_password(b"nobody has this one").map(|hash| hash.to_string()).unwrap_or_default();
    let hash = hash.map(str::to_string);
    let (typed, composed) = (password.to_string(), normalized(password));
    blocking(move || {
        let hash = hash.unwrap_or_else(|| NOBODY.get_or_init(nobody).clone());
        let is = |text: &str| PasswordHash::new(&hash).is_ok_and(|hash| Argon2::default().verify_password(text.as_bytes(), &hash).is_ok());
        // Both are asked before it is looked whether there is a hash at all.
        if is(&composed) && known {
            PasswordMatch::Yes
        } else if typed != composed && is(&typed) && known {
            PasswordMatch::OtherSpelling
        } else {
            PasswordMatch::No
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_easy_to_guess_is_told_why() {
        for (password, why) in [
            ("password12345", "similar to a commonly used password"),
            ("abcdefghijklm", "Sequences like abc"),
            ("abcabcabcabc", "Repeats like"),
            ("adalovelace", "easy to guess"),
        ] {
            let told = too_easy(password, &["ada", "lovelace"]).unwrap_or_else(|| panic!("{password} is taken"));
            assert!(told.contains(why), "{password}: {told}");
        }
        for good in ["correct horse battery", "correct horse", "nine pink lamps of winter", "vK3#w9!pQz7d"] {
            assert_eq!(too_easy(good, &["ada"]), None, "{good}");
        }
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let hash = hash(&"correct horse".parse().unwrap()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert_eq!(verify("correct horse", Some(&hash)).await.unwrap(), PasswordMatch::Yes);
        assert_eq!(verify("correct horsf", Some(&hash)).await.unwrap(), PasswordMatch::No);
        assert_eq!(verify("nobody has this one", None).await.unwrap(), PasswordMatch::No);
    }

    #[tokio::test]
    async fn one_password_has_one_hash_however_it_is_spelled() {
        let (composed, decomposed) = ("caf\u{e9} am See um neun", "cafe\u{301} am See um neun");
        for set in [composed, decomposed] {
            let hash = hash(&set.parse().unwrap()).await.unwrap();
            for typed in [composed, decomposed] {
                assert_eq!(verify(typed, Some(&hash)).await.unwrap(), PasswordMatch::Yes);
            }
        }
        let old = Argon2::default().hash_password(decomposed.as_bytes()).unwrap().to_string();
        assert_eq!(verify(decomposed, Some(&old)).await.unwrap(), PasswordMatch::OtherSpelling);
        assert_eq!(verify(composed, Some(&old)).await.unwrap(), PasswordMatch::No);
        assert_eq!(verify(composed, Some(&rehash(decomposed).await.unwrap())).await.unwrap(), PasswordMatch::Yes);
    }
}
