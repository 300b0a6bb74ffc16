//! Roles of organizations, grants on single applications, and what the later steps need to know of people, organizations and sessions.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0005_rights"
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
    "ALTER TABLE users ADD COLUMN email_verified_at BIGINT",
    "ALTER TABLE users ADD COLUMN last_seen_at BIGINT",
    // Kept by whoever adds or removes a second factor, so that a look-up of a session need not count them.
    "ALTER TABLE users ADD COLUMN has_second_factor BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE users ADD COLUMN suspended_at BIGINT",
    "ALTER TABLE users ADD COLUMN suspended_reason TEXT",
    "ALTER TABLE organizations ADD COLUMN slug TEXT",
    "UPDATE organizations SET slug = substr(id, 5)",
    "CREATE UNIQUE INDEX organizations_by_slug ON organizations (slug)",
    "ALTER TABLE organizations ADD COLUMN contact_email TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE organizations ADD COLUMN billing_address TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE organizations ADD COLUMN tax_id TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE organizations ADD COLUMN defaults TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE organizations ADD COLUMN requires_two_factor BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE organizations ADD COLUMN required_provider TEXT",
    "ALTER TABLE organizations ADD COLUMN version BIGINT NOT NULL DEFAULT 1",
    "ALTER TABLE organizations ADD COLUMN suspended_at BIGINT",
    "ALTER TABLE organizations ADD COLUMN suspended_reason TEXT",
    "ALTER TABLE organizations ADD COLUMN deleted_at BIGINT",
    "ALTER TABLE sessions ADD COLUMN last_seen_at BIGINT",
    // How somebody signed in: `password`, `passkey`, `oidc:<provider>`, `impersonation`.
    "ALTER TABLE sessions ADD COLUMN method TEXT NOT NULL DEFAULT 'password'",
    "ALTER TABLE sessions ADD COLUMN impersonator_id TEXT",
    "ALTER TABLE sessions ADD COLUMN impersonation_reason TEXT",
    "CREATE TABLE roles (
        id TEXT PRIMARY KEY,
        organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        description TEXT NOT NULL,
        permissions TEXT NOT NULL,
        version BIGINT NOT NULL DEFAULT 1,
        created_at BIGINT NOT NULL,
        UNIQUE (organization_id, name)
    )",
    // `role` of a membership and of a grant is a given role's name or the id of one of these.
    "UPDATE memberships SET role = 'developer' WHERE role = 'member'",
    "ALTER TABLE memberships ADD COLUMN has_grants BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE memberships ADD COLUMN last_seen_at BIGINT",
    "CREATE TABLE app_grants (
        application_id TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
        user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
        role TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        PRIMARY KEY (application_id, user_id)
    )",
    "CREATE INDEX app_grants_of_member ON app_grants (organization_id, user_id)",
];

const DOWN: &[&str] = &[
    "DROP TABLE app_grants",
    "ALTER TABLE memberships DROP COLUMN last_seen_at",
    "ALTER TABLE memberships DROP COLUMN has_grants",
    "UPDATE memberships SET role = 'member' WHERE role = 'developer'",
    "UPDATE memberships SET role = 'viewer' WHERE role NOT IN ('viewer', 'member', 'admin', 'owner')",
    "DROP TABLE roles",
    "ALTER TABLE sessions DROP COLUMN impersonation_reason",
    "ALTER TABLE sessions DROP COLUMN impersonator_id",
    "ALTER TABLE sessions DROP COLUMN method",
    "ALTER TABLE sessions DROP COLUMN last_seen_at",
    "DROP INDEX organizations_by_slug",
    "ALTER TABLE organizations DROP COLUMN deleted_at",
    "ALTER TABLE organizations DROP COLUMN suspended_reason",
    "ALTER TABLE organizations DROP COLUMN suspended_at",
    "ALTER TABLE organizations DROP COLUMN version",
    "ALTER TABLE organizations DROP COLUMN required_provider",
    "ALTER TABLE organizations DROP COLUMN requires_two_factor",
    "ALTER TABLE organizations DROP COLUMN defaults",
    "ALTER TABLE organizations DROP COLUMN tax_id",
    "ALTER TABLE organizations DROP COLUMN billing_address",
    "ALTER TABLE organizations DROP COLUMN contact_email",
    "ALTER TABLE organizations DROP COLUMN slug",
    "ALTER TABLE users DROP COLUMN suspended_reason",
    "ALTER TABLE users DROP COLUMN suspended_at",
    "ALTER TABLE users DROP COLUMN has_second_factor",
    "ALTER TABLE users DROP COLUMN last_seen_at",
    "ALTER TABLE users DROP COLUMN email_verified_at",
];
