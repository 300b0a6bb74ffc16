//! What is sent to change an account, and what is answered.
use super::{Email, Password, check_name};
use crate::{
    error::{Error, Fields, Result},
    id::UserId,
    units::Timestamp,
};
use serde::{Deserialize, Serialize};

/// An account as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Profile {
    pub id: UserId,
    pub name: String,
    pub email: String,
    /// Whether the address was proven by following a link that was sent there.
    pub email_verified: bool,
    /// A new address that waits to be confirmed by the link that was sent there.
    pub pending_email: Option<String>,
    /// Whether it has a second factor.
    pub has_second_factor: bool,
    pub created_at: Timestamp,
}

/// The body of `PUT /api/auth/profile`. What is left out stays.
#[derive(Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "Ada King" }))]
pub struct ProfileForm {
    #[serde(default)]
    pub name: Option<String>,
    /// A new address. It counts once it is confirmed by the link that is sent there.
    #[serde(default)]
    pub email: Option<String>,
    /// The password; needed for a new address.
    #[serde(default)]
    pub password: Option<String>,
}

impl ProfileForm {
    /// Parses every field; all that are wrong are told at once.
    pub fn parse(&self) -> Result<(Option<String>, Option<Email>)> {
        let mut fields = Fields::default();
        let name = self.name.as_deref().and_then(|name| fields.take("name", check_name(name)));
        let email = self.email.as_deref().and_then(|email| fields.take("email", email.parse()));
        fields.done()?;
        Ok((name, email))
    }
}

fn yes() -> bool {
    true
}

/// The body of `PUT /api/auth/password`.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "current_password": "correct horse battery", "new_password": "nine pink lamps of winter" }))]
pub struct PasswordForm {
    pub current_password: String,
    pub new_password: String,
    /// Whether all other sessions end; they do where nothing is said.
    #[serde(default = "yes")]
    pub sign_out_others: bool,
}

impl PasswordForm {
    /// Parses the new password.
    pub fn parse(&self) -> Result<Password> {
        self.new_password.parse().map_err(|why: &str| Error::invalid("new_password", why))
    }
}

/// How many sessions were ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Ended {
    pub ended: u64,
}

/// The body of `POST /api/auth/forgot-password`.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "email": "ada@example.com" }))]
pub struct ForgotForm {
    pub email: String,
}

/// The body of `POST /api/auth/reset-password`.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "token": "Yf3…", "password": "nine pink lamps of winter" }))]
pub struct ResetForm {
    /// From the link in the mail.
    pub token: String,
    pub password: String,
}

/// The body of `POST /api/auth/verify-email`.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "token": "Yf3…" }))]
pub struct TokenForm {
    /// From the link in the mail.
    pub token: String,
}

/// The body of `POST /api/auth/refresh`.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "refresh_token": "Yf3…" }))]
pub struct RefreshForm {
    pub refresh_token: String,
}

/// What a script carries, and what it gets the next with.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Tokens {
    /// For `Authorization: Bearer …`.
    pub access_token: String,
    pub token_type: String,
    /// Seconds until the access token is over.
    pub expires_in: u64,
    /// Good once, for `POST /api/auth/refresh`.
    pub refresh_token: String,
    /// Seconds until the refresh token is over.
    pub refresh_expires_in: u64,
}

/// What a link that came by mail is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailLink {
    /// The address that it proves.
    pub email: String,
    /// It takes the place of another one.
    pub is_new: bool,
}
