//! What of this feature stands in the audit trail.
use crate::store::EventKind;

/// A chain of the trail was begun.
pub const AUDIT_CHAIN_BEGUN: EventKind = EventKind::new("audit.chain_begun", "A chain of the trail was begun");
/// Lines from before there were chains were chained.
pub const AUDIT_ROWS_CHAINED: EventKind = EventKind::new("audit.rows_chained", "Lines from before there were chains were chained");
/// The trail was exported.
pub const AUDIT_EXPORTED: EventKind = EventKind::new("audit.exported", "The trail was exported");
/// A stream of the trail was created.
pub const AUDIT_STREAM_CREATED: EventKind = EventKind::new("audit_stream.created", "A stream of the trail was created");
/// A stream of the trail was changed.
pub const AUDIT_STREAM_CHANGED: EventKind = EventKind::new("audit_stream.changed", "A stream of the trail was changed");
/// A stream of the trail was deleted.
pub const AUDIT_STREAM_DELETED: EventKind = EventKind::new("audit_stream.deleted", "A stream of the trail was deleted");
/// A stream of the trail was tested.
pub const AUDIT_STREAM_TESTED: EventKind = EventKind::new("audit_stream.tested", "A stream of the trail was tested");
/// A test line was sent.
pub const AUDIT_STREAM_TEST: EventKind = EventKind::new("audit_stream.test", "A test line was sent");
/// A stream of the trail was switched off.
pub const AUDIT_STREAM_DISABLED: EventKind = EventKind::new("audit_stream.disabled", "A stream of the trail was switched off");

/// All of them.
pub const ALL: &[EventKind] = &[
    AUDIT_CHAIN_BEGUN,
    AUDIT_ROWS_CHAINED,
    AUDIT_EXPORTED,
    AUDIT_STREAM_CREATED,
    AUDIT_STREAM_CHANGED,
    AUDIT_STREAM_DELETED,
    AUDIT_STREAM_TESTED,
    AUDIT_STREAM_TEST,
    AUDIT_STREAM_DISABLED,
];
