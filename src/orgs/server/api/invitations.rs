//! The API's door to invitations.
use crate::web::{declared::Declare, rate_limits::Class};
use crate::{
    error::{Error, Result},
    id::InvitationId,
    orgs::{
        model::{INVITATION, Invitation, InvitationAnswer, InvitationStatus, InviteInput, SentInvitation},
        server::{
            api::within,
            service::{
                answers as answer,
                answers::Which,
                invitations::{self, WhichInvitations},
            },
        },
    },
    web::{
        api::{Answer, Done, Input, List, Paging, QueryParams, Refusal, Success, created, named, ok},
        ctx::Ctx,
    },
};
use axum::{Json, extract::Path, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes of invitations.
pub fn router() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(invite).limit(Class::Mail))
        .routes(routes!(accept).limit(Class::Usual).in_person())
        .routes(routes!(decline).limit(Class::Usual).in_person())
        .routes(routes!(list))
        .routes(routes!(get, revoke).limit(Class::Usual))
        .routes(routes!(resend).limit(Class::Mail))
}

fn invitation(text: &str) -> Result<InvitationId> {
    named(text, INVITATION)
}

/// Parses a status; none where none is given.
pub fn status(text: Option<&str>) -> Result<Option<InvitationStatus>> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|why| Error::invalid("status", why))
}

/// Invites somebody by e-mail. `email_status` says whether the mail is on its way.
#[utoipa::path(post, path = "/api/organizations/{id}/members/invite", tag = "Organizations", params(("id" = String, Path)),
    request_body = InviteInput, responses((status = 201, description = "The invitation", body = Success<SentInvitation>)))]
async fn invite(ctx: Ctx, Path(id): Path<String>, Input(form): Input<InviteInput>) -> Result<Response, Refusal> {
    let sent = invitations::invite(&within(&ctx, &id).await?, &form).await?;
    created(&format!("/api/organizations/{id}/invitations/{}", sent.invitation.id), sent)
}

/// The organization that was joined.
#[derive(Debug, Serialize, ToSchema)]
struct Joined {
    organization_id: String,
}

fn which(org: &str, id: &str, form: InvitationAnswer) -> Result<Which> {
    let (org, id) = (named(org, INVITATION)?, invitation(id)?);
    Ok(match form.token {
        Some(token) => Which::Both(org, id, token),
        None => Which::Id(org, id),
    })
}

/// Accepts, as the invited address: with the token of the mail, or without where the address is verified.
#[utoipa::path(post, path = "/api/organizations/{id}/members/invite/{invite_id}/accept", tag = "Organizations",
    params(("id" = String, Path), ("invite_id" = String, Path)), request_body = InvitationAnswer,
    responses((status = 200, description = "The organization that was joined", body = Success<Joined>)))]
async fn accept(ctx: Ctx, Path((id, invite)): Path<(String, String)>, Input(form): Input<InvitationAnswer>) -> Answer<Joined> {
    let org = answer::accept(&ctx, &which(&id, &invite, form)?).await?;
    ok(Joined { organization_id: org.to_string() })
}

/// Declines, as the invited address.
#[utoipa::path(post, path = "/api/organizations/{id}/members/invite/{invite_id}/decline", tag = "Organizations",
    params(("id" = String, Path), ("invite_id" = String, Path)), request_body = InvitationAnswer,
    responses((status = 200, description = "It is declined", body = Success<Done>)))]
async fn decline(ctx: Ctx, Path((id, invite)): Path<(String, String)>, Input(form): Input<InvitationAnswer>) -> Answer<Done> {
    answer::decline(&ctx, &which(&id, &invite, form)?).await?;
    ok(Done)
}

/// Which invitations.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    #[param(minimum = 1, example = 1)]
    page: Option<u64>,
    #[param(minimum = 1, maximum = 200, example = 50)]
    limit: Option<u64>,
    /// A part of the address.
    search: Option<String>,
    /// `pending`, `accepted`, `declined`, `revoked` or `expired`.
    #[param(example = "pending")]
    status: Option<String>,
}

/// All invitations, the newest first.
#[utoipa::path(get, path = "/api/organizations/{id}/invitations", tag = "Organizations", params(("id" = String, Path), Wanted),
    responses((status = 200, description = "A page of invitations", body = List<Invitation>)))]
async fn list(ctx: Ctx, Path(id): Path<String>, QueryParams(asked): QueryParams<Wanted>) -> Result<Json<List<Invitation>>, Refusal> {
    let which = WhichInvitations { search: asked.search, status: status(asked.status.as_deref())? };
    let (data, pagination) = invitations::list(&within(&ctx, &id).await?, &which, Paging::parse(asked.page, asked.limit)?).await?;
    Ok(Json(List { success: true, data, pagination }))
}

/// One invitation.
#[utoipa::path(get, path = "/api/organizations/{id}/invitations/{invite_id}", tag = "Organizations",
    params(("id" = String, Path), ("invite_id" = String, Path)),
    responses((status = 200, description = "The invitation", body = Success<Invitation>)))]
async fn get(ctx: Ctx, Path((id, invite)): Path<(String, String)>) -> Answer<Invitation> {
    ok(invitations::get(&within(&ctx, &id).await?, &invitation(&invite)?).await?)
}

/// Takes an open invitation back.
#[utoipa::path(delete, path = "/api/organizations/{id}/invitations/{invite_id}", tag = "Organizations",
    params(("id" = String, Path), ("invite_id" = String, Path)),
    responses((status = 200, description = "It is revoked", body = Success<Done>)))]
async fn revoke(ctx: Ctx, Path((id, invite)): Path<(String, String)>) -> Answer<Done> {
    invitations::revoke(&within(&ctx, &id).await?, &invitation(&invite)?).await?;
    ok(Done)
}

/// Sends an open invitation again, with a new link; at most five times.
#[utoipa::path(post, path = "/api/organizations/{id}/invitations/{invite_id}/resend", tag = "Organizations",
    params(("id" = String, Path), ("invite_id" = String, Path)),
    responses((status = 200, description = "The invitation", body = Success<SentInvitation>)))]
async fn resend(ctx: Ctx, Path((id, invite)): Path<(String, String)>) -> Answer<SentInvitation> {
    ok(invitations::resend(&within(&ctx, &id).await?, &invitation(&invite)?).await?)
}
