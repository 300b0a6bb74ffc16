//! The chain of the audit trail, and where it is sent.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0009_audit"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, DOWN).await
    }
}

const UP: &[&str] = &[
    "ALTER TABLE audit_events ADD COLUMN user_name TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE audit_events ADD COLUMN impersonator_id TEXT",
    "ALTER TABLE audit_events ADD COLUMN impersonator_name TEXT",
    "ALTER TABLE audit_events ADD COLUMN agent TEXT NOT NULL DEFAULT ''",
    // The session or the key of the API, and which of them it is.
    "ALTER TABLE audit_events ADD COLUMN credential TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE audit_events ADD COLUMN credential_kind TEXT NOT NULL DEFAULT ''",
    // A row's place in its organization's chain. Older rows have none until the panel starts the next time.
    "ALTER TABLE audit_events ADD COLUMN seq BIGINT",
    "ALTER TABLE audit_events ADD COLUMN prev_hash TEXT",
    "ALTER TABLE audit_events ADD COLUMN hash TEXT",
    "DROP INDEX audit_of_organization",
    "CREATE UNIQUE INDEX audit_in_order ON audit_events (organization_id, seq)",
    "CREATE INDEX audit_by_person ON audit_events (organization_id, user_id, seq)",
    "CREATE INDEX audit_by_event ON audit_events (organization_id, event, seq)",
    "CREATE INDEX audit_by_target ON audit_events (organization_id, target, seq)",
    "CREATE INDEX audit_of_person ON audit_events (user_id, id)",
    // The end of each chain: how many rows it has, the last one's hash, and a seal over both.
    "CREATE TABLE audit_heads (
        organization_id TEXT PRIMARY KEY,
        seq BIGINT NOT NULL,
        hash TEXT NOT NULL,
        seal TEXT NOT NULL
    )",
    "CREATE TABLE audit_streams (
        id TEXT PRIMARY KEY,
        organization_id TEXT NOT NULL,
        name TEXT NOT NULL,
        url TEXT NOT NULL,
        secret TEXT,
        sent_seq BIGINT NOT NULL,
        is_enabled BOOLEAN NOT NULL,
        disabled_reason TEXT,
        attempts BIGINT NOT NULL DEFAULT 0,
        failing_since BIGINT,
        last_error TEXT,
        last_sent_at BIGINT,
        next_try_at BIGINT NOT NULL,
        version BIGINT NOT NULL DEFAULT 1,
        created_at BIGINT NOT NULL,
        UNIQUE (organization_id, name)
    )",
    "CREATE INDEX audit_streams_due ON audit_streams (is_enabled, next_try_at)",
];

const DOWN: &[&str] = &[
    "DROP TABLE audit_streams",
    "DROP TABLE audit_heads",
    "DROP INDEX audit_of_person",
    "DROP INDEX audit_by_target",
    "DROP INDEX audit_by_event",
    "DROP INDEX audit_by_person",
    "DROP INDEX audit_in_order",
    "CREATE INDEX audit_of_organization ON audit_events (organization_id, id)",
    "ALTER TABLE audit_events DROP COLUMN hash",
    "ALTER TABLE audit_events DROP COLUMN prev_hash",
    "ALTER TABLE audit_events DROP COLUMN seq",
    "ALTER TABLE audit_events DROP COLUMN credential_kind",
    "ALTER TABLE audit_events DROP COLUMN credential",
    "ALTER TABLE audit_events DROP COLUMN agent",
    "ALTER TABLE audit_events DROP COLUMN impersonator_name",
    "ALTER TABLE audit_events DROP COLUMN impersonator_id",
    "ALTER TABLE audit_events DROP COLUMN user_name",
];
