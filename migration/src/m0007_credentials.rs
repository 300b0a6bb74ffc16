//! Tokens of mails and of sign-ins that are under way, devices that accounts know, keys that sign bearer tokens, refresh tokens.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0007_credentials"
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
    // Single-purpose tokens: links in mails, and sign-ins that still ask for a second factor.
    "CREATE TABLE account_tokens (
        token_hash TEXT PRIMARY KEY,
        user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        purpose TEXT NOT NULL,
        payload TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        used_at BIGINT
    )",
    "CREATE INDEX account_tokens_of_user ON account_tokens (user_id, purpose)",
    "CREATE INDEX account_tokens_by_expiry ON account_tokens (expires_at)",
    // Browsers in which somebody signed in before.
    "CREATE TABLE devices (
        user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        token_hash TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        last_used_at BIGINT NOT NULL,
        PRIMARY KEY (user_id, token_hash)
    )",
    "CREATE INDEX devices_by_use ON devices (last_used_at)",
    // `secret` is sealed.
    "CREATE TABLE signing_keys (
        id TEXT PRIMARY KEY,
        secret TEXT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX signing_keys_by_age ON signing_keys (created_at)",
    "CREATE TABLE refresh_tokens (
        token_hash TEXT PRIMARY KEY,
        session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        used_at BIGINT
    )",
    "CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session_id)",
    "CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at)",
    "CREATE INDEX attempts_by_end ON attempts (window_ends_at)",
];

const DOWN: &[&str] = &[
    "DROP INDEX attempts_by_end",
    "DROP TABLE refresh_tokens",
    "DROP TABLE signing_keys",
    "DROP TABLE devices",
    "DROP TABLE account_tokens",
];
