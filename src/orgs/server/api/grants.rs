//! The API's door to grants.
use crate::web::{declared::Declare, rate_limits::Class};
use crate::{
    error::Thing,
    orgs::{
        model::{Grant, GrantInput},
        server::{
            api::{members::person, within},
            service::grants,
        },
    },
    web::{
        api::{Answer, Done, Input, Success, named, ok},
        ctx::Ctx,
    },
};
use axum::extract::Path;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of grants.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list, put).limit(Class::Usual)).routes(routes!(remove).limit(Class::Usual))
}

/// What a member may do with single applications, at most 200 of them.
#[utoipa::path(get, path = "/api/organizations/{id}/members/{user_id}/grants", tag = "Organizations",
    params(("id" = String, Path), ("user_id" = String, Path)),
    responses((status = 200, description = "The grants, by the application’s name", body = Success<Vec<Grant>>)))]
async fn list(ctx: Ctx, Path((id, user)): Path<(String, String)>) -> Answer<Vec<Grant>> {
    ok(grants::list(&within(&ctx, &id).await?, &person(&user)?).await?)
}

/// Gives a member a role on one application, in place of the one that she had there.
#[utoipa::path(post, path = "/api/organizations/{id}/members/{user_id}/grants", tag = "Organizations",
    params(("id" = String, Path), ("user_id" = String, Path)), request_body = GrantInput,
    responses((status = 200, description = "All grants of the member", body = Success<Vec<Grant>>)))]
async fn put(ctx: Ctx, Path((id, user)): Path<(String, String)>, Input(form): Input<GrantInput>) -> Answer<Vec<Grant>> {
    ok(grants::put(&within(&ctx, &id).await?, &person(&user)?, &form).await?)
}

/// Takes a member's role on one application.
#[utoipa::path(delete, path = "/api/organizations/{id}/members/{user_id}/grants/{application_id}", tag = "Organizations",
    params(("id" = String, Path), ("user_id" = String, Path), ("application_id" = String, Path)),
    responses((status = 200, description = "It is taken", body = Success<Done>)))]
async fn remove(ctx: Ctx, Path((id, user, app)): Path<(String, String, String)>) -> Answer<Done> {
    let ctx = within(&ctx, &id).await?;
    grants::remove(&ctx, &person(&user)?, &named(&app, Thing::APPLICATION)?).await?;
    ok(Done)
}
