//! The browser's door to numbers.
use crate::{
    apps::model::Application,
    error::{Error, Result},
    id::AppId,
    metrics::model::{AccessLine, Metrics, PlatformTraffic},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// An application's numbers in a range that ends now; of one release, where one is named.
#[server]
pub async fn read_metrics(id: AppId, range: Option<String>, release: Option<String>) -> Result<Metrics, Error> {
    use super::server::{
        query::MetricsQuery,
        service::{self, Span},
    };
    use crate::web::ctx::ctx;
    let ctx = ctx()?;
    let span = Span::parse(&MetricsQuery { range, release, ..MetricsQuery::default() }, ctx.panel.now())?;
    service::metrics(&ctx, &id, &span).await
}

/// The end of an application's access log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccessPage {
    pub application: Application,
    /// The newest lines, the oldest first.
    pub lines: Vec<AccessLine>,
    /// Where the stream goes on.
    pub last: i64,
}

/// The newest lines of the access log; `class` is the first digit of the status.
#[server]
pub async fn read_access_log(id: AppId, class: Option<u8>, path: Option<String>) -> Result<AccessPage, Error> {
    use super::server::{access, query::LinesQuery};
    use crate::{apps::server::service, web::ctx::ctx};
    let ctx = ctx()?;
    let application = service::get(&ctx, &id).await?;
    let (filter, limit) = LinesQuery { class, path, ..LinesQuery::default() }.parse()?;
    let (lines, last) = access::newest(&ctx, &id, &filter, limit).await?;
    Ok(AccessPage { application, lines, last })
}

/// What all edges were asked.
#[server]
pub async fn read_platform_traffic() -> Result<PlatformTraffic, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::platform(&ctx()?.operator()?).await
}
