//! What both sides know of a person: the fields and their rules, and who is signed in.
use crate::{
    error::{Error, Fields, Result, Thing},
    id::{OrgId, UserId},
    rights::Permissions,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

pub mod factors;
mod forms;
mod session;

pub use forms::*;
pub use session::*;

/// What an account is called where there is none.
pub const USER: Thing = Thing::new("USER", "user");
/// What a session is called where there is none.
pub const SESSION: Thing = Thing::new("SESSION", "session");
/// What a passkey is called where there is none.
pub const PASSKEY: Thing = Thing::new("PASSKEY", "passkey");
/// What an identity provider is called where there is none.
pub const IDENTITY_PROVIDER: Thing = Thing::new("PROVIDER", "provider");
/// The kinds of things of this feature.
pub const THINGS: &[Thing] = &[USER, SESSION, PASSKEY, IDENTITY_PROVIDER];

/// An e-mail address: stored and compared in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim().to_lowercase();
        let sound = text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && local.len() <= 64
                && !domain.is_empty()
                && !domain.contains('@')
                && !domain.starts_with('.')
                && !domain.ends_with('.')
        });
        if sound
            && text.len() <= 254
            && !text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '"'))
        {
            Ok(Email(text))
        } else {
            Err("Give an e-mail address like ada@example.com.")
        }
    }
}

impl TryFrom<String> for Email {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Email> for String {
    fn from(it: Email) -> String {
        it.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A password on its way to being hashed: 10 to 256 characters, never printed.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// As it was typed, not normalized yet. Never logged.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Passwords that the first guesser tries.
const COMMON: [&str; 12] = [
    "1234567890",
    "12345678901",
    "123456789012",
    "0123456789",
    "passwordpassword",
    "password12",
    "password123",
    "password1234",
    "qwertyuiop",
    "qwerty123456",
    "administrator",
    "letmeinletmein",
];

impl FromStr for Password {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.to_lowercase();
        match text.chars().count() {
            0..10 => Err("A password has at least 10 characters."),
            257.. => Err("A password has at most 256 characters."),
            _ if COMMON.contains(&lower.as_str()) || text.chars().all(|c| text.starts_with(c)) => {
                Err("This password is among the first that anyone would try; choose another.")
            }
            _ => Ok(Password(text.to_string())),
        }
    }
}

/// A person's name, 1 to 80 characters.
pub fn check_name(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let sound = (1..=80).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if sound { Ok(text.to_string()) } else { Err("A name has 1 to 80 characters.") }
}

/// The name of the organization that a person gets on signing up.
pub fn first_name(person: &str) -> String {
    let given = person.split_whitespace().next().unwrap_or(person);
    if given.ends_with(['s', 'x', 'z']) { format!("{given}’ organization") } else { format!("{given}’s organization") }
}

/// The body of `POST /api/auth/register`, and the sign-up form.
#[derive(Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "Ada Lovelace", "email": "ada@example.com", "password": "correct horse battery" }))]
pub struct SignUpForm {
    pub name: String,
    pub email: String,
    pub password: String,
    /// The one-time token of the first administrator's link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup_token: Option<String>,
}

/// A sign-up, parsed.
#[derive(Debug, Clone)]
pub struct NewUser {
    pub name: String,
    pub email: Email,
    pub password: Password,
}

/// Somebody whom a provider of sign-ins brings: without a password.
#[derive(Debug, Clone)]
pub struct NewPerson {
    pub name: String,
    pub email: Email,
    /// The provider says that the address is hers.
    pub verified: bool,
}

/// A name for somebody of whom only the address is known.
pub fn first_name_of_address(email: &Email) -> String {
    email.as_str().split('@').next().unwrap_or_default().to_string()
}

impl SignUpForm {
    /// Parses every field; all that are wrong are told at once.
    pub fn parse(&self) -> Result<NewUser> {
        let mut fields = Fields::default();
        let name = fields.take("name", check_name(&self.name));
        let email = fields.take("email", self.email.parse());
        let password = fields.take("password", self.password.parse::<Password>());
        fields.done()?;
        match (name, email, password) {
            (Some(name), Some(email), Some(password)) => Ok(NewUser { name, email, password }),
            _ => Err(Error::invalid("body", "The form could not be read.")),
        }
    }
}

/// The body of `POST /api/auth/login`.
#[derive(Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "email": "ada@example.com", "password": "correct horse battery" }))]
pub struct SignInForm {
    pub email: String,
    pub password: String,
    /// A code of the second factor, or a recovery code; needed where the account has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<String>,
}

/// Who is signed in, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Me {
    pub user: User,
    pub organization: Organization,
    /// A given role's name, or the id of one that the organization made.
    pub role: String,
    /// What may be done everywhere in the organization.
    pub permissions: Permissions,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct User {
    pub id: UserId,
    pub name: String,
    pub email: String,
    /// Runs the platform.
    pub is_operator: bool,
}

/// The organization that somebody works in now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Organization {
    pub id: OrgId,
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_and_lowered() {
        assert_eq!("Ada@Example.com ".parse::<Email>().unwrap().as_str(), "ada@example.com");
        for bad in ["", "a", "@b", "a@", "a b@c", "a@b@c", "a@.b", "<a@b>", "a@b\nBcc: c@d"] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_first_organization_is_named_after_its_owner() {
        assert_eq!(first_name("Ada Lovelace"), "Ada’s organization");
        assert_eq!(first_name("James"), "James’ organization");
    }

    #[test]
    fn a_password_is_long_enough_and_not_the_first_guess() {
        assert!("123456789".parse::<Password>().is_err());
        assert!("Password123".parse::<Password>().is_err());
        assert!("aaaaaaaaaaaa".parse::<Password>().is_err());
        assert!("correct horse".parse::<Password>().is_ok());
        assert_eq!(format!("{:?}", "correct horse".parse::<Password>().unwrap()), "Password(…)");
    }
}
