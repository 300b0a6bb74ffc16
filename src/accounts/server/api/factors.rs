//! The API's door to second factors.
use crate::web::{declared::Declare, rate_limits::Class};
use crate::{
    accounts::{
        model::factors::{CodeForm, DisableForm, RecoveryCodes, RecoveryLeft, TotpSetup},
        server::service::{recovery, totp},
    },
    web::{
        api::{Answer, Done, Input, ok},
        ctx::Ctx,
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of second factors.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(setup).limit(Class::Usual).in_person())
        .routes(routes!(enable).limit(Class::Usual).in_person())
        .routes(routes!(disable).limit(Class::Usual).in_person())
        .routes(routes!(left, regenerate).limit(Class::Usual).in_person())
}

/// Makes the seed of an authenticator app. Nothing changes until a first code enables it.
#[utoipa::path(post, path = "/api/auth/2fa/setup", tag = "Account", responses((status = 200, description = "What the app needs to know", body = crate::web::api::Success<TotpSetup>)))]
async fn setup(ctx: Ctx) -> Answer<TotpSetup> {
    ok(totp::begin(&ctx).await?)
}

/// Enables the authenticator app with its first code. The recovery codes are shown this once.
#[utoipa::path(post, path = "/api/auth/2fa/enable", tag = "Account", request_body = CodeForm, responses((status = 200, description = "The recovery codes", body = crate::web::api::Success<RecoveryCodes>)))]
async fn enable(ctx: Ctx, Input(form): Input<CodeForm>) -> Answer<RecoveryCodes> {
    ok(totp::enable(&ctx, &form.code).await?)
}

/// Removes the authenticator app. Needs the password and a code, or a recovery code in its place.
#[utoipa::path(post, path = "/api/auth/2fa/disable", tag = "Account", request_body = DisableForm, responses((status = 200, description = "Removed", body = crate::web::api::Success<Done>)))]
async fn disable(ctx: Ctx, Input(form): Input<DisableForm>) -> Answer<Done> {
    totp::disable(&ctx, &form.password, &form.code).await?;
    ok(Done)
}

/// How many recovery codes are left.
#[utoipa::path(get, path = "/api/auth/2fa/backup-codes", tag = "Account", responses((status = 200, description = "How many are left", body = crate::web::api::Success<RecoveryLeft>)))]
async fn left(ctx: Ctx) -> Answer<RecoveryLeft> {
    ok(recovery::left(&ctx).await?)
}

/// Makes new recovery codes, shown this once; the earlier ones are no longer good. Needs a code.
#[utoipa::path(post, path = "/api/auth/2fa/backup-codes", tag = "Account", request_body = CodeForm, responses((status = 200, description = "The recovery codes", body = crate::web::api::Success<RecoveryCodes>)))]
async fn regenerate(ctx: Ctx, Input(form): Input<CodeForm>) -> Answer<RecoveryCodes> {
    ok(recovery::regenerate(&ctx, &form.code, None).await?)
}
