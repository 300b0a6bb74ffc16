//! The cookie that leads a client back to where it was. It names nothing that means anything outside, and is signed, so that nobody
//! chooses a task or a release for himself.
use super::upstream::StickyMark;
use hmac::{Hmac, KeyInit, Mac};
use http::header;
use pingora_http::RequestHeader;
use sha2::Sha256;
use std::fmt::Write;

/// The cookie's name.
pub(super) const COOKIE: &str = "skypanel-edge";
/// Bytes of the signature that are kept.
const SIGNED: usize = 16;

/// The key that cookies are signed with.
#[derive(Clone)]
pub(super) struct Signer(Hmac<Sha256>);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Signer {
    /// Any key will do; nothing where the library takes none of this length.
    pub fn new(key: &[u8]) -> Option<Self> {
        Hmac::new_from_slice(key).ok().map(Signer)
    }

    fn mac(&self, app: &str, mark: StickyMark) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(&mark.task.to_be_bytes());
        mac.update(&mark.release.to_be_bytes());
        mac.update(app.as_bytes());
        mac
    }

    /// The cookie's value for a client of an application.
    pub fn sign(&self, app: &str, mark: StickyMark) -> String {
        let mut value = format!("{:016x}{:016x}", mark.task, mark.release);
        for byte in &self.mac(app, mark).finalize().into_bytes()[..SIGNED] {
            let _ = write!(value, "{byte:02x}");
        }
        value
    }

    /// What a value says, where it was signed here for this application.
    pub fn read(&self, app: &str, value: &str) -> Option<StickyMark> {
        if value.len() != 32 + 2 * SIGNED || !value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let number = |at: usize| u64::from_str_radix(&value[at..at + 16], 16).ok();
        let mark = StickyMark { task: number(0)?, release: number(16)? };
        let signature: Vec<_> = (32..value.len()).step_by(2).filter_map(|at| u8::from_str_radix(&value[at..at + 2], 16).ok()).collect();
        self.mac(app, mark).verify_truncated_left(&signature).ok().map(|()| mark)
    }
}

/// The values of a request's cookies of one name.
pub(super) fn cookies<'a>(request: &'a RequestHeader, name: &'a str) -> impl Iterator<Item = &'a str> {
    let headers = request.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    headers.flat_map(move |header| values(header, name))
}

fn values<'a>(header: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    header.split(';').filter_map(|pair| pair.trim().split_once('=')).filter(move |(found, _)| *found == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_signed_here_for_this_application_is_believed() {
        let (signer, mark) = (Signer::new(&[7; 32]).unwrap(), StickyMark { task: 1, release: u64::MAX });
        let value = signer.sign("app_1", mark);
        assert_eq!(signer.read("app_1", &value), Some(mark));
        assert_eq!(signer.read("app_2", &value), None);
        assert_eq!(Signer::new(&[8; 32]).unwrap().read("app_1", &value), None);
        for n in 0..value.len() {
            let mut bad = value.clone().into_bytes();
            bad[n] = if bad[n] == b'0' { b'1' } else { b'0' };
            assert_eq!(signer.read("app_1", std::str::from_utf8(&bad).unwrap()), None);
        }
        assert_eq!(signer.read("app_1", &value[..62]), None);
        assert_eq!(signer.read("app_1", &"é".repeat(32)), None);
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let header = format!("a=b; {COOKIE}=one;{COOKIE}=two; {COOKIE}x=three; bare");
        assert_eq!(values(&header, COOKIE).collect::<Vec<_>>(), ["one", "two"]);
    }
}
