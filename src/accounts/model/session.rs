//! A place where somebody is signed in.
use crate::{id::SessionId, units::Timestamp};
use serde::{Deserialize, Serialize};

/// A place where somebody is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Session {
    pub id: SessionId,
    pub kind: SessionKind,
    /// The browser and the system, as far as they tell: “Firefox on Linux”.
    pub device: String,
    pub address: String,
    /// How the person proved who she is: `password`, `passkey`, `oidc:<provider>`, `impersonation`.
    pub method: String,
    pub created_at: Timestamp,
    /// To about five minutes.
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
    /// It is the one that asks.
    pub is_current: bool,
}

/// What a session is held by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// A browser, by a cookie.
    Browser,
    /// A script, by a bearer token.
    Bearer,
}

/// How somebody signed in, in words.
pub fn method_words(method: &str) -> String {
    match method.split_once(':') {
        Some(("oidc", provider)) => format!("by {provider}"),
        _ => match method {
            "password" => "with the password".into(),
            "passkey" => "with a passkey".into(),
            "impersonation" => "by an operator, in your name".into(),
            other => format!("by {other}"),
        },
    }
}

/// Browsers by what their `User-Agent` says, the telling first: most also name the ones that they are like.
const BROWSERS: [(&str, &str); 12] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("python-requests/", "Python"),
];

const SYSTEMS: [(&str, &str); 8] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// A `User-Agent` in words.
pub fn device_words(agent: &str) -> String {
    let find = |table: &[(&str, &'static str)]| table.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, name)| *name);
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) => name.into(),
        (None, Some(name)) => format!("A program on {name}"),
        (None, None) => match agent.split(['/', ' ']).next().unwrap_or_default() {
            "" => "Unknown".into(),
            name => name.chars().take(40).collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_named_as_people_know_it() {
        for (agent, words) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            ("curl/8.5.0", "curl"),
            ("deploy-bot/1.0 (+https://example.com)", "deploy-bot"),
            ("", "Unknown"),
        ] {
            assert_eq!(device_words(agent), words);
        }
    }

    #[test]
    fn a_way_in_has_words() {
        assert_eq!(method_words("password"), "with the password");
        assert_eq!(method_words("oidc:Example"), "by Example");
    }
}
