//! The version of what edges are told. It is a row that all panels on the database share, and only grows: an edge that kept what it was
//! told last never takes older routes for newer ones, whichever panel it hears next, and however often panels start again. Panels that
//! see the same give it the same version.
use crate::{
    error::{Error, Result},
    fault::Because,
    runtime::panel::Panel,
    store::tables::edge_version,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};

/// The row's id.
const ROUTES: &str = "routes";
/// Tries before giving up: another panel can't win for ever.
const TRIES: usize = 16;

/// The newest version, and the digest of its content.
pub async fn newest(panel: &Panel) -> Result<(u64, String)> {
    let row = edge_version::Entity::find_by_id(ROUTES).one(panel.db.read()).await.because("looking up the routes' version")?;
    let row = row.ok_or_else(|| Error::Unavailable("The routes' version is not in the database.".into()))?;
    Ok((row.version.max(0) as u64, row.digest))
}

/// The version of a content: the newest one's where that is the same, else the next. It is at least what an edge was heard to have: the
/// database may have been restored from a copy that is older than the edges' memory.
pub async fn claim(panel: &Panel, digest: &str, at_least: u64) -> Result<u64> {
    for _ in 0..TRIES {
        let (version, known) = newest(panel).await?;
        if known == digest && version >= at_least {
            return Ok(version);
        }
        let next = (version + 1).max(at_least) as i64;
        let taken = panel.db.tx(async |tx| {
            let row = edge_version::Entity::update_many()
                .col_expr(edge_version::Column::Version, Expr::value(next))
                .col_expr(edge_version::Column::Digest, Expr::value(digest))
                .filter(edge_version::Column::Id.eq(ROUTES))
                .filter(edge_version::Column::Version.eq(version as i64));
            row.exec(tx).await.because("counting the routes' version")
        });
        if taken.await?.rows_affected == 1 {
            return Ok(next as u64);
        }
    }
    Err(Error::Unavailable("Other panels change the routes all the time.".into()))
}
