//! The browser's door to invitations: for those who send them, and for those who follow their link.
use crate::{
    error::{Error, Result},
    id::{InvitationId, OrgId},
    orgs::model::{Invitation, InvitationLook, OrganizationRole},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// A page of the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invitations {
    pub invitations: Vec<Invitation>,
    pub page: u64,
    pub pages: u64,
    pub total: u64,
}

/// The roles that the caller may give.
#[server]
pub async fn read_givable_roles() -> Result<Vec<OrganizationRole>, Error> {
    use crate::{orgs::server::service::roles, web::ctx::ctx};
    let ctx = ctx()?;
    ctx.may(crate::rights::Action::Members)?;
    roles::givable(&ctx).await
}

/// A page of all invitations.
#[server]
pub async fn read_invitations(search: Option<String>, status: Option<String>, page: Option<u64>) -> Result<Invitations, Error> {
    use crate::{
        orgs::server::{
            api::invitations::status as parse,
            service::invitations::{WhichInvitations, list},
        },
        web::{api::Paging, ctx::ctx},
    };
    let which = WhichInvitations { search, status: parse(status.as_deref())? };
    let (invitations, at) = list(&ctx()?, &which, Paging::parse(page, Some(50))?).await?;
    Ok(Invitations { invitations, page: at.page, pages: at.total_pages, total: at.total })
}

/// Invites somebody.
#[server]
pub async fn invite_member(email: String, role: String, message: Option<String>, expires_hours: Option<String>) -> Result<(), Error> {
    use crate::{
        orgs::server::{forms, service::invitations},
        web::ctx::ctx,
    };
    let ctx = ctx()?;
    ctx.may(crate::rights::Action::Members)?;
    let sent = invitations::invite(&ctx, &forms::invitation(email, role, message, expires_hours)?).await?;
    crate::kit::side::remember(forms::mailed(sent.email_status));
    leptos_axum::redirect("/organization/invitations");
    Ok(())
}

/// Sends an invitation again.
#[server]
pub async fn resend_invitation(id: InvitationId) -> Result<(), Error> {
    use crate::{
        orgs::server::{forms, service::invitations},
        web::ctx::ctx,
    };
    let sent = invitations::resend(&ctx()?, &id).await?;
    crate::kit::side::remember(forms::mailed(sent.email_status));
    Ok(())
}

/// Takes an invitation back.
#[server]
pub async fn revoke_invitation(id: InvitationId) -> Result<(), Error> {
    use crate::{orgs::server::service::invitations, web::ctx::ctx};
    invitations::revoke(&ctx()?, &id).await?;
    crate::kit::side::remember(crate::orgs::flashes::INVITATION_REVOKED);
    Ok(())
}

/// What the link of an invitation leads to.
#[server]
pub async fn look_at_invitation(token: String) -> Result<InvitationLook, Error> {
    use crate::{orgs::server::service::answers, web::ctx::visitor};
    answers::look(&visitor()?, &token).await
}

/// Accepts by the link.
#[server]
pub async fn accept_invitation(token: String) -> Result<(), Error> {
    use crate::{
        orgs::server::service::answers::{Which, accept},
        web::ctx::ctx,
    };
    accept(&ctx()?, &Which::Token(token)).await?;
    crate::kit::side::remember(crate::orgs::flashes::JOINED);
    leptos_axum::redirect("/applications");
    Ok(())
}

/// Accepts as an address that is verified.
#[server]
pub async fn accept_own_invitation(organization: OrgId, id: InvitationId) -> Result<(), Error> {
    use crate::{
        orgs::server::service::answers::{Which, accept},
        web::ctx::ctx,
    };
    accept(&ctx()?, &Which::Id(organization, id)).await?;
    crate::kit::side::remember(crate::orgs::flashes::JOINED);
    leptos_axum::redirect("/applications");
    Ok(())
}

/// Declines by the link; takes no account.
#[server]
pub async fn decline_invitation(token: String) -> Result<(), Error> {
    use crate::{orgs::server::service::answers, web::ctx::visitor};
    answers::decline_by_link(&visitor()?, &token).await
}

/// Declines as an address that is verified.
#[server]
pub async fn decline_own_invitation(organization: OrgId, id: InvitationId) -> Result<(), Error> {
    use crate::{
        orgs::server::service::answers::{Which, decline},
        web::ctx::ctx,
    };
    decline(&ctx()?, &Which::Id(organization, id)).await?;
    crate::kit::side::remember(crate::orgs::flashes::INVITATION_DECLINED);
    Ok(())
}

/// Makes an account for the invited address and joins.
#[server]
pub async fn join_by_invitation(token: String, name: String, password: String) -> Result<(), Error> {
    use crate::{accounts::server::cookies, orgs::server::service::answers, web::ctx::visitor};
    let opened = answers::join(&visitor()?, &token, &name, &password).await?;
    crate::kit::side::remember(crate::orgs::flashes::JOINED);
    cookies::set_session_cookie(&opened, None)
}

/// Signs out, and comes back to the invitation.
#[server]
pub async fn sign_out_for_invitation(token: String) -> Result<(), Error> {
    use crate::{
        accounts::server::{cookies, service},
        orgs::server::forms,
        web::ctx::ctx,
    };
    service::sign_out(&ctx()?).await?;
    cookies::clear_session_cookie()?;
    leptos_axum::redirect(&forms::invitation_page(&token)?);
    Ok(())
}
