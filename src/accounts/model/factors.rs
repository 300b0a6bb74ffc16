//! What both sides know of second factors, passkeys and accounts at other providers.
use crate::{id::PasskeyId, units::Timestamp};
use serde::{Deserialize, Serialize};

/// How many recovery codes a person gets at a time.
pub const RECOVERY_CODES: u32 = 10;
/// How many passkeys a person may have.
pub const MOST_PASSKEYS: u64 = 20;

/// What there is of an authenticator app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Totp {
    Off,
    /// The seed was made, and waits for a first code.
    Begun(TotpSetup),
    On {
        since: Timestamp,
    },
}

/// What an authenticator app needs to know; shown until a first code proves that it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({
    "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
    "uri": "otpauth://totp/SkyPanel:ada%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=SkyPanel&algorithm=SHA1&digits=6&period=30",
    "qr_svg": "<svg …>"
}))]
pub struct TotpSetup {
    /// The seed in base 32, for whoever types it.
    pub secret: String,
    /// The same as an `otpauth:` address.
    pub uri: String,
    /// The address as a QR code, an SVG image.
    pub qr_svg: String,
}

/// Recovery codes, shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({ "codes": ["k3v9-7m2x-qz0d-4ahw"] }))]
pub struct RecoveryCodes {
    /// Each is good once, in place of a code of the app.
    pub codes: Vec<String>,
}

/// How many recovery codes are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({ "left": 9, "of": 10 }))]
pub struct RecoveryLeft {
    pub left: u32,
    /// How many there were at first; 0 where there never were any.
    pub of: u32,
}

/// The body of what takes a code.
#[derive(Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "code": "123456" }))]
pub struct CodeForm {
    /// A code of the authenticator app, or a recovery code where one is taken.
    pub code: String,
}

/// The body of what takes the password and a code.
#[derive(Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "password": "correct horse battery", "code": "123456" }))]
pub struct DisableForm {
    /// May be empty for an account that has none.
    #[serde(default)]
    pub password: String,
    /// A code of the authenticator app, or a recovery code.
    pub code: String,
}

/// A passkey in the list of a person's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    pub id: PasskeyId,
    pub name: String,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

/// What a browser hands to its authenticator: the options in the form of WebAuthn's JSON, and the challenge's own token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyChallenge {
    pub token: String,
    pub options: String,
}

/// What an authenticator answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyAnswer {
    /// The challenge's token.
    pub token: String,
    /// The credential as WebAuthn's JSON.
    pub credential: String,
}

impl PasskeyAnswer {
    /// What a form brought, where an authenticator was asked at all.
    pub fn of(token: Option<String>, credential: Option<String>) -> Option<Self> {
        Some(PasskeyAnswer { token: token?, credential: credential.filter(|it| !it.is_empty())? })
    }
}

/// A provider of sign-ins that the operator set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({ "id": "acme", "name": "Acme’s directory" }))]
pub struct Provider {
    pub id: String,
    pub name: String,
}

/// An account at a provider that signs a person in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub provider: Provider,
    pub subject: String,
    pub email: String,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

/// An account at a provider that could be linked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkOffer {
    pub provider: Provider,
    pub email: String,
}

/// Everything that a person's security page shows of what this module is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Security {
    pub totp: Totp,
    pub recovery: RecoveryLeft,
    pub passkeys: Vec<Passkey>,
    pub identities: Vec<Identity>,
    /// Providers that are not linked yet.
    pub others: Vec<Provider>,
    /// Whether the account has a password.
    pub has_password: bool,
    /// Her organizations that demand a second factor.
    pub demanded_by: Vec<String>,
    /// The organization that she is in demands a second factor, and she has none.
    pub lacks_second_factor: bool,
    /// The organization that she is in demands a sign-in by this provider, and hers was another.
    pub needs_provider: Option<Provider>,
}

/// A passkey's name: 1 to 60 characters.
pub fn check_passkey_name(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let sound = (1..=60).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if sound { Ok(text.to_string()) } else { Err("A name has 1 to 60 characters, like “Work laptop”.") }
}
