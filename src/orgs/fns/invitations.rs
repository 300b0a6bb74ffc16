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
    use crate::{orgs::server::roles::service, platform::ctx::ctx};
    let ctx = ctx()?;
    ctx.may(crate::rights::Action::Members)?;
    service::givable(&ctx).await
}

/// A page of all invitations.
#[server]
pub async fn read_invitations(search: Option<String>, status: Option<String>, page: Option<u64>) -> Result<Invitations, Error> {
    use crate::{
        orgs::server::invitations::{
            api::status as parse,
            service::{WhichInvitations, list},
        },
        platform::{api::Paging, ctx::ctx},
    };
    let which = WhichInvitations { search, status: parse(status.as_deref())? };
    let (invitations, at) = list(&ctx()?, &which, Paging::parse(page, Some(50))?).await?;
    Ok(Invitations { invitations, page: at.page, pages: at.total_pages, total: at.total })
}

/// Invites somebody.
#[server]
pub async fn invite_member(email: String, role: String, message: Option<String>, expires_hours: Option<String>) -> Result<(), Error> {
    use crate::{
        orgs::server::{forms, invitations::service},
        platform::ctx::ctx,
    };
    let ctx = ctx()?;
    ctx.may(crate::rights::Action::Members)?;
    let sent = service::invite(&ctx, &forms::invitation(email, role, message, expires_hours)?).await?;
    crate::kit::side::remember(forms::mailed(sent.email_status));
    leptos_axum::redirect("/organization/invitations");
    Ok(())
}

/// Sends an invitation again.
#[server]
pub async fn resend_invitation(id: InvitationId) -> Result<(), Error> {
    use crate::{
        orgs::server::{forms, invitations::service},
        platform::ctx::ctx,
    };
    let sent = service::resend(&ctx()?, &id).await?;
    crate::kit::side::remember(forms::mailed(sent.email_status));
    Ok(())
}

/// Takes an invitation back.
#[server]
pub async fn revoke_invitation(id: InvitationId) -> Result<(), Error> {
    use crate::{orgs::server::invitations::service, platform::ctx::ctx};
    let ctx = ctx()?;
    ctx.may(crate::rights::Action::Members)?;
    service::revoke(&ctx, &id).await?;
    crate::kit::side::remember(crate::kit::Flash::TAKEN_BACK);
    Ok(())
}

/// What the link of an invitation leads to.
#[server]
pub async fn look_at_invitation(token: String) -> Result<InvitationLook, Error> {
    use crate::{orgs::server::invitations::answer::service, platform::ctx::visitor};
    service::look(&visitor()?, &token).await
}

/// Accepts by the link.
#[server]
pub async fn accept_invitation(token: String) -> Result<(), Error> {
    use crate::{
        orgs::server::invitations::answer::service::{Which, accept},
        platform::ctx::ctx,
    };
    accept(&ctx()?, &Which::Token(token)).await?;
    crate::kit::side::remember(crate::kit::Flash::JOINED);
    leptos_axum::redirect("/applications");
    Ok(())
}

/// Accepts as an address that is verified.
#[server]
pub async fn accept_own_invitation(organization: OrgId, id: InvitationId) -> Result<(), Error> {
    use crate::{
        orgs::server::invitations::answer::service::{Which, accept},
        platform::ctx::ctx,
    };
    accept(&ctx()?, &Which::Id(organization, id)).await?;
    crate::kit::side::remember(crate::kit::Flash::JOINED);
    leptos_axum::redirect("/applications");
    Ok(())
}

/// Declines by the link; takes no account.
#[server]
pub async fn decline_invitation(token: String) -> Result<(), Error> {
    use crate::{orgs::server::invitations::answer::service, platform::ctx::visitor};
    service::decline_by_link(&visitor()?, &token).await
}

/// Declines as an address that is verified.
#[server]
pub async fn decline_own_invitation(organization: OrgId, id: InvitationId) -> Result<(), Error> {
    use crate::{
        orgs::server::invitations::answer::service::{Which, decline},
        platform::ctx::ctx,
    };
    decline(&ctx()?, &Which::Id(organization, id)).await?;
    crate::kit::side::remember(crate::kit::Flash::DECLINED);
    Ok(())
}

/// Makes an account for the invited address and joins.
#[server]
pub async fn join_by_invitation(token: String, name: String, password: String) -> Result<(), Error> {
    use crate::{accounts::server::doors, orgs::server::invitations::answer::service, platform::ctx::visitor};
    let opened = service::join(&visitor()?, &token, &name, &password).await?;
    crate::kit::side::remember(crate::kit::Flash::JOINED);
    doors::welcome(&opened, None)
}

/// Signs out, and comes back to the invitation.
#[server]
pub async fn sign_out_for_invitation(token: String) -> Result<(), Error> {
    use crate::{
        accounts::server::{doors, service},
        orgs::server::forms,
        platform::ctx::ctx,
    };
    service::sign_out(&ctx()?).await?;
    doors::farewell()?;
    leptos_axum::redirect(&forms::invitation_page(&token)?);
    Ok(())
}
