//! Answers that were given to requests with an idempotency key.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0004_idempotency"
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
    // `status` is empty while the first request is still under way.
    "CREATE TABLE idempotency_keys (
        user_id TEXT NOT NULL,
        key_hash TEXT NOT NULL,
        request_hash TEXT NOT NULL,
        status BIGINT,
        body TEXT,
        expires_at BIGINT NOT NULL,
        PRIMARY KEY (user_id, key_hash)
    )",
    "CREATE INDEX idempotency_by_expiry ON idempotency_keys (expires_at)",
];

const DOWN: &[&str] = &["DROP TABLE idempotency_keys"];
