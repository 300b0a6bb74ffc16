//! How mail is sent, and how what comes back is read. Without `mail.smtp` nothing is sent and the panel works all the same.
use serde::{Deserialize, Serialize};
use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// Everything about mail.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailConfig {
    /// The server that takes our mail. Without it mail waits in the outbox until it expires.
    pub smtp: Option<SmtpConfig>,
    /// The address that mail comes from.
    pub from: Option<String>,
    /// The name beside it; the brand's where there is none.
    pub from_name: Option<String>,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// Bounces that are read from a mailbox here.
    pub bounces: Option<BounceConfig>,
    /// A file that holds the secret of the provider's webhook; without it there is no webhook.
    pub webhook_secret_file: Option<PathBuf>,
    /// Whether opened messages and followed links are noted.
    pub tracking: bool,
    /// Hours that a message is tried before it expires.
    pub max_hours: u32,
    /// Messages that are under way at the same time.
    pub concurrent: usize,
    /// Days that messages and what became of them are kept.
    pub keep_days: u32,
}

/// A mail server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpConfig {
    pub host: String,
    /// The usual one of its kind where it is left out: 587 with STARTTLS, 465 with TLS, 25 without.
    pub port: Option<u16>,
    #[serde(default)]
    pub security: Security,
    pub username: Option<String>,
    /// A file that holds the password.
    pub password_file: Option<PathBuf>,
    /// A PEM file with an authority that is trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// Not at all; on this machine only.
    None,
    /// Begins plain and must become TLS before anything is said.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
}

/// Mail that came back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BounceConfig {
    /// Return addresses are `bounce+…@` this domain.
    pub domain: String,
    /// The Maildir that the mail server puts them into.
    pub spool: Option<PathBuf>,
}

impl Default for MailConfig {
    fn default() -> Self {
        MailConfig {
            smtp: None,
            from: None,
            from_name: None,
            reply_to: None,
            bounces: None,
            webhook_secret_file: None,
            tracking: false,
            max_hours: 72,
            concurrent: 4,
            keep_days: 90,
        }
    }
}

impl SmtpConfig {
    /// The port in force.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            Security::None => 25,
            Security::Starttls => 587,
            Security::Tls => 465,
        })
    }

    /// The password, where there is one.
    pub fn password(&self) -> Result<Option<String>, String> {
        self.password_file.as_deref().map(|path| secret("mail.smtp.password_file", path, 1)).transpose()
    }

    fn check(&self) -> Result<(), String> {
        let host = !self.host.is_empty()
            && self.host.len() <= 253
            && self.host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':'));
        if !host {
            return Err("mail.smtp.host: the name or address of a mail server, like smtp.example.com.".into());
        }
        let here = self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if self.security == Security::None && !here {
            return Err("mail.smtp.security: none is for a server on this machine; use starttls or tls.".into());
        }
        if self.username.is_some() != self.password_file.is_some() {
            return Err("mail.smtp.username and mail.smtp.password_file: set both or neither.".into());
        }
        self.password()?;
        if let Some(path) = &self.ca_file {
            let pem =
                std::fs::read_to_string(path).map_err(|why| format!("mail.smtp.ca_file: {} can’t be read: {why}.", path.display()))?;
            if !pem.contains("-----BEGIN CERTIFICATE-----") {
                return Err(format!("mail.smtp.ca_file: {} holds no certificate in PEM.", path.display()));
            }
        }
        Ok(())
    }
}

impl MailConfig {
    /// What types alone don't say.
    pub fn check(&self) -> Result<(), String> {
        let claim = |holds: bool, why: &str| if holds { Ok(()) } else { Err(why.to_string()) };
        let address = |name: &str, text: &Option<String>| {
            claim(text.as_deref().is_none_or(is_address), &format!("mail.{name}: an address like panel@example.com."))
        };
        address("from", &self.from)?;
        address("reply_to", &self.reply_to)?;
        let name = self.from_name.as_deref().unwrap_or("x");
        claim(
            (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control),
            "mail.from_name: 1 to 100 characters in one line.",
        )?;
        claim((1..=24 * 30).contains(&self.max_hours), "mail.max_hours: 1 to 720.")?;
        claim((1..=32).contains(&self.concurrent), "mail.concurrent: 1 to 32.")?;
        claim((1..=3_650).contains(&self.keep_days), "mail.keep_days: 1 to 3650.")?;
        if let Some(smtp) = &self.smtp {
            smtp.check()?;
            claim(self.from.is_some(), "mail.from: name the address that mail comes from.")?;
        }
        if let Some(bounces) = &self.bounces {
            claim(is_domain(&bounces.domain), "mail.bounces.domain: a domain in lower case, like bounces.example.com.")?;
            let there = bounces.spool.as_ref().is_none_or(|spool| spool.join("new").is_dir());
            claim(there, "mail.bounces.spool: a Maildir, which has a folder “new” in it.")?;
        }
        self.webhook_secret().map(|_| ())
    }

    /// How long a message is tried.
    pub fn most(&self) -> Duration {
        Duration::from_secs(u64::from(self.max_hours) * 3_600)
    }

    /// The secret of the webhook, where there is one.
    pub fn webhook_secret(&self) -> Result<Option<String>, String> {
        self.webhook_secret_file.as_deref().map(|path| secret("mail.webhook_secret_file", path, 16)).transpose()
    }
}

/// A file's only line. It is never told what stands in it.
fn secret(name: &str, path: &Path, least: usize) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|why| format!("{name}: {} can’t be read: {why}.", path.display()))?;
    let text = text.trim();
    if text.len() < least || text.chars().any(char::is_control) {
        return Err(format!("{name}: {} must hold one line of at least {least} characters.", path.display()));
    }
    Ok(text.to_string())
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn is_address(text: &str) -> bool {
    let local = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    text.split_once('@')
        .is_some_and(|(name, domain)| (1..=64).contains(&name.len()) && name.chars().all(local) && is_domain(&domain.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_server(security: Security, host: &str) -> MailConfig {
        let smtp = SmtpConfig { host: host.into(), port: None, security, username: None, password_file: None, ca_file: None };
        MailConfig { smtp: Some(smtp), from: Some("panel@example.com".into()), ..MailConfig::default() }
    }

    #[test]
    fn mail_goes_unprotected_on_this_machine_only() {
        assert!(with_server(Security::None, "127.0.0.1").check().is_ok());
        assert!(with_server(Security::Starttls, "smtp.example.com").check().is_ok());
        assert!(with_server(Security::None, "smtp.example.com").check().unwrap_err().contains("mail.smtp.security"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let mut config = with_server(Security::Tls, "smtp.example.com");
        config.from = None;
        assert!(config.check().unwrap_err().starts_with("mail.from"));
        config.from = Some("a\r\nBcc: b@example.com".into());
        assert!(config.check().unwrap_err().starts_with("mail.from"));
        let mut config = with_server(Security::Tls, "smtp.example.com");
        if let Some(smtp) = &mut config.smtp {
            smtp.username = Some("panel".into());
        }
        assert!(config.check().unwrap_err().contains("password_file"));
        let config = MailConfig {
            bounces: Some(BounceConfig { domain: "b.example.com".into(), spool: Some("/nowhere".into()) }),
            ..MailConfig::default()
        };
        assert!(config.check().unwrap_err().starts_with("mail.bounces.spool"));
    }

    #[test]
    fn a_secret_is_read_and_never_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        std::fs::write(&file, "hunter2\n").unwrap();
        let config = MailConfig { webhook_secret_file: Some(file.clone()), ..MailConfig::default() };
        let why = config.check().unwrap_err();
        assert!(why.contains("16 characters") && !why.contains("hunter2"), "{why}");
        std::fs::write(&file, "0123456789abcdef\n").unwrap();
        assert_eq!(config.webhook_secret().unwrap().as_deref(), Some("0123456789abcdef"));
    }
}
