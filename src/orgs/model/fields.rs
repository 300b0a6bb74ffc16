//! The fields of organizations and the rule of each. Their errors are the sentences under the form fields.
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Letters of an organization's or a role's name.
pub const MAX_NAME: usize = 60;
/// Letters of a role's description.
pub const MAX_DESCRIPTION: usize = 300;
/// Letters of an invitation's message.
pub const MAX_MESSAGE: usize = 1_000;
/// How many members are changed at once.
pub const MAX_BULK: usize = 200;
/// How long an invitation is good where nothing is said, in hours.
pub const INVITATION_HOURS: u32 = 168;

/// One line without signs that nobody sees, trimmed.
pub fn line(text: &str, least: usize, most: usize) -> Option<String> {
    let text = text.trim();
    let sound = (least..=most).contains(&text.chars().count()) && !text.chars().any(|c| c.is_control() || is_invisible(c));
    sound.then(|| text.to_string())
}

/// Several lines, trimmed.
pub fn lines(text: &str, most: usize) -> Option<String> {
    let text = text.trim().replace("\r\n", "\n");
    let sound = text.chars().count() <= most && !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
    sound.then_some(text)
}

/// Signs that turn or hide text: names that look alike must be alike.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $rule:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl FromStr for $name {
            type Err = &'static str;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let rule: fn(&str) -> Result<String, &'static str> = $rule;
                rule(text).map(Self)
            }
        }
        impl TryFrom<String> for $name {
            type Error = &'static str;
            fn try_from(text: String) -> Result<Self, Self::Error> { text.parse() }
        }
        impl From<$name> for String {
            fn from(it: $name) -> String { it.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
    };
}

text! {
    /// An organization's name: 1 to 60 characters.
    OrgName, |text| line(text, 1, MAX_NAME).ok_or("A name has 1 to 60 characters on one line.")
}

text! {
    /// An organization's name in addresses: 3 to 40 lower-case letters, digits and hyphens.
    Slug, |text| {
        let text = text.trim();
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let sound = (3..=40).contains(&text.len()) && text.chars().all(fine) && !text.starts_with('-') && !text.ends_with('-') && !text.contains("--");
        match sound {
            true if RESERVED.contains(&text) => Err("This name is kept for the platform; choose another."),
            true => Ok(text.to_string()),
            false => Err("Use 3 to 40 lower-case letters, digits and single hyphens, like acme-shop."),
        }
    }
}

/// Slugs that would look like the platform's own addresses.
const RESERVED: [&str; 12] =
    ["www", "api", "admin", "panel", "skypanel", "new", "settings", "account", "support", "billing", "docs", "status"];

text! {
    /// A custom role's name: 1 to 60 characters, none of the given roles'.
    RoleName, |text| {
        let name = line(text, 1, MAX_NAME).ok_or("A name has 1 to 60 characters on one line.")?;
        let lower = name.to_lowercase();
        match crate::rights::Role::ALL.iter().any(|role| role.name() == lower) {
            true => Err("Every organization has a role of this name; choose another."),
            false => Ok(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_a_short_word_for_addresses() {
        for good in ["acme", "acme-2", "a1b", "01jd0000000000000000000000"] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
        for bad in ["", "ab", "Acme", "-acme", "acme-", "a--b", "a_b", "ä-shop", "a b", "admin", &"a".repeat(41)] {
            assert!(bad.parse::<Slug>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_one_visible_line() {
        assert_eq!(" Acme & Söhne ".parse::<OrgName>().unwrap().as_str(), "Acme & Söhne");
        for bad in ["", "  ", "a\nb", "a\0b", "a\u{202e}b", &"a".repeat(61)] {
            assert!(bad.parse::<OrgName>().is_err(), "{bad:?}");
        }
        assert!("Owner".parse::<RoleName>().is_err());
        assert!("Release manager".parse::<RoleName>().is_ok());
    }
}
