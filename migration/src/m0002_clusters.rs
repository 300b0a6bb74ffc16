//! Providers (swarms), plans, clusters and the ledger of their subnets.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0002_clusters"
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
    "CREATE TABLE providers (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        region TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        tls TEXT,
        is_enabled BOOLEAN NOT NULL DEFAULT TRUE,
        max_clusters BIGINT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "CREATE TABLE plans (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        limits TEXT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "CREATE TABLE clusters (
        id TEXT PRIMARY KEY,
        organization_id TEXT NOT NULL REFERENCES organizations (id),
        provider_id TEXT NOT NULL REFERENCES providers (id),
        plan_id TEXT NOT NULL REFERENCES plans (id),
        name TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        UNIQUE (organization_id, name)
    )",
    "CREATE INDEX clusters_of_provider ON clusters (provider_id)",
    // Numbers count from 0 within a provider; each is one /24 of its range. The unique key is the ledger's lock.
    "CREATE TABLE subnets (
        provider_id TEXT NOT NULL REFERENCES providers (id),
        number BIGINT NOT NULL,
        cluster_id TEXT NOT NULL UNIQUE REFERENCES clusters (id),
        PRIMARY KEY (provider_id, number)
    )",
];

const DOWN: &[&str] = &["DROP TABLE subnets", "DROP TABLE clusters", "DROP TABLE plans", "DROP TABLE providers"];
