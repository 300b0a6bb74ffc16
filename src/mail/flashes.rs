//! What the pages say once, after something was done.
use crate::kit::Flash;

/// A message will be sent once more.
pub const RETRIED: Flash = Flash::new("mail.retried", "The message will be sent once more.");
/// A message was ended.
pub const ENDED: Flash = Flash::new("mail.ended", "The message was ended. Nobody gets it.");
/// A test mail was put into the outbox.
pub const TEST_QUEUED: Flash = Flash::new("mail.test_queued", "The message waits to be sent to your address.");
/// An address gets mail again.
pub const SUPPRESSION_LIFTED: Flash = Flash::new("mail.suppression_lifted", "The address gets mail again.");

/// All of them.
pub const ALL: &[Flash] = &[RETRIED, ENDED, TEST_QUEUED, SUPPRESSION_LIFTED];
