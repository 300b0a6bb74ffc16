//! Slows guessing down: failures are counted per subject (an address, an account) in a window that is kept in the database, so that
//! several panels agree. A success clears its account's count, never the address's.
use crate::{
    error::{Error, Result},
    fault::Because,
    runtime::panel::Panel,
    store::tables::attempt,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};
use std::time::Duration;

/// How many failures a subject has in a window.
#[derive(Debug, Clone, Copy)]
pub struct AttemptLimit {
    pub failures: i64,
    pub window: Duration,
}

/// Refuses where the subject has failed too often.
pub async fn check(panel: &Panel, subject: &str, limit: AttemptLimit) -> Result<()> {
    let now = panel.now();
    let row = attempt::Entity::find_by_id(subject).one(panel.db.read()).await.because("reading failed attempts")?;
    match row {
        Some(row) if row.window_ends_at > now && row.failures >= limit.failures => {
            Err(Error::RateLimited { retry_after: Ord::max(row.window_ends_at.since(now).as_secs(), 1) })
        }
        _ => Ok(()),
    }
}

/// Counts one failure, in one statement, so that parallel guesses are all counted.
pub async fn count(panel: &Panel, subject: &str, limit: AttemptLimit) -> Result<()> {
    let (now, ends) = (panel.now(), panel.now() + limit.window);
    let over = Expr::col((attempt::Entity, attempt::Column::WindowEndsAt)).lte(now);
    let conflict = OnConflict::column(attempt::Column::Subject)
        .value(
            attempt::Column::Failures,
            Expr::case(over.clone(), 1i64).finally(Expr::col((attempt::Entity, attempt::Column::Failures)).add(1i64)),
        )
        .value(attempt::Column::WindowEndsAt, Expr::case(over, ends).finally(Expr::col((attempt::Entity, attempt::Column::WindowEndsAt))))
        .to_owned();
    let row = attempt::ActiveModel { subject: Set(subject.into()), failures: Set(1), window_ends_at: Set(ends) };
    panel
        .db
        .tx(async |tx| {
            attempt::Entity::insert(row).on_conflict(conflict).exec_without_returning(tx).await.because("counting a failed attempt")
        })
        .await
        .map(|_| ())
}

/// Forgets a subject's failures.
pub async fn clear(panel: &Panel, subject: &str) -> Result<()> {
    panel.db.tx(async |tx| attempt::Entity::delete_by_id(subject).exec(tx).await.because("clearing failed attempts")).await.map(|_| ())
}

/// Takes one counted failure back: it was none.
pub async fn uncount(panel: &Panel, subject: &str) -> Result<()> {
    let fewer = Expr::col(attempt::Column::Failures).sub(1i64);
    let less = attempt::Entity::update_many().col_expr(attempt::Column::Failures, fewer);
    let less = less.filter(attempt::Column::Subject.eq(subject)).filter(attempt::Column::Failures.gt(0i64));
    panel.db.tx(async |tx| less.exec(tx).await.because("taking a failed attempt back")).await.map(|_| ())
}
