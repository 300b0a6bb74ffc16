//! The outbox, and what became of each message.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0006_mail"
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
    // `content` is sealed: it may hold links with tokens.
    "CREATE TABLE mails (
        id TEXT PRIMARY KEY,
        organization_id TEXT,
        recipient TEXT NOT NULL,
        template TEXT NOT NULL,
        content TEXT NOT NULL,
        status TEXT NOT NULL,
        attempts BIGINT NOT NULL,
        next_try_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        lease_owner TEXT,
        lease_until BIGINT,
        last_error TEXT,
        sent_at BIGINT,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX mails_to_send ON mails (status, next_try_at)",
    "CREATE INDEX mails_by_status ON mails (status, id)",
    "CREATE INDEX mails_by_recipient ON mails (recipient, id)",
    "CREATE INDEX mails_by_template ON mails (template, id)",
    "CREATE INDEX mails_by_age ON mails (created_at)",
    // What became of a message, line by line. `source` names what told it where that can tell it twice; it is taken once.
    "CREATE TABLE mail_events (
        id TEXT PRIMARY KEY,
        mail_id TEXT NOT NULL REFERENCES mails (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        detail TEXT,
        source TEXT UNIQUE,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX mail_events_of ON mail_events (mail_id, id)",
    "CREATE INDEX mail_events_by_age ON mail_events (created_at, kind)",
    "CREATE TABLE mail_suppressions (
        address TEXT PRIMARY KEY,
        reason TEXT NOT NULL,
        detail TEXT,
        mail_id TEXT,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX mail_suppressions_by_age ON mail_suppressions (created_at)",
];

const DOWN: &[&str] = &["DROP TABLE mail_suppressions", "DROP TABLE mail_events", "DROP TABLE mails"];
