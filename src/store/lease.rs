//! Leases: of several panels one works on a row. A lease is an owner and an end in the row itself, told by the database's clock, so that the
//! panels need not agree on the time. Whoever works longer than a lease lasts renews it; whoever dies leaves it to run out, and another
//! takes the row over.
use crate::{error::Result, fault::Because, store::Db, units::Timestamp};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, UpdateMany,
    sea_query::{Expr, SimpleExpr},
};
use std::time::Duration;

/// A table whose rows can be leased.
pub trait Leased: EntityTrait {
    /// The panel that holds the row.
    const OWNER: Self::Column;
    /// Until when it holds it, by the database's clock.
    const UNTIL: Self::Column;
}

/// What a panel takes leases with.
#[derive(Debug, Clone, Copy)]
pub struct Lease<'a> {
    pub db: &'a Db,
    /// The panel's name among several.
    pub owner: &'a str,
    /// How long a lease holds without being renewed.
    pub lasts: Duration,
}

impl Lease<'_> {
    /// Takes the row that `which` names, unless somebody holds it; `also` is written with it. Answers whether it was taken.
    pub async fn claim<E: Leased>(&self, which: Condition, also: impl FnOnce(UpdateMany<E>) -> UpdateMany<E>) -> Result<bool> {
        let now = self.db.now().await?;
        let take = E::update_many()
            .col_expr(E::OWNER, Expr::value(self.owner))
            .col_expr(E::UNTIL, Expr::value(now + self.lasts))
            .filter(which)
            .filter(is_free::<E>(now));
        let taken = self.db.tx(async |tx| also(take).exec(tx).await.because("taking a lease")).await?;
        Ok(taken.rows_affected == 1)
    }

    /// Holds the row that `which` names from now on as long as a lease lasts. Answers whether it is still ours.
    pub async fn renew<E: Leased>(&self, which: Condition) -> Result<bool> {
        let until = self.db.now().await? + self.lasts;
        let keep = E::update_many().col_expr(E::UNTIL, Expr::value(until)).filter(which).filter(is_mine::<E>(self.owner));
        Ok(self.db.tx(async |tx| keep.exec(tx).await.because("renewing a lease")).await?.rows_affected == 1)
    }
}

/// Rows that nobody holds at this moment of the database's clock.
pub fn is_free<E: Leased>(now: Timestamp) -> Condition {
    Condition::any().add(E::UNTIL.is_null()).add(E::UNTIL.lte(now))
}

/// Rows that this owner took and nobody else has taken since.
pub fn is_mine<E: Leased>(owner: &str) -> SimpleExpr {
    E::OWNER.eq(owner)
}

/// A change that gives the lease back.
pub fn release<E: Leased>(change: UpdateMany<E>) -> UpdateMany<E> {
    change.col_expr(E::OWNER, Expr::value(None::<String>)).col_expr(E::UNTIL, Expr::value(None::<i64>))
}
