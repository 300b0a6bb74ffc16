//! Keys of the API, what several panels tell each other of rate limits, what a replayed answer needs, and error reports.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0010_keys"
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
    "CREATE TABLE api_keys (
        id TEXT PRIMARY KEY,
        organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
        user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        hint TEXT NOT NULL,
        scope TEXT NOT NULL,
        version BIGINT NOT NULL DEFAULT 1,
        created_at BIGINT NOT NULL,
        rotated_at BIGINT,
        expires_at BIGINT,
        last_used_at BIGINT,
        last_used_from TEXT
    )",
    "CREATE INDEX api_keys_of_organization ON api_keys (organization_id, user_id)",
    "CREATE INDEX api_keys_of_user ON api_keys (user_id)",
    // A key has one secret, and for a while two: `expires_at` is when the one before a rotation ends.
    "CREATE TABLE api_key_secrets (
        token_hash TEXT PRIMARY KEY,
        key_id TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
        expires_at BIGINT
    )",
    "CREATE INDEX api_key_secrets_of_key ON api_key_secrets (key_id)",
    "CREATE TABLE rate_counts (
        minute BIGINT NOT NULL,
        subject TEXT NOT NULL,
        panel TEXT NOT NULL,
        count BIGINT NOT NULL,
        PRIMARY KEY (minute, subject, panel)
    )",
    "ALTER TABLE idempotency_keys ADD COLUMN headers TEXT",
    "CREATE TABLE error_groups (
        fingerprint TEXT PRIMARY KEY,
        doing TEXT NOT NULL,
        cause TEXT NOT NULL,
        count BIGINT NOT NULL,
        first_seen_at BIGINT NOT NULL,
        last_seen_at BIGINT NOT NULL
    )",
    "CREATE INDEX error_groups_by_last_seen ON error_groups (last_seen_at)",
    "CREATE TABLE error_reports (
        reference TEXT PRIMARY KEY,
        fingerprint TEXT NOT NULL REFERENCES error_groups (fingerprint) ON DELETE CASCADE,
        cause TEXT NOT NULL,
        route TEXT,
        request_id TEXT,
        organization_id TEXT,
        user_id TEXT,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX error_reports_of_group ON error_reports (fingerprint, created_at)",
    "CREATE INDEX error_reports_by_age ON error_reports (created_at)",
];

const DOWN: &[&str] = &[
    "DROP TABLE error_reports",
    "DROP TABLE error_groups",
    "ALTER TABLE idempotency_keys DROP COLUMN headers",
    "DROP TABLE rate_counts",
    "DROP TABLE api_key_secrets",
    "DROP TABLE api_keys",
];
