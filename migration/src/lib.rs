//! The schema, one step a file, up and down. The SQL is the common ground of SQLite and PostgreSQL: ids and words are TEXT, moments
//! are BIGINT milliseconds since 1970, truth is BOOLEAN, and documents are JSON in TEXT. Later steps are added, never edited.
pub use sea_orm_migration::prelude::*;

mod m0001_accounts;
mod m0002_clusters;
mod m0003_applications;
mod m0004_idempotency;
mod m0005_rights;
mod m0006_mail;
mod m0007_credentials;
mod m0008_organizations;
mod m0009_audit;
mod m0010_keys;
mod m0011_admin;
mod m0012_factors;
mod m0013_domains;
mod m0014_traffic;
mod m0015_edges;
mod m0016_routing;
mod m0017_canary;
mod m0018_suspension;
mod m0019_stream_leases;

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
            Box::new(m0005_rights::Step),
            Box::new(m0006_mail::Step),
            Box::new(m0007_credentials::Step),
            Box::new(m0008_organizations::Step),
            Box::new(m0009_audit::Step),
            Box::new(m0010_keys::Step),
            Box::new(m0011_admin::Step),
            Box::new(m0012_factors::Step),
            Box::new(m0013_domains::Step),
            Box::new(m0014_traffic::Step),
            Box::new(m0015_edges::Step),
            Box::new(m0016_routing::Step),
            Box::new(m0017_canary::Step),
            Box::new(m0018_suspension::Step),
            Box::new(m0019_stream_leases::Step),
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
