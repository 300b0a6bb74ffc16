//! Providers of sign-ins, as an operator names them.
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A provider of sign-ins by OpenID Connect.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcConfig {
    /// What stands in addresses and rows: never changed once somebody signed in by it.
    pub id: String,
    /// What stands on the button.
    pub name: String,
    /// `https://login.example.com`; plain HTTP on this machine only.
    pub issuer: String,
    pub client_id: String,
    /// A file that holds the client's secret; none for a client that is public.
    pub client_secret_file: Option<PathBuf>,
    /// What to ask for beside `openid`.
    #[serde(default = "usual_scopes")]
    pub scopes: Vec<String>,
    /// Whether an address that the provider says is verified may sign in to the account that has it, without asking its owner first.
    #[serde(default)]
    pub trust_email: bool,
}

fn usual_scopes() -> Vec<String> {
    vec!["email".into(), "profile".into()]
}

impl OidcConfig {
    /// What types alone don't say.
    pub(super) fn check(&self) -> Result<(), String> {
        let claim = |holds: bool, why: &str| if holds { Ok(()) } else { Err(format!("oidc “{}”: {why}", self.id)) };
        let plain = self.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        claim((1..=32).contains(&self.id.len()) && plain, "id: 1 to 32 lower-case letters, digits and dashes.")?;
        claim((1..=60).contains(&self.name.trim().chars().count()), "name: 1 to 60 characters.")?;
        claim(!self.client_id.is_empty(), "client_id: what the provider calls this panel.")?;
        let sound = url::Url::parse(&self.issuer).is_ok_and(|url| match (url.scheme(), url.host()) {
            ("https", Some(_)) => true,
            ("http", Some(url::Host::Domain(name))) => name == "localhost",
            ("http", Some(url::Host::Ipv4(ip))) => ip.is_loopback(),
            ("http", Some(url::Host::Ipv6(ip))) => ip.is_loopback(),
            _ => false,
        });
        claim(sound, "issuer: an https address; http on this machine only.")
    }
}
