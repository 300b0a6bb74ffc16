//! What of this feature stands in the audit trail.
use crate::store::EventKind;

/// A certificate was issued.
pub const CERTIFICATE_ISSUED: EventKind = EventKind::new("certificate.issued", "A certificate was issued");
/// A certificate was requested.
pub const CERTIFICATE_REQUESTED: EventKind = EventKind::new("certificate.requested", "A certificate was requested");
/// A certificate was uploaded.
pub const CERTIFICATE_UPLOADED: EventKind = EventKind::new("certificate.uploaded", "A certificate was uploaded");
/// A certificate was removed.
pub const CERTIFICATE_REMOVED: EventKind = EventKind::new("certificate.removed", "A certificate was removed");
/// A domain was added.
pub const DOMAIN_ADDED: EventKind = EventKind::new("domain.added", "A domain was added");
/// A domain was changed.
pub const DOMAIN_CHANGED: EventKind = EventKind::new("domain.changed", "A domain was changed");
/// A domain was removed.
pub const DOMAIN_REMOVED: EventKind = EventKind::new("domain.removed", "A domain was removed");
/// A domain was proven.
pub const DOMAIN_VERIFIED: EventKind = EventKind::new("domain.verified", "A domain was proven");
/// A domain’s proof lapsed.
pub const DOMAIN_LAPSED: EventKind = EventKind::new("domain.lapsed", "A domain’s proof lapsed");

/// All of them.
pub const ALL: &[EventKind] = &[
    CERTIFICATE_ISSUED,
    CERTIFICATE_REQUESTED,
    CERTIFICATE_UPLOADED,
    CERTIFICATE_REMOVED,
    DOMAIN_ADDED,
    DOMAIN_CHANGED,
    DOMAIN_REMOVED,
    DOMAIN_VERIFIED,
    DOMAIN_LAPSED,
];
