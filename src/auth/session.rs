//! Who is calling. A browser holds a random token in a cookie (HttpOnly, SameSite=Lax), a script a signed bearer token; both lead to
//! a row of `sessions`, where signing out ends them at once. Only the token's hash is stored.
use crate::{
    auth::access_tokens,
    error::Result,
    fault::Because,
    id::{ApiKeyId, AppId, Id, OrgId, RoleId, SessionId, UserId},
    rights::{Action, Permissions, Role},
    runtime::panel::Panel,
    store::{
        Tx,
        json::JsonText,
        random,
        secrets::hex,
        tables::{self, refresh_token, session},
    },
    units::Timestamp,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, Statement};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The browser's cookie.
pub const COOKIE: &str = "skypanel_session";
/// A visitor's cookie, before signing in: binds the tokens of the sign-in and sign-up forms.
pub const VISIT: &str = "skypanel_visit";
/// A browser's cookie between a right password and the second factor.
pub const PENDING: &str = "skypanel_pending";
/// The cookie of a browser in which somebody signed in before.
pub const DEVICE: &str = "skypanel_device";
/// How old the note of when a session was last seen may be.
const SEEN_EVERY: Duration = Duration::from_secs(300);

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
    /// The organization demands a sign-in by this provider, and this was another.
    pub needs_provider: Option<String>,
    /// She has proven that the address is hers.
    pub is_verified: bool,
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
    required_provider: Option<String>,
    method: String,
    org_suspended_at: Option<Timestamp>,
    role: String,
    role_name: Option<String>,
    role_permissions: Option<JsonText<Permissions>>,
    has_grants: bool,
    impersonator_id: Option<UserId>,
    impersonator_name: Option<String>,
    impersonation_reason: Option<String>,
    email_verified_at: Option<Timestamp>,
    last_seen_at: Option<Timestamp>,
    expires_at: Timestamp,
}

#[derive(FromQueryResult)]
struct GrantRow {
    application_id: AppId,
    role: String,
    role_permissions: Option<JsonText<Permissions>>,
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

/// A new session and the secret that leads to it: a browser's cookie, or a script's first refresh token.
pub struct Opened {
    pub id: SessionId,
    pub token: String,
    pub expires_at: Timestamp,
    /// The browser's new device cookie, where it has none yet.
    pub device: Option<String>,
}

/// Opens a session for a person in an organization.
pub async fn open(tx: &Tx, panel: &Panel, new: NewSession<'_>) -> Result<Opened> {
    let usual = match new.via {
        Via::Cookie => Duration::from_secs(u64::from(panel.config.panel.session_days) * 86_400),
        Via::Bearer => access_tokens::REFRESH_LIFE,
    };
    let now = panel.now();
    let opened = Opened { id: random::id(), token: random::token(), expires_at: now + new.life.unwrap_or(usual), device: None };
    session::ActiveModel {
        id: Set(opened.id.clone()),
        token_hash: Set(random::hash(&opened.token)),
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
    if new.via == Via::Bearer {
        keep_refresh_token(tx, panel, &opened.id, &opened.token, opened.expires_at).await?;
    }
    Ok(opened)
}

/// A new secret for a session that is still good, in place of the old one: for the browser that comes back to it.
pub async fn reissue(tx: &Tx, panel: &Panel, id: &SessionId) -> Result<Option<Opened>> {
    let row = session::Entity::find_by_id(id.clone()).filter(session::Column::ExpiresAt.gt(panel.now()));
    let Some(row) = row.one(tx).await.because("looking up a session")? else { return Ok(None) };
    let opened = Opened { id: id.clone(), token: random::token(), expires_at: row.expires_at, device: None };
    let change = session::ActiveModel { id: Set(id.clone()), token_hash: Set(random::hash(&opened.token)), ..Default::default() };
    session::Entity::update(change).exec_without_returning(tx).await.because("giving a session a new secret")?;
    Ok(Some(opened))
}

/// Stores a refresh token of a session.
pub async fn keep_refresh_token(tx: &Tx, panel: &Panel, session: &SessionId, token: &str, expires_at: Timestamp) -> Result<()> {
    let row = refresh_token::ActiveModel {
        token_hash: Set(random::hash(token)),
        session_id: Set(session.clone()),
        created_at: Set(panel.now()),
        expires_at: Set(expires_at),
        used_at: Set(None),
    };
    refresh_token::Entity::insert(row).exec_without_returning(tx).await.because("storing a refresh token").map(|_| ())
}

/// Whose the cookie is; nobody's where it is unknown or over. `org` picks another organization of the same person.
pub async fn by_cookie(panel: &Panel, token: &str, org: Option<&OrgId>) -> Result<Option<Arc<Who>>> {
    let asked = PresentedSecret::new(SecretKind::Cookie, token, org);
    if let Some(who) = panel.of::<SessionCache>().get(&asked, panel.now()) {
        return Ok(Some(who));
    }
    let found = find(panel, Via::Cookie, &asked.hash(), org).await?;
    Ok(found.map(|who| panel.of::<SessionCache>().put(asked, who, None)))
}

/// Whose the bearer token is.
pub async fn by_bearer(panel: &Panel, token: &str, org: Option<&OrgId>) -> Result<Option<Arc<Who>>> {
    let asked = PresentedSecret::new(SecretKind::Bearer, token, org);
    if let Some(who) = panel.of::<SessionCache>().get(&asked, panel.now()) {
        return Ok(Some(who));
    }
    let Some((session, ends)) = access_tokens::session_of(panel, token).await? else { return Ok(None) };
    let found = find(panel, Via::Bearer, &session, org).await?;
    Ok(found.map(|who| panel.of::<SessionCache>().put(asked, who, Some(ends))))
}

/// Who was looked up lately. A page that loads its parts, or a script that calls in a loop, asks the database once a second and not
/// each time; what changes meanwhile (a role, a sign-out on another panel) is seen within that second, a sign-out here at once.
#[derive(Default)]
pub struct SessionCache {
    known: Mutex<HashMap<PresentedSecret, CachedCaller>>,
    seen: Mutex<HashMap<SessionId, Seen>>,
}

/// That a session was used; a loop writes it down, so that no request waits for it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub at: Timestamp,
    /// The person and the organization that she worked in, unless somebody else acted in her name.
    pub member: Option<(UserId, OrgId)>,
}

/// What a caller sent: the kind of her secret, its SHA-256 (a secret itself is remembered nowhere), and the organization that she picked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PresentedSecret {
    secret: SecretKind,
    digest: [u8; 32],
    org: Option<OrgId>,
}

/// The kinds of secret. What is good as one kind is not good as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum SecretKind {
    Cookie,
    Bearer,
    Key,
}

impl PresentedSecret {
    pub(super) fn new(secret: SecretKind, text: &str, org: Option<&OrgId>) -> Self {
        PresentedSecret { secret, digest: random::digest(text), org: org.cloned() }
    }

    /// The secret's hash, as the database has it.
    pub(super) fn hash(&self) -> String {
        hex(&self.digest)
    }
}

/// What a look-up found.
struct CachedCaller {
    at: Instant,
    /// When the credential is over, by the panel's clock.
    ends: Timestamp,
    who: Arc<Who>,
}

impl SessionCache {
    /// How long a look-up is believed.
    const LIFE: Duration = Duration::from_secs(1);
    /// How many are remembered before all are forgotten.
    const MOST: usize = 10_000;

    pub(super) fn get(&self, asked: &PresentedSecret, now: Timestamp) -> Option<Arc<Who>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(asked).filter(|it| it.at.elapsed() < Self::LIFE && it.ends > now).map(|it| it.who.clone())
    }

    /// Remembers who it is. `ends` is when the secret is over, where that is before the session or the key is.
    pub(super) fn put(&self, asked: PresentedSecret, who: Who, ends: Option<Timestamp>) -> Arc<Who> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::MOST {
            known.clear();
        }
        let (ends, who) = (ends.into_iter().chain([who.expires_at]).min().unwrap_or(who.expires_at), Arc::new(who));
        known.insert(asked, CachedCaller { at: Instant::now(), ends, who: who.clone() });
        who
    }

    fn see(&self, session: &SessionId, seen: Seen) {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < Self::MOST {
            all.insert(session.clone(), seen);
        }
    }

    /// The sessions that were used since this was last asked.
    pub fn take_seen(&self) -> HashMap<SessionId, Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
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

    pub(super) fn forget_where(&self, is_meant: impl Fn(&Who) -> bool) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, it| !is_meant(&it.who));
    }
}

/// The same person in another of her organizations; nobody where she is no member of it.
pub async fn elsewhere(panel: &Panel, credential: &Credential, org: &OrgId) -> Result<Option<Who>> {
    let (via, id) = match credential {
        Credential::Browser(id) => (By::Id(Via::Cookie), id),
        Credential::Bearer(id) => (By::Id(Via::Bearer), id),
        Credential::Key(_) => return Ok(None),
    };
    look_up(panel, via, id.as_str(), Place::Named(org)).await
}

async fn find(panel: &Panel, via: Via, value: &str, org: Option<&OrgId>) -> Result<Option<Who>> {
    match look_up(panel, By::Secret(via), value, Place::of(org)).await? {
        // She was removed from the organization that she worked in last, or it is no more: any other of hers will do.
        None if org.is_none() => look_up(panel, By::Secret(via), value, Place::Oldest).await,
        found => Ok(found),
    }
}

/// What leads to a session.
#[derive(Clone, Copy)]
enum By {
    /// What the caller sent.
    Secret(Via),
    /// The row's id, once the caller is known.
    Id(Via),
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

    /// The id of that organization, as SQL in which `s` is the session and `u` the person.
    fn sql(self) -> &'static str {
        match self {
            Place::Last => "s.organization_id",
            Place::Named(_) => "$3",
            Place::Oldest => {
                "(SELECT m2.organization_id FROM memberships m2 JOIN organizations o2 ON o2.id = m2.organization_id
              WHERE m2.user_id = u.id AND o2.deleted_at IS NULL ORDER BY m2.created_at, m2.organization_id LIMIT 1)"
            }
        }
    }
}

/// The question after a session that goes on, its person and the organization that it works in. `by` is what its `$1` is compared with, `wanted` is
/// the organization's id; `$2` is the present.
fn session_sql(by: &str, wanted: &str) -> String {
    format!(
        "SELECT s.id AS session, u.id AS \"user\", u.email, u.name, u.is_operator, u.has_second_factor, o.id AS org, o.name AS org_name,
                o.requires_two_factor, o.required_provider, s.method, o.suspended_at AS org_suspended_at, m.role, r.name AS role_name, r.permissions AS role_permissions,
                m.has_grants, s.impersonator_id, i.name AS impersonator_name, s.impersonation_reason, s.expires_at,
                u.email_verified_at, s.last_seen_at
         FROM sessions s
         JOIN users u ON u.id = s.user_id
         JOIN memberships m ON m.user_id = u.id AND m.organization_id = {wanted}
         JOIN organizations o ON o.id = m.organization_id
         LEFT JOIN roles r ON r.id = m.role AND r.organization_id = m.organization_id
         LEFT JOIN users i ON i.id = s.impersonator_id
         LEFT JOIN impersonations x ON x.session_id = s.id
         LEFT JOIN sessions p ON p.id = x.operator_session_id
         WHERE {by} = $1 AND s.expires_at > $2 AND u.suspended_at IS NULL AND o.deleted_at IS NULL
           AND (s.impersonator_id IS NULL OR (i.is_operator AND i.suspended_at IS NULL AND NOT u.is_operator))
           AND (x.session_id IS NULL OR p.id IS NOT NULL)"
    )
}

async fn look_up(panel: &Panel, by: By, value: &str, place: Place<'_>) -> Result<Option<Who>> {
    let (via, by) = match by {
        By::Secret(Via::Cookie) => (Via::Cookie, "s.kind = 'browser' AND s.token_hash"),
        By::Id(Via::Cookie) => (Via::Cookie, "s.kind = 'browser' AND s.id"),
        By::Secret(Via::Bearer) | By::Id(Via::Bearer) => (Via::Bearer, "s.kind = 'bearer' AND s.id"),
    };
    let sql = session_sql(by, place.sql());
    let mut values: Vec<sea_orm::Value> = vec![value.into(), panel.now().into()];
    if let Place::Named(org) = place {
        values.push(org.clone().into());
    }
    let statement = Statement::from_sql_and_values(panel.db.backend(), sql, values);
    let row = Row::find_by_statement(statement).one(panel.db.read()).await.because("looking up a session")?;
    let Some(row) = row else { return Ok(None) };
    let mut grants = if row.has_grants { grants(panel, &row.org, &row.user).await? } else { HashMap::new() };
    let (role_name, mut permissions) = role(&row.role, row.role_name, row.role_permissions.as_ref())?;
    let impersonator = match (row.impersonator_id, row.impersonator_name, row.impersonation_reason) {
        (Some(user), name, reason) => Some(Impersonator { user, name: name.unwrap_or_default(), reason: reason.unwrap_or_default() }),
        _ => None,
    };
    if impersonator.is_some() {
        permissions = permissions.without(NOT_IN_ANOTHERS_NAME);
        grants.values_mut().for_each(|some| *some = some.without(NOT_IN_ANOTHERS_NAME));
    }
    if row.last_seen_at.is_none_or(|at| at + SEEN_EVERY <= panel.now()) {
        let member = impersonator.is_none().then(|| (row.user.clone(), row.org.clone()));
        panel.of::<SessionCache>().see(&row.session, Seen { at: panel.now(), member });
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
        needs_provider: row.required_provider.filter(|id| impersonator.is_none() && row.method != format!("oidc:{id}")),
        is_verified: row.email_verified_at.is_some(),
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
    let one = |row: GrantRow| Ok((row.application_id, role(&row.role, None, row.role_permissions.as_ref())?.1));
    rows.into_iter().map(one).collect()
}

/// A role of an organization by its word in a membership: its name for people, and what it includes.
pub async fn own_role(panel: &Panel, org: &OrgId, word: &str) -> Result<(String, Permissions)> {
    let Ok(id) = word.parse::<RoleId>() else { return role(word, None, None) };
    let own = tables::role::Entity::find_by_id(id).filter(tables::role::Column::OrganizationId.eq(org.clone()));
    let own = own.one(panel.db.read()).await.because("looking up a role")?;
    role(word, own.as_ref().map(|own| own.name.clone()), own.as_ref().map(|own| &own.permissions))
}

/// A role's name for people, and what it includes: a given one's, or what stands in the row of one that the organization made. A role
/// whose row is gone includes nothing.
pub fn role(word: &str, name: Option<String>, permissions: Option<&JsonText<Permissions>>) -> Result<(String, Permissions)> {
    if let Ok(given) = word.parse::<Role>() {
        return Ok((given.title().into(), given.permissions()));
    }
    let permissions = permissions.map(JsonText::read).transpose()?;
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

/// A `Set-Cookie` that scripts can't read; `max_age` is in seconds, 0 takes it back.
pub fn set(panel: &Panel, name: &str, value: &str, max_age: u64) -> String {
    let secure = if panel.config.public_url().starts_with("https://") { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}")
}
