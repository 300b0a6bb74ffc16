//! The browser's door to accounts.
use crate::{
    accounts::model::Me,
    error::{Error, Result},
};
use leptos::prelude::*;

/// Makes an account and signs in.
#[server]
pub async fn sign_up(name: String, email: String, password: String) -> Result<(), Error> {
    use super::server::{doors, service};
    use crate::platform::{ctx::visitor, session::Via};
    let form = super::model::SignUpForm { name, email, password, setup_token: None };
    let (_, opened) = service::sign_up(&visitor()?, form, Via::Cookie).await?;
    doors::welcome(&opened, None)
}

/// Makes the first administrator, by the link that was printed.
#[server]
pub async fn set_up(token: String, name: String, email: String, password: String) -> Result<(), Error> {
    use super::server::{doors, service};
    use crate::platform::{ctx::visitor, session::Via};
    let form = super::model::SignUpForm { name, email, password, setup_token: Some(token) };
    let (_, opened) = service::sign_up(&visitor()?, form, Via::Cookie).await?;
    doors::welcome(&opened, None)
}

/// Signs in and goes on to `next`.
#[server]
pub async fn sign_in(email: String, password: String, next: Option<String>) -> Result<(), Error> {
    use super::server::{doors, service};
    use crate::platform::{ctx::visitor, session::Via};
    let (_, opened) = service::sign_in(&visitor()?, super::model::SignInForm { email, password }, Via::Cookie).await?;
    doors::welcome(&opened, next)
}

/// Signs out.
#[server]
pub async fn sign_out() -> Result<(), Error> {
    use super::server::{doors, service};
    use crate::platform::ctx::ctx;
    service::sign_out(&ctx()?).await?;
    doors::farewell()
}

/// Who is signed in.
#[server]
pub async fn read_me() -> Result<Me, Error> {
    use super::server::service;
    use crate::platform::ctx::ctx;
    Ok(service::me(&ctx()?))
}

/// Whether a link of the first administrator is still good.
#[server]
pub async fn is_setup_link(token: String) -> Result<bool, Error> {
    use super::server::service;
    use crate::platform::ctx::visitor;
    service::is_setup_link(&visitor()?.panel, &token).await
}

/// Whether nobody has an account yet.
#[server]
pub async fn is_new() -> Result<bool, Error> {
    use super::server::service;
    use crate::platform::ctx::visitor;
    service::is_new(&visitor()?.panel).await
}
