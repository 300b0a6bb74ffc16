//! What an application asks of the edge.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0016_routing"
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
    // A row once something is asked for. `rules` and `logins` are JSON; passwords are hashes.
    "CREATE TABLE routing (
        application_id TEXT PRIMARY KEY REFERENCES applications (id),
        organization_id TEXT NOT NULL REFERENCES organizations (id),
        rules TEXT NOT NULL,
        logins TEXT NOT NULL,
        version BIGINT NOT NULL,
        updated_at BIGINT NOT NULL
    )",
    "CREATE INDEX routing_of_organization ON routing (organization_id)",
    // `host` is one of the organization's: a domain, with which the path goes, or the own host of an application.
    "CREATE TABLE path_routes (
        id TEXT PRIMARY KEY,
        organization_id TEXT NOT NULL REFERENCES organizations (id),
        application_id TEXT NOT NULL REFERENCES applications (id),
        domain_id TEXT REFERENCES domains (id) ON DELETE CASCADE,
        host_application_id TEXT REFERENCES applications (id),
        host TEXT NOT NULL,
        path TEXT NOT NULL,
        strip_path BOOLEAN NOT NULL,
        created_at BIGINT NOT NULL,
        UNIQUE (organization_id, host, path)
    )",
    "CREATE INDEX path_routes_of_application ON path_routes (application_id)",
    "CREATE INDEX path_routes_of_domain ON path_routes (domain_id)",
];

const DOWN: &[&str] = &["DROP TABLE path_routes", "DROP TABLE routing"];
