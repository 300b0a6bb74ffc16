//! The one error that every layer returns. It has two audiences: the customer, who reads its sentence, and the program, which
//! reads its code. Causes stay out of it: they are logged once, where a fault becomes [`Error::Internal`], under the reference
//! that the customer is shown.
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The result of everything that can be refused.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What stands beside a form field: the field's name as the API spells it, and a sentence that tells the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field's name in the API (`port`, `environment_variables.DATABASE_URL`).
    pub field: String,
    /// One sentence for a person.
    pub message: String,
}

/// A kind of thing that can be asked for and not be there. A feature declares its own in its model; those that the grounds look up for
/// every feature are constants here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    code: Cow<'static, str>,
    word: Cow<'static, str>,
}

impl Thing {
    pub const PAGE: Thing = Thing::new("PAGE", "page");
    pub const LINK: Thing = Thing::new("LINK", "link");
    pub const ORGANIZATION: Thing = Thing::new("ORGANIZATION", "organization");
    pub const APPLICATION: Thing = Thing::new("APPLICATION", "application");
    pub const DEPLOYMENT: Thing = Thing::new("DEPLOYMENT", "deployment");
    pub const DOMAIN: Thing = Thing::new("DOMAIN", "domain");
    pub const PATH: Thing = Thing::new("PATH", "path");
    pub const CLUSTER: Thing = Thing::new("CLUSTER", "cluster");

    /// All of the above.
    pub const COMMON: &[Thing] =
        &[Thing::PAGE, Thing::LINK, Thing::ORGANIZATION, Thing::APPLICATION, Thing::DEPLOYMENT, Thing::DOMAIN, Thing::PATH, Thing::CLUSTER];

    /// A kind of thing: the upper snake case word of its error code (`API_KEY`), and the word as a person says it (`API key`).
    pub const fn new(code: &'static str, word: &'static str) -> Self {
        Thing { code: Cow::Borrowed(code), word: Cow::Borrowed(word) }
    }

    /// The word in upper snake case, as it stands in the error code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The word as a person says it.
    pub fn word(&self) -> &str {
        &self.word
    }
}

/// Why something was not done. It is an answer for people and no cause: `std::error::Error` is not implemented for it, so that it can't be
/// taken for a fault of our own by mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Error {
    /// No credential, or one that is wrong, expired or revoked.
    SignedOut(String),
    /// The password is right, and the account has a second factor that was not given yet.
    SecondFactor,
    /// It does not exist, or belongs to somebody else: the two look alike on purpose.
    NotFound(Thing),
    /// The caller may see the thing, but lacks this permission.
    Forbidden {
        /// The permission that is missing.
        permission: String,
    },
    /// The organization demands a second factor of its members, and the caller has none yet.
    TwoFactorRequired,
    /// The organization demands a sign-in by this provider, and the caller signed in otherwise.
    ProviderRequired(String),
    /// The operator asks for a proven address, and the caller's is not.
    Unverified,
    /// The operator stopped the organization.
    Suspended,
    /// The request did not come from one of our own pages, or from one that is too old.
    Forged,
    /// The address is right, the method is not.
    MethodNotAllowed,
    /// Input that cannot be taken; every field that is wrong, at once.
    Invalid(Vec<FieldError>),
    /// The request is sound, but not in the state that things are in.
    Conflict(String),
    /// The plan does not allow so much.
    QuotaExceeded {
        /// What is counted, in the plural.
        what: String,
        /// How many the plan allows.
        limit: u64,
        /// How many there are.
        used: u64,
    },
    /// More than the boundary takes.
    TooLarge(String),
    /// Too many attempts.
    RateLimited {
        /// Seconds until the next attempt is taken.
        retry_after: u64,
    },
    /// Too many failed sign-ins to one account, from devices that it does not know.
    UnknownDevice {
        /// Seconds until the next attempt is taken.
        retry_after: u64,
    },
    /// Something that this needs (the swarm, a repository's host) does not answer now.
    Unavailable(String),
    /// Our fault. The reference leads to the cause in the log.
    Internal(String),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::SignedOut(said) | Error::Conflict(said) | Error::TooLarge(said) | Error::Unavailable(said) => f.write_str(said),
            Error::SecondFactor => {
                f.write_str("This account has a second factor. Give a code from the authenticator app, or a recovery code.")
            }
            Error::NotFound(thing) => write!(f, "There is no such {}.", thing.word()),
            Error::Forbidden { permission } => f.write_str(&forbidden(permission)),
            Error::TwoFactorRequired => {
                f.write_str("This organization asks its members for a second factor. Set one up under Account, Security, then go on.")
            }
            Error::ProviderRequired(name) => {
                write!(f, "This organization asks its members to sign in with “{name}”. Sign in with it, then go on.")
            }
            Error::Unverified => {
                f.write_str("Confirm your e-mail address first: follow the link that was sent to it, or have it sent again under Account.")
            }
            Error::Suspended => f.write_str(
                "This organization is suspended: it can be seen, but nothing in it can be changed. Ask the operator of the platform.",
            ),
            Error::Forged => {
                f.write_str("This page is too old, or the request did not come from it. Load the page again and repeat what you did.")
            }
            Error::MethodNotAllowed => f.write_str("This address does not take this method."),
            Error::Invalid(fields) => f.write_str(&sentences(fields)),
            Error::QuotaExceeded { what, limit, used } => write!(f, "Your plan allows {limit} {what}; {used} are in use."),
            Error::RateLimited { retry_after } => write!(f, "Too many attempts. Try again in {retry_after} s."),
            Error::UnknownDevice { retry_after } => write!(
                f,
                "There were too many failed sign-ins to this account from devices that it does not know. Try again in {retry_after} s, use \
                 a browser in which you signed in before, or reset the password by e-mail."
            ),
            Error::Internal(reference) => {
                write!(f, "Something went wrong on our side. Nothing was lost; the reference is {reference}.")
            }
        }
    }
}

fn forbidden(permission: &str) -> String {
    match permission {
        "in_person" => "This is done in person: sign in yourself. An API key can’t do it, nor somebody who acts in your name.".into(),
        "operator" => "This is for the operators of the platform.".into(),
        permission => format!("Your role does not include “{permission}” here. Ask an owner or admin of the organization."),
    }
}

fn sentences(fields: &[FieldError]) -> String {
    fields.iter().map(|f| f.message.as_str()).collect::<Vec<_>>().join(" ")
}

impl Error {
    /// One field that cannot be taken.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Error::Invalid(vec![FieldError { field: field.into(), message: message.into() }])
    }

    /// The usual refusal of somebody who is not signed in.
    pub fn signed_out() -> Self {
        Error::SignedOut("Sign in to continue.".into())
    }

    /// The stable code of the REST contract.
    pub fn code(&self) -> String {
        match self {
            Error::SignedOut(_) => "AUTHENTICATION_REQUIRED".into(),
            Error::NotFound(thing) => format!("{}_NOT_FOUND", thing.code()),
            Error::Forbidden { .. } | Error::Forged => "FORBIDDEN".into(),
            Error::TwoFactorRequired | Error::SecondFactor => "TWO_FACTOR_REQUIRED".into(),
            Error::ProviderRequired(_) => "PROVIDER_REQUIRED".into(),
            Error::Unverified => "EMAIL_NOT_VERIFIED".into(),
            Error::Suspended => "SUSPENDED".into(),
            Error::MethodNotAllowed => "METHOD_NOT_ALLOWED".into(),
            Error::Invalid(_) => "VALIDATION_ERROR".into(),
            Error::Conflict(_) => "CONFLICT".into(),
            Error::QuotaExceeded { .. } => "QUOTA_EXCEEDED".into(),
            Error::TooLarge(_) => "PAYLOAD_TOO_LARGE".into(),
            Error::RateLimited { .. } | Error::UnknownDevice { .. } => "RATE_LIMITED".into(),
            Error::Unavailable(_) => "UNAVAILABLE".into(),
            Error::Internal(_) => "INTERNAL_ERROR".into(),
        }
    }

    /// The HTTP status of the REST contract.
    pub fn status(&self) -> u16 {
        match self {
            Error::SignedOut(_) | Error::SecondFactor => 401,
            Error::NotFound(_) => 404,
            Error::Forbidden { .. }
            | Error::Forged
            | Error::TwoFactorRequired
            | Error::ProviderRequired(_)
            | Error::Unverified
            | Error::Suspended => 403,
            Error::MethodNotAllowed => 405,
            Error::Invalid(_) => 400,
            Error::Conflict(_) | Error::QuotaExceeded { .. } => 409,
            Error::TooLarge(_) => 413,
            Error::RateLimited { .. } | Error::UnknownDevice { .. } => 429,
            Error::Unavailable(_) => 503,
            Error::Internal(_) => 500,
        }
    }

    /// The sentence for one field, where this error names it.
    pub fn for_field(&self, field: &str) -> Option<&str> {
        match self {
            Error::Invalid(fields) => fields.iter().find(|f| f.field == field).map(|f| f.message.as_str()),
            _ => None,
        }
    }
}

/// Gathers the errors of several fields, so that a person sees all of them at once.
#[derive(Debug, Default)]
pub struct Fields(Vec<FieldError>);

impl Fields {
    /// Keeps a parsed value, or its error under the field's name.
    pub fn take<T>(&mut self, field: &str, parsed: std::result::Result<T, impl ToString>) -> Option<T> {
        parsed.map_err(|why| self.refuse(field, why.to_string())).ok()
    }

    /// Notes that a field cannot be taken.
    pub fn refuse(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldError { field: field.into(), message: message.into() });
    }

    /// Fails with everything that was noted.
    pub fn done(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_that_is_not_there_says_the_same_on_both_sides() {
        let error = Error::NotFound(Thing::new("API_KEY", "API key"));
        assert_eq!((error.code().as_str(), error.to_string().as_str()), ("API_KEY_NOT_FOUND", "There is no such API key."));
        let sent = serde_json::to_string(&error).unwrap();
        assert_eq!(serde_json::from_str::<Error>(&sent).unwrap(), error);
    }
}
