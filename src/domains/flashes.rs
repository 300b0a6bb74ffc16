//! What the pages say once, after something was done.
use crate::kit::Flash;

/// A domain was looked at.
pub const DOMAIN_CHECKED: Flash = Flash::new("domains.domain_checked", "The domain was checked just now.");
/// A domain was removed.
pub const DOMAIN_REMOVED: Flash = Flash::new("domains.domain_removed", "The domain was removed. It leads here no more.");
/// A certificate will be ordered.
pub const CERTIFICATE_ORDERED: Flash =
    Flash::new("domains.certificate_ordered", "A certificate is being ordered. It takes a minute or two.");

/// All of them.
pub const ALL: &[Flash] = &[DOMAIN_CHECKED, DOMAIN_REMOVED, CERTIFICATE_ORDERED];
