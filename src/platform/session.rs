//! Who is calling. A browser holds a random token in a cookie (HttpOnly, SameSite=Lax), a script a signed bearer token; both lead to
//! a row of `sessions`, where signing out ends them at once. Only the token's hash is stored.
use crate::{
    error::{Error, Result},
    id::{OrgId, SessionId, UserId},
    platform::{
        db::{Tx, tables::session},
        fault::Because,
        fresh,
        panel::Panel,
    },
    rights::Role,
    units::Timestamp,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, FromQueryResult, Statement};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The browser's cookie.
pub const COOKIE: &str = "skypanel_session";
/// A visitor's cookie, before signing in: binds the tokens of the sign-in and sign-up forms.
pub const VISIT: &str = "skypanel_visit";
/// How long a bearer token is good.
pub const BEARER_LIFE: Duration = Duration::from_secs(12 * 3600);

/// How somebody proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    Cookie,
    Bearer,
}

/// Somebody who is signed in, and where.
#[derive(Debug, Clone)]
pub struct Who {
    pub session: SessionId,
    pub via: Via,
    pub user: UserId,
    pub email: String,
    pub name: String,
    pub is_operator: bool,
    pub org: OrgId,
    pub org_name: String,
    pub role: Role,
    pub expires_at: Timestamp,
}

#[derive(FromQueryResult)]
struct Row {
    session: SessionId,
    user: UserId,
    email: String,
    name: String,
    is_operator: bool,
    org: OrgId,
    org_name: String,
    role: String,
    expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    sid: String,
    iat: i64,
    exp: i64,
}

/// A new session and the secret that leads to it.
pub struct Opened {
    pub id: SessionId,
    pub token: String,
    pub expires_at: Timestamp,
}

/// Opens a session for a person in an organization.
pub async fn open(tx: &Tx, panel: &Panel, user: &UserId, org: &OrgId, via: Via, address: &str, agent: &str) -> Result<Opened> {
    let life = match via {
        Via::Cookie => Duration::from_secs(u64::from(panel.config.panel.session_days) * 86_400),
        Via::Bearer => BEARER_LIFE,
    };
    let opened = Opened { id: fresh::id(), token: fresh::token(), expires_at: panel.now() + life };
    session::ActiveModel {
        id: Set(opened.id.clone()),
        token_hash: Set(fresh::hash(&opened.token)),
        user_id: Set(user.clone()),
        organization_id: Set(org.clone()),
        kind: Set(match via {
            Via::Cookie => "browser".into(),
            Via::Bearer => "bearer".into(),
        }),
        address: Set(address.into()),
        user_agent: Set(agent.chars().filter(|c| !c.is_control()).take(200).collect()),
        created_at: Set(panel.now()),
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
    find(panel, "s.kind = 'browser' AND s.token_hash", fresh::hash(token), org, Via::Cookie).await
}

/// Whose the bearer token is.
pub async fn by_bearer(panel: &Panel, token: &str, org: Option<&OrgId>) -> Result<Option<Who>> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    // The row decides when it is over, by the panel's own clock.
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(panel.secrets.signing_key());
    let Ok(data) = jsonwebtoken::decode::<Claims>(token, &key, &validation) else { return Ok(None) };
    find(panel, "s.kind = 'bearer' AND s.id", data.claims.sid, org, Via::Bearer).await
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
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, (_, who)| who.session != *session);
    }
}

async fn find(panel: &Panel, by: &str, value: String, org: Option<&OrgId>, via: Via) -> Result<Option<Who>> {
    let key = (value.clone(), org.cloned());
    if let Some(who) = panel.lately.get(&key).filter(|who| who.expires_at > panel.now()) {
        return Ok(Some(who));
    }
    let found = look_up(panel, by, value, org, via).await?;
    if let Some(who) = &found {
        panel.lately.put(key, who);
    }
    Ok(found)
}

async fn look_up(panel: &Panel, by: &str, value: String, org: Option<&OrgId>, via: Via) -> Result<Option<Who>> {
    let wanted = if org.is_some() { "$3" } else { "s.organization_id" };
    let sql = format!(
        "SELECT s.id AS session, u.id AS \"user\", u.email, u.name, u.is_operator, o.id AS org, o.name AS org_name, m.role, s.expires_at
         FROM sessions s
         JOIN users u ON u.id = s.user_id
         JOIN memberships m ON m.user_id = u.id AND m.organization_id = {wanted}
         JOIN organizations o ON o.id = m.organization_id
         WHERE {by} = $1 AND s.expires_at > $2"
    );
    let mut values: Vec<sea_orm::Value> = vec![value.into(), panel.now().into()];
    values.extend(org.map(|org| org.clone().into()));
    let statement = Statement::from_sql_and_values(panel.db.backend(), sql, values);
    let row = Row::find_by_statement(statement).one(panel.db.read()).await.because("looking up a session")?;
    row.map(|row| {
        let role = row.role.parse().map_err(|_| Error::Unavailable("The membership holds an unknown role.".into()))?;
        Ok(Who {
            session: row.session,
            via,
            user: row.user,
            email: row.email,
            name: row.name,
            is_operator: row.is_operator,
            org: row.org,
            org_name: row.org_name,
            role,
            expires_at: row.expires_at,
        })
    })
    .transpose()
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
