//! Acting in somebody's name for an hour: a session of hers that knows the operator, cannot do what is hers alone, and leads back to the
//! operator's own session.
use crate::{
    admin::{
        model::{Impersonate, ImpersonationToken, Reason},
        server::{
            events,
            service::{organizations, people},
        },
    },
    audit::server::{chain, service::record_in},
    auth::{
        access_tokens, session as sessions,
        session::{NewSession, Opened, SessionCache, Via},
    },
    error::{Error, Result},
    fault::Because,
    id::{OrgId, UserId},
    store::tables::{impersonation, session},
    web::ctx::{Ctx, Operator},
};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::json;
use std::time::Duration;

/// How long it lasts.
const LIFE: Duration = Duration::from_secs(3_600);

/// Begins to act in somebody's name.
pub async fn begin(ctx: &Operator, id: &UserId, form: &Impersonate, via: Via) -> Result<(Opened, OrgId)> {
    let own = ctx.in_person()?.clone();
    let reason = Reason::parse(&form.reason)?;
    let row = people::find(&ctx.panel, id).await?;
    if row.is_operator {
        return Err(Error::Conflict("Nobody acts in the name of an operator.".into()));
    }
    if row.suspended_at.is_some() {
        return Err(Error::Conflict("This person is suspended: nothing can be done in her name.".into()));
    }
    let org = organizations::oldest_of(&ctx.panel, id, form.organization_id.as_ref()).await?;
    let new = NewSession {
        user: id,
        org: &org,
        via,
        method: "impersonation",
        address: &ctx.origin.address,
        agent: &ctx.origin.agent,
        impersonator: Some((&ctx.who.user, reason.as_str())),
        life: Some(LIFE),
    };
    let opened = ctx
        .panel
        .db
        .tx(async |tx| {
            let opened = sessions::open(tx, &ctx.panel, new).await?;
            let way_back = impersonation::ActiveModel {
                session_id: Set(opened.id.clone()),
                operator_session_id: Set(own),
                operator_id: Set(ctx.who.user.clone()),
                created_at: Set(ctx.panel.now()),
            };
            impersonation::Entity::insert(way_back).exec_without_returning(tx).await.because("noting the way back")?;
            let detail = json!({ "reason": reason.as_str(), "organization": org, "session": opened.id, "until": opened.expires_at });
            record_in(tx, ctx, &org, events::IMPERSONATION_BEGUN, id, detail.clone()).await?;
            record_in(tx, ctx, &chain::platform(), events::IMPERSONATION_BEGUN, id, detail).await?;
            Ok(opened)
        })
        .await?;
    Ok((opened, org))
}

/// Begins it for a script.
pub async fn begin_by_token(ctx: &Operator, id: &UserId, form: &Impersonate) -> Result<ImpersonationToken> {
    let (opened, org) = begin(ctx, id, form, Via::Bearer).await?;
    let access_token = access_tokens::sign(&ctx.panel, &opened.id, id, opened.expires_at.since(ctx.panel.now())).await?;
    let (user_id, expires_at) = (id.clone(), opened.expires_at);
    Ok(ImpersonationToken { access_token, token_type: "Bearer".into(), expires_at, user_id, organization_id: org })
}

/// Ends it. Answers with the operator's own session under a new secret, where it is still good, and whom she acted for.
pub async fn end(ctx: &Ctx) -> Result<(Option<Opened>, UserId)> {
    let (Some(operator), Some(id)) = (&ctx.who.impersonator, ctx.who.credential.session()) else {
        return Err(Error::Conflict("You act in your own name: there is nothing to end.".into()));
    };
    let back = ctx
        .panel
        .db
        .tx(async |tx| {
            let way_back = impersonation::Entity::find_by_id(id.clone()).one(tx).await.because("finding the way back")?;
            session::Entity::delete_by_id(id.clone()).exec(tx).await.because("ending a session")?;
            let back = match way_back {
                Some(way) if way.operator_id == operator.user => sessions::reissue(tx, &ctx.panel, &way.operator_session_id).await?,
                _ => None,
            };
            let detail = json!({ "session": id });
            record_in(tx, ctx, &ctx.who.org, events::IMPERSONATION_ENDED, &ctx.who.user, detail.clone()).await?;
            record_in(tx, ctx, &chain::platform(), events::IMPERSONATION_ENDED, &ctx.who.user, detail).await?;
            Ok(back)
        })
        .await?;
    ctx.panel.of::<SessionCache>().forget(id);
    if let Some(own) = &back {
        ctx.panel.of::<SessionCache>().forget(&own.id);
    }
    Ok((back, ctx.who.user.clone()))
}
