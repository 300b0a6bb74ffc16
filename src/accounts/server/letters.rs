//! The letters about an account.
use crate::{
    outbox::{
        Letter, LetterKind, LetterText, Sample,
        letter::{name, until},
    },
    units::Timestamp,
};
use serde::{Deserialize, Serialize};

/// The kinds of letters of this feature.
pub const LETTERS: &[LetterKind] = &[
    LetterKind::of::<VerifyEmailLetter>(),
    LetterKind::of::<ChangeEmailLetter>(),
    LetterKind::of::<EmailChangedLetter>(),
    LetterKind::of::<ResetPasswordLetter>(),
    LetterKind::of::<PasswordChangedLetter>(),
    LetterKind::of::<SecondFactorLetter>(),
];

/// Proves that an address is its owner's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyEmailLetter {
    pub name: String,
    pub link: String,
}

impl Letter for VerifyEmailLetter {
    const KIND: &'static str = "verify_email";
    const WORD: &'static str = "Confirm address";

    fn write(&self, product: &str) -> LetterText {
        let line = format!("Press the button to confirm that this address is yours, so that {product} can reach you.");
        let note = "If you have no account here, ignore this message.";
        LetterText::to(&self.name, format!("Confirm your address for {product}"), [line], note).button("Confirm address", &self.link)
    }

    fn sample(of: &Sample<'_>) -> Self {
        VerifyEmailLetter { name: of.name.into(), link: of.link("verify-email") }
    }
}

/// Proves a new address; goes there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeEmailLetter {
    pub name: String,
    pub link: String,
}

impl Letter for ChangeEmailLetter {
    const KIND: &'static str = "change_email";
    const WORD: &'static str = "Confirm new address";

    fn write(&self, product: &str) -> LetterText {
        let line = "Press the button to use this address from now on. Until then, the old one stays in use.".to_string();
        let note = "If you did not ask for this, ignore this message: nothing changes.";
        LetterText::to(&self.name, format!("Confirm your new address for {product}"), [line], note).button("Use this address", &self.link)
    }

    fn sample(of: &Sample<'_>) -> Self {
        ChangeEmailLetter { name: of.name.into(), link: of.link("verify-email") }
    }
}

/// Tells the old address that there is a new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailChangedLetter {
    pub name: String,
    pub new_email: String,
}

impl Letter for EmailChangedLetter {
    const KIND: &'static str = "email_changed";
    const WORD: &'static str = "Address changed";

    fn write(&self, product: &str) -> LetterText {
        let line = format!("Your account now uses the address {}. No more mail about it goes to this one.", name(&self.new_email));
        let note = "If this was not you, answer this message or ask the operator of the platform at once.";
        LetterText::to(&self.name, format!("Your address at {product} was changed"), [line], note)
    }

    fn sample(of: &Sample<'_>) -> Self {
        EmailChangedLetter { name: of.name.into(), new_email: "ada@example.org".into() }
    }
}

/// A way back in for whoever forgot the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResetPasswordLetter {
    pub name: String,
    pub link: String,
    pub expires_at: Timestamp,
}

impl Letter for ResetPasswordLetter {
    const KIND: &'static str = "reset_password";
    const WORD: &'static str = "Reset password";

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }

    fn write(&self, product: &str) -> LetterText {
        let lines = [
            "Somebody, most likely you, asked for a new password. The button leads to a page where you can choose it.".to_string(),
            format!("The link works once, until {}.", until(self.expires_at)),
        ];
        let note = "If you did not ask for this, ignore this message: your password stays as it is.";
        LetterText::to(&self.name, format!("Choose a new password for {product}"), lines, note).button("Choose a new password", &self.link)
    }

    fn sample(of: &Sample<'_>) -> Self {
        ResetPasswordLetter { name: of.name.into(), link: of.link("reset-password"), expires_at: of.next_week() }
    }
}

/// Tells that the password was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordChangedLetter {
    pub name: String,
}

impl Letter for PasswordChangedLetter {
    const KIND: &'static str = "password_changed";
    const WORD: &'static str = "Password changed";

    fn write(&self, product: &str) -> LetterText {
        let line = "The password of your account was changed, and all other sessions were signed out.".to_string();
        let note = "If this was not you, choose a new password by “Forgot password” at once, and ask the operator of the platform.";
        LetterText::to(&self.name, format!("Your password at {product} was changed"), [line], note)
    }

    fn sample(of: &Sample<'_>) -> Self {
        PasswordChangedLetter { name: of.name.into() }
    }
}

/// Tells that a way to sign in was added or removed; `change` is a clause: "a passkey was added".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactorLetter {
    pub name: String,
    pub change: String,
}

impl Letter for SecondFactorLetter {
    const KIND: &'static str = "second_factor_changed";
    const WORD: &'static str = "Second factor changed";

    fn write(&self, product: &str) -> LetterText {
        let clause = name(&self.change);
        let mut rest = clause.trim_end_matches('.').chars();
        let first: String = rest.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
        let line = format!("{first}{}.", rest.as_str());
        let note = "If this was not you, change your password at once and sign out all sessions under Account, Security.";
        LetterText::to(&self.name, format!("The second factor of your account at {product} changed"), [line], note)
    }

    fn sample(of: &Sample<'_>) -> Self {
        SecondFactorLetter { name: of.name.into(), change: "a passkey was added to your account".into() }
    }
}
