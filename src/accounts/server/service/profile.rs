//! A person's name and address.
use super::{emails, password::check_password};
use crate::{
    accounts::{
        model::{Profile, ProfileForm, USER},
        server::events,
    },
    audit::server::service::record,
    auth::session::SessionCache,
    error::{Error, Result},
    fault::Because,
    store::tables::user,
    web::ctx::Ctx,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};
use serde_json::json;

/// The caller's row.
pub async fn own(ctx: &Ctx) -> Result<user::Model> {
    let row = user::Entity::find_by_id(ctx.who.user.clone()).one(ctx.panel.db.read()).await.because("looking up an account")?;
    row.ok_or(Error::NotFound(USER))
}

/// The caller's account.
pub async fn profile(ctx: &Ctx) -> Result<Profile> {
    ctx.in_person()?;
    let user = own(ctx).await?;
    Ok(Profile {
        pending_email: emails::pending(&ctx.panel, &user.id).await?,
        id: user.id,
        name: user.name,
        email: user.email,
        email_verified: user.email_verified_at.is_some(),
        has_second_factor: user.has_second_factor,
        created_at: user.created_at,
    })
}

/// Changes the name at once, and the address when the new one is confirmed; that needs the password.
pub async fn change_profile(ctx: &Ctx, form: ProfileForm) -> Result<Profile> {
    ctx.in_person()?;
    let (name, email) = form.parse()?;
    let user = own(ctx).await?;
    // First what can be refused, so that a refused form changes nothing.
    if let Some(email) = email.filter(|email| email.as_str() != user.email) {
        let password = form.password.as_deref().filter(|password| !password.is_empty());
        let password = password.ok_or_else(|| Error::invalid("password", "A new address needs your password."))?;
        check_password(ctx, "password", password).await?;
        emails::ask_to_change(ctx, &user, &email).await?;
    }
    if let Some(name) = name.filter(|name| *name != user.name) {
        let changed = ctx.panel.db.tx(async |tx| {
            record(tx, ctx, events::ACCOUNT_RENAMED, &user.id, json!({ "from": user.name, "to": name })).await?;
            let row = user::ActiveModel { id: Set(user.id.clone()), name: Set(name), ..Default::default() };
            row.update(tx).await.because("changing a name").map(|_| ())
        });
        changed.await?;
        ctx.panel.of::<SessionCache>().forget_user(&user.id);
    }
    profile(ctx).await
}
