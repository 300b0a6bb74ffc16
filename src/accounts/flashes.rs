//! What the pages say once, after something was done.
use crate::kit::Flash;

/// A mail with a link is on its way.
pub const LINK_SENT: Flash = Flash::new("accounts.link_sent", "A mail with a link is on its way. Follow it to confirm the address.");
/// A mail is on its way if there is such an account.
pub const RESET_SENT: Flash =
    Flash::new("accounts.reset_sent", "If there is an account with this address, a link to a new password is on its way to it.");
/// An address was proven.
pub const ADDRESS_CONFIRMED: Flash = Flash::new("accounts.address_confirmed", "The address is confirmed.");
/// There is a new password.
pub const PASSWORD_CHANGED: Flash = Flash::new("accounts.password_changed", "The password was changed.");
/// Somebody was signed out elsewhere.
pub const SESSION_ENDED: Flash = Flash::new("accounts.session_ended", "Signed out there.");

/// All of them.
pub const ALL: &[Flash] = &[LINK_SENT, RESET_SENT, ADDRESS_CONFIRMED, PASSWORD_CHANGED, SESSION_ENDED];
