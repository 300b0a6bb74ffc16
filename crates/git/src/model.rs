//! What a person types to name a repository, and what its host answers: types for both sides of the wire. Their errors are the
//! sentence under the form field.
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use url::{Host, Url};

/// The longest URL that is taken, in bytes.
const MAX_URL: usize = 512;
/// The longest branch name that is taken, in bytes. Git itself stops at what a file name may be long.
const MAX_BRANCH: usize = 240;
const HTTPS: &str = "Enter the repository's https:// address, such as https://github.com/owner/repository.";

/// The address of a repository: `http` or `https`, a host, a path, and nothing else. It is kept as the `url` crate writes it, so
/// that every spelling of an address (`0x7f.1`, `2130706433`) has become the one that is checked and used.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct GitUrl(Url);

impl GitUrl {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host: a name in lower case, or an address.
    pub fn host(&self) -> Host<&str> {
        self.0.host().expect("parsing demands a host")
    }

    /// The port, named or by the scheme.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().expect("http and https have a port")
    }

    /// The last segment of the path without `.git`: what a person calls the repository, and a first proposal for an application's name.
    pub fn repository(&self) -> &str {
        let last = self.0.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        last.strip_suffix(".git").unwrap_or(last)
    }

    /// The same address with `.git` at its end, where it has none: some hosts (GitLab) redirect there, and redirects are off.
    pub fn with_git_suffix(&self) -> Option<GitUrl> {
        let path = self.0.path().trim_end_matches('/');
        if path.ends_with(".git") {
            return None;
        }
        let mut url = self.0.clone();
        url.set_path(&format!("{path}.git"));
        Some(GitUrl(url))
    }
}

impl FromStr for GitUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err(HTTPS.into());
        }
        if text.len() > MAX_URL {
            return Err(format!("Use a URL of at most {MAX_URL} characters."));
        }
        if text.chars().any(is_odd) {
            return Err("Leave spaces, quotes, backslashes and other special characters out of the URL.".into());
        }
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        if !matches!(scheme.as_deref(), Some("http" | "https")) {
            return Err(format!("Only http and https are supported. {HTTPS}"));
        }
        let url = Url::parse(text).map_err(|_| format!("This is not a URL that can be read. {HTTPS}"))?;
        if !url.username().is_empty() || url.password().is_some() || authority(text).contains('@') {
            return Err("Put no user name or password into the URL: everybody who sees the application could read them.".into());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("Leave out everything from “?” or “#” on.".into());
        }
        match url.host() {
            None => return Err(HTTPS.into()),
            Some(Host::Domain(name)) if name.ends_with('.') || name.starts_with('-') => {
                return Err("The host's name must not begin with a dash or end with a dot.".into());
            }
            Some(_) => {}
        }
        if url.port() == Some(0) {
            return Err("Port 0 cannot be reached; name the port that the host listens on.".into());
        }
        let lower = url.path().to_ascii_lowercase();
        if url.path().trim_matches('/').is_empty()
            || url.path().starts_with("/-")
            || ["%00", "%0a", "%0d"].iter().any(|odd| lower.contains(odd))
        {
            return Err(format!("Name the repository after the host. {HTTPS}"));
        }
        if url.as_str().len() > MAX_URL {
            return Err(format!("Use a URL of at most {MAX_URL} characters."));
        }
        Ok(GitUrl(url))
    }
}

/// What stands between `//` and the path, as typed.
fn authority(text: &str) -> &str {
    text.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default())
}

/// Characters that no repository's address needs and that parsers read differently.
fn is_odd(c: char) -> bool {
    match c {
        '"' | '\'' | '`' | '\\' | '<' | '>' | '|' | '^' | '{' | '}' | '$' | ';' | '*' => true,
        c if c.is_ascii() => !c.is_ascii_graphic(),
        c => !c.is_alphanumeric(),
    }
}

/// The name of a branch, by the rules of `git check-ref-format`, without `refs/heads/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Branch(String);

impl Branch {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Branch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.trim();
        if name.is_empty() {
            return Err("Name a branch, such as main.".into());
        }
        if name.len() > MAX_BRANCH {
            return Err(format!("Use a branch name of at most {MAX_BRANCH} characters."));
        }
        if name.starts_with('-') {
            return Err("A branch's name must not begin with “-”.".into());
        }
        if let Some(odd) = name.chars().find(|c| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(*c)) {
            return Err(format!(
                "A branch's name must not contain {}.",
                if odd.is_whitespace() || odd.is_control() { "spaces".into() } else { format!("“{odd}”") }
            ));
        }
        let broken_part = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
        if name == "@" || name.contains("..") || name.contains("@{") || name.ends_with('.') || name.split('/').any(broken_part) {
            return Err("This is not a name that git allows for a branch. Copy it from the repository's list of branches.".into());
        }
        Ok(Branch(name.into()))
    }
}

/// A commit's full name: 40 hexadecimal digits in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
pub struct CommitHash(String);

impl CommitHash {
    /// All 40 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first seven digits, as people quote it.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl FromStr for CommitHash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.len() != 40 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err("Enter the commit's full hash: 40 hexadecimal digits.".into());
        }
        Ok(CommitHash(text.to_ascii_lowercase()))
    }
}

/// What a repository's host says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Remote {
    /// The newest commit of the branch that was asked for, or of the default branch.
    pub head: CommitHash,
    /// Names of branches, in the host's order; at most 200.
    pub branches: Vec<String>,
    /// The branch that a plain clone would take; none where the host does not say.
    pub default_branch: Option<String>,
}

macro_rules! text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    )*};
}
text!(GitUrl, Branch, CommitHash);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> Result<GitUrl, String> {
        text.parse()
    }

    #[test]
    fn usual_addresses_are_taken() {
        for good in [
            "https://github.com/owner/repository",
            "https://github.com/owner/repository.git",
            "http://git.example.com:8080/a/b/c.git",
            "https://gitlab.com/group/sub-group/~user/x_y.z",
            "https://[2606:4700::1111]/a.git",
            "https://bücher.example/straße",
            "HTTPS://GitHub.com/Owner/Repo",
            "  https://github.com/o/r  ",
        ] {
            let parsed = url(good).unwrap_or_else(|why| panic!("{good}: {why}"));
            assert_eq!(url(parsed.as_str()).unwrap(), parsed, "{good} is stable");
            let wire = serde_json::to_string(&parsed).unwrap();
            assert_eq!(serde_json::from_str::<GitUrl>(&wire).unwrap(), parsed);
        }
        assert_eq!(url("HTTPS://GitHub.com/Owner/Repo").unwrap().as_str(), "https://github.com/Owner/Repo");
        assert_eq!(url("https://x.example/a/shop.git/").unwrap().repository(), "shop");
        assert_eq!(url("https://x.example/a/shop/").unwrap().with_git_suffix().unwrap().as_str(), "https://x.example/a/shop.git");
        assert_eq!(url("https://x.example/a/shop.git").unwrap().with_git_suffix(), None);
        assert_eq!(url("http://x.example/a").unwrap().port(), 80);
    }

    #[test]
    fn other_addresses_are_refused() {
        for bad in [
            "",
            "github.com/owner/repository",
            "git@github.com:owner/repository.git",
            "ssh://git@github.com/o/r",
            "git://github.com/o/r",
            "file:///etc",
            "ext::sh -c id",
            "http::http://x/y",
            "/srv/git",
            "--upload-pack=id",
            "https://",
            "https:///path",
            "https:github.com/o/r",
            "https://user@github.com/o/r",
            "https://:@github.com/o/r",
            "https://@github.com/o/r",
            "https://user:secret@github.com/o/r",
            "https://github.com/o/r#main",
            "https://github.com/o/r?token=1",
            "https://github.com/o/r?",
            "https://github.com",
            "https://github.com/",
            "https://github.com./o/r",
            "https://github.com:0/o/r",
            "https://github.com:99999/o/r",
            "https://github.com/o r",
            "https://github.com/o\tr",
            "https://git\nhub.com/o/r",
            "https://github.com\\@evil.example/o",
            "https://github.com/o/r%0a",
            "https://github.com/$(id)",
            "https://github.com/o/r\u{200b}",
            "https://-x.example/o/r",
            "https://x.example/-o",
        ] {
            let why = url(bad).expect_err(bad);
            assert!(why.ends_with('.'), "{bad}: {why}");
        }
        assert!(url("https://ada:secret@github.com/o/r").unwrap_err().starts_with("Put no user name or password into the URL"));
        assert!(url(&format!("https://x.example/{}", "a".repeat(512))).is_err());
        assert!(url(&format!("https://x.example/{}", "ü".repeat(200))).is_err(), "the written form counts");
    }

    #[test]
    fn every_spelling_of_an_address_becomes_one() {
        for spelling in ["0x7f.1", "2130706433", "0177.0.0.1", "127.1", "127.0.0.1", "0x7f000001"] {
            assert_eq!(url(&format!("http://{spelling}/r")).unwrap().host().to_string(), "127.0.0.1", "{spelling}");
        }
        assert_eq!(url("http://[::FFFF:127.0.0.1]/r").unwrap().host().to_string(), "[::ffff:7f00:1]");
    }

    #[test]
    fn branches_follow_gits_rules() {
        for good in ["main", "feature/x-1", "release-1.2", "ü", "a@b", "HEAD", "v1.0.x"] {
            assert_eq!(good.parse::<Branch>().unwrap().as_str(), good);
        }
        for bad in [
            "", "-x", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "[a", "a\\b", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a.lock/b",
            "a.", "@", "a@{1}", "a\u{7}",
        ] {
            assert!(bad.parse::<Branch>().is_err(), "{bad}");
        }
        assert!("a".repeat(241).parse::<Branch>().is_err());
    }

    #[test]
    fn a_commit_is_forty_digits() {
        let hash: CommitHash = "0123456789ABCDEF0123456789abcdef01234567".parse().unwrap();
        assert_eq!((hash.as_str(), hash.short()), ("0123456789abcdef0123456789abcdef01234567", "0123456"));
        for bad in ["", "main", "0123456", "0123456789abcdef0123456789abcdef0123456g"] {
            assert!(bad.parse::<CommitHash>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_dangerous_ever_parses(text in "(https?://)?[ -~\u{0}-\u{20}üé@]{0,60}") {
            if let Ok(url) = url(&text) {
                let kept = url.as_str();
                prop_assert!(kept.starts_with("http://") || kept.starts_with("https://"));
                prop_assert!(kept.bytes().all(|b| b.is_ascii_graphic()), "{kept}");
                prop_assert!(!authority(kept).contains('@') && !kept.contains(['#', '?']));
                prop_assert_eq!(kept.parse::<GitUrl>().unwrap(), url);
            }
        }

        #[test]
        fn branches_are_what_git_takes(text in "[-a-z@./~^:{\\[ *?]{1,12}") {
            if let Ok(branch) = text.parse::<Branch>() {
                prop_assert!(!branch.as_str().starts_with('-') && !branch.as_str().contains("..") && !branch.as_str().contains(' '));
                prop_assert_eq!(branch.as_str().parse::<Branch>().unwrap(), branch);
            }
        }
    }
}
