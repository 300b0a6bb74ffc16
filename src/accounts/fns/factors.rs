//! The browser's door to second factors, passkeys and accounts at other providers.
use crate::{
    accounts::model::factors::{LinkOffer, PasskeyChallenge, Provider, RecoveryCodes, Security},
    error::Error,
    id::PasskeyId,
};
use leptos::prelude::*;

/// Where recovery codes are shown once.
pub const RECOVERY_PAGE: &str = "/account/security/recovery-codes";
/// Where second factors are set up.
pub const SECURITY_PAGE: &str = "/account/security";

/// Everything that the security page shows of second factors and other ways in.
#[server]
pub async fn read_security() -> Result<Security, Error> {
    use crate::{accounts::server::service::security, web::ctx::ctx};
    security::read(&ctx()?).await
}

/// Makes the seed of an authenticator app.
#[server]
pub async fn set_up_totp() -> Result<(), Error> {
    use crate::{accounts::server::service::totp, web::ctx::ctx};
    totp::begin(&ctx()?).await.map(|_| ())
}

/// Takes the app's first code.
#[server]
pub async fn enable_totp(code: String) -> Result<(), Error> {
    use crate::{accounts::server::service::totp, web::ctx::ctx};
    totp::enable(&ctx()?, &code).await?;
    leptos_axum::redirect(RECOVERY_PAGE);
    Ok(())
}

/// Removes the app.
#[server]
pub async fn disable_totp(password: String, code: String) -> Result<(), Error> {
    use crate::{
        accounts::server::service::totp,
        kit::{Flash, side},
        web::ctx::ctx,
    };
    totp::disable(&ctx()?, &password, &code).await?;
    side::remember(Flash::SAVED);
    Ok(())
}

/// Makes new recovery codes.
#[server]
pub async fn renew_recovery_codes(code: String, token: Option<String>, credential: Option<String>) -> Result<(), Error> {
    use crate::{
        accounts::{model::factors::PasskeyAnswer, server::service::recovery},
        web::ctx::ctx,
    };
    recovery::regenerate(&ctx()?, &code, PasskeyAnswer::of(token, credential)).await?;
    leptos_axum::redirect(RECOVERY_PAGE);
    Ok(())
}

/// The recovery codes that were made a moment ago.
#[server]
pub async fn read_recovery_codes() -> Result<Option<RecoveryCodes>, Error> {
    use crate::{accounts::server::service::recovery, web::ctx::ctx};
    recovery::shown(&ctx()?).await
}

/// Stops showing them.
#[server]
pub async fn put_recovery_codes_away() -> Result<(), Error> {
    use crate::{accounts::server::service::recovery, web::ctx::ctx};
    recovery::put_away(&ctx()?).await?;
    leptos_axum::redirect(SECURITY_PAGE);
    Ok(())
}

/// Begins to register a passkey.
#[server]
pub async fn begin_passkey() -> Result<PasskeyChallenge, Error> {
    use crate::{accounts::server::service::passkeys, web::ctx::ctx};
    passkeys::begin(&ctx()?).await
}

/// Takes a new passkey.
#[server]
pub async fn add_passkey(name: String, token: String, credential: String) -> Result<(), Error> {
    use crate::{
        accounts::{model::factors::PasskeyAnswer, server::service::passkeys},
        kit::{Flash, side},
        web::ctx::ctx,
    };
    if passkeys::add(&ctx()?, &name, &PasskeyAnswer { token, credential }).await? {
        leptos_axum::redirect(RECOVERY_PAGE);
    } else {
        side::remember(Flash::SAVED);
    }
    Ok(())
}

/// Renames a passkey.
#[server]
pub async fn rename_passkey(id: PasskeyId, name: String) -> Result<(), Error> {
    use crate::{
        accounts::server::service::passkeys,
        kit::{Flash, side},
        web::ctx::ctx,
    };
    passkeys::rename(&ctx()?, &id, &name).await?;
    side::remember(Flash::SAVED);
    Ok(())
}

/// Removes a passkey.
#[server]
pub async fn remove_passkey(
    id: PasskeyId,
    password: Option<String>,
    token: Option<String>,
    credential: Option<String>,
) -> Result<(), Error> {
    use crate::{
        accounts::{model::factors::PasskeyAnswer, server::service::passkeys},
        kit::{Flash, side},
        web::ctx::ctx,
    };
    passkeys::remove(&ctx()?, &id, &password.unwrap_or_default(), PasskeyAnswer::of(token, credential)).await?;
    side::remember(Flash::SAVED);
    leptos_axum::redirect(SECURITY_PAGE);
    Ok(())
}

/// Asks whoever is signed in for one of her passkeys.
#[server]
pub async fn begin_passkey_confirmation() -> Result<PasskeyChallenge, Error> {
    use crate::{accounts::server::service::passkeys, web::ctx::ctx};
    passkeys::begin_confirm(&ctx()?).await
}

/// Asks a visitor for any passkey.
#[server]
pub async fn begin_passkey_sign_in() -> Result<PasskeyChallenge, Error> {
    use crate::{accounts::server::service::passkeys, web::ctx::visitor};
    passkeys::begin_sign_in(&visitor()?).await
}

/// Asks a visitor, whose sign-in waits for a second factor, for one of her passkeys.
#[server]
pub async fn begin_second_passkey() -> Result<PasskeyChallenge, Error> {
    use crate::{accounts::server::service::passkeys, web::ctx::visitor};
    passkeys::begin_second(&visitor()?).await
}

/// Signs in by a passkey, and goes on to `next`.
#[server]
pub async fn sign_in_with_passkey(token: String, credential: String, next: Option<String>) -> Result<(), Error> {
    use crate::{
        accounts::{
            model::factors::PasskeyAnswer,
            server::{cookies, service::passkeys},
        },
        web::ctx::visitor,
    };
    let (_, opened, waiting) = passkeys::sign_in(&visitor()?, &PasskeyAnswer { token, credential }).await?;
    cookies::set_session_cookie(&opened, waiting.or(next))
}

/// The providers that a visitor may sign in by.
#[server]
pub async fn read_providers() -> Result<Vec<Provider>, Error> {
    use crate::{accounts::server::service::providers, web::ctx::visitor};
    Ok(providers::all(&visitor()?.panel))
}

/// An account at a provider that whoever is signed in may link.
#[server]
pub async fn read_link_offer(token: String) -> Result<LinkOffer, Error> {
    use crate::{accounts::server::service::providers, web::ctx::ctx};
    providers::offer(&ctx()?, &token).await
}

/// Links it.
#[server]
pub async fn link_identity(token: String) -> Result<(), Error> {
    use crate::{
        accounts::server::service::providers,
        kit::{Flash, side},
        web::ctx::ctx,
    };
    providers::link(&ctx()?, &token).await?;
    side::remember(Flash::SAVED);
    leptos_axum::redirect(SECURITY_PAGE);
    Ok(())
}

/// Takes the link away.
#[server]
pub async fn unlink_identity(provider: String, subject: String) -> Result<(), Error> {
    use crate::{
        accounts::server::service::providers,
        kit::{Flash, side},
        web::ctx::ctx,
    };
    providers::unlink(&ctx()?, &provider, &subject).await?;
    side::remember(Flash::SAVED);
    Ok(())
}
