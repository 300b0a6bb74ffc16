//! The browser's door to mail; all of it is the operator's.
use crate::{
    error::Error,
    id::MailId,
    mail::model::{MailKind, MailOverview, MessageDetail, Messages, Suppressions, TemplatePreview},
};
use leptos::prelude::*;

/// How mail is doing.
#[server]
pub async fn read_mail_overview() -> Result<MailOverview, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::overview(&ctx()?.operator()?).await
}

/// The kinds of messages that there are.
#[server]
pub async fn read_mail_kinds() -> Result<Vec<MailKind>, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    Ok(service::kinds(&ctx()?.operator()?))
}

/// A page of messages.
#[server]
pub async fn read_mails(
    search: Option<String>,
    status: Option<String>,
    template: Option<String>,
    page: Option<u64>,
) -> Result<Messages, Error> {
    use super::{model::MailStatus, server::service};
    use crate::web::{api::Paging, ctx::ctx};
    let status = status.as_deref().filter(|text| !text.is_empty()).map(MailStatus::parse).transpose()?;
    let filter = service::Filter { status, template, search };
    let (messages, at) = service::list(&ctx()?.operator()?, &filter, Paging::parse(page, Some(50))?).await?;
    Ok(Messages { messages, page: at.page, pages: at.total_pages, total: at.total })
}

/// One message with what happened to it.
#[server]
pub async fn read_mail(id: MailId) -> Result<MessageDetail, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::get(&ctx()?.operator()?, &id).await
}

/// Sends a message that was not delivered once more.
#[server]
pub async fn retry_mail(id: MailId) -> Result<(), Error> {
    use super::server::service;
    use crate::{kit::side, web::ctx::ctx};
    service::retry(&ctx()?.operator()?, &id).await?;
    side::remember(crate::mail::flashes::RETRIED);
    Ok(())
}

/// Ends a message that waits.
#[server]
pub async fn cancel_mail(id: MailId) -> Result<(), Error> {
    use super::server::service;
    use crate::{kit::side, web::ctx::ctx};
    service::cancel(&ctx()?.operator()?, &id).await?;
    side::remember(crate::mail::flashes::ENDED);
    Ok(())
}

/// A page of the addresses that get no mail.
#[server]
pub async fn read_suppressions(search: Option<String>, page: Option<u64>) -> Result<Suppressions, Error> {
    use super::server::service;
    use crate::web::{api::Paging, ctx::ctx};
    let (suppressions, at) = service::suppressions(&ctx()?.operator()?, search.as_deref(), Paging::parse(page, Some(50))?).await?;
    Ok(Suppressions { suppressions, page: at.page, pages: at.total_pages, total: at.total })
}

/// Lets an address get no mail any more.
#[server]
pub async fn suppress_address(address: String) -> Result<(), Error> {
    use super::server::service;
    use crate::{
        kit::{Flash, side},
        web::ctx::ctx,
    };
    service::suppress_address(&ctx()?.operator()?, &address).await?;
    side::remember(Flash::SAVED);
    Ok(())
}

/// Lets an address get mail again.
#[server]
pub async fn lift_suppression(address: String) -> Result<(), Error> {
    use super::server::service;
    use crate::{kit::side, web::ctx::ctx};
    service::lift(&ctx()?.operator()?, &address).await?;
    side::remember(crate::mail::flashes::SUPPRESSION_LIFTED);
    Ok(())
}

/// How a kind of message looks, with made-up content.
#[server]
pub async fn read_mail_template(kind: String) -> Result<TemplatePreview, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::preview(&ctx()?.operator()?, &kind)
}

/// Sends a kind of message with made-up content to the operator, and shows what becomes of it.
#[server]
pub async fn send_test_mail(template: String) -> Result<(), Error> {
    use super::server::service;
    use crate::{kit::side, web::ctx::ctx};
    let made = service::send_test(&ctx()?.operator()?, &template).await?;
    side::remember(crate::mail::flashes::TEST_QUEUED);
    leptos_axum::redirect(&format!("/admin/mail/messages/{}", made.message.id));
    Ok(())
}
