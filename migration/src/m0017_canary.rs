//! Releases that get a share of the requests.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0017_canary"
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
    // How new releases of an application come before visitors; without a row, all at once.
    "CREATE TABLE rollouts (
        application_id TEXT PRIMARY KEY REFERENCES applications (id),
        strategy TEXT NOT NULL,
        canary TEXT NOT NULL,
        updated_at BIGINT NOT NULL
    )",
    // One for each deployment that shall be, is or was a canary. A share above 0 is what the edges give it.
    "CREATE TABLE canaries (
        deployment_id TEXT PRIMARY KEY REFERENCES deployments (id),
        application_id TEXT NOT NULL REFERENCES applications (id),
        settings TEXT NOT NULL,
        previous_deployment_id TEXT,
        share BIGINT NOT NULL,
        wish TEXT,
        wished_by TEXT,
        outcome TEXT,
        failure TEXT,
        started_at BIGINT,
        finished_at BIGINT
    )",
    "CREATE INDEX canaries_with_a_share ON canaries (application_id) WHERE share > 0",
    "CREATE TABLE canary_steps (
        deployment_id TEXT NOT NULL REFERENCES canaries (deployment_id),
        step BIGINT NOT NULL,
        percent BIGINT NOT NULL,
        baseline TEXT NOT NULL,
        numbers TEXT NOT NULL,
        started_at BIGINT NOT NULL,
        finished_at BIGINT,
        PRIMARY KEY (deployment_id, step)
    )",
    "DROP INDEX one_active_deployment",
    "CREATE UNIQUE INDEX one_active_deployment ON deployments (application_id)
        WHERE phase IN ('preparing', 'building', 'pushing', 'releasing', 'starting', 'probing', 'canary', 'switching', 'draining')",
];

const DOWN: &[&str] = &[
    // Who goes on with them does not know the phase: they are probed once more, and then switched.
    "UPDATE deployments SET phase = 'probing' WHERE phase = 'canary'",
    "UPDATE deployment_logs SET phase = 'probing' WHERE phase = 'canary'",
    "DELETE FROM deployment_phases WHERE phase = 'canary'",
    "DROP INDEX one_active_deployment",
    "CREATE UNIQUE INDEX one_active_deployment ON deployments (application_id)
        WHERE phase IN ('preparing', 'building', 'pushing', 'releasing', 'starting', 'probing', 'switching', 'draining')",
    "DROP TABLE canary_steps",
    "DROP TABLE canaries",
    "DROP TABLE rollouts",
];
