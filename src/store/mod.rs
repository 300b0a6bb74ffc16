//! The database: embedded SQLite (one file, WAL) or PostgreSQL, one schema for both. A write transaction on SQLite begins
//! IMMEDIATE, so that two of them queue up instead of failing at their end.
pub mod backoff;
pub mod columns;
mod event_kind;
pub mod json;
pub mod lease;
pub mod random;
pub mod secrets;
pub mod tables;
mod tx;

use crate::{
    error::{Error, Result},
    fault::Because,
    units::Timestamp,
};
use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

pub use event_kind::EventKind;
pub use tx::{AuditChain, Tx};

/// The number of PostgreSQL's advisory lock that is held while the schema changes.
const MIGRATING: i64 = 0x736b_7970;

/// How long a connection may lie unused before it is tried out: shorter than a database takes to start again.
const IDLE: Duration = Duration::from_millis(500);

/// A pool of connections.
#[derive(Clone, Debug)]
pub struct Db {
    pool: DatabaseConnection,
    /// Writers of SQLite wait here in order, rather than by busy retries.
    writer: Arc<tokio::sync::Mutex<()>>,
    /// What the audit trail is chained with; none until there is a panel.
    chain: Arc<OnceLock<Arc<dyn AuditChain>>>,
}

impl Db {
    /// Connects; `sqlite://path?mode=rwc` or `postgres://…`.
    pub async fn connect(url: &str) -> Result<Self> {
        let mut options = ConnectOptions::new(url);
        options.sqlx_logging(false).connect_timeout(Duration::from_secs(10)).acquire_timeout(Duration::from_secs(20));
        let sqlite = url.starts_with("sqlite:");
        if url.contains(":memory:") {
            options.max_connections(1).min_connections(1).idle_timeout(None::<Duration>).max_lifetime(None::<Duration>);
        } else {
            options.max_connections(if sqlite { 6 } else { 16 });
            if sqlite {
                options.test_before_acquire(false);
            } else {
                // A connection in use is known to live; asking each time would double the ways to the database and back.
                options.test_before_acquire_if_idle_for(IDLE);
            }
        }
        if sqlite {
            options.map_sqlx_sqlite_opts(|options| {
                options
                    .pragma("journal_mode", "WAL")
                    .pragma("synchronous", "NORMAL")
                    .pragma("foreign_keys", "ON")
                    .pragma("busy_timeout", "10000")
                    .pragma("temp_store", "MEMORY")
                    // Of each connection, in KiB. What is read often lies in the system's cache anyway, once for all connections.
                    .pragma("cache_size", "-512")
                    .statement_cache_capacity(200)
                    // A page's rows in one go: each time that the reader waits for the next costs two switches between threads.
                    .row_buffer_size(500)
            });
        }
        let pool = Database::connect(options).await.because("connecting to the database")?;
        Ok(Db { pool, writer: Default::default(), chain: Default::default() })
    }

    /// From now on lines of the audit trail can be written.
    pub fn chain_with(&self, chain: Arc<dyn AuditChain>) {
        self.chain.set(chain).ok();
    }

    /// Tells `hear` of every statement from now on, with its values.
    pub fn on_statement(&mut self, hear: impl Fn(&Statement) + Send + Sync + 'static) {
        self.pool.set_metric_callback(move |info| hear(info.statement));
    }

    /// The pool, for reading.
    pub fn read(&self) -> &DatabaseConnection {
        &self.pool
    }

    /// Which of the two databases it is.
    pub fn backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    /// Brings the schema up to date: wholly or, where the panel dies meanwhile, not at all. Of several panels that start together one
    /// does it and the others wait.
    pub async fn migrate(&self) -> Result<()> {
        self.tx(async |tx| {
            if self.backend() == DbBackend::Postgres {
                let turn = format!("SELECT pg_advisory_xact_lock({MIGRATING})");
                tx.execute_unprepared(&turn).await.because("waiting for the turn to migrate")?;
            }
            Migrator::up(tx, None).await.because("migrating the database")
        })
        .await
    }

    /// Runs `work` in one write transaction; an error rolls everything back.
    pub async fn tx<T>(&self, work: impl AsyncFnOnce(&Tx) -> Result<T>) -> Result<T> {
        let sqlite = self.backend() == DbBackend::Sqlite;
        let _turn = if sqlite { Some(self.writer.lock().await) } else { None };
        let options =
            TransactionOptions { sqlite_transaction_mode: sqlite.then_some(SqliteTransactionMode::Immediate), ..Default::default() };
        let tx = Tx::new(self.pool.begin_with_options(options).await.because("beginning a transaction")?);
        let done = match work(&tx).await {
            Ok(value) => tx.chain_lines(self.chain.get().map(|chain| &**chain)).await.map(|()| value),
            Err(why) => Err(why),
        };
        let tx = tx.into_inner();
        match done {
            Ok(value) => {
                tx.commit().await.because("committing")?;
                Ok(value)
            }
            Err(why) => {
                tx.rollback().await.because("rolling back")?;
                Err(why)
            }
        }
    }

    /// The database's own clock, for leases: several panels need not agree on the time.
    pub async fn now(&self) -> Result<Timestamp> {
        let sql = match self.backend() {
            DbBackend::Sqlite => "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now",
            _ => "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS now",
        };
        let row = self.pool.query_one_raw(Statement::from_string(self.backend(), sql)).await.because("asking the database for the time")?;
        row.ok_or_else(|| Error::Unavailable("The database does not tell the time.".into()))?.try_get("", "now").because("reading the time")
    }

    /// A trivial question, for readiness.
    pub async fn ping(&self) -> Result<()> {
        self.pool.ping().await.because("asking the database")
    }
}

/// Whether a write failed because a unique key was taken.
pub fn is_taken(why: &DbErr) -> bool {
    matches!(why.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_)))
}
