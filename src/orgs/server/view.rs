//! How rows become what members see. Each list takes a fixed number of statements.
use crate::{
    auth::session,
    error::{Error, Result, Thing},
    fault::Because,
    id::{OrgId, RoleId, UserId},
    orgs::model::{AppCounts, Defaults, MEMBER, Member, MyOrganization, OrganizationDetails, OrganizationRole},
    rights::{Action, Permissions, Role},
    runtime::panel::Panel,
    store::{
        json::JsonText,
        tables::{application::Wanted, organization},
    },
    units::Timestamp,
    web::{
        api::{Pagination, Paging, anywhere},
        ctx::Ctx,
    },
};
use sea_orm::{EntityTrait, FromQueryResult, Statement, Value};
use std::collections::HashMap;

/// Rows of a statement that the entities can't say.
pub async fn rows<T: FromQueryResult>(panel: &Panel, sql: &str, values: Vec<Value>, doing: &'static str) -> Result<Vec<T>> {
    let statement = Statement::from_sql_and_values(panel.db.backend(), sql, values);
    T::find_by_statement(statement).all(panel.db.read()).await.because(doing)
}

#[derive(FromQueryResult)]
struct Counted {
    count: i64,
}

/// How many rows a condition finds. `from` is all of the statement from its FROM on.
pub async fn count(panel: &Panel, from: &str, values: Vec<Value>) -> Result<u64> {
    let found: Vec<Counted> = rows(panel, &format!("SELECT COUNT(*) AS count {from}"), values, "counting").await?;
    Ok(found.first().map_or(0, |row| row.count.max(0) as u64))
}

/// `%text%` with the text taken literally, in lower case. The statement says `ESCAPE '\'`.
pub fn pattern(text: &str) -> Option<String> {
    let text: String = text.trim().to_lowercase().chars().filter(|c| *c != '\0').take(100).collect();
    (!text.is_empty()).then(|| anywhere(&text))
}

#[derive(FromQueryResult)]
struct MineRow {
    id: OrgId,
    name: String,
    slug: String,
    role: String,
    role_name: Option<String>,
    suspended_at: Option<Timestamp>,
    joined_at: Timestamp,
}

const MINE: &str = "FROM memberships m JOIN organizations o ON o.id = m.organization_id
     LEFT JOIN roles r ON r.id = m.role AND r.organization_id = m.organization_id
     WHERE m.user_id = $1 AND o.deleted_at IS NULL";

/// The caller's organizations by name. A key of the API has one.
pub async fn mine(ctx: &Ctx, paging: Paging) -> Result<(Vec<MyOrganization>, Pagination)> {
    let only = ctx.who.credential.session().is_none();
    let (from, mut values) = match only {
        true => (format!("{MINE} AND o.id = $2"), vec![ctx.who.user.clone().into(), ctx.who.org.clone().into()]),
        false => (MINE.to_string(), vec![ctx.who.user.clone().into()]),
    };
    let total = count(&ctx.panel, &from, values.clone()).await?;
    let at = values.len();
    let sql = format!(
        "SELECT o.id, o.name, o.slug, m.role, r.name AS role_name, o.suspended_at, m.created_at AS joined_at {from}
         ORDER BY lower(o.name), o.id LIMIT ${} OFFSET ${}",
        at + 1,
        at + 2
    );
    values.extend([Value::from(paging.limit as i64), Value::from(paging.offset() as i64)]);
    let found: Vec<MineRow> = rows(&ctx.panel, &sql, values, "listing organizations").await?;
    let one = |row: MineRow| {
        Ok(MyOrganization {
            role_name: session::role(&row.role, row.role_name, None)?.0,
            is_active: row.id == ctx.who.org,
            is_suspended: row.suspended_at.is_some(),
            id: row.id,
            name: row.name,
            slug: row.slug,
            role: row.role,
            joined_at: row.joined_at,
        })
    };
    Ok((found.into_iter().map(one).collect::<Result<_>>()?, paging.of(total)))
}

#[derive(FromQueryResult)]
struct OtherRow {
    id: OrgId,
    name: String,
}

/// The caller's other organizations, for the switcher on every page: names and ids, at most 50.
pub async fn others(ctx: &Ctx) -> Result<Vec<(String, String)>> {
    let sql = "SELECT o.id, o.name FROM memberships m JOIN organizations o ON o.id = m.organization_id
               WHERE m.user_id = $1 AND o.deleted_at IS NULL AND o.id <> $2 ORDER BY lower(o.name), o.id LIMIT 50";
    let values = vec![ctx.who.user.clone().into(), ctx.who.org.clone().into()];
    let found: Vec<OtherRow> = rows(&ctx.panel, sql, values, "listing other organizations").await?;
    Ok(found.into_iter().map(|row| (row.name, row.id.to_string())).collect())
}

/// The organization's row.
pub async fn row(panel: &Panel, org: &OrgId) -> Result<organization::Model> {
    let row = organization::Entity::find_by_id(org.clone()).one(panel.db.read()).await.because("looking up an organization")?;
    row.filter(|row| row.deleted_at.is_none()).ok_or(Error::NotFound(Thing::ORGANIZATION))
}

/// What new applications begin with.
pub fn defaults(row: &organization::Model) -> Result<Defaults> {
    row.defaults.read()
}

/// The organization as the caller sees it.
pub fn details(ctx: &Ctx, row: organization::Model) -> Result<OrganizationDetails> {
    let who = &ctx.who;
    let sees_billing = who.permissions.may(Action::Billing) || who.permissions.may(Action::Settings);
    Ok(OrganizationDetails {
        defaults: defaults(&row)?,
        id: row.id,
        name: row.name,
        slug: row.slug,
        contact_email: row.contact_email,
        billing_address: sees_billing.then_some(row.billing_address),
        tax_id: sees_billing.then_some(row.tax_id),
        requires_two_factor: row.requires_two_factor,
        is_suspended: row.suspended_at.is_some(),
        role: who.role.clone(),
        role_name: who.role_name.clone(),
        permissions: who.permissions,
        version: row.version,
        created_at: row.created_at,
    })
}

#[derive(FromQueryResult)]
struct MemberRow {
    user_id: UserId,
    name: String,
    email: String,
    role: String,
    role_name: Option<String>,
    two_factor: bool,
    has_grants: bool,
    joined_at: Timestamp,
    last_seen_at: Option<Timestamp>,
}

impl MemberRow {
    fn shown(self) -> Result<Member> {
        Ok(Member {
            role_name: session::role(&self.role, self.role_name, None)?.0,
            user_id: self.user_id,
            name: self.name,
            email: self.email,
            role: self.role,
            two_factor: self.two_factor,
            has_grants: self.has_grants,
            joined_at: self.joined_at,
            last_seen_at: self.last_seen_at,
        })
    }
}

/// Which members of a list.
#[derive(Debug, Clone, Default)]
pub struct WhichMembers {
    /// A part of the name or the address.
    pub search: Option<String>,
    /// A role's name or id.
    pub role: Option<String>,
    /// `name`, `joined_at` or `last_seen_at`; a minus in front turns it round.
    pub sort: Option<String>,
}

const MEMBERS: &str = "FROM memberships m JOIN users u ON u.id = m.user_id
     LEFT JOIN roles r ON r.id = m.role AND r.organization_id = m.organization_id WHERE m.organization_id = $1";
const MEMBER_COLUMNS: &str = "m.user_id, u.name, u.email, m.role, r.name AS role_name, u.has_second_factor AS two_factor, m.has_grants,
     m.created_at AS joined_at, m.last_seen_at";

/// A page of the members.
pub async fn members(ctx: &Ctx, which: &WhichMembers, paging: Paging) -> Result<(Vec<Member>, Pagination)> {
    let (mut from, mut values) = (MEMBERS.to_string(), vec![Value::from(ctx.who.org.clone())]);
    if let Some(like) = which.search.as_deref().and_then(pattern) {
        values.push(like.into());
        let at = values.len();
        from.push_str(&format!(" AND (lower(u.name) LIKE ${at} ESCAPE '\\' OR u.email LIKE ${at} ESCAPE '\\')"));
    }
    if let Some(role) = which.role.as_deref().map(str::trim).filter(|role| !role.is_empty()) {
        values.push(role.replace('\0', "").into());
        from.push_str(&format!(" AND m.role = ${}", values.len()));
    }
    let order = match which.sort.as_deref().unwrap_or("name") {
        "name" => "lower(u.name), m.user_id",
        "-name" => "lower(u.name) DESC, m.user_id",
        "joined_at" => "m.created_at, m.user_id",
        "-joined_at" => "m.created_at DESC, m.user_id",
        "last_seen_at" => "coalesce(m.last_seen_at, 0), m.user_id",
        "-last_seen_at" => "coalesce(m.last_seen_at, 0) DESC, m.user_id",
        _ => return Err(Error::invalid("sort", "Sort by name, joined_at or last_seen_at, with a minus in front to turn it round.")),
    };
    let total = count(&ctx.panel, &from, values.clone()).await?;
    let at = values.len();
    let sql = format!("SELECT {MEMBER_COLUMNS} {from} ORDER BY {order} LIMIT ${} OFFSET ${}", at + 1, at + 2);
    values.extend([Value::from(paging.limit as i64), Value::from(paging.offset() as i64)]);
    let found: Vec<MemberRow> = rows(&ctx.panel, &sql, values, "listing members").await?;
    Ok((found.into_iter().map(MemberRow::shown).collect::<Result<_>>()?, paging.of(total)))
}

/// One member.
pub async fn member(ctx: &Ctx, user: &UserId) -> Result<Member> {
    let sql = format!("SELECT {MEMBER_COLUMNS} {MEMBERS} AND m.user_id = $2");
    let values = vec![ctx.who.org.clone().into(), user.clone().into()];
    let found: Vec<MemberRow> = rows(&ctx.panel, &sql, values, "looking up a member").await?;
    found.into_iter().next().ok_or(Error::NotFound(MEMBER))?.shown()
}

#[derive(FromQueryResult)]
struct Held {
    role: String,
    count: i64,
}

#[derive(FromQueryResult)]
struct RoleRow {
    id: RoleId,
    name: String,
    description: String,
    permissions: JsonText<Permissions>,
    version: i64,
}

/// All roles: the given ones, the strongest first, then the organization's own by name.
pub async fn roles(panel: &Panel, org: &OrgId) -> Result<Vec<OrganizationRole>> {
    let sql = "SELECT role, COUNT(*) AS count FROM memberships WHERE organization_id = $1 GROUP BY role";
    let held: Vec<Held> = rows(panel, sql, vec![org.clone().into()], "counting roles").await?;
    let held: HashMap<String, u64> = held.into_iter().map(|row| (row.role, row.count.max(0) as u64)).collect();
    let sql = "SELECT id, name, description, permissions, version FROM roles WHERE organization_id = $1 ORDER BY name";
    let own: Vec<RoleRow> = rows(panel, sql, vec![org.clone().into()], "listing roles").await?;
    let given = Role::ALL.into_iter().rev().map(|role| OrganizationRole {
        id: role.name().into(),
        name: role.title().into(),
        description: role.words().into(),
        permissions: role.permissions(),
        is_given: true,
        members: held.get(role.name()).copied().unwrap_or_default(),
        version: 1,
    });
    let own = own.into_iter().map(|row| {
        Ok(OrganizationRole {
            members: held.get(&row.id.to_string()).copied().unwrap_or_default(),
            id: row.id.to_string(),
            name: row.name,
            description: row.description,
            permissions: row.permissions.read()?,
            is_given: false,
            version: row.version,
        })
    });
    given.map(Ok).chain(own).collect()
}

#[derive(FromQueryResult)]
struct AppsRow {
    wanted: Wanted,
    has_release: bool,
    count: i64,
}

/// How many applications there are, by what is wanted of them.
pub async fn app_counts(panel: &Panel, org: &OrgId) -> Result<AppCounts> {
    let sql = "SELECT wanted, live_deployment_id IS NOT NULL AS has_release, COUNT(*) AS count FROM applications
               WHERE organization_id = $1 AND deleted_at IS NULL GROUP BY wanted, live_deployment_id IS NOT NULL";
    let found: Vec<AppsRow> = rows(panel, sql, vec![org.clone().into()], "counting applications").await?;
    let mut counts = AppCounts::default();
    for row in found {
        let into = match (row.has_release, row.wanted) {
            (false, _) => &mut counts.new,
            (true, Wanted::Stopped) => &mut counts.stopped,
            (true, _) => &mut counts.running,
        };
        *into += row.count.max(0) as u64;
    }
    Ok(counts)
}

#[derive(FromQueryResult)]
struct PlanRow {
    name: String,
}

/// The name of the plan of the organization's first cluster; nothing before it has one.
pub async fn plan(panel: &Panel, org: &OrgId) -> Result<String> {
    let sql = "SELECT p.name FROM clusters c JOIN plans p ON p.id = c.plan_id WHERE c.organization_id = $1 ORDER BY c.id LIMIT 1";
    let found: Vec<PlanRow> = rows(panel, sql, vec![org.clone().into()], "looking up a plan").await?;
    Ok(found.into_iter().next().map_or_else(String::new, |row| row.name))
}

/// Members who have a second factor.
pub async fn with_two_factor(panel: &Panel, org: &OrgId) -> Result<u64> {
    let from = "FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.organization_id = $1 AND u.has_second_factor = $2";
    count(panel, from, vec![org.clone().into(), true.into()]).await
}

/// Open invitations.
pub async fn open_invitations(panel: &Panel, org: &OrgId) -> Result<u64> {
    let from = "FROM invitations WHERE organization_id = $1 AND status = 'pending' AND expires_at > $2";
    count(panel, from, vec![org.clone().into(), panel.now().into()]).await
}
