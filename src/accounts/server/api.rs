//! The API's door to accounts.
use crate::{
    accounts::{
        model::{Me, SignInForm, SignUpForm},
        server::service,
    },
    platform::{
        api::{Answer, Done, Input, Refusal, created, ok},
        ctx::{Ctx, Visitor},
        panel::Panel,
        session::{self, BEARER_LIFE, Opened, Via},
    },
};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of accounts.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(register)).routes(routes!(login)).routes(routes!(logout)).routes(routes!(me))
}

/// A bearer token, and whose it is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Login {
    /// For `Authorization: Bearer …`.
    pub access_token: String,
    pub token_type: String,
    /// Seconds.
    pub expires_in: u64,
    pub me: Me,
}

fn login_of(panel: &Panel, me: Me, opened: &Opened) -> crate::error::Result<Login> {
    let access_token = session::bearer(panel, opened, &me.user.id)?;
    Ok(Login { access_token, token_type: "Bearer".into(), expires_in: BEARER_LIFE.as_secs(), me })
}

/// Makes an account with an organization of its own.
#[utoipa::path(post, path = "/api/auth/register", tag = "Account", request_body = SignUpForm, responses((status = 201, description = "The account and a bearer token", body = crate::platform::api::Success<Login>)), security(()))]
async fn register(visitor: Visitor, Input(form): Input<SignUpForm>) -> Result<Response, Refusal> {
    let (me, opened) = service::sign_up(&visitor, form, Via::Bearer).await?;
    created("/api/auth/me", login_of(&visitor.panel, me, &opened)?)
}

/// Signs in for a bearer token.
#[utoipa::path(post, path = "/api/auth/login", tag = "Account", request_body = SignInForm, responses((status = 200, description = "A bearer token", body = crate::platform::api::Success<Login>)), security(()))]
async fn login(visitor: Visitor, Input(form): Input<SignInForm>) -> Answer<Login> {
    let (me, opened) = service::sign_in(&visitor, form, Via::Bearer).await?;
    ok(login_of(&visitor.panel, me, &opened)?)
}

/// Ends the session of the credential.
#[utoipa::path(post, path = "/api/auth/logout", tag = "Account", responses((status = 200, description = "Signed out", body = crate::platform::api::Success<Done>)))]
async fn logout(ctx: Ctx) -> Answer<Done> {
    service::sign_out(&ctx).await?;
    ok(Done)
}

/// Who is signed in, and where.
#[utoipa::path(get, path = "/api/auth/me", tag = "Account", responses((status = 200, description = "The caller", body = crate::platform::api::Success<Me>)))]
async fn me(ctx: Ctx) -> Answer<Me> {
    ok(service::me(&ctx))
}
