//! The fields of an application and the rule of each. Their errors are the sentences under the form fields.
pub use crate::units::{MAX_REPLICAS, check_cpu, check_memory};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Variables that an application may have.
pub const MAX_ENV: usize = 200;
/// Bytes that all variables of an application may have together.
pub const MAX_ENV_BYTES: usize = 64 * 1024;

/// A text with a rule: private inside, `FromStr` in, `Display` out, a string on the wire.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $rule:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                let rule: fn(&str) -> Result<(), String> = $rule;
                rule(text).map(|()| Self(text.to_string()))
            }
        }
        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> { text.parse() }
        }
        impl From<$name> for String {
            fn from(it: $name) -> String { it.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
    };
}

fn claim(holds: bool, why: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why.to_string()) }
}

text!(
    /// An application's name: a DNS label of 2 to 40 characters, unique in its organization.
    AppName, |text| {
        claim((2..=40).contains(&text.len()), "A name has 2 to 40 characters.")?;
        claim(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "A name has lower-case letters, digits and hyphens.")?;
        claim(text.starts_with(|c: char| c.is_ascii_lowercase()) && !text.ends_with('-'), "A name starts with a letter and doesn't end with a hyphen.")?;
        claim(!text.contains("--"), "A name has no two hyphens in a row.")
    }
);

text!(
    /// A variable's name: letters, digits and underscores, no digit first, at most 128 characters.
    EnvName, |text| {
        claim(!text.is_empty() && text.len() <= 128, "A variable's name has 1 to 128 characters.")?;
        claim(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "A variable's name has letters, digits and underscores.")?;
        claim(!text.starts_with(|c: char| c.is_ascii_digit()), "A variable's name doesn't start with a digit.")?;
        claim(text != "PORT", "PORT is set by the platform; set the application's port instead.")
    }
);

text!(
    /// A variable's value: any text of at most 32 KiB without NUL.
    EnvValue, |text| {
        claim(text.len() <= 32 * 1024, "A value may have 32 KiB; put larger ones into a file of the image.")?;
        claim(!text.contains('\0'), "A value can't contain a NUL byte.")
    }
);

text!(
    /// The path of a health check: starts with a slash, at most 256 visible ASCII characters.
    HealthPath, |text| {
        claim(text.starts_with('/'), "A path starts with a slash, like /healthz.")?;
        claim(text.len() <= 256, "A path has at most 256 characters.")?;
        claim(text.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b'#'), "A path has no spaces, fragments or control characters.")
    }
);

text!(
    /// A path in a repository: relative, forward slashes, never above its root.
    RepoPath, |text| {
        claim(!text.is_empty() && text.len() <= 256, "A path has 1 to 256 characters.")?;
        claim(!text.starts_with('/') && !text.contains('\\'), "The path is relative to the repository, with forward slashes.")?;
        claim(!text.chars().any(char::is_control), "A path has no control characters.")?;
        claim(text.split('/').all(|part| part != ".."), "The path can't leave the repository.")?;
        claim(!text.split('/').any(|part| part.eq_ignore_ascii_case(".git")), "The path can't lead into .git.")
    }
);

impl RepoPath {
    /// `Dockerfile`.
    pub fn dockerfile() -> Self {
        RepoPath("Dockerfile".into())
    }

    /// The whole repository.
    pub fn root() -> Self {
        RepoPath(".".into())
    }
}

text!(
    /// A reference to an image: `[host[:port]/]path[:tag][@sha256:…]`.
    ImageReference, |text| {
        claim(!text.is_empty() && text.len() <= 255, "An image reference has 1 to 255 characters.")?;
        claim(!text.contains("://"), "Give the image without a scheme, like nginx:1.27 or ghcr.io/acme/web:2.")?;
        let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
        claim(
            digest.is_none_or(|d| d.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))),
            "The digest has the form sha256: and 64 hexadecimal digits.",
        )?;
        let (path, tag) = match name.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (name, None),
        };
        claim(
            tag.is_none_or(|t| !t.is_empty() && t.len() <= 128 && t.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))),
            "A tag has letters, digits, dots, hyphens and underscores.",
        )?;
        let good = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.ends_with(|c: char| c.is_ascii_alphanumeric())
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        let mut parts = path.split('/');
        let first = parts.next().unwrap_or_default();
        let host_ok = match first.split_once(':') {
            Some((host, port)) => path.contains('/') && good(host) && port.parse::<u16>().is_ok(),
            None => good(first),
        };
        claim(host_ok && parts.clone().all(good), "An image reference looks like nginx:1.27 or ghcr.io/acme/web:2.")?;
        let repository_lower = if path.contains('/') { parts.all(|p| p == p.to_lowercase()) } else { first == first.to_lowercase() };
        claim(repository_lower, "An image's name is in lower case.")?;
        claim(!path.starts_with("skypanel/"), "Names under skypanel/ belong to the platform.")
    }
);

/// A start command, split into words the way a shell would split them, but never given to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Command {
    text: String,
    words: Vec<String>,
}

impl utoipa::PartialSchema for Command {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        <String as utoipa::PartialSchema>::schema()
    }
}

impl utoipa::ToSchema for Command {}

impl Command {
    /// The words: the program and its arguments.
    pub fn words(&self) -> &[String] {
        &self.words
    }
}

impl FromStr for Command {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        claim(text.len() <= 1024, "A command has at most 1,024 characters.")?;
        claim(!text.chars().any(|c| c.is_control()), "A command stands on one line.")?;
        let words = split(text)?;
        claim(!words.is_empty() && !words[0].is_empty(), "Name the program to start.")?;
        Ok(Command { text: text.to_string(), words })
    }
}

impl TryFrom<String> for Command {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Command> for String {
    fn from(it: Command) -> String {
        it.text
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Splits at blanks; single quotes take all literally, double quotes and backslashes as in POSIX.
fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let into = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => into.push(c),
                        None => return Err("A single quote is not closed.".into()),
                    }
                }
            }
            '"' => {
                let into = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => match chars.next() {
                            Some(c @ ('"' | '\\' | '$' | '`')) => into.push(c),
                            Some(c) => into.extend(['\\', c]),
                            None => return Err("A double quote is not closed.".into()),
                        },
                        Some(c) => into.push(c),
                        None => return Err("A double quote is not closed.".into()),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next().ok_or("The command ends with a lone backslash.")?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// A container's port, 1 to 65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "u32", into = "u32")]
pub struct Port(u16);

impl Port {
    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u32> for Port {
    type Error = &'static str;
    fn try_from(n: u32) -> Result<Self, Self::Error> {
        u16::try_from(n).ok().filter(|n| *n > 0).map(Port).ok_or("A port is a number from 1 to 65535.")
    }
}

impl From<Port> for u32 {
    fn from(port: Port) -> u32 {
        port.0.into()
    }
}

impl FromStr for Port {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<u32>().map_err(|_| "A port is a number from 1 to 65535.").and_then(Port::try_from)
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A wanted number of replicas, 1 to 100; an application with none is stopped instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "u32", into = "u32")]
pub struct Replicas(u32);

impl Replicas {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Replicas {
    type Error = String;
    fn try_from(n: u32) -> Result<Self, Self::Error> {
        match n {
            1..=MAX_REPLICAS => Ok(Replicas(n)),
            0 => Err("At least 1 replica; to run none, stop the application.".into()),
            _ => Err(format!("At most {MAX_REPLICAS} replicas.")),
        }
    }
}

impl From<Replicas> for u32 {
    fn from(replicas: Replicas) -> u32 {
        replicas.0
    }
}

impl FromStr for Replicas {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim().parse::<u32>().map_err(|_| format!("A number from 1 to {MAX_REPLICAS}.")).and_then(Replicas::try_from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels() {
        for good in ["web", "a1", "my-app-2"] {
            assert!(good.parse::<AppName>().is_ok(), "{good}");
        }
        for bad in ["", "a", "-a", "a-", "1a", "A", "a_b", "a--b", "a.b", "a b", "ä", &"a".repeat(41)] {
            assert!(bad.parse::<AppName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_command_is_split_without_a_shell() {
        let words = |text: &str| text.parse::<Command>().map(|c| c.words().to_vec());
        assert_eq!(words(r#"sh -c "echo 'a b' \"c\"; exit""#).unwrap(), ["sh", "-c", r#"echo 'a b' "c"; exit"#]);
        assert_eq!(words("node  server.js $(id)").unwrap(), ["node", "server.js", "$(id)"]);
        assert_eq!(words("a '' b").unwrap(), ["a", "", "b"]);
        assert!(words("a 'b").is_err());
        assert!(words("  ").is_err());
    }

    #[test]
    fn image_references_are_checked() {
        for good in ["nginx", "nginx:1.27", "ghcr.io/acme/web:2", "localhost:5000/x", "a/b/c", &format!("x@sha256:{}", "a".repeat(64))] {
            assert!(good.parse::<ImageReference>().is_ok(), "{good}");
        }
        for bad in ["", "https://x/y", "Nginx", "a b", "x:", "x@sha256:12", "../x", "x//y", "-x", "skypanel/app_x:1", "x;rm"] {
            assert!(bad.parse::<ImageReference>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_stays_in_the_repository() {
        for bad in ["/etc/passwd", "../x", "a/../../x", ".git/config", "a\\b", ""] {
            assert!(bad.parse::<RepoPath>().is_err(), "{bad}");
        }
        assert!("deploy/Dockerfile.web".parse::<RepoPath>().is_ok());
    }
}
