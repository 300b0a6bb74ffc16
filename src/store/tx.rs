//! A transaction that is written in, and the lines of the audit trail that it leaves. They are kept until the work is done and are
//! chained then, right before the commit: the end of an organization's chain is one row that everybody who writes there has to lock, so
//! it is locked last and shortly, and always in the same order. Two transactions can wait for each other there, but never in a circle.
use crate::{error::Result, fault::Because, store::tables::audit_event};
use sea_orm::{
    ConnectionTrait, DatabaseExecutor, DatabaseTransaction, DbBackend, DbErr, ExecResult, IntoDatabaseExecutor, QueryResult, Statement,
};
use std::sync::{Mutex, PoisonError};

/// How lines of the audit trail are written: the feature `audit` knows, the store only keeps the place in the transaction for it.
#[async_trait::async_trait]
pub trait AuditChain: Send + Sync + std::fmt::Debug {
    /// Appends these lines, each to the chain of its organization.
    async fn append(&self, tx: &Tx, lines: Vec<audit_event::Model>) -> Result<()>;
}

/// A transaction that is written in.
pub struct Tx {
    inner: DatabaseTransaction,
    lines: Mutex<Vec<audit_event::Model>>,
}

impl Tx {
    pub(super) fn new(inner: DatabaseTransaction) -> Self {
        Tx { inner, lines: Mutex::default() }
    }

    pub(super) fn into_inner(self) -> DatabaseTransaction {
        self.inner
    }

    /// Keeps a line of the audit trail for the end of the transaction.
    pub fn leave(&self, line: audit_event::Model) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// Writes the lines that were kept. Nothing but the commit comes after.
    pub(super) async fn chain_lines(&self, chain: Option<&dyn AuditChain>) -> Result<()> {
        let lines = std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner));
        if lines.is_empty() {
            return Ok(());
        }
        let chain = chain.ok_or("there is no key yet").because("chaining the audit trail")?;
        chain.append(self, lines).await
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.inner.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.inner.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.inner.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.inner.query_all_raw(statement).await
    }
}

impl<'c> IntoDatabaseExecutor<'c> for &'c Tx {
    fn into_database_executor(self) -> DatabaseExecutor<'c> {
        DatabaseExecutor::Transaction(&self.inner)
    }
}
