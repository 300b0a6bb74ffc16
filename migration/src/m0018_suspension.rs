//! What was stopped because its organization was suspended: it starts again when the organization goes on.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0018_suspension"
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
    "ALTER TABLE applications ADD COLUMN stopped_by_suspension BOOLEAN NOT NULL DEFAULT FALSE",
    "CREATE INDEX applications_stopped_by_suspension ON applications (organization_id) WHERE stopped_by_suspension",
];

// What was stopped so stays stopped until a member starts it.
const DOWN: &[&str] = &["DROP INDEX applications_stopped_by_suspension", "ALTER TABLE applications DROP COLUMN stopped_by_suspension"];
