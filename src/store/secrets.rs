//! What must not be read from the database alone: sealing of secret values, and the keys that are derived for signing. The master
//! key lives in a file of its own (0600) outside the database; whoever has only one of the two has nothing.
pub use super::random::hex;
use crate::{
    error::{Error, Result},
    fault::Because,
    store::random,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use chacha20poly1305::{
    XChaCha20Poly1305,
    aead::{Aead, KeyInit, Payload},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::{io::Write, os::unix::fs::OpenOptionsExt, path::Path};

/// The first character of everything sealed with the present scheme.
const VERSION: &str = "1";
/// Bytes of a mail's tag: the local part of an address has room for 64 characters in all.
const MAIL_TAG: usize = 10;

/// The keys in use.
pub struct Secrets {
    sealing: XChaCha20Poly1305,
    succession: [u8; 32],
    forms: [u8; 32],
    mail: [u8; 32],
    trail: [u8; 32],
    cookies: [u8; 32],
}

impl Secrets {
    /// Reads the master key, or makes one where there is none yet.
    pub fn open(path: &Path) -> Result<Self> {
        let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        if let Ok(mut file) = made {
            let text = format!("{VERSION}:{}\n", STANDARD_NO_PAD.encode(random::bytes::<32>()));
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).because("writing the master key")?;
        }
        let text = std::fs::read_to_string(path).because("reading the master key")?;
        let key = text.trim().strip_prefix("1:").and_then(|key| STANDARD_NO_PAD.decode(key).ok()).filter(|key| key.len() == 32);
        key.map(|key| Self::from_master(&key)).ok_or_else(|| Error::Unavailable(format!("{} holds no master key.", path.display())))
    }

    /// Keys from a master key.
    pub fn from_master(master: &[u8]) -> Self {
        let sealing = derive(master, "seal");
        Secrets {
            sealing: XChaCha20Poly1305::new(&sealing.into()),
            succession: derive(master, "succession"),
            forms: derive(master, "forms"),
            mail: derive(master, "mail"),
            trail: derive(master, "trail"),
            cookies: derive(master, "edge cookies"),
        }
    }

    /// Seals a value; `of` binds it to its place, so that a sealed value can't be moved to another row.
    pub fn seal(&self, of: &str, value: &str) -> Result<String> {
        let nonce = random::bytes::<24>();
        let sealed =
            self.sealing.encrypt(&nonce.into(), Payload { msg: value.as_bytes(), aad: of.as_bytes() }).because("sealing a secret")?;
        Ok(format!("{VERSION}:{}", STANDARD_NO_PAD.encode([&nonce[..], &sealed[..]].concat())))
    }

    /// Opens what a visitor brought back; nothing where it is not ours.
    pub fn try_unseal(&self, of: &str, sealed: &str) -> Option<String> {
        let bytes = sealed.strip_prefix("1:").and_then(|text| STANDARD_NO_PAD.decode(text).ok()).filter(|bytes| bytes.len() > 24)?;
        let (nonce, body) = bytes.split_at(24);
        let nonce: [u8; 24] = nonce.try_into().ok()?;
        let opened = self.sealing.decrypt(&nonce.into(), Payload { msg: body, aad: of.as_bytes() }).ok()?;
        String::from_utf8(opened).ok()
    }

    /// Opens a sealed value again.
    pub fn unseal(&self, of: &str, sealed: &str) -> Result<String> {
        let bytes = sealed.strip_prefix("1:").and_then(|text| STANDARD_NO_PAD.decode(text).ok()).filter(|bytes| bytes.len() > 24);
        let bytes = bytes.ok_or("not sealed by us").because("opening a secret")?;
        let (nonce, body) = bytes.split_at(24);
        let nonce: [u8; 24] = nonce.try_into().because("opening a secret")?;
        let opened = self.sealing.decrypt(&nonce.into(), Payload { msg: body, aad: of.as_bytes() }).because("opening a secret")?;
        String::from_utf8(opened).because("opening a secret")
    }

    /// The token that follows another one: always the same, and nobody else can tell which.
    pub fn successor(&self, token: &str) -> String {
        URL_SAFE_NO_PAD.encode(mac(&self.succession, token))
    }

    /// What chains the audit trail.
    pub fn trail_key(&self) -> &[u8; 32] {
        &self.trail
    }

    /// What edges sign the cookies with that lead a visitor back to where he was.
    pub fn cookie_key(&self) -> &[u8; 32] {
        &self.cookies
    }

    /// The token that a page's forms carry, for one session or visit.
    pub fn form_token(&self, of: &str) -> String {
        hex(&mac(&self.forms, of))
    }

    /// Compares a form's token in constant time.
    pub fn is_form_token(&self, of: &str, token: &str) -> bool {
        let Ok(mut check) = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&self.forms) else { return false };
        check.update(of.as_bytes());
        unhex(token).is_some_and(|bytes| check.verify_slice(&bytes).is_ok())
    }

    /// The tag that proves that an address or a link in a mail was made here: 20 hex digits. `of` says what it is for, too.
    pub fn mail_tag(&self, of: &str) -> String {
        hex(&mac(&self.mail, of)[..MAIL_TAG])
    }

    /// Compares such a tag in constant time.
    pub fn is_mail_tag(&self, of: &str, tag: &str) -> bool {
        let Ok(mut check) = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&self.mail) else { return false };
        check.update(of.as_bytes());
        unhex(tag).is_some_and(|bytes| bytes.len() == MAIL_TAG && check.verify_truncated_left(&bytes).is_ok())
    }
}

fn mac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn derive(master: &[u8], purpose: &str) -> [u8; 32] {
    mac(master, &format!("skypanel {purpose} {VERSION}"))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_in_its_place() {
        let secrets = Secrets::from_master(&[7; 32]);
        let sealed = secrets.seal("app_1/KEY", "hunter2").unwrap();
        assert!(!sealed.contains("hunter2"));
        assert_eq!(secrets.unseal("app_1/KEY", &sealed).unwrap(), "hunter2");
        assert!(secrets.unseal("app_2/KEY", &sealed).is_err());
        assert!(Secrets::from_master(&[8; 32]).unseal("app_1/KEY", &sealed).is_err());
    }

    #[test]
    fn a_form_token_belongs_to_one_session() {
        let secrets = Secrets::from_master(&[7; 32]);
        let token = secrets.form_token("ses_a");
        assert!(secrets.is_form_token("ses_a", &token));
        assert!(!secrets.is_form_token("ses_b", &token));
        assert!(!secrets.is_form_token("ses_a", "zz"));
    }

    #[test]
    fn the_master_key_is_made_once_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let sealed = Secrets::open(&path).unwrap().seal("x", "y").unwrap();
        assert_eq!(Secrets::open(&path).unwrap().unseal("x", &sealed).unwrap(), "y");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
