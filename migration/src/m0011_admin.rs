//! Operators in the names of others, announcements, and feature flags.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0011_admin"
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
    // Which session of an operator an impersonation came from, and returns to.
    "CREATE TABLE impersonations (
        session_id TEXT PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
        operator_session_id TEXT NOT NULL,
        operator_id TEXT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX impersonations_of_operator ON impersonations (operator_id)",
    "CREATE TABLE announcements (
        id TEXT PRIMARY KEY,
        title TEXT NOT NULL,
        body TEXT NOT NULL,
        level TEXT NOT NULL,
        organizations TEXT NOT NULL,
        starts_at BIGINT NOT NULL,
        ends_at BIGINT,
        is_dismissable BOOLEAN NOT NULL,
        version BIGINT NOT NULL DEFAULT 1,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX announcements_by_start ON announcements (starts_at)",
    "CREATE TABLE announcement_dismissals (
        announcement_id TEXT NOT NULL REFERENCES announcements (id) ON DELETE CASCADE,
        user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        created_at BIGINT NOT NULL,
        PRIMARY KEY (user_id, announcement_id)
    )",
    // Flags are known to the program; a row says how far one is rolled out.
    "CREATE TABLE feature_flags (
        name TEXT PRIMARY KEY,
        percent BIGINT NOT NULL,
        version BIGINT NOT NULL DEFAULT 1,
        updated_at BIGINT NOT NULL
    )",
    "CREATE TABLE flag_overrides (
        name TEXT NOT NULL,
        organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
        is_on BOOLEAN NOT NULL,
        PRIMARY KEY (name, organization_id)
    )",
    "CREATE INDEX users_by_birth ON users (created_at)",
    "CREATE INDEX organizations_by_birth ON organizations (created_at)",
    "CREATE INDEX users_suspended ON users (suspended_at)",
    "CREATE INDEX organizations_by_state ON organizations (deleted_at, suspended_at)",
    "CREATE INDEX deployments_by_birth ON deployments (created_at, phase)",
];

const DOWN: &[&str] = &[
    "DROP INDEX deployments_by_birth",
    "DROP INDEX organizations_by_state",
    "DROP INDEX users_suspended",
    "DROP INDEX organizations_by_birth",
    "DROP INDEX users_by_birth",
    "DROP TABLE flag_overrides",
    "DROP TABLE feature_flags",
    "DROP TABLE announcement_dismissals",
    "DROP TABLE announcements",
    "DROP TABLE impersonations",
];
