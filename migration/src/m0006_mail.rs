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
        last_error TEXT,
        sent_at BIGINT,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX mails_to_send ON mails (status, next_try_at)",
];

const DOWN: &[&str] = &["DROP TABLE mails"];
