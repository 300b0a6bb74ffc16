//! What of this feature stands in the audit trail.
use crate::store::EventKind;

/// A message was sent once more.
pub const MAIL_RETRIED: EventKind = EventKind::new("mail.retried", "A message was sent once more");
/// A message was ended.
pub const MAIL_CANCELLED: EventKind = EventKind::new("mail.cancelled", "A message was ended");
/// An address was suppressed.
pub const MAIL_SUPPRESSED: EventKind = EventKind::new("mail.suppressed", "An address was suppressed");
/// An address gets mail again.
pub const MAIL_SUPPRESSION_LIFTED: EventKind = EventKind::new("mail.suppression_lifted", "An address gets mail again");
/// A test mail was sent.
pub const MAIL_TEST_SENT: EventKind = EventKind::new("mail.test_sent", "A test mail was sent");

/// All of them.
pub const ALL: &[EventKind] = &[MAIL_RETRIED, MAIL_CANCELLED, MAIL_SUPPRESSED, MAIL_SUPPRESSION_LIFTED, MAIL_TEST_SENT];
