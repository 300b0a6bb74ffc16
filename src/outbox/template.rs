//! What there is to say in a mail. Texts are escaped where they are put into HTML, not here.
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};

/// A message's kind with all that it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Template {
    /// Somebody is asked into an organization.
    Invitation { organization: String, inviter: String, role: String, message: Option<String>, link: String, expires_at: Timestamp },
    /// Proves that an address is its owner's.
    VerifyEmail { name: String, link: String },
    /// Proves a new address; goes there.
    ChangeEmail { name: String, link: String },
    /// Tells the old address that there is a new one.
    EmailChanged { name: String, new_email: String },
    /// A way back in for whoever forgot the password.
    ResetPassword { name: String, link: String, expires_at: Timestamp },
    /// The password was changed.
    PasswordChanged { name: String },
    /// A second factor was added or removed; `change` is a clause: "a passkey was added".
    SecondFactorChanged { name: String, change: String },
    /// Something is wrong with an organization's domain; goes to its owners. `words` says what, and what to do.
    DomainTrouble { name: String, domain: String, words: String, link: String },
    /// Shows an operator that mail arrives.
    Test { name: String },
}

impl Template {
    /// The kind's name, as rows and pages have it.
    pub fn name(&self) -> &'static str {
        match self {
            Template::Invitation { .. } => "invitation",
            Template::VerifyEmail { .. } => "verify_email",
            Template::ChangeEmail { .. } => "change_email",
            Template::EmailChanged { .. } => "email_changed",
            Template::ResetPassword { .. } => "reset_password",
            Template::PasswordChanged { .. } => "password_changed",
            Template::SecondFactorChanged { .. } => "second_factor_changed",
            Template::DomainTrouble { .. } => "domain_trouble",
            Template::Test { .. } => "test",
        }
    }

    /// From when on what it says is no longer true, where it says so: it is not sent after that.
    pub fn expires_at(&self) -> Option<Timestamp> {
        match self {
            Template::Invitation { expires_at, .. } | Template::ResetPassword { expires_at, .. } => Some(*expires_at),
            _ => None,
        }
    }

    /// The address that its button leads to.
    pub fn link(&self) -> Option<&str> {
        match self {
            Template::Invitation { link, .. }
            | Template::VerifyEmail { link, .. }
            | Template::ChangeEmail { link, .. }
            | Template::ResetPassword { link, .. }
            | Template::DomainTrouble { link, .. } => Some(link),
            _ => None,
        }
    }
}
