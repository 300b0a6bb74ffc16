//! Domains, their certificates, and what the authority was asked.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0013_domains"
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
    // `name` is in A-labels, `shown` as it was typed. Anybody may claim a name; proven it is once.
    "CREATE TABLE domains (
        id TEXT PRIMARY KEY,
        organization_id TEXT NOT NULL REFERENCES organizations (id),
        application_id TEXT NOT NULL REFERENCES applications (id),
        name TEXT NOT NULL,
        shown TEXT NOT NULL,
        token TEXT NOT NULL,
        method TEXT NOT NULL,
        is_primary BOOLEAN NOT NULL DEFAULT FALSE,
        redirects BOOLEAN NOT NULL DEFAULT FALSE,
        verified_at BIGINT,
        lapsed_at BIGINT,
        contested BOOLEAN NOT NULL DEFAULT FALSE,
        failures BIGINT NOT NULL DEFAULT 0,
        checks TEXT,
        checked_at BIGINT,
        next_check_at BIGINT NOT NULL,
        version BIGINT NOT NULL DEFAULT 1,
        created_at BIGINT NOT NULL,
        UNIQUE (organization_id, name)
    )",
    "CREATE UNIQUE INDEX proven_domains ON domains (name) WHERE verified_at IS NOT NULL",
    "CREATE UNIQUE INDEX one_primary_domain ON domains (application_id) WHERE is_primary",
    "CREATE INDEX domains_of_application ON domains (application_id)",
    "CREATE INDEX domains_to_check ON domains (next_check_at)",
    // One row a name, so that one order is under way for it, whichever panel does it. `domain_id` is null for the platform's own names.
    // `private_key`, `order_key` and `challenges` are sealed.
    // `trusted`: whether its issuer is one that browsers know; null where that could not be told.
    "CREATE TABLE certificates (
        id TEXT PRIMARY KEY,
        domain_id TEXT REFERENCES domains (id) ON DELETE CASCADE,
        name TEXT NOT NULL UNIQUE,
        source TEXT NOT NULL,
        method TEXT NOT NULL,
        state TEXT NOT NULL,
        chain TEXT,
        private_key TEXT,
        names TEXT NOT NULL DEFAULT '[]',
        issuer TEXT,
        fingerprint TEXT,
        trusted BOOLEAN,
        looked_at BIGINT NOT NULL DEFAULT 0,
        issued_at BIGINT,
        expires_at BIGINT,
        order_url TEXT,
        order_key TEXT,
        challenges TEXT,
        problem TEXT,
        attempts BIGINT NOT NULL DEFAULT 0,
        next_try_at BIGINT NOT NULL,
        lease_owner TEXT,
        lease_until BIGINT,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX certificates_of_domain ON certificates (domain_id)",
    "CREATE INDEX certificates_to_do ON certificates (next_try_at)",
    "CREATE INDEX certificates_to_look_at ON certificates (looked_at)",
    "CREATE INDEX certificates_challenged ON certificates (id) WHERE challenges IS NOT NULL",
    "CREATE TABLE acme_accounts (
        directory TEXT PRIMARY KEY,
        credentials TEXT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    // What counts against the authority's limits, for as long as it counts.
    "CREATE TABLE acme_attempts (
        id TEXT PRIMARY KEY,
        registered TEXT NOT NULL,
        outcome TEXT NOT NULL,
        at BIGINT NOT NULL
    )",
    "CREATE INDEX acme_attempts_of ON acme_attempts (registered, at)",
];

const DOWN: &[&str] = &["DROP TABLE acme_attempts", "DROP TABLE acme_accounts", "DROP TABLE certificates", "DROP TABLE domains"];
