//! The schema, one step a file, up and down. The SQL is the common ground of SQLite and PostgreSQL: ids and words are TEXT, moments
//! are BIGINT milliseconds since 1970, truth is BOOLEAN, and documents are JSON in TEXT. Later steps are added, never edited.
pub use sea_orm_migration::prelude::*;

mod m0001_accounts;
mod m0002_clusters;
mod m0003_applications;
mod m0004_idempotency;

/// All steps, in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_accounts::Step),
            Box::new(m0002_clusters::Step),
            Box::new(m0003_applications::Step),
            Box::new(m0004_idempotency::Step),
        ]
    }
}

/// Runs statements one by one.
async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}
