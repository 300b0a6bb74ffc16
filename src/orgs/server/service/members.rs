//! Members: look, change roles, remove, one or many at once.
use crate::{
    audit::server::service::record,
    auth::session::SessionCache,
    error::Result,
    fault::Because,
    id::UserId,
    orgs::{
        model::{Deed, Member, MemberPage},
        server::{
            events,
            hold::{Held, hold, keep_an_owner, role_named, take_back_invitations},
            service::{drop_member, grants, roles, set_role},
            view::{self, WhichMembers},
        },
    },
    rights::{Action, Role},
    store::{
        Tx,
        tables::{application, membership},
    },
    web::{
        api::{Pagination, Paging},
        ctx::Ctx,
    },
};
use sea_orm::{QueryOrder, QuerySelect};
use serde_json::json;

/// How many applications a member's page offers.
const MOST_APPS: u64 = 200;

/// A page of the members.
pub async fn list(ctx: &Ctx, which: &WhichMembers, paging: Paging) -> Result<(Vec<Member>, Pagination)> {
    ctx.may(Action::View)?;
    view::members(ctx, which, paging).await
}

/// One member.
pub async fn get(ctx: &Ctx, user: &UserId) -> Result<Member> {
    ctx.may(Action::View)?;
    view::member(ctx, user).await
}

/// Gives a member another role.
pub async fn change_role(ctx: &Ctx, user: &UserId, role: &str) -> Result<Member> {
    change(ctx, std::slice::from_ref(user), &Deed::Role(role.trim().into())).await?;
    // Who took the right to look from herself is still told what came of it.
    view::member(ctx, user).await
}

/// Removes a member.
pub async fn remove(ctx: &Ctx, user: &UserId) -> Result<()> {
    change(ctx, std::slice::from_ref(user), &Deed::Remove).await
}

/// Changes or removes several members: all of them, or none.
pub async fn change(ctx: &Ctx, users: &[UserId], deed: &Deed) -> Result<()> {
    ctx.may(Action::Members)?;
    let changed = ctx.panel.db.tx(async |tx| {
        let held = hold(tx, ctx, Action::Members).await?;
        let rows = held.members(tx, users).await?;
        held.above(tx, &rows).await?;
        let keeps = matches!(deed, Deed::Role(role) if role == Role::Owner.name());
        if !keeps && rows.iter().any(|row| row.role == Role::Owner.name()) {
            keep_an_owner(tx, &held.org, users).await?;
        }
        match deed {
            Deed::Role(role) => give(tx, ctx, &held, &rows, role).await,
            Deed::Remove => take(tx, ctx, &held, &rows).await,
        }
    });
    changed.await?;
    users.iter().for_each(|user| ctx.panel.of::<SessionCache>().forget_user(user));
    Ok(())
}

async fn give(tx: &Tx, ctx: &Ctx, held: &Held, rows: &[membership::Model], role: &str) -> Result<()> {
    let (name, permissions) = role_named(tx, &held.org, role).await?;
    held.reaches(permissions)?;
    for row in rows.iter().filter(|row| row.role != role) {
        record(tx, ctx, events::MEMBER_ROLE_CHANGED, &row.user_id, json!({ "before": row.role, "after": role, "name": name })).await?;
        set_role(tx, &held.org, &row.user_id, role).await?;
        take_back_invitations(tx, &ctx.panel, &held.org, &row.user_id, permissions).await?;
    }
    Ok(())
}

async fn take(tx: &Tx, ctx: &Ctx, held: &Held, rows: &[membership::Model]) -> Result<()> {
    for row in rows {
        record(tx, ctx, events::MEMBER_REMOVED, &row.user_id, json!({ "role": row.role })).await?;
        drop_member(tx, &ctx.panel, &held.org, &row.user_id).await?;
    }
    Ok(())
}

/// One member with what the caller can do about her.
pub async fn page(ctx: &Ctx, user: &UserId) -> Result<MemberPage> {
    let member = get(ctx, user).await?;
    let (all, _) = roles::list(ctx, Paging { page: 1, limit: 200 }).await?;
    let hers = all.iter().find(|role| role.id == member.role).map(|role| role.permissions).unwrap_or_default();
    let givable: Vec<_> = all.into_iter().filter(|role| role.permissions.without(ctx.who.permissions).is_empty()).collect();
    let grants = grants::list(ctx, user).await?;
    let apps = match ctx.who.permissions.may(Action::Members) {
        true => {
            let some = ctx.visible_apps()?.order_by_asc(application::Column::Name).limit(MOST_APPS);
            let some = some.all(ctx.panel.db.read()).await.because("listing applications")?;
            some.into_iter().map(|app| (app.id.to_string(), app.name)).collect()
        }
        false => Vec::new(),
    };
    let is_above = !hers.without(ctx.who.permissions).is_empty();
    Ok(MemberPage { is_me: member.user_id == ctx.who.user, is_above, member, givable, grants, apps })
}
