//! The edges, and what each may know.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0015_edges"
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
    // What an edge said last stands in its row: it is written once a report. `draining` and `figures` are JSON.
    "CREATE TABLE edges (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        token_hash TEXT NOT NULL UNIQUE,
        hint TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        rotated_at BIGINT,
        revoked_at BIGINT,
        heard_at BIGINT,
        heard_from TEXT,
        software TEXT,
        started_at BIGINT,
        live_version BIGINT NOT NULL DEFAULT 0,
        behind_since BIGINT,
        boot TEXT,
        sequence BIGINT NOT NULL DEFAULT 0,
        problem TEXT,
        figures TEXT,
        draining TEXT
    )",
    "CREATE UNIQUE INDEX edge_names ON edges (name)",
    // One row: the version of what edges are told, and what it is the version of.
    "CREATE TABLE edge_versions (
        id TEXT PRIMARY KEY,
        version BIGINT NOT NULL,
        digest TEXT NOT NULL
    )",
    "INSERT INTO edge_versions (id, version, digest) VALUES ('routes', 0, '')",
];

const DOWN: &[&str] = &["DROP TABLE edge_versions", "DROP TABLE edges"];
