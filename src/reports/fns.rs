//! The browser's door to error reports.
use crate::{
    error::Error,
    reports::model::{ErrorDetail, ErrorPage},
};
use leptos::prelude::*;

/// Kinds of fault.
#[server]
pub async fn read_errors(search: Option<String>, page: u64) -> Result<ErrorPage, Error> {
    use super::server::service;
    use crate::web::{api::Paging, ctx::ctx};
    let (groups, at) = service::list(&ctx()?.operator()?, search.as_deref(), Paging::parse(Some(page), Some(50))?).await?;
    Ok(ErrorPage { groups, page: at.page, pages: at.total_pages, total: at.total })
}

/// One kind of fault.
#[server]
pub async fn read_error(id: String) -> Result<ErrorDetail, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::get(&ctx()?.operator()?, &id).await
}
