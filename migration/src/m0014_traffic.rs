//! What was measured of requests.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0014_traffic"
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
    // One row for each release of an application, at each edge, in each minute, quarter of an hour and day (`step`, in seconds) that
    // begins at `at`. A day's row is written together with its minutes', so that no row is ever summed up later. `deployment_id` is
    // empty for what an edge answered by itself; `latency` is a histogram as text.
    "CREATE TABLE traffic (
        application_id TEXT NOT NULL REFERENCES applications (id),
        step BIGINT NOT NULL,
        at BIGINT NOT NULL,
        deployment_id TEXT NOT NULL,
        edge TEXT NOT NULL,
        requests BIGINT NOT NULL,
        informed BIGINT NOT NULL,
        succeeded BIGINT NOT NULL,
        redirected BIGINT NOT NULL,
        refused BIGINT NOT NULL,
        failed BIGINT NOT NULL,
        aborted BIGINT NOT NULL,
        bytes_in BIGINT NOT NULL,
        bytes_out BIGINT NOT NULL,
        retried BIGINT NOT NULL,
        held BIGINT NOT NULL,
        in_flight BIGINT NOT NULL,
        latency TEXT NOT NULL,
        PRIMARY KEY (application_id, step, at, deployment_id, edge)
    )",
    "CREATE INDEX traffic_by_age ON traffic (step, at)",
    // What an edge counted in all. That there is a row says that the edge was there: without one, nobody knows what happened.
    "CREATE TABLE traffic_edges (
        step BIGINT NOT NULL,
        at BIGINT NOT NULL,
        edge TEXT NOT NULL,
        requests BIGINT NOT NULL,
        failed BIGINT NOT NULL,
        unrouted BIGINT NOT NULL,
        bytes_in BIGINT NOT NULL,
        bytes_out BIGINT NOT NULL,
        in_flight BIGINT NOT NULL,
        PRIMARY KEY (step, at, edge)
    )",
    // The last batch that each panel wrote: one whose commit was not answered is not written twice.
    "CREATE TABLE traffic_writers (
        panel TEXT PRIMARY KEY,
        batch BIGINT NOT NULL,
        at BIGINT NOT NULL
    )",
    "CREATE TABLE access_lines (
        application_id TEXT NOT NULL REFERENCES applications (id),
        seq BIGINT NOT NULL,
        at BIGINT NOT NULL,
        status BIGINT NOT NULL,
        path TEXT NOT NULL,
        entry TEXT NOT NULL,
        PRIMARY KEY (application_id, seq)
    )",
    "CREATE INDEX access_lines_by_age ON access_lines (at)",
    // The number of the newest line, which stays when the line is gone.
    "CREATE TABLE access_heads (
        application_id TEXT PRIMARY KEY REFERENCES applications (id),
        seq BIGINT NOT NULL
    )",
];

const DOWN: &[&str] =
    &["DROP TABLE access_heads", "DROP TABLE access_lines", "DROP TABLE traffic_writers", "DROP TABLE traffic_edges", "DROP TABLE traffic"];
