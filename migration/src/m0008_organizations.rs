//! Invitations.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0008_organizations"
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
    // The token itself is never stored: `token_hash` is its SHA-256. `status` is pending, accepted, declined or revoked; one that is
    // pending after `expires_at` has expired.
    "CREATE TABLE invitations (
        id TEXT PRIMARY KEY,
        organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
        email TEXT NOT NULL,
        role TEXT NOT NULL,
        message TEXT NOT NULL,
        token_hash TEXT NOT NULL UNIQUE,
        invited_by TEXT NOT NULL,
        status TEXT NOT NULL,
        hours BIGINT NOT NULL,
        sends BIGINT NOT NULL,
        mail_id TEXT,
        created_at BIGINT NOT NULL,
        sent_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        ended_at BIGINT
    )",
    "CREATE INDEX invitations_of_organization ON invitations (organization_id, id)",
    "CREATE INDEX invitations_to_address ON invitations (email, status)",
    "CREATE UNIQUE INDEX invitations_open ON invitations (organization_id, email) WHERE status = 'pending'",
    "CREATE INDEX memberships_by_role ON memberships (organization_id, role)",
    "CREATE INDEX app_grants_by_role ON app_grants (organization_id, role)",
];

const DOWN: &[&str] = &["DROP INDEX app_grants_by_role", "DROP INDEX memberships_by_role", "DROP TABLE invitations"];
