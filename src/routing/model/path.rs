//! Paths as routes see them: whole segments, written plainly, so that what stands in a form is what is compared at the edge.
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Characters of a path.
const LONGEST: usize = 200;

/// `/part/part`, without a slash at its end; at least one part.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPrefix(String);

impl PathPrefix {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PathPrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = text.trim();
        let claim = |holds: bool, why: &str| if holds { Ok(()) } else { Err(why.to_string()) };
        claim(!path.is_empty(), "Give a path, like /api.")?;
        claim(path.starts_with('/'), "A path begins with a slash, like /api.")?;
        claim(path.len() <= LONGEST, "A path has at most 200 characters.")?;
        claim(!path.contains(['?', '#']), "Give the path alone, without what follows a ? or a #.")?;
        claim(!path.contains(['*', ':']), "A path is taken as it stands and with all that is below it; it has no stars and no colons.")?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()+,=@".contains(&byte);
        claim(path.bytes().all(is_plain), "A path has letters, digits, slashes, hyphens, dots and underscores, without % and spaces.")?;
        let path = path.trim_end_matches('/');
        claim(!path.is_empty(), "That is every path. Give one that is longer, like /api.")?;
        let is_whole = |part: &str| !matches!(part, "" | "." | "..");
        claim(path[1..].split('/').all(is_whole), "Each part of a path has a name; it has no //, no /./ and no /../.")?;
        Ok(PathPrefix(path.to_string()))
    }
}

impl TryFrom<String> for PathPrefix {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<PathPrefix> for String {
    fn from(path: PathPrefix) -> String {
        path.0
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_whole_segments() {
        for (typed, kept) in [("/api", "/api"), (" /api/v1/ ", "/api/v1"), ("/a.b-c_d~", "/a.b-c_d~"), ("/.well-known/x", "/.well-known/x")]
        {
            assert_eq!(typed.parse::<PathPrefix>().map(String::from), Ok(kept.into()));
        }
        for bad in
            ["", "api", "/", "//", "/a//b", "/a/../b", "/.", "/a?b", "/a#b", "/a b", "/%61", "/ä", "/a*", "/:id", "/a\0", "/a;b", "/a\\b"]
        {
            assert!(bad.parse::<PathPrefix>().is_err(), "{bad}");
        }
        assert!(format!("/{}", "a".repeat(200)).parse::<PathPrefix>().is_err());
    }
}
