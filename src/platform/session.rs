//! Who is calling. A browser holds a random token in a cookie (HttpOnly, SameSite=Lax), a script a signed bearer token; both lead to
//! a row of `sessions`, where signing out ends them at once. Only the token's hash is stored.
use crate::{
    error::Result,
    id::{ApiKeyId, AppId, Id, OrgId, RoleId, SessionId, UserId},
    platform::{
        db::{
            Tx,
            tables::{self, session},
        },
        fault::Because,
        fresh,
        panel::Panel,
    },
    rights::{Action, Permissions, Role},
    units::Timestamp,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, Statement};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The browser's cookie.
pub const COOKIE: &str = "skypanel_session";
/// A visitor's cookie, before signing in: binds the tokens of the sign-in and sign-up forms.
pub const VISIT: &str = "skypanel_visit";
/// How long a bearer token is good.
pub const BEARER_LIFE: Duration = Duration::from_secs(12 * 3600);

/// How somebody proved who they are: the row that the credential leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A browser's cookie.
    Browser(SessionId),
    /// A signed token that was got by signing in.
    Bearer(SessionId),
    /// A key of the API.
    Key(ApiKeyId),
}

impl Credential {
    /// The session, where it is one.
    pub fn session(&self) -> Option<&SessionId> {
        match self {
            Credential::Browser(id) | Credential::Bearer(id) => Some(id),
            Credential::Key(_) => None,
        }
    }

    /// The row's id, as the audit trail names it.
    pub fn id(&self) -> &str {
        match self {
            Credential::Browser(id) | Credential::Bearer(id) => id.as_str(),
            Credential::Key(id) => id.as_str(),
        }
    }
}

/// The two kinds of session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    Cookie,
    Bearer,
}

/// Somebody who is signed in, where, and what she may do there.
#[derive(Debug, Clone)]
pub struct Who {
    pub credential: Credential,
    pub user: UserId,
    pub email: String,
    pub name: String,
    pub is_operator: bool,
    pub org: OrgId,
    pub org_name: String,
    /// The role's name on the wire: a given one's, or the id of one that the organization made.
    pub role: String,
    /// The role's name for people.
    pub role_name: String,
    /// What she may do everywhere in the organization.
    pub permissions: Permissions,
    /// What she may do with single applications beside that.
    pub grants: Arc<HashMap<AppId, Permissions>>,
    /// The organization demands a second factor, and she has none.
    pub lacks_second_factor: bool,
    /// The operator stopped the organization.
    pub is_suspended: bool,
    /// The operator who acts in her name.
    pub impersonator: Option<Impersonator>,
    pub expires_at: Timestamp,
}

/// An operator who acts in somebody's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impersonator {
    pub user: UserId,
    pub name: String,
    pub reason: String,
}

impl Who {
    /// What she may do with an application of the organization.
    pub fn permissions_on(&self, app: &AppId) -> Permissions {
        self.permissions.or(self.grants.get(app).copied().unwrap_or_default())
    }
}

#[derive(FromQueryResult)]
struct Row {
    session: SessionId,
    user: UserId,
    email: String,
    name: String,
    is_operator: bool,
    has_second_factor: bool,
    org: OrgId,
    org_name: String,
    requires_two_factor: bool,
    org_suspended_at: Option<Timestamp>,
    role: String,
    role_name: Option<String>,
    role_permissions: Option<String>,
    has_grants: bool,
    impersonator_id: Option<UserId>,
    impersonator_name: Option<String>,
    impersonation_reason: Option<String>,
    expires_at: Timestamp,
}

#[derive(FromQueryResult)]
struct GrantRow {
    application_id: AppId,
    role: String,
    role_permissions: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    sid: String,
    iat: i64,
    exp: i64,
}

/// A session that is to be opened.
#[derive(Debug, Clone)]
pub struct NewSession<'a> {
    pub user: &'a UserId,
    pub org: &'a OrgId,
    pub via: Via,
    /// How she proved who she is: `password`, `passkey`, `oidc:<provider>`, `impersonation`.
    pub method: &'a str,
    pub address: &'a str,
    pub agent: &'a str,
    /// The operator who acts in her name, and why.
    pub impersonator: Option<(&'a UserId, &'a str)>,
    /// How long it lasts; none is the usual time of its kind.
    pub life: Option<Duration>,
}

/// A new session and the secret that leads to it.
pub struct Opened {
    pub id: SessionId,
    pub token: String,
    pub expires_at: Timestamp,
}

/// Opens a session for a person in an organization.
pub async fn open(tx: &Tx, panel: &Panel, new: NewSession<'_>) -> Result<Opened> {
    let usual = match new.via {
        Via::Cookie => Duration::from_secs(u64::from(panel.config.panel.session_days) * 86_400),
        Via::Bearer => BEARER_LIFE,
    };
    let now = panel.now();
    let opened = Opened { id: fresh::id(), token: fresh::token(), expires_at: now + new.life.unwrap_or(usual) };
    session::ActiveModel {
        id: Set(opened.id.clone()),
        token_hash: Set(fresh::hash(&opened.token)),
        user_id: Set(new.user.clone()),
        organization_id: Set(new.org.clone()),
        kind: Set(match new.via {
            Via::Cookie => "browser".into(),
            Via::Bearer => "bearer".into(),
        }),
        method: Set(new.method.into()),
        address: Set(new.address.into()),
        user_agent: Set(new.agent.chars().filter(|c| !c.is_control()).take(200).collect()),
        impersonator_id: Set(new.impersonator.map(|(user, _)| user.clone())),
        impersonation_reason: Set(new.impersonator.map(|(_, reason)| reason.into())),
        created_at: Set(now),
        last_seen_at: Set(Some(now)),
        expires_at: Set(opened.expires_at),
    }
    .insert(tx)
    .await
    .because("opening a session")?;
    Ok(opened)
}

/// The signed token of a bearer session.
pub fn bearer(panel: &Panel, opened: &Opened, user: &UserId) -> Result<String> {
    let claims = Claims {
        sub: user.to_string(),
        sid: opened.id.to_string(),
        iat: panel.now().millis() / 1000,
        exp: opened.expires_at.millis() / 1000,
    };
    let key = EncodingKey::from_secret(panel.secrets.signing_key());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).because("signing a token")
}

/// Whose the cookie is; nobody's where it is unknown or over. `org` picks another organization of the same person.
pub async fn by_cookie(panel: &Panel, token: &str, org: Option<&OrgId>) -> Result<Option<Who>> {
    find(panel, Via::Cookie, fresh::hash(token), org).await
}

/// Whose the bearer token is.
pub async fn by_bearer(panel: &Panel, token: &str, org: Option<&OrgId>) -> Result<Option<Who>> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    // The row decides when it is over, by the panel's own clock.
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(panel.secrets.signing_key());
    let Ok(data) = jsonwebtoken::decode::<Claims>(token, &key, &validation) else { return Ok(None) };
    find(panel, Via::Bearer, data.claims.sid, org).await
}

/// Who was looked up lately. A page that loads its parts, or a script that calls in a loop, asks the database once a second and not
/// each time; what changes meanwhile (a role, a sign-out on another panel) is seen within that second, a sign-out here at once.
#[derive(Default)]
pub struct Lately {
    known: Mutex<HashMap<Asked, (Instant, Who)>>,
}

/// A credential's trace in the database, and the organization that was picked.
type Asked = (String, Option<OrgId>);

impl Lately {
    /// How long a look-up is believed.
    const LIFE: Duration = Duration::from_secs(1);
    /// How many are remembered before all are forgotten.
    const MOST: usize = 10_000;

    fn get(&self, key: &Asked) -> Option<Who> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(at, _)| at.elapsed() < Self::LIFE).map(|(_, who)| who.clone())
    }

    fn put(&self, key: Asked, who: &Who) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(key, (Instant::now(), who.clone()));
    }

    /// Forgets a session that ended.
    pub fn forget(&self, session: &SessionId) {
        self.forget_where(|who| who.credential.session() == Some(session));
    }

    /// Forgets a person, whose rights or credentials changed.
    pub fn forget_user(&self, user: &UserId) {
        self.forget_where(|who| who.user == *user);
    }

    /// Forgets everybody who works in an organization, whose roles or settings changed.
    pub fn forget_org(&self, org: &OrgId) {
        self.forget_where(|who| who.org == *org);
    }

    fn forget_where(&self, is_meant: impl Fn(&Who) -> bool) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, (_, who)| !is_meant(who));
    }
}

async fn find(panel: &Panel, via: Via, value: String, org: Option<&OrgId>) -> Result<Option<Who>> {
    let key = (value.clone(), org.cloned());
    if let Some(who) = panel.lately.get(&key).filter(|who| who.expires_at > panel.now()) {
        return Ok(Some(who));
    }
    let found = match look_up(panel, via, &value, Place::of(org)).await? {
        // She was removed from the organization that she worked in last, or it is no more: any other of hers will do.
        None if org.is_none() => look_up(panel, via, &value, Place::Oldest).await?,
        found => found,
    };
    if let Some(who) = &found {
        panel.lately.put(key, who);
    }
    Ok(found)
}

/// Which of a person's organizations a look-up is about.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// The one that the session worked in last.
    Last,
    Named(&'a OrgId),
    /// The one that she is in for the longest time.
    Oldest,
}

impl<'a> Place<'a> {
    fn of(org: Option<&'a OrgId>) -> Self {
        org.map_or(Place::Last, Place::Named)
    }
}

async fn look_up(panel: &Panel, via: Via, value: &str, place: Place<'_>) -> Result<Option<Who>> {
    let by = match via {
        Via::Cookie => "s.kind = 'browser' AND s.token_hash",
        Via::Bearer => "s.kind = 'bearer' AND s.id",
    };
    let wanted = match place {
        Place::Last => "s.organization_id",
        Place::Named(_) => "$3",
        Place::Oldest => {
            "(SELECT m2.organization_id FROM memberships m2 JOIN organizations o2 ON o2.id = m2.organization_id
              WHERE m2.user_id = u.id AND o2.deleted_at IS NULL ORDER BY m2.created_at, m2.organization_id LIMIT 1)"
        }
    };
    let sql = format!(
        "SELECT s.id AS session, u.id AS \"user\", u.email, u.name, u.is_operator, u.has_second_factor, o.id AS org, o.name AS org_name,
                o.requires_two_factor, o.suspended_at AS org_suspended_at, m.role, r.name AS role_name, r.permissions AS role_permissions,
                m.has_grants, s.impersonator_id, i.name AS impersonator_name, s.impersonation_reason, s.expires_at
         FROM sessions s
         JOIN users u ON u.id = s.user_id
         JOIN memberships m ON m.user_id = u.id AND m.organization_id = {wanted}
         JOIN organizations o ON o.id = m.organization_id
         LEFT JOIN roles r ON r.id = m.role AND r.organization_id = m.organization_id
         LEFT JOIN users i ON i.id = s.impersonator_id
         WHERE {by} = $1 AND s.expires_at > $2 AND u.suspended_at IS NULL AND o.deleted_at IS NULL"
    );
    let mut values: Vec<sea_orm::Value> = vec![value.into(), panel.now().into()];
    if let Place::Named(org) = place {
        values.push(org.clone().into());
    }
    let statement = Statement::from_sql_and_values(panel.db.backend(), sql, values);
    let row = Row::find_by_statement(statement).one(panel.db.read()).await.because("looking up a session")?;
    let Some(row) = row else { return Ok(None) };
    let grants = if row.has_grants { grants(panel, &row.org, &row.user).await? } else { HashMap::new() };
    let (role_name, mut permissions) = role(&row.role, row.role_name, row.role_permissions.as_deref())?;
    let impersonator = match (row.impersonator_id, row.impersonator_name, row.impersonation_reason) {
        (Some(user), name, reason) => Some(Impersonator { user, name: name.unwrap_or_default(), reason: reason.unwrap_or_default() }),
        _ => None,
    };
    if impersonator.is_some() {
        permissions = permissions.without(NOT_IN_ANOTHERS_NAME);
    }
    Ok(Some(Who {
        credential: match via {
            Via::Cookie => Credential::Browser(row.session),
            Via::Bearer => Credential::Bearer(row.session),
        },
        user: row.user,
        email: row.email,
        name: row.name,
        is_operator: row.is_operator && impersonator.is_none(),
        org: row.org,
        org_name: row.org_name,
        role: row.role,
        role_name,
        permissions,
        grants: Arc::new(grants),
        lacks_second_factor: row.requires_two_factor && !row.has_second_factor && impersonator.is_none(),
        is_suspended: row.org_suspended_at.is_some(),
        impersonator,
        expires_at: row.expires_at,
    }))
}

/// What nobody does in another's name.
const NOT_IN_ANOTHERS_NAME: Permissions = Permissions::of(&[Action::Secrets, Action::Ownership]);

/// What a member may do with single applications.
pub async fn grants(panel: &Panel, org: &OrgId, user: &UserId) -> Result<HashMap<AppId, Permissions>> {
    let sql = "SELECT g.application_id, g.role, r.permissions AS role_permissions FROM app_grants g
               LEFT JOIN roles r ON r.id = g.role AND r.organization_id = g.organization_id
               WHERE g.organization_id = $1 AND g.user_id = $2";
    let statement = Statement::from_sql_and_values(panel.db.backend(), sql, [org.clone().into(), user.clone().into()]);
    let rows = GrantRow::find_by_statement(statement).all(panel.db.read()).await.because("looking up grants")?;
    let one = |row: GrantRow| Ok((row.application_id, role(&row.role, None, row.role_permissions.as_deref())?.1));
    rows.into_iter().map(one).collect()
}

/// A role of an organization by its word in a membership: its name for people, and what it includes.
pub async fn own_role(panel: &Panel, org: &OrgId, word: &str) -> Result<(String, Permissions)> {
    let Ok(id) = word.parse::<RoleId>() else { return role(word, None, None) };
    let own = tables::role::Entity::find_by_id(id).filter(tables::role::Column::OrganizationId.eq(org.clone()));
    let own = own.one(panel.db.read()).await.because("looking up a role")?;
    role(word, own.as_ref().map(|own| own.name.clone()), own.as_ref().map(|own| own.permissions.as_str()))
}

/// A role's name for people, and what it includes: a given one's, or what stands in the row of one that the organization made. A role
/// whose row is gone includes nothing.
pub fn role(word: &str, name: Option<String>, permissions: Option<&str>) -> Result<(String, Permissions)> {
    if let Ok(given) = word.parse::<Role>() {
        return Ok((given.title().into(), given.permissions()));
    }
    let permissions = permissions.map(serde_json::from_str).transpose().because("reading a role's permissions")?;
    Ok((name.unwrap_or_default(), permissions.unwrap_or_default()))
}

/// The `Set-Cookie` of a new session.
pub fn cookie(panel: &Panel, opened: &Opened) -> String {
    let age = u64::from(panel.config.panel.session_days) * 86_400;
    set(panel, COOKIE, &opened.token, age)
}

/// The `Set-Cookie` that ends a session.
pub fn no_cookie(panel: &Panel) -> String {
    set(panel, COOKIE, "", 0)
}

/// The `Set-Cookie` of a visitor who is not signed in.
pub fn visit_cookie(panel: &Panel, token: &str) -> String {
    set(panel, VISIT, token, 86_400)
}

fn set(panel: &Panel, name: &str, value: &str, max_age: u64) -> String {
    let secure = if panel.config.public_url().starts_with("https://") { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}")
}
