//! Secrets are masked where lines arise, before anything is stored or sent: as they are, in base64, and as a URL writes them.
use base64::prelude::*;

/// What stands instead of a secret.
pub const MASK: &str = "***";
/// Shorter ones are no secrets, and masking them would spoil every line.
const SHORTEST: usize = 6;

/// What must not be shown.
#[derive(Clone, Default)]
pub struct Masks(Vec<String>);

impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Masks({})", self.0.len())
    }
}

impl Masks {
    /// Masks these values, and each line of those that have several.
    pub fn of<'a>(values: impl IntoIterator<Item = &'a str>) -> Masks {
        Masks::default().and(values)
    }

    /// These, and those values' too.
    pub fn and<'a>(&self, values: impl IntoIterator<Item = &'a str>) -> Masks {
        let mut all = self.0.clone();
        for value in values {
            for part in std::iter::once(value.trim()).chain(value.lines().map(str::trim)) {
                if part.len() >= SHORTEST {
                    all.push(part.to_string());
                    all.push(BASE64_STANDARD.encode(part));
                    all.push(BASE64_URL_SAFE_NO_PAD.encode(part));
                    all.push(encoded(part));
                }
            }
        }
        // The longest first, so that none leaves a rest of another.
        all.sort_by_key(|mask| std::cmp::Reverse(mask.len()));
        all.dedup();
        Masks(all)
    }

    /// How many bytes of a text that is not over must be held back, so that no cut hides a secret from the search.
    pub fn carry(&self) -> usize {
        self.0.first().map_or(0, |longest| longest.len().saturating_sub(1))
    }

    /// The text without secrets.
    pub fn clean(&self, text: &str) -> String {
        let mut text = text.to_string();
        for mask in &self.0 {
            if text.contains(mask.as_str()) {
                text = text.replace(mask.as_str(), MASK);
            }
        }
        text
    }
}

fn encoded(part: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    part.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_in_every_form_that_tools_print() {
        let masks = Masks::of(["s3cr3t/token", "short", "first line\nsecond line"]);
        for (line, clean) in [
            ("token=s3cr3t/token.", "token=***."),
            ("c zNjcjN0L3Rva2Vu", "c zNjcjN0L3Rva2Vu"),
            ("Authorization: czNjcjN0L3Rva2Vu", "Authorization: ***"),
            ("https://x:s3cr3t%2Ftoken@host/", "https://x:***@host/"),
            ("short is shown", "short is shown"),
            ("second line alone", "*** alone"),
        ] {
            assert_eq!(masks.clean(line), clean);
        }
        assert!(masks.carry() >= "s3cr3t/token".len() - 1);
        assert!(!format!("{masks:?}").contains("s3cr3t"));
    }
}
