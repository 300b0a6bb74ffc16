//! Codes: those of authenticator apps (TOTP, RFC 6238: SHA-1, six digits, thirty seconds, what every app knows), and recovery codes.
use crate::{
    accounts::model::factors::{RECOVERY_CODES, TotpSetup},
    error::Result,
    fault::Because,
    id::{Id, UserId},
    store::random,
    units::Timestamp,
};
use qrcode::{QrCode, render::svg};
use totp_rs::{Algorithm, Builder, Secret, Totp};

/// Seconds that a code is shown.
const STEP: u64 = 30;
/// Steps that an app's clock may be off.
const SKEW: u16 = 1;
/// The letters of recovery codes: none that look alike.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A new seed of 160 bits, in base 32.
pub fn seed() -> String {
    Secret::new_stack(random::bytes::<20>()).to_base32()
}

fn totp(seed: &str) -> Result<Totp> {
    let secret = Secret::try_from_base32(seed).map_err(|_| "no base 32").because("reading a seed")?;
    let made = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_skew(SKEW).with_step_duration(STEP).with_secret(secret);
    made.build().map_err(|why| why.to_string()).because("reading a seed")
}

/// The step whose code this is, where it is that of now or one beside it.
pub fn step_of(seed: &str, code: &str, now: Timestamp) -> Result<Option<i64>> {
    let seconds = u64::try_from(now.millis() / 1000).because("reading the clock")?;
    Ok(totp(seed)?.check(code, seconds).and_then(|step| i64::try_from(step).ok()))
}

/// The code of a moment.
pub fn code_at(seed: &str, at: Timestamp) -> Result<String> {
    let seconds = u64::try_from(at.millis() / 1000).because("reading the clock")?;
    Ok(totp(seed)?.generate(seconds).to_string())
}

/// What an authenticator app needs to know.
pub fn setup(issuer: &str, account: &str, seed: &str) -> Result<TotpSetup> {
    let part = |text: &str| url::form_urlencoded::byte_serialize(text.replace(':', " ").as_bytes()).collect::<String>().replace('+', "%20");
    let uri = format!(
        "otpauth://totp/{issuer}:{account}?secret={seed}&issuer={issuer}&algorithm=SHA1&digits=6&period={STEP}",
        issuer = part(issuer),
        account = part(account)
    );
    let image = QrCode::new(uri.as_bytes()).because("drawing a QR code")?;
    let qr_svg = image.render::<svg::Color<'_>>().min_dimensions(200, 200).quiet_zone(true).build();
    // The declaration of XML has no place within HTML.
    let qr_svg = qr_svg.split_once("?>").map_or(qr_svg.clone(), |(_, svg)| svg.to_string());
    Ok(TotpSetup { secret: seed.into(), uri, qr_svg })
}

/// What was typed without spaces and dashes, in lower case.
pub fn plain(code: &str) -> String {
    code.chars().filter(|c| !c.is_whitespace() && *c != '-').take(64).collect::<String>().to_lowercase()
}

/// Whether it looks like a code of an app.
pub fn is_totp(plain: &str) -> bool {
    plain.len() == 6 && plain.bytes().all(|byte| byte.is_ascii_digit())
}

/// New recovery codes of 80 bits each, like `k3v9-7m2x-qz0d-4ahw`.
pub fn recovery() -> Vec<String> {
    let one = |_| {
        let letters: Vec<char> = random::bytes::<16>().iter().map(|byte| LETTERS[usize::from(byte % 32)] as char).collect();
        letters.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join("-")
    };
    (0..RECOVERY_CODES).map(one).collect()
}

/// How a recovery code is stored.
pub fn recovery_hash(user: &UserId, code: &str) -> String {
    random::hash(&format!("recovery {} {}", user.as_str(), plain(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_that_of_rfc_6238() {
        // Appendix B: the seed "12345678901234567890", at 59 s the code 94287082, of which apps show the last six digits.
        let seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        assert_eq!(code_at(seed, Timestamp(59_000)).unwrap(), "287082");
        assert_eq!(step_of(seed, "287082", Timestamp(59_000)).unwrap(), Some(1));
        assert_eq!(step_of(seed, "287082", Timestamp(89_000)).unwrap(), Some(1), "one step late");
        assert_eq!(step_of(seed, "287082", Timestamp(29_000)).unwrap(), Some(1), "one step early");
        assert_eq!(step_of(seed, "287082", Timestamp(90_000)).unwrap(), None, "two steps late");
        for no_code in ["", "28708", "2870822", "abcdef", "２８７０８２"] {
            assert_eq!(step_of(seed, no_code, Timestamp(59_000)).unwrap(), None, "{no_code}");
        }
    }

    #[test]
    fn an_app_is_told_who_and_where_and_nothing_breaks_out() {
        let setup = setup("Sky:Panel", "ada+x&secret=evil@example.com", "GEZDGNBVGY3TQOJQ").unwrap();
        assert!(setup.uri.starts_with("otpauth://totp/Sky%20Panel:ada%2Bx%26secret%3Devil%40example.com?secret=GEZDGNBVGY3TQOJQ&"));
        assert!(setup.qr_svg.starts_with("<svg "), "{}", &setup.qr_svg[..40]);
    }

    #[test]
    fn recovery_codes_are_all_different_and_read_as_typed() {
        let codes = recovery();
        assert_eq!(codes.iter().collect::<std::collections::BTreeSet<_>>().len(), RECOVERY_CODES as usize);
        let user: UserId = random::id();
        assert_eq!(recovery_hash(&user, &codes[0]), recovery_hash(&user, &format!(" {} ", codes[0].replace('-', "").to_uppercase())));
        assert_ne!(recovery_hash(&user, &codes[0]), recovery_hash(&random::id(), &codes[0]), "of another person");
        assert!(!is_totp(&plain(&codes[0])));
        assert!(is_totp(&plain("123 456")));
    }
}
