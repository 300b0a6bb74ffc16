//! What people do with organizations: found one, look, change its settings, switch, leave, hand it over, delete it.
use crate::{
    accounts::server::{CLUSTERS, service as accounts},
    audit::server::service::{record, record_in},
    auth::session::SessionCache,
    error::{Error, Result, Thing},
    fault::Because,
    id::{Id, OrgId, UserId},
    orgs::{
        model::{
            CreateOrganization, Defaults, InvitationStatus, MEMBER, MyOrganization, NewSettings, OrganizationDetails, OrganizationOverview,
            UpdateOrganization,
        },
        server::{
            ORGANIZATIONS, events,
            hold::{hold, hold_row, keep_a_home, keep_an_owner, take_back_invitations},
            view::{self, WhichMembers},
        },
    },
    rights::{Action, Permissions, Role},
    runtime::panel::Panel,
    store::{
        Tx, is_taken,
        json::JsonText,
        tables::{app_grant, application, invitation, membership, organization, session, user},
    },
    web::{
        api::{Pagination, Paging},
        ctx::Ctx,
    },
};
pub mod answers;
pub mod grants;
pub mod invitations;
pub mod members;
pub mod roles;

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Expr};
use serde_json::json;

/// How many organizations one person may own.
const MOST_OWNED: u64 = 20;

/// The caller's organizations.
pub async fn list(ctx: &Ctx, paging: Paging) -> Result<(Vec<MyOrganization>, Pagination)> {
    view::mine(ctx, paging).await
}

/// The caller's other organizations, for the switcher.
pub async fn others(ctx: &Ctx) -> Result<Vec<(String, String)>> {
    view::others(ctx).await
}

/// The organization and its settings.
pub async fn get(ctx: &Ctx) -> Result<OrganizationDetails> {
    let org = ctx.may(Action::View)?;
    view::details(ctx, view::row(&ctx.panel, &org).await?)
}

/// What new applications of the caller's organization begin with.
pub async fn defaults(ctx: &Ctx) -> Result<Defaults> {
    view::defaults(&view::row(&ctx.panel, &ctx.who.org).await?)
}

/// The dashboard.
pub async fn overview(ctx: &Ctx) -> Result<OrganizationOverview> {
    let organization = get(ctx).await?;
    let (panel, org) = (&ctx.panel, &ctx.who.org);
    let which = WhichMembers { sort: Some("-last_seen_at".into()), ..Default::default() };
    let (recent, members) = view::members(ctx, &which, Paging { page: 1, limit: 5 }).await?;
    let invitations = match ctx.who.permissions.may(Action::Members) {
        true => Some(view::open_invitations(panel, org).await?),
        false => None,
    };
    Ok(OrganizationOverview {
        organization,
        plan: view::plan(panel, org).await?,
        apps: view::app_counts(panel, org).await?,
        members: members.total,
        with_two_factor: view::with_two_factor(panel, org).await?,
        recent,
        invitations,
    })
}

/// Makes an organization that the caller owns.
pub async fn create(ctx: &Ctx, form: &CreateOrganization) -> Result<OrganizationDetails> {
    ctx.in_person()?;
    let (name, slug) = form.parse()?;
    let me = &ctx.who.user;
    let made = ctx.panel.db.tx(async |tx| {
        // Whoever makes two at once makes them one after the other.
        let myself = user::Entity::update_many().col_expr(user::Column::Name, Expr::col(user::Column::Name));
        myself.filter(user::Column::Id.eq(me.clone())).exec(tx).await.because("holding a person")?;
        let owned = membership::Entity::find()
            .filter(membership::Column::UserId.eq(me.clone()))
            .filter(membership::Column::Role.eq(Role::Owner.name()))
            .count(tx)
            .await
            .because("counting organizations")?;
        if owned >= MOST_OWNED {
            return Err(Error::QuotaExceeded { what: "organizations of your own".into(), limit: MOST_OWNED, used: owned });
        }
        let org = accounts::found(tx, &ctx.panel, me, name.as_str()).await?;
        record_in(tx, ctx, &org, events::ORGANIZATION_CREATED, &org, json!({ "name": name })).await?;
        if let Some(slug) = &slug {
            set_slug(tx, &org, slug.as_str()).await?;
        }
        Ok(org)
    });
    let org = made.await?;
    ctx.panel.wake(CLUSTERS);
    get(&ctx.in_org(&org).await?).await
}

async fn set_slug(tx: &Tx, org: &OrgId, slug: &str) -> Result<()> {
    let change = organization::Entity::update_many()
        .col_expr(organization::Column::Slug, Expr::value(slug))
        .filter(organization::Column::Id.eq(org.clone()));
    match change.exec(tx).await {
        Err(why) if is_taken(&why) => Err(slug_taken()),
        done => done.because("naming an organization").map(|_| ()),
    }
}

fn slug_taken() -> Error {
    Error::invalid("slug", "Another organization has this name in addresses. Choose another.")
}

/// Changes the settings. `if_match` is the version that the caller saw.
pub async fn update(ctx: &Ctx, form: &UpdateOrganization, if_match: Option<i64>) -> Result<OrganizationDetails> {
    ctx.may(Action::Settings)?;
    let new = form.parse()?;
    ctx.panel
        .db
        .tx(async |tx| {
            let held = hold(tx, ctx, Action::Settings).await?;
            let now = organization::Entity::find_by_id(held.org.clone()).one(tx).await.because("reading the settings")?;
            let now = now.ok_or(Error::NotFound(Thing::ORGANIZATION))?;
            if if_match.is_some_and(|seen| seen != now.version) {
                let why = "Somebody else changed these settings meanwhile. Load them again and repeat your change.";
                return Err(Error::Conflict(why.into()));
            }
            if new.requires_two_factor == Some(true) && !now.requires_two_factor {
                has_second_factor(tx, ctx).await?;
            }
            write(tx, ctx, &now, &new).await
        })
        .await?;
    ctx.panel.of::<SessionCache>().forget_org(&ctx.who.org);
    get(&Ctx { who: ctx.who.clone(), ..ctx.clone() }).await
}

/// Nobody locks herself out.
async fn has_second_factor(tx: &Tx, ctx: &Ctx) -> Result<()> {
    let me = user::Entity::find_by_id(ctx.who.user.clone()).one(tx).await.because("looking up a person")?;
    if me.is_some_and(|me| me.has_second_factor) {
        return Ok(());
    }
    let why = "Set up a second factor of your own first: without one you would lock yourself out.";
    Err(Error::invalid("requires_two_factor", why))
}

async fn write(tx: &Tx, ctx: &Ctx, now: &organization::Model, new: &NewSettings) -> Result<()> {
    let text = |new: Option<&str>, now: &str| new.map_or_else(|| now.to_string(), str::to_string);
    let defaults = new.defaults.as_ref().map(JsonText::of).transpose()?;
    let next = organization::Model {
        name: text(new.name.as_ref().map(|it| it.as_str()), &now.name),
        slug: text(new.slug.as_ref().map(|it| it.as_str()), &now.slug),
        contact_email: text(new.contact_email.as_deref(), &now.contact_email),
        billing_address: text(new.billing_address.as_deref(), &now.billing_address),
        tax_id: text(new.tax_id.as_deref(), &now.tax_id),
        defaults: defaults.unwrap_or_else(|| now.defaults.clone()),
        requires_two_factor: new.requires_two_factor.unwrap_or(now.requires_two_factor),
        version: now.version + 1,
        ..now.clone()
    };
    let (mut before, mut after) = (serde_json::Map::new(), serde_json::Map::new());
    for (field, was, is) in [
        ("name", now.name.as_str(), next.name.as_str()),
        ("slug", &now.slug, &next.slug),
        ("contact_email", &now.contact_email, &next.contact_email),
        ("billing_address", &now.billing_address, &next.billing_address),
        ("tax_id", &now.tax_id, &next.tax_id),
        ("defaults", now.defaults.as_str(), next.defaults.as_str()),
    ] {
        if was != is {
            before.insert(field.into(), was.into());
            after.insert(field.into(), is.into());
        }
    }
    if now.requires_two_factor != next.requires_two_factor {
        before.insert("requires_two_factor".into(), now.requires_two_factor.into());
        after.insert("requires_two_factor".into(), next.requires_two_factor.into());
    }
    if after.is_empty() {
        return Ok(());
    }
    record(tx, ctx, events::ORGANIZATION_CONFIGURED, &now.id, json!({ "before": before, "after": after })).await?;
    let change = organization::ActiveModel {
        name: Set(next.name),
        slug: Set(next.slug),
        contact_email: Set(next.contact_email),
        billing_address: Set(next.billing_address),
        tax_id: Set(next.tax_id),
        defaults: Set(next.defaults),
        requires_two_factor: Set(next.requires_two_factor),
        version: Set(next.version),
        ..Default::default()
    };
    let change = organization::Entity::update_many().set(change).filter(organization::Column::Id.eq(now.id.clone()));
    match change.exec(tx).await {
        Err(why) if is_taken(&why) => Err(slug_taken()),
        done => done.because("changing an organization's settings").map(|_| ()),
    }
}

/// Works in this organization from now on: the session remembers it.
pub async fn switch(ctx: &Ctx) -> Result<MyOrganization> {
    let session = ctx.who.credential.session().ok_or_else(|| Error::Forbidden { permission: "in_person".into() })?;
    ctx.panel
        .db
        .tx(async |tx| {
            let change = session::Entity::update_many()
                .col_expr(session::Column::OrganizationId, Expr::value(ctx.who.org.clone()))
                .filter(session::Column::Id.eq(session.clone()));
            change.exec(tx).await.because("switching organizations").map(|_| ())
        })
        .await?;
    ctx.panel.of::<SessionCache>().forget(session);
    let (all, _) = view::mine(ctx, Paging { page: 1, limit: 200 }).await?;
    all.into_iter().find(|it| it.is_active).ok_or(Error::NotFound(Thing::ORGANIZATION))
}

/// Leaves the organization. Its last owner can't.
pub async fn leave(ctx: &Ctx) -> Result<()> {
    ctx.in_person()?;
    let (org, me) = (&ctx.who.org, &ctx.who.user);
    let left = ctx.panel.db.tx(async |tx| {
        hold_row(tx, org).await?;
        let row = membership::Entity::find_by_id((org.clone(), me.clone())).one(tx).await.because("looking up a membership")?;
        let row = row.ok_or(Error::NotFound(Thing::ORGANIZATION))?;
        if row.role == Role::Owner.name() {
            keep_an_owner(tx, org, std::slice::from_ref(me)).await?;
        }
        record(tx, ctx, events::MEMBER_LEFT, me, json!({ "role": row.role })).await?;
        drop_member(tx, &ctx.panel, org, me).await
    });
    left.await?;
    ctx.panel.of::<SessionCache>().forget_user(me);
    Ok(())
}

/// Ends a membership with all that hangs on it; whoever is in no organization any more gets a fresh one.
pub async fn drop_member(tx: &Tx, panel: &Panel, org: &OrgId, person: &UserId) -> Result<()> {
    take_back_invitations(tx, panel, org, person, Permissions::NONE).await?;
    let grants = app_grant::Entity::delete_many()
        .filter(app_grant::Column::OrganizationId.eq(org.clone()))
        .filter(app_grant::Column::UserId.eq(person.clone()));
    grants.exec(tx).await.because("removing grants")?;
    let gone = membership::Entity::delete_by_id((org.clone(), person.clone())).exec(tx).await.because("removing a member")?;
    if gone.rows_affected == 0 {
        return Err(Error::NotFound(MEMBER));
    }
    keep_a_home(tx, panel, person).await
}

/// Makes a member an owner, and the caller an admin.
pub async fn transfer(ctx: &Ctx, to: &UserId, confirm: Option<&str>) -> Result<OrganizationDetails> {
    ctx.in_person()?;
    ctx.may(Action::Ownership)?;
    confirmed(ctx, confirm)?;
    if *to == ctx.who.user {
        return Err(Error::invalid("user_id", "You own the organization already. Choose another member."));
    }
    ctx.panel
        .db
        .tx(async |tx| {
            let held = hold(tx, ctx, Action::Ownership).await?;
            held.members(tx, std::slice::from_ref(to)).await?;
            record(tx, ctx, events::ORGANIZATION_TRANSFERRED, &held.org, json!({ "to": to })).await?;
            set_role(tx, &held.org, to, Role::Owner.name()).await?;
            set_role(tx, &held.org, &ctx.who.user, Role::Admin.name()).await?;
            let left = Role::Admin.permissions();
            take_back_invitations(tx, &ctx.panel, &held.org, &ctx.who.user, left).await?;
            // The new owner may be somebody whose account the operator stopped.
            keep_an_owner(tx, &held.org, std::slice::from_ref(&ctx.who.user)).await
        })
        .await?;
    ctx.panel.of::<SessionCache>().forget_user(to);
    ctx.panel.of::<SessionCache>().forget_user(&ctx.who.user);
    let mut now = ctx.clone();
    let who = std::sync::Arc::make_mut(&mut now.who);
    who.role = Role::Admin.name().into();
    who.role_name = Role::Admin.title().into();
    who.permissions = Role::Admin.permissions().and(ctx.who.permissions);
    get(&now).await
}

/// Writes a member's role.
pub async fn set_role(tx: &Tx, org: &OrgId, person: &UserId, role: &str) -> Result<()> {
    let change = membership::Entity::update_many()
        .col_expr(membership::Column::Role, Expr::value(role))
        .filter(membership::Column::OrganizationId.eq(org.clone()))
        .filter(membership::Column::UserId.eq(person.clone()));
    change.exec(tx).await.because("changing a member's role").map(|_| ())
}

/// `confirm` is the organization's name where a person asks; a script names the id and is not asked again.
fn confirmed(ctx: &Ctx, confirm: Option<&str>) -> Result<()> {
    match confirm {
        Some(typed) if typed.trim() != ctx.who.org_name => {
            Err(Error::invalid("confirm", format!("Type the organization’s name, {}, to go on.", ctx.who.org_name)))
        }
        _ => Ok(()),
    }
}

/// Deletes the organization. Its applications go with it where that is said, else it is refused while there are any; its history
/// stays. Members who are nowhere else get an organization of their own.
pub async fn delete(ctx: &Ctx, with_applications: bool, confirm: Option<&str>) -> Result<()> {
    ctx.in_person()?;
    ctx.may(Action::Ownership)?;
    confirmed(ctx, confirm)?;
    let people = ctx
        .panel
        .db
        .tx(async |tx| {
            let held = hold(tx, ctx, Action::Ownership).await?;
            let apps = live_apps(tx, &held.org).await?;
            if apps > 0 && !with_applications {
                let are = if apps == 1 { "is 1 application".to_string() } else { format!("are {apps} applications") };
                return Err(Error::Conflict(format!("There {are} in it. Delete them first, or say that they go with it.")));
            }
            delete_all(tx, ctx, &held.org, apps).await
        })
        .await?;
    let panel = &ctx.panel;
    panel.of::<SessionCache>().forget_org(&ctx.who.org);
    people.iter().for_each(|person| panel.of::<SessionCache>().forget_user(person));
    panel.wake(ORGANIZATIONS);
    Ok(())
}

async fn live_apps(tx: &Tx, org: &OrgId) -> Result<u64> {
    let live = application::Entity::find()
        .filter(application::Column::OrganizationId.eq(org.clone()))
        .filter(application::Column::DeletedAt.is_null());
    live.count(tx).await.because("counting applications")
}

/// The writing part of deleting; answers with those who were members. The organization's applications go by the mark that is left.
async fn delete_all(tx: &Tx, ctx: &Ctx, org: &OrgId, apps: u64) -> Result<Vec<UserId>> {
    let now = ctx.panel.now();
    let revoke = invitation::Entity::update_many()
        .col_expr(invitation::Column::Status, Expr::value(InvitationStatus::Revoked))
        .col_expr(invitation::Column::EndedAt, Expr::value(now))
        .filter(invitation::Column::OrganizationId.eq(org.clone()))
        .filter(invitation::Column::Status.eq(InvitationStatus::Pending));
    revoke.exec(tx).await.because("revoking invitations")?;
    let members = membership::Entity::find().filter(membership::Column::OrganizationId.eq(org.clone()));
    let people: Vec<UserId> = members.all(tx).await.because("looking up members")?.into_iter().map(|row| row.user_id).collect();
    let detail = json!({ "name": ctx.who.org_name, "applications": apps, "members": people.len() });
    record(tx, ctx, events::ORGANIZATION_DELETED, org, detail).await?;
    let grants = app_grant::Entity::delete_many().filter(app_grant::Column::OrganizationId.eq(org.clone()));
    grants.exec(tx).await.because("removing grants")?;
    let members = membership::Entity::delete_many().filter(membership::Column::OrganizationId.eq(org.clone()));
    members.exec(tx).await.because("removing members")?;
    // The name in addresses is free again.
    let end = organization::Entity::update_many()
        .col_expr(organization::Column::DeletedAt, Expr::value(now))
        .col_expr(organization::Column::Slug, Expr::value(org.suffix()))
        .filter(organization::Column::Id.eq(org.clone()));
    end.exec(tx).await.because("deleting an organization")?;
    for person in &people {
        keep_a_home(tx, &ctx.panel, person).await?;
    }
    Ok(people)
}
