//! Second factors (codes of an app, recovery codes, passkeys), accounts at other providers, and what waits for a browser's next step.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0012_factors"
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
    // `confirmed_at` is empty until a first code proved that the app has the seed. `last_step` is the step of the last code that was
    // taken: no code counts twice.
    "CREATE TABLE totp_seeds (
        user_id TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
        sealed TEXT NOT NULL,
        last_step BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        confirmed_at BIGINT
    )",
    "CREATE TABLE recovery_codes (
        user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        code_hash TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        used_at BIGINT,
        PRIMARY KEY (user_id, code_hash)
    )",
    "CREATE TABLE passkeys (
        id TEXT PRIMARY KEY,
        user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        credential_id TEXT NOT NULL UNIQUE,
        credential TEXT NOT NULL,
        counter BIGINT NOT NULL,
        name TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        last_used_at BIGINT
    )",
    "CREATE INDEX passkeys_of_user ON passkeys (user_id)",
    "CREATE TABLE identities (
        provider TEXT NOT NULL,
        subject TEXT NOT NULL,
        user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        email TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        last_used_at BIGINT,
        PRIMARY KEY (provider, subject)
    )",
    "CREATE INDEX identities_of_user ON identities (user_id)",
    // Challenges of passkeys, sign-ins on their way through a provider, recovery codes that are shown once.
    "CREATE TABLE challenges (
        token_hash TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        bound_to TEXT NOT NULL,
        sealed TEXT NOT NULL,
        expires_at BIGINT NOT NULL
    )",
    "CREATE INDEX challenges_by_end ON challenges (expires_at)",
];

const DOWN: &[&str] =
    &["DROP TABLE challenges", "DROP TABLE identities", "DROP TABLE passkeys", "DROP TABLE recovery_codes", "DROP TABLE totp_seeds"];
