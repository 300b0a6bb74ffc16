//! A domain's name. Typed in any script, stored as DNS has it: A-labels in lower case, without the dot at the end.
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr, str::FromStr};

/// A host name of at least two labels, or `*.` and one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct DomainName(String);

impl DomainName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for every name below another.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// Without the star.
    pub fn base(&self) -> &str {
        self.0.strip_prefix("*.").unwrap_or(&self.0)
    }

    /// `www.example.com` of `example.com`, and the other way round; nothing for a wildcard.
    pub fn counterpart(&self) -> Option<DomainName> {
        match self.0.strip_prefix("www.") {
            _ if self.is_wildcard() => None,
            Some(apex) => apex.parse().ok(),
            None => format!("www.{}", self.0).parse().ok(),
        }
    }

    /// Where the ownership record stands.
    pub fn ownership(&self) -> String {
        format!("_skypanel.{}", self.base())
    }

    /// Where the DNS challenge's answer is looked for.
    pub fn challenge(&self) -> String {
        format!("_acme-challenge.{}", self.base())
    }

    /// What somebody typed, tidied, where it means this name.
    pub fn shown(&self, typed: &str) -> String {
        let tidy = tidy(typed).to_lowercase();
        if tidy.parse::<DomainName>().is_ok_and(|name| name == *self) { tidy } else { self.0.clone() }
    }
}

fn tidy(typed: &str) -> &str {
    let typed = typed.trim();
    typed.strip_suffix('.').unwrap_or(typed)
}

fn claim(holds: bool, why: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why.to_string()) }
}

impl FromStr for DomainName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let typed = tidy(text);
        claim(!typed.is_empty(), "Give a domain, like shop.example.com.")?;
        claim(typed.len() <= 1024, "A domain has at most 253 characters.")?;
        claim(!typed.contains("//") && !typed.contains('/'), "Give the domain alone, without https:// and without a path.")?;
        let bare = typed.trim_start_matches('[').trim_end_matches(']');
        claim(bare.parse::<IpAddr>().is_err(), "That is an IP address. Give a domain, and point it to that address.")?;
        claim(!typed.contains('@'), "Give the domain alone, without what stands before the @.")?;
        claim(!typed.contains(':'), "Give the domain alone, without a port.")?;
        claim(!typed.contains(char::is_whitespace), "A domain has no spaces.")?;
        let (star, rest) = match typed.strip_prefix("*.") {
            Some(rest) => ("*.", rest),
            None => ("", typed),
        };
        claim(!rest.contains('*'), "A star stands in front and alone, as in *.example.com.")?;
        claim(!rest.split('.').any(str::is_empty), "There is a dot too many.")?;
        claim(!rest.contains('_'), "A domain that browsers visit has no underscores.")?;
        let ascii = idna::domain_to_ascii_strict(rest).map_err(|_| refusal(rest))?;
        claim(ascii.len() + star.len() <= 253, "A domain has at most 253 characters.")?;
        let last = ascii.rsplit('.').next().unwrap_or_default();
        claim(ascii.contains('.'), "A domain has at least two parts, as in example.com.")?;
        claim(!last.bytes().all(|b| b.is_ascii_digit()), "The last part of a domain is no number.")?;
        Ok(DomainName(format!("{star}{ascii}")))
    }
}

/// Why a name is none, as far as that can be told.
fn refusal(rest: &str) -> String {
    let long = rest.split('.').any(|label| idna::domain_to_ascii(label).map_or(label.len(), |ascii| ascii.len()) > 63);
    let hyphen = rest.split('.').any(|label| label.starts_with('-') || label.ends_with('-'));
    match (long, hyphen) {
        (true, _) => "Each part of a domain has at most 63 characters.",
        (_, true) => "No part of a domain begins or ends with a hyphen.",
        _ if rest.len() > 253 => "A domain has at most 253 characters.",
        _ => "A domain has letters, digits and hyphens, in any script, with dots between its parts.",
    }
    .into()
}

impl TryFrom<String> for DomainName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<DomainName> for String {
    fn from(name: DomainName) -> String {
        name.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stored_as_dns_has_them() {
        for (typed, stored) in [
            ("Shop.Example.COM", "shop.example.com"),
            (" example.com. ", "example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("faß.example", "xn--fa-hia.example"),
            ("*.example.com", "*.example.com"),
            ("a.b.c.d.example.co.uk", "a.b.c.d.example.co.uk"),
        ] {
            assert_eq!(typed.parse::<DomainName>().map(String::from), Ok(stored.to_string()), "{typed}");
        }
        assert_eq!("xn--bcher-kva.example".parse::<DomainName>().unwrap().shown("Bücher.example."), "bücher.example");
    }

    #[test]
    fn what_is_no_name_says_why() {
        let long = format!("{}.com", "a".repeat(64));
        let longer = vec!["abcdefgh"; 32].join(".");
        for (typed, word) in [
            ("", "like shop"),
            ("   ", "like shop"),
            (".", "like shop"),
            ("localhost", "two parts"),
            ("com", "two parts"),
            ("1.2.3.4", "IP address"),
            ("[2001:db8::1]", "IP address"),
            ("2001:db8::1", "IP address"),
            ("https://example.com", "without https"),
            ("example.com/shop", "without a path"),
            ("example.com:8080", "port"),
            ("ada@example.com", "@"),
            ("exa mple.com", "spaces"),
            ("example..com", "dot too many"),
            (".example.com", "dot too many"),
            ("a.*.example.com", "star"),
            ("**.example.com", "star"),
            ("*", "two parts"),
            ("shop_1.example.com", "underscores"),
            ("-shop.example.com", "hyphen"),
            ("shop-.example.com", "hyphen"),
            ("exa\u{0}mple.com", "letters"),
            ("ex%61mple.com", "letters"),
            ("example.123", "number"),
            ("xn--a.com", "letters"),
            (&long, "63"),
            (&longer, "253"),
        ] {
            let why = typed.parse::<DomainName>().expect_err(typed);
            assert!(why.contains(word) || typed == "*" && why.contains("star"), "{typed}: {why}");
        }
    }

    #[test]
    fn www_and_apex_belong_together() {
        let name = |text: &str| text.parse::<DomainName>().unwrap();
        assert_eq!(name("example.com").counterpart(), Some(name("www.example.com")));
        assert_eq!(name("www.example.com").counterpart(), Some(name("example.com")));
        assert_eq!(name("*.example.com").counterpart(), None);
        assert_eq!(name("www.com").counterpart(), None);
    }
}
