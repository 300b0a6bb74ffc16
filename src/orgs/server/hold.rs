//! What every change of who may do what begins with: the organization's row is held, so that two such changes come one after the
//! other, and the caller's rights are read again. A role can be given, changed or taken by those alone who have all that it includes.
use crate::{
    accounts::{
        model::first_name,
        server::{CLUSTERS, service as accounts},
    },
    auth::session,
    error::{Error, Result, Thing},
    fault::Because,
    id::{OrgId, RoleId, UserId},
    orgs::model::{InvitationStatus, MEMBER},
    rights::{Action, Permissions, Role},
    runtime::panel::Panel,
    store::{
        Tx,
        tables::{invitation, membership, organization, role, user},
    },
    web::ctx::Ctx,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, sea_query::Expr};
use std::collections::HashMap;

/// An organization that waits for nobody else now, and what the caller may do in it at this moment.
pub struct Held {
    pub org: OrgId,
    pub permissions: Permissions,
}

/// Holds the caller's organization until the transaction ends, and insists that the caller may still do this.
pub async fn hold(tx: &Tx, ctx: &Ctx, action: Action) -> Result<Held> {
    let org = ctx.may(action)?;
    hold_row(tx, &org).await?;
    let permissions = own_permissions(tx, ctx).await?;
    if !permissions.may(action) {
        return Err(Error::Forbidden { permission: action.name().into() });
    }
    Ok(Held { org: (*org).clone(), permissions })
}

/// Holds an organization's row; one that was deleted meanwhile is not there.
pub async fn hold_row(tx: &Tx, org: &OrgId) -> Result<()> {
    let held = organization::Entity::update_many()
        .col_expr(organization::Column::Version, Expr::col(organization::Column::Version))
        .filter(organization::Column::Id.eq(org.clone()))
        .filter(organization::Column::DeletedAt.is_null());
    let held = held.exec(tx).await.because("holding an organization")?;
    if held.rows_affected == 1 { Ok(()) } else { Err(Error::NotFound(Thing::ORGANIZATION)) }
}

/// Insists that an organization goes on: it is neither suspended nor deleted. Its row is held until the transaction ends, together with
/// others who ask the same: whoever suspends the organization waits for them, and then finds what they did.
pub async fn goes_on(tx: &Tx, org: &OrgId) -> Result<()> {
    let row = organization::Entity::find_by_id(org.clone()).lock_shared().one(tx).await.because("holding an organization")?;
    match row.filter(|row| row.deleted_at.is_none()) {
        None => Err(Error::NotFound(Thing::ORGANIZATION)),
        Some(row) if row.suspended_at.is_some() => Err(Error::Suspended),
        Some(_) => Ok(()),
    }
}

/// What the caller may do as of now: at most what the credential allows, and what the membership still includes.
async fn own_permissions(tx: &Tx, ctx: &Ctx) -> Result<Permissions> {
    let member = membership::Entity::find_by_id((ctx.who.org.clone(), ctx.who.user.clone()));
    let member = member.one(tx).await.because("looking up the caller's membership")?.ok_or(Error::NotFound(Thing::ORGANIZATION))?;
    Ok(role_permissions(tx, &ctx.who.org, &member.role).await?.and(ctx.who.permissions))
}

/// A role of the organization by its word: its name for people, and what it includes. Refuses what is no role here.
pub async fn role_named(tx: &Tx, org: &OrgId, word: &str) -> Result<(String, Permissions)> {
    let unknown =
        || Error::invalid("role", "There is no such role here. Name viewer, billing, developer, admin, owner, or a custom role’s id.");
    if word.parse::<Role>().is_ok() {
        return session::role(word, None, None);
    }
    let id: RoleId = word.parse().map_err(|_| unknown())?;
    let own = role::Entity::find_by_id(id).filter(role::Column::OrganizationId.eq(org.clone()));
    let own = own.one(tx).await.because("looking up a role")?.ok_or_else(unknown)?;
    session::role(word, Some(own.name), Some(&own.permissions))
}

/// What a role in a row includes; nothing where the role is gone.
pub async fn role_permissions(tx: &Tx, org: &OrgId, word: &str) -> Result<Permissions> {
    match role_named(tx, org, word).await {
        Ok((_, permissions)) => Ok(permissions),
        Err(Error::Invalid(_)) => Ok(Permissions::NONE),
        Err(why) => Err(why),
    }
}

impl Held {
    /// Refuses what the caller does not have: nobody gives or takes more than that. Names the first permission that is missing.
    pub fn reaches(&self, permissions: Permissions) -> Result<()> {
        reaches(self.permissions, permissions)
    }

    /// The rows of these members; one who is none is not there.
    pub async fn members(&self, tx: &Tx, users: &[UserId]) -> Result<Vec<membership::Model>> {
        let rows = membership::Entity::find()
            .filter(membership::Column::OrganizationId.eq(self.org.clone()))
            .filter(membership::Column::UserId.is_in(users.iter().cloned()));
        let rows = rows.all(tx).await.because("looking up members")?;
        if rows.len() == users.len() { Ok(rows) } else { Err(Error::NotFound(MEMBER)) }
    }

    /// Refuses to touch members whose roles include what the caller lacks.
    pub async fn above(&self, tx: &Tx, rows: &[membership::Model]) -> Result<()> {
        let mut known: HashMap<&str, Permissions> = HashMap::new();
        for row in rows {
            if !known.contains_key(row.role.as_str()) {
                let permissions = role_permissions(tx, &self.org, &row.role).await?;
                self.reaches(permissions)?;
                known.insert(&row.role, permissions);
            }
        }
        Ok(())
    }
}

/// Refuses permissions that are not among one's own.
pub fn reaches(own: Permissions, wanted: Permissions) -> Result<()> {
    match wanted.without(own).iter().last() {
        None => Ok(()),
        Some(missing) => Err(Error::Forbidden { permission: missing.name().into() }),
    }
}

/// Refuses where nobody would be left who owns the organization. Call it while the row is held.
pub async fn keep_an_owner(tx: &Tx, org: &OrgId, without: &[UserId]) -> Result<()> {
    let able = sea_orm::sea_query::Query::select()
        .column(user::Column::Id)
        .from(user::Entity)
        .and_where(user::Column::SuspendedAt.is_null())
        .to_owned();
    let others = membership::Entity::find()
        .filter(membership::Column::OrganizationId.eq(org.clone()))
        .filter(membership::Column::Role.eq(Role::Owner.name()))
        .filter(membership::Column::UserId.is_not_in(without.iter().cloned()))
        .filter(membership::Column::UserId.in_subquery(able));
    match others.count(tx).await.because("counting owners")? {
        0 => Err(Error::Conflict("An organization keeps at least one owner. Make another member an owner first.".into())),
        _ => Ok(()),
    }
}

/// Gives whoever is in no organization any more a fresh one of her own.
pub async fn keep_a_home(tx: &Tx, panel: &Panel, person: &UserId) -> Result<()> {
    let any = membership::Entity::find().filter(membership::Column::UserId.eq(person.clone()));
    if any.count(tx).await.because("counting memberships")? > 0 {
        return Ok(());
    }
    let row = user::Entity::find_by_id(person.clone()).one(tx).await.because("looking up a person")?;
    let Some(row) = row else { return Ok(()) };
    accounts::found(tx, panel, person, &first_name(&row.name)).await?;
    panel.wake(CLUSTERS);
    Ok(())
}

/// Revokes the open invitations that somebody sent and could no longer send.
pub async fn take_back_invitations(tx: &Tx, panel: &Panel, org: &OrgId, sender: &UserId, has: Permissions) -> Result<()> {
    let open = invitation::Entity::find()
        .filter(invitation::Column::OrganizationId.eq(org.clone()))
        .filter(invitation::Column::InvitedBy.eq(sender.clone()))
        .filter(invitation::Column::Status.eq(InvitationStatus::Pending));
    let mut gone = Vec::new();
    for row in open.all(tx).await.because("looking up invitations")? {
        if !has.may(Action::Members) || reaches(has, role_permissions(tx, org, &row.role).await?).is_err() {
            gone.push(row.id);
        }
    }
    if gone.is_empty() {
        return Ok(());
    }
    let revoke = invitation::Entity::update_many()
        .col_expr(invitation::Column::Status, Expr::value(InvitationStatus::Revoked))
        .col_expr(invitation::Column::EndedAt, Expr::value(panel.now()))
        .filter(invitation::Column::Id.is_in(gone))
        .filter(invitation::Column::Status.eq(InvitationStatus::Pending));
    revoke.exec(tx).await.because("revoking invitations").map(|_| ())
}
