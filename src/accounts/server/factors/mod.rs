//! Second factors, passkeys, and sign-ins by other providers, on the server.
pub mod api;
pub mod challenges;
pub mod codes;
pub mod doors;
pub mod oidc;
pub mod service;

use crate::{
    error::Result,
    platform::{ctx::Visitor, db::tables::user},
};

/// Whether a code is right for somebody's second factor, and uses it up. Who has no second factor needs no code. Whoever asks slows
/// guesses down.
pub async fn check(visitor: &Visitor, user: &user::Model, code: &str) -> Result<bool> {
    if !user.has_second_factor {
        return Ok(true);
    }
    Ok(service::totp::prove(&visitor.panel, &visitor.origin, &user.id, code).await?.is_some())
}
