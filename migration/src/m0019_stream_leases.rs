//! Leases of audit streams, told by the database's clock like all others: until now the time of the next try was the lease, too.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0019_stream_leases"
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
    "ALTER TABLE audit_streams ADD COLUMN lease_owner TEXT",
    "ALTER TABLE audit_streams ADD COLUMN lease_until BIGINT",
    "CREATE INDEX audit_streams_that_are_sent ON audit_streams (lease_owner) WHERE lease_owner IS NOT NULL",
];

const DOWN: &[&str] = &[
    "DROP INDEX audit_streams_that_are_sent",
    "ALTER TABLE audit_streams DROP COLUMN lease_until",
    "ALTER TABLE audit_streams DROP COLUMN lease_owner",
];
