//! The API's door to members.
use crate::web::{declared::Declare, rate_limits::Class};
use crate::{
    error::Result,
    id::UserId,
    orgs::{
        model::{ChangeMembers, MEMBER, Member, SetRole},
        server::{api::within, service::members, view::WhichMembers},
    },
    web::{
        api::{Answer, Done, Input, List, Paging, QueryParams, Refusal, Success, named, ok},
        ctx::Ctx,
    },
};
use axum::{Json, extract::Path};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of members.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(bulk).limit(Class::Usual))
        .routes(routes!(get, change, remove).limit(Class::Usual))
}

/// The person that a path names; what is no id of one is no member.
pub fn person(text: &str) -> Result<UserId> {
    named(text, MEMBER)
}

/// Which members.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    #[param(minimum = 1, example = 1)]
    page: Option<u64>,
    #[param(minimum = 1, maximum = 200, example = 50)]
    limit: Option<u64>,
    /// A part of the name or the address.
    search: Option<String>,
    /// A role's name or id.
    #[param(example = "developer")]
    role: Option<String>,
    /// `name`, `joined_at` or `last_seen_at`, with a minus in front to turn it round.
    #[param(example = "-last_seen_at")]
    sort: Option<String>,
}

/// The members of an organization.
#[utoipa::path(get, path = "/api/organizations/{id}/members", tag = "Organizations", params(("id" = String, Path), Which),
    responses((status = 200, description = "A page of members", body = List<Member>)))]
async fn list(ctx: Ctx, Path(id): Path<String>, QueryParams(asked): QueryParams<Which>) -> Result<Json<List<Member>>, Refusal> {
    let which = WhichMembers { search: asked.search, role: asked.role, sort: asked.sort };
    let (data, pagination) = members::list(&within(&ctx, &id).await?, &which, Paging::parse(asked.page, asked.limit)?).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// One member.
#[utoipa::path(get, path = "/api/organizations/{id}/members/{user_id}", tag = "Organizations",
    params(("id" = String, Path), ("user_id" = String, Path)),
    responses((status = 200, description = "The member", body = Success<Member>)))]
async fn get(ctx: Ctx, Path((id, user)): Path<(String, String)>) -> Answer<Member> {
    ok(members::get(&within(&ctx, &id).await?, &person(&user)?).await?)
}

/// Gives a member another role. Nobody gives what they do not have, and the last owner stays one.
#[utoipa::path(put, path = "/api/organizations/{id}/members/{user_id}", tag = "Organizations",
    params(("id" = String, Path), ("user_id" = String, Path)), request_body = SetRole,
    responses((status = 200, description = "The member", body = Success<Member>)))]
async fn change(ctx: Ctx, Path((id, user)): Path<(String, String)>, Input(form): Input<SetRole>) -> Answer<Member> {
    ok(members::change_role(&within(&ctx, &id).await?, &person(&user)?, &form.role).await?)
}

/// Removes a member; the last owner can't be.
#[utoipa::path(delete, path = "/api/organizations/{id}/members/{user_id}", tag = "Organizations",
    params(("id" = String, Path), ("user_id" = String, Path)),
    responses((status = 200, description = "The person is no member any more", body = Success<Done>)))]
async fn remove(ctx: Ctx, Path((id, user)): Path<(String, String)>) -> Answer<Done> {
    members::remove(&within(&ctx, &id).await?, &person(&user)?).await?;
    ok(Done)
}

/// Gives several members a role, or removes them: all of them, or none.
#[utoipa::path(post, path = "/api/organizations/{id}/members/bulk", tag = "Organizations", params(("id" = String, Path)),
    request_body = ChangeMembers, responses((status = 200, description = "It is done", body = Success<Done>)))]
async fn bulk(ctx: Ctx, Path(id): Path<String>, Input(form): Input<ChangeMembers>) -> Answer<Done> {
    let ctx = within(&ctx, &id).await?;
    ctx.may(crate::rights::Action::Members)?;
    let (users, deed) = form.parse()?;
    members::change(&ctx, &users, &deed).await?;
    ok(Done)
}
