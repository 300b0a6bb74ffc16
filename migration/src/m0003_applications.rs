//! Applications, their environments, releases, deployments and logs.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0003_applications"
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
    "CREATE TABLE applications (
        id TEXT PRIMARY KEY,
        organization_id TEXT NOT NULL REFERENCES organizations (id),
        cluster_id TEXT NOT NULL REFERENCES clusters (id),
        name TEXT NOT NULL,
        host TEXT NOT NULL,
        settings TEXT NOT NULL,
        replicas BIGINT NOT NULL,
        wanted TEXT NOT NULL,
        env_version BIGINT NOT NULL,
        live_deployment_id TEXT,
        version BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        deleted_at BIGINT
    )",
    // A name is free again once its application is deleted.
    "CREATE UNIQUE INDEX application_names ON applications (organization_id, name) WHERE deleted_at IS NULL",
    "CREATE UNIQUE INDEX application_hosts ON applications (host) WHERE deleted_at IS NULL",
    "CREATE INDEX applications_of_cluster ON applications (cluster_id)",
    // Append-only: a change of one variable is a new version of all.
    "CREATE TABLE environments (
        application_id TEXT NOT NULL REFERENCES applications (id),
        version BIGINT NOT NULL,
        variables TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        PRIMARY KEY (application_id, version)
    )",
    "CREATE TABLE releases (
        id TEXT PRIMARY KEY,
        application_id TEXT NOT NULL REFERENCES applications (id),
        number BIGINT NOT NULL,
        image TEXT NOT NULL,
        port BIGINT NOT NULL,
        settings TEXT NOT NULL,
        env_version BIGINT NOT NULL,
        commit_hash TEXT,
        commit_subject TEXT,
        branch TEXT,
        image_kept BOOLEAN NOT NULL DEFAULT TRUE,
        created_at BIGINT NOT NULL,
        UNIQUE (application_id, number)
    )",
    "CREATE TABLE deployments (
        id TEXT PRIMARY KEY,
        organization_id TEXT NOT NULL REFERENCES organizations (id),
        application_id TEXT NOT NULL REFERENCES applications (id),
        number BIGINT NOT NULL,
        kind TEXT NOT NULL,
        phase TEXT NOT NULL,
        request TEXT NOT NULL,
        settings TEXT NOT NULL,
        env_version BIGINT NOT NULL,
        image TEXT,
        image_port BIGINT,
        branch TEXT,
        commit_hash TEXT,
        commit_subject TEXT,
        release_id TEXT REFERENCES releases (id),
        previous_deployment_id TEXT,
        cancel_requested BOOLEAN NOT NULL DEFAULT FALSE,
        failure TEXT,
        dossier TEXT,
        created_by TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        phase_at BIGINT NOT NULL,
        finished_at BIGINT,
        lease_owner TEXT,
        lease_until BIGINT,
        UNIQUE (application_id, number)
    )",
    "CREATE UNIQUE INDEX one_active_deployment ON deployments (application_id)
        WHERE phase IN ('preparing', 'building', 'pushing', 'releasing', 'starting', 'probing', 'switching', 'draining')",
    "CREATE UNIQUE INDEX one_queued_deployment ON deployments (application_id) WHERE phase = 'queued'",
    "CREATE INDEX unfinished_deployments ON deployments (id) WHERE finished_at IS NULL",
    "CREATE TABLE deployment_phases (
        deployment_id TEXT NOT NULL REFERENCES deployments (id),
        phase TEXT NOT NULL,
        started_at BIGINT NOT NULL,
        PRIMARY KEY (deployment_id, phase)
    )",
    "CREATE TABLE deployment_logs (
        deployment_id TEXT NOT NULL REFERENCES deployments (id),
        seq BIGINT NOT NULL,
        at BIGINT NOT NULL,
        phase TEXT NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (deployment_id, seq)
    )",
];

const DOWN: &[&str] = &[
    "DROP TABLE deployment_logs",
    "DROP TABLE deployment_phases",
    "DROP TABLE deployments",
    "DROP TABLE releases",
    "DROP TABLE environments",
    "DROP TABLE applications",
];
