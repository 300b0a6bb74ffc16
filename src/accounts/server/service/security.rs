//! What the security page shows at once.
use crate::accounts::server::service::{
    factors::{demanded_by, has_password, person},
    passkeys, providers, recovery, totp,
};
use crate::{accounts::model::factors::Security, error::Result, web::ctx::Ctx};

/// The caller's second factors and other ways in.
pub async fn read(ctx: &Ctx) -> Result<Security> {
    ctx.in_person()?;
    let person = person(&ctx.panel, &ctx.who.user).await?;
    let identities = providers::identities(ctx).await?;
    let mut others = providers::all(&ctx.panel);
    let needs_provider = ctx.who.needs_provider.as_deref().map(|id| providers::named(&ctx.panel, id));
    others.retain(|provider| identities.iter().all(|identity| identity.provider.id != provider.id));
    Ok(Security {
        totp: totp::state(ctx).await?,
        recovery: recovery::left(ctx).await?,
        passkeys: passkeys::list(ctx).await?,
        identities,
        others,
        has_password: has_password(&person),
        demanded_by: demanded_by(&ctx.panel, &ctx.who.user).await?,
        lacks_second_factor: ctx.who.lacks_second_factor,
        needs_provider,
    })
}
