//! Second factors, passkeys, and sign-ins by other providers, on the server.

use crate::{accounts::server::service::totp, error::Result, store::tables::user, web::ctx::Visitor};

/// Whether a code is right for somebody's second factor, and uses it up. Who has no second factor needs no code. Whoever asks slows
/// guesses down.
pub async fn check(visitor: &Visitor, user: &user::Model, code: &str) -> Result<bool> {
    if !user.has_second_factor {
        return Ok(true);
    }
    Ok(totp::prove(&visitor.panel, &visitor.origin, &user.id, code).await?.is_some())
}
