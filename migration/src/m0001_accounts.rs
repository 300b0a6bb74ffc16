//! People, their sessions, organizations, roles and the audit trail.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0001_accounts"
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
    "CREATE TABLE users (
        id TEXT PRIMARY KEY,
        email TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        password_hash TEXT NOT NULL,
        is_operator BOOLEAN NOT NULL DEFAULT FALSE,
        created_at BIGINT NOT NULL
    )",
    "CREATE TABLE organizations (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "CREATE TABLE memberships (
        organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
        user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        role TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        PRIMARY KEY (organization_id, user_id)
    )",
    "CREATE INDEX memberships_of_user ON memberships (user_id)",
    // The token itself is never stored: `token_hash` is its SHA-256. A bearer of the API holds the session's id in a signed token.
    "CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        token_hash TEXT NOT NULL UNIQUE,
        user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        address TEXT NOT NULL,
        user_agent TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL
    )",
    "CREATE INDEX sessions_of_user ON sessions (user_id)",
    "CREATE INDEX sessions_by_expiry ON sessions (expires_at)",
    // One row a throttled key (an address, an account); the window starts anew when it is over.
    "CREATE TABLE attempts (
        subject TEXT PRIMARY KEY,
        failures BIGINT NOT NULL,
        window_ends_at BIGINT NOT NULL
    )",
    "CREATE TABLE setup_tokens (
        token_hash TEXT PRIMARY KEY,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL
    )",
    "CREATE TABLE audit_events (
        id TEXT PRIMARY KEY,
        organization_id TEXT NOT NULL,
        user_id TEXT NOT NULL,
        event TEXT NOT NULL,
        target TEXT NOT NULL,
        detail TEXT NOT NULL,
        address TEXT NOT NULL,
        request_id TEXT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX audit_of_organization ON audit_events (organization_id, id)",
];

const DOWN: &[&str] = &[
    "DROP TABLE audit_events",
    "DROP TABLE setup_tokens",
    "DROP TABLE attempts",
    "DROP TABLE sessions",
    "DROP TABLE memberships",
    "DROP TABLE organizations",
    "DROP TABLE users",
];
