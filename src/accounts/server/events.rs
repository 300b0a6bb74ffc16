//! What of this feature stands in the audit trail.
use crate::store::EventKind;

/// An account was created.
pub const ACCOUNT_CREATED: EventKind = EventKind::new("account.created", "An account was created");
/// Somebody signed in.
pub const ACCOUNT_SIGNED_IN: EventKind = EventKind::new("account.signed_in", "Somebody signed in");
/// Somebody signed out.
pub const ACCOUNT_SIGNED_OUT: EventKind = EventKind::new("account.signed_out", "Somebody signed out");
/// Somebody confirmed a sign-in.
pub const ACCOUNT_SIGNED_IN_AGAIN: EventKind = EventKind::new("account.signed_in_again", "Somebody confirmed a sign-in");
/// A session was ended.
pub const ACCOUNT_SESSION_ENDED: EventKind = EventKind::new("account.session_ended", "A session was ended");
/// All other sessions were ended.
pub const ACCOUNT_OTHER_SESSIONS_ENDED: EventKind = EventKind::new("account.other_sessions_ended", "All other sessions were ended");
/// A refresh token was used twice.
pub const ACCOUNT_REFRESH_TOKEN_REUSED: EventKind = EventKind::new("account.refresh_token_reused", "A refresh token was used twice");
/// A name was changed.
pub const ACCOUNT_RENAMED: EventKind = EventKind::new("account.renamed", "A name was changed");
/// A confirmation mail was sent again.
pub const ACCOUNT_VERIFICATION_SENT: EventKind = EventKind::new("account.verification_sent", "A confirmation mail was sent again");
/// An address was confirmed.
pub const ACCOUNT_EMAIL_VERIFIED: EventKind = EventKind::new("account.email_verified", "An address was confirmed");
/// A new address was asked for.
pub const ACCOUNT_EMAIL_CHANGE_ASKED: EventKind = EventKind::new("account.email_change_asked", "A new address was asked for");
/// The change of an address was cancelled.
pub const ACCOUNT_EMAIL_CHANGE_CANCELLED: EventKind =
    EventKind::new("account.email_change_cancelled", "The change of an address was cancelled");
/// An address was changed.
pub const ACCOUNT_EMAIL_CHANGED: EventKind = EventKind::new("account.email_changed", "An address was changed");
/// A password was changed.
pub const ACCOUNT_PASSWORD_CHANGED: EventKind = EventKind::new("account.password_changed", "A password was changed");
/// A new password was asked for.
pub const ACCOUNT_PASSWORD_RESET_ASKED: EventKind = EventKind::new("account.password_reset_asked", "A new password was asked for");
/// A password was reset.
pub const ACCOUNT_PASSWORD_RESET: EventKind = EventKind::new("account.password_reset", "A password was reset");
/// The setup of an authenticator app was begun.
pub const ACCOUNT_TOTP_BEGUN: EventKind = EventKind::new("account.totp_begun", "The setup of an authenticator app was begun");
/// An authenticator app was added.
pub const ACCOUNT_TOTP_ENABLED: EventKind = EventKind::new("account.totp_enabled", "An authenticator app was added");
/// An authenticator app was removed.
pub const ACCOUNT_TOTP_DISABLED: EventKind = EventKind::new("account.totp_disabled", "An authenticator app was removed");
/// New recovery codes were made.
pub const ACCOUNT_RECOVERY_CODES_RENEWED: EventKind = EventKind::new("account.recovery_codes_renewed", "New recovery codes were made");
/// A recovery code was used.
pub const ACCOUNT_RECOVERY_CODE_USED: EventKind = EventKind::new("account.recovery_code_used", "A recovery code was used");
/// A passkey was added.
pub const ACCOUNT_PASSKEY_ADDED: EventKind = EventKind::new("account.passkey_added", "A passkey was added");
/// A passkey was renamed.
pub const ACCOUNT_PASSKEY_RENAMED: EventKind = EventKind::new("account.passkey_renamed", "A passkey was renamed");
/// A passkey was removed.
pub const ACCOUNT_PASSKEY_REMOVED: EventKind = EventKind::new("account.passkey_removed", "A passkey was removed");
/// A passkey was refused.
pub const ACCOUNT_PASSKEY_REFUSED: EventKind = EventKind::new("account.passkey_refused", "A passkey was refused");
/// An account at a provider was linked.
pub const ACCOUNT_IDENTITY_LINKED: EventKind = EventKind::new("account.identity_linked", "An account at a provider was linked");
/// An account at a provider was unlinked.
pub const ACCOUNT_IDENTITY_UNLINKED: EventKind = EventKind::new("account.identity_unlinked", "An account at a provider was unlinked");

/// All of them.
pub const ALL: &[EventKind] = &[
    ACCOUNT_CREATED,
    ACCOUNT_SIGNED_IN,
    ACCOUNT_SIGNED_OUT,
    ACCOUNT_SIGNED_IN_AGAIN,
    ACCOUNT_SESSION_ENDED,
    ACCOUNT_OTHER_SESSIONS_ENDED,
    ACCOUNT_REFRESH_TOKEN_REUSED,
    ACCOUNT_RENAMED,
    ACCOUNT_VERIFICATION_SENT,
    ACCOUNT_EMAIL_VERIFIED,
    ACCOUNT_EMAIL_CHANGE_ASKED,
    ACCOUNT_EMAIL_CHANGE_CANCELLED,
    ACCOUNT_EMAIL_CHANGED,
    ACCOUNT_PASSWORD_CHANGED,
    ACCOUNT_PASSWORD_RESET_ASKED,
    ACCOUNT_PASSWORD_RESET,
    ACCOUNT_TOTP_BEGUN,
    ACCOUNT_TOTP_ENABLED,
    ACCOUNT_TOTP_DISABLED,
    ACCOUNT_RECOVERY_CODES_RENEWED,
    ACCOUNT_RECOVERY_CODE_USED,
    ACCOUNT_PASSKEY_ADDED,
    ACCOUNT_PASSKEY_RENAMED,
    ACCOUNT_PASSKEY_REMOVED,
    ACCOUNT_PASSKEY_REFUSED,
    ACCOUNT_IDENTITY_LINKED,
    ACCOUNT_IDENTITY_UNLINKED,
];
