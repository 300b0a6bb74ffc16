//! The API's door to accounts.
pub mod factors;

use crate::web::{declared::Declare, rate_limits::Class};
use crate::{
    accounts::{
        model::{
            Ended, ForgotForm, Me, PasswordForm, Profile, ProfileForm, RefreshForm, ResetForm, SESSION, Session, SignInForm, SignUpForm,
            TokenForm, Tokens,
        },
        server::service,
    },
    auth::session::{Opened, Via},
    rights::Action,
    web::{
        api::{Answer, Done, Input, List, Paging, QueryParams, Refusal, Success, created, named, ok},
        ctx::{Ctx, Visitor},
    },
};
use axum::{Json, extract::Path, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of accounts.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(register).limit(Class::SignIn).in_person())
        .routes(routes!(login).limit(Class::SignIn).in_person())
        .routes(routes!(refresh).limit(Class::SignIn).in_person())
        .routes(routes!(logout).limit(Class::Usual).in_person())
        .routes(routes!(me))
        .routes(routes!(get_profile, put_profile).limit(Class::Mail).in_person())
        .routes(routes!(verify_email).limit(Class::Usual).in_person())
        .routes(routes!(resend_verification).limit(Class::Mail).in_person())
        .routes(routes!(put_password).limit(Class::Usual).in_person())
        .routes(routes!(forgot_password).limit(Class::Mail).in_person())
        .routes(routes!(reset_password).limit(Class::SignIn).in_person())
        .routes(routes!(list_sessions, end_other_sessions).limit(Class::Usual).in_person())
        .routes(routes!(end_session).limit(Class::Usual).in_person())
        .merge(crate::accounts::server::api::factors::router())
}

/// Tokens, and whose they are.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Login {
    #[serde(flatten)]
    pub tokens: Tokens,
    pub me: Me,
}

async fn login_of(visitor: &Visitor, me: Me, opened: &Opened) -> crate::error::Result<Login> {
    Ok(Login { tokens: service::hand_out(&visitor.panel, opened, &me.user.id).await?, me })
}

/// Makes an account with an organization of its own.
#[utoipa::path(post, path = "/api/auth/register", tag = "Account", request_body = SignUpForm, responses((status = 201, description = "The account and its tokens", body = Success<Login>)), security(()))]
async fn register(visitor: Visitor, Input(form): Input<SignUpForm>) -> Result<Response, Refusal> {
    let (me, opened) = service::sign_up(&visitor, form, Via::Bearer).await?;
    created("/api/auth/me", login_of(&visitor, me, &opened).await?)
}

/// Signs in for an access token and a refresh token. Where the account has a second factor and `totp` is missing the code is
/// `TWO_FACTOR_REQUIRED`.
#[utoipa::path(post, path = "/api/auth/login", tag = "Account", request_body = SignInForm, responses((status = 200, description = "Tokens", body = Success<Login>)), security(()))]
async fn login(visitor: Visitor, Input(form): Input<SignInForm>) -> Answer<Login> {
    let (me, opened) = service::sign_in(&visitor, form, Via::Bearer).await?;
    ok(login_of(&visitor, me, &opened).await?)
}

/// Ends the session of the credential.
#[utoipa::path(post, path = "/api/auth/logout", tag = "Account", responses((status = 200, description = "Signed out", body = Success<Done>)))]
async fn logout(ctx: Ctx) -> Answer<Done> {
    service::sign_out(&ctx).await?;
    ok(Done)
}

/// Who is signed in, and where.
#[utoipa::path(get, path = "/api/auth/me", tag = "Account", responses((status = 200, description = "The caller", body = Success<Me>)))]
async fn me(ctx: Ctx) -> Answer<Me> {
    if ctx.who.credential.session().is_none() {
        // A key tells of its owner only where it may look at things.
        ctx.may(Action::View)?;
    }
    ok(service::me(&ctx))
}

/// Gives the next access token for a refresh token, and the next refresh token. A refresh token is good once: using it again ends the
/// session, except within ten seconds, when the same answer is given again.
#[utoipa::path(post, path = "/api/auth/refresh", tag = "Account", request_body = RefreshForm, responses((status = 200, description = "The next tokens", body = Success<Tokens>)), security(()))]
async fn refresh(visitor: Visitor, Input(form): Input<RefreshForm>) -> Answer<Tokens> {
    ok(service::refresh(&visitor, &form.refresh_token).await?)
}

/// The caller's account.
#[utoipa::path(get, path = "/api/auth/profile", tag = "Account", responses((status = 200, description = "The account", body = Success<Profile>)))]
async fn get_profile(ctx: Ctx) -> Answer<Profile> {
    ok(service::profile(&ctx).await?)
}

/// Changes the name, and asks a new address whether it is the caller's; until that is confirmed the old one stays.
#[utoipa::path(put, path = "/api/auth/profile", tag = "Account", request_body = ProfileForm, responses((status = 200, description = "The account", body = Success<Profile>)))]
async fn put_profile(ctx: Ctx, Input(form): Input<ProfileForm>) -> Answer<Profile> {
    ok(service::change_profile(&ctx, form).await?)
}

/// Proves an address by the token of the link that was sent there, or confirms a new one.
#[utoipa::path(post, path = "/api/auth/verify-email", tag = "Account", request_body = TokenForm, responses((status = 200, description = "Proven", body = Success<Done>)), security(()))]
async fn verify_email(visitor: Visitor, Input(form): Input<TokenForm>) -> Answer<Done> {
    service::verify_email(&visitor, &form.token).await?;
    ok(Done)
}

/// Sends the mail that proves the caller's address again.
#[utoipa::path(post, path = "/api/auth/verify-email/resend", tag = "Account", responses((status = 200, description = "Sent, or not needed", body = Success<Done>)))]
async fn resend_verification(ctx: Ctx) -> Answer<Done> {
    service::resend_verification(&ctx).await?;
    ok(Done)
}

/// Changes the password.
#[utoipa::path(put, path = "/api/auth/password", tag = "Account", request_body = PasswordForm, responses((status = 200, description = "Changed; how many other sessions ended", body = Success<Ended>)))]
async fn put_password(ctx: Ctx, Input(form): Input<PasswordForm>) -> Answer<Ended> {
    ok(service::change_password(&ctx, form).await?)
}

/// Mails a link to a new password, where there is such an account; the answer is the same where there is none.
#[utoipa::path(post, path = "/api/auth/forgot-password", tag = "Account", request_body = ForgotForm, responses((status = 200, description = "On its way, if there is such an account", body = Success<Done>)), security(()))]
async fn forgot_password(visitor: Visitor, Input(form): Input<ForgotForm>) -> Answer<Done> {
    service::forgot_password(&visitor, &form.email).await?;
    ok(Done)
}

/// Sets a new password by the token of a mailed link, and ends every session.
#[utoipa::path(post, path = "/api/auth/reset-password", tag = "Account", request_body = ResetForm, responses((status = 200, description = "Set", body = Success<Done>)), security(()))]
async fn reset_password(visitor: Visitor, Input(form): Input<ResetForm>) -> Answer<Done> {
    service::reset_password(&visitor, form, Via::Bearer).await?;
    ok(Done)
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Page {
    page: Option<u64>,
    limit: Option<u64>,
}

/// Where the caller is signed in, the newest first.
#[utoipa::path(get, path = "/api/auth/sessions", tag = "Account", params(Page), responses((status = 200, description = "A page of sessions", body = List<Session>)))]
async fn list_sessions(ctx: Ctx, QueryParams(asked): QueryParams<Page>) -> Result<Json<List<Session>>, Refusal> {
    let (data, pagination) = service::sessions(&ctx, Paging::parse(asked.page, asked.limit)?).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// Ends every session of the caller but the one that asks.
#[utoipa::path(delete, path = "/api/auth/sessions", tag = "Account", responses((status = 200, description = "How many were ended", body = Success<Ended>)))]
async fn end_other_sessions(ctx: Ctx) -> Answer<Ended> {
    ok(Ended { ended: service::end_other_sessions(&ctx).await? })
}

/// Ends one of the caller's sessions.
#[utoipa::path(delete, path = "/api/auth/sessions/{id}", tag = "Account", params(("id" = String, Path)), responses((status = 200, description = "Ended", body = Success<Done>)))]
async fn end_session(ctx: Ctx, Path(id): Path<String>) -> Answer<Done> {
    service::end_session(&ctx, &named(&id, SESSION)?).await?;
    ok(Done)
}
