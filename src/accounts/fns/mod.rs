//! The browser's door to accounts.
use crate::{
    accounts::model::{EmailLink, Me, Profile, Session},
    error::{Error, Result},
    id::SessionId,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// A page of the sessions of whoever asks.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sessions {
    pub sessions: Vec<Session>,
    pub page: u64,
    pub pages: u64,
    pub total: u64,
}

pub mod factors;

/// Makes an account and signs in.
#[server]
pub async fn sign_up(name: String, email: String, password: String) -> Result<(), Error> {
    use super::server::service;
    use crate::accounts::server::cookies;
    use crate::{auth::session::Via, web::ctx::visitor};
    let form = super::model::SignUpForm { name, email, password, setup_token: None };
    let (_, opened) = service::sign_up(&visitor()?, form, Via::Cookie).await?;
    cookies::set_session_cookie(&opened, None)
}

/// Makes the first administrator, by the link that was printed.
#[server]
pub async fn set_up(token: String, name: String, email: String, password: String) -> Result<(), Error> {
    use super::server::service;
    use crate::accounts::server::cookies;
    use crate::{auth::session::Via, web::ctx::visitor};
    let form = super::model::SignUpForm { name, email, password, setup_token: Some(token) };
    let (_, opened) = service::sign_up(&visitor()?, form, Via::Cookie).await?;
    cookies::set_session_cookie(&opened, None)
}

/// Signs in and goes on to `next`, by way of the second factor where there is one.
#[server]
pub async fn sign_in(email: String, password: String, next: Option<String>) -> Result<(), Error> {
    use super::server::service::{self, Begun};
    use crate::accounts::server::cookies;
    use crate::web::ctx::visitor;
    match service::begin_sign_in(&visitor()?, &email, &password, next.clone()).await? {
        Begun::In(opened) => cookies::set_session_cookie(&opened, next),
        Begun::Asks(token) => cookies::begin_second_factor(&token),
    }
}

/// Finishes a sign-in that waits for a code of the second factor.
#[server]
pub async fn sign_in_with_code(code: String) -> Result<(), Error> {
    use super::server::service;
    use crate::accounts::server::cookies;
    use crate::web::ctx::visitor;
    let (opened, next) = service::complete_sign_in(&visitor()?, &code).await?;
    cookies::set_session_cookie(&opened, next)
}

/// Whether a sign-in waits for its second factor in this browser, and whose: the name.
#[server]
pub async fn read_pending_sign_in() -> Result<String, Error> {
    use super::server::service;
    use crate::web::ctx::visitor;
    Ok(service::pending_sign_in(&visitor()?).await?.0.name)
}

/// Signs out.
#[server]
pub async fn sign_out() -> Result<(), Error> {
    use super::server::service;
    use crate::accounts::server::cookies;
    use crate::web::ctx::ctx;
    service::sign_out(&ctx()?).await?;
    cookies::clear_session_cookie()
}

/// Who is signed in.
#[server]
pub async fn read_me() -> Result<Me, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    Ok(service::me(&ctx()?))
}

/// Whether a link of the first administrator is still good.
#[server]
pub async fn is_setup_link(token: String) -> Result<bool, Error> {
    use super::server::service;
    use crate::web::ctx::visitor;
    service::is_setup_link(&visitor()?.panel, &token).await
}

/// Whether nobody has an account yet.
#[server]
pub async fn is_new() -> Result<bool, Error> {
    use super::server::service;
    use crate::web::ctx::visitor;
    service::is_new(&visitor()?.panel).await
}

/// The caller's account.
#[server]
pub async fn read_profile() -> Result<Profile, Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::profile(&ctx()?).await
}

/// Changes the name.
#[server]
pub async fn change_name(name: String) -> Result<(), Error> {
    use super::{model::ProfileForm, server::service};
    use crate::web::ctx::ctx;
    service::change_profile(&ctx()?, ProfileForm { name: Some(name), ..Default::default() }).await?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}

/// Asks a new address whether it is the caller's.
#[server]
pub async fn change_email(email: String, password: String) -> Result<(), Error> {
    use super::{model::ProfileForm, server::service};
    use crate::web::ctx::ctx;
    let form = ProfileForm { email: Some(email), password: Some(password), ..Default::default() };
    service::change_profile(&ctx()?, form).await?;
    crate::kit::side::remember(crate::accounts::flashes::LINK_SENT);
    Ok(())
}

/// Takes back the wish for a new address.
#[server]
pub async fn cancel_email_change() -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::cancel_change(&ctx()?).await?;
    crate::kit::side::remember(crate::kit::Flash::SAVED);
    Ok(())
}

/// Sends the mail that proves the caller's address again.
#[server]
pub async fn resend_verification() -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::resend_verification(&ctx()?).await?;
    crate::kit::side::remember(crate::accounts::flashes::LINK_SENT);
    Ok(())
}

/// What a mailed link is good for.
#[server]
pub async fn read_email_link(token: String) -> Result<EmailLink, Error> {
    use super::server::service;
    use crate::web::ctx::visitor;
    service::look_at_link(&visitor()?.panel, &token).await
}

/// Follows a mailed link that proves an address.
#[server]
pub async fn verify_email(token: String) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::visitor;
    let visitor = visitor()?;
    service::verify_email(&visitor, &token).await?;
    crate::kit::side::remember(crate::accounts::flashes::ADDRESS_CONFIRMED);
    leptos_axum::redirect(if visitor.who.is_some() { "/account" } else { "/sign-in" });
    Ok(())
}

/// Changes the password. A box that is not ticked is not sent.
#[server]
pub async fn change_password(current_password: String, new_password: String, sign_out_others: Option<bool>) -> Result<(), Error> {
    use super::{model::PasswordForm, server::service};
    use crate::web::ctx::ctx;
    let form = PasswordForm { current_password, new_password, sign_out_others: sign_out_others.unwrap_or(false) };
    service::change_password(&ctx()?, form).await?;
    crate::kit::side::remember(crate::accounts::flashes::PASSWORD_CHANGED);
    Ok(())
}

/// Mails a link to a new password, where there is such an account.
#[server]
pub async fn forgot_password(email: String) -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::visitor;
    service::forgot_password(&visitor()?, &email).await?;
    crate::kit::side::remember(crate::accounts::flashes::RESET_SENT);
    leptos_axum::redirect("/sign-in");
    Ok(())
}

/// Whether a link to a new password is good.
#[server]
pub async fn is_reset_link(token: String) -> Result<bool, Error> {
    use super::server::service;
    use crate::web::ctx::visitor;
    service::is_reset_link(&visitor()?.panel, &token).await
}

/// Sets a new password by a mailed link.
#[server]
pub async fn reset_password(token: String, password: String) -> Result<(), Error> {
    use super::{model::ResetForm, server::service};
    use crate::accounts::server::cookies;
    use crate::{auth::session::Via, web::ctx::visitor};
    let device = service::reset_password(&visitor()?, ResetForm { token, password }, Via::Cookie).await?;
    crate::kit::side::remember(crate::accounts::flashes::PASSWORD_CHANGED);
    cookies::set_device_cookie(device.as_deref())?;
    cookies::clear_session_cookie()
}

/// Where the caller is signed in, the newest first.
#[server]
pub async fn read_sessions(page: Option<u64>) -> Result<Sessions, Error> {
    use super::server::service;
    use crate::web::{api::Paging, ctx::ctx};
    let (sessions, at) = service::sessions(&ctx()?, Paging::parse(page, Some(50))?).await?;
    Ok(Sessions { sessions, page: at.page, pages: at.total_pages, total: at.total })
}

/// Ends one of the caller's sessions.
#[server]
pub async fn end_session(id: SessionId) -> Result<(), Error> {
    use super::server::service;
    use crate::accounts::server::cookies;
    use crate::web::ctx::ctx;
    let ctx = ctx()?;
    service::end_session(&ctx, &id).await?;
    if ctx.who.credential.session() == Some(&id) {
        return cookies::clear_session_cookie();
    }
    crate::kit::side::remember(crate::accounts::flashes::SESSION_ENDED);
    Ok(())
}

/// Ends every session of the caller but the one that asks.
#[server]
pub async fn end_other_sessions() -> Result<(), Error> {
    use super::server::service;
    use crate::web::ctx::ctx;
    service::end_other_sessions(&ctx()?).await?;
    crate::kit::side::remember(crate::accounts::flashes::SESSION_ENDED);
    Ok(())
}
