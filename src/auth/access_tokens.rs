//! Access tokens: JSON Web Tokens that scripts carry (RFC 7519, HMAC with SHA-256 and nothing else). The key that signs them is random,
//! sealed in the database, and replaced every thirty days; an old one is accepted until the last token that it signed is over. Whoever
//! meets a key that it does not know reads it from the database, so that several panels accept each other's tokens at once.
use crate::{
    error::Result,
    fault::Because,
    id::{SessionId, UserId},
    runtime::panel::Panel,
    store::{random, tables::signing_key},
    units::Timestamp,
};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};
use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

/// How long an access token is good.
pub const ACCESS_LIFE: Duration = Duration::from_secs(900);
/// How long a refresh token is good, and the session of a script after the last refresh.
pub const REFRESH_LIFE: Duration = Duration::from_secs(30 * 86_400);
/// How long a key signs.
const SIGNS: Duration = Duration::from_secs(30 * 86_400);
/// How far the clocks of several panels may be apart.
const SKEW: Duration = Duration::from_secs(60);
/// The longest token that is looked at.
const LONGEST: usize = 2048;

/// The keys that this process knows.
#[derive(Default)]
pub struct AccessTokenKeys {
    known: RwLock<Vec<Key>>,
    /// Held while a key is made, so that one process makes one.
    making: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Key {
    id: String,
    secret: Vec<u8>,
    created_at: Timestamp,
}

impl Key {
    fn read(panel: &Panel, row: signing_key::Model) -> Result<Self> {
        let secret = panel.secrets.unseal(&row.id, &row.secret)?;
        let secret = STANDARD_NO_PAD.decode(secret).because("reading a signing key")?;
        Ok(Key { id: row.id, secret, created_at: row.created_at })
    }

    fn signs(&self, now: Timestamp) -> bool {
        now < self.created_at + SIGNS
    }

    fn is_accepted(&self, now: Timestamp) -> bool {
        now < self.created_at + SIGNS + ACCESS_LIFE + SKEW
    }
}

impl AccessTokenKeys {
    fn find(&self, fits: impl Fn(&Key) -> bool) -> Option<Key> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter(|key| fits(key)).max_by_key(|key| key.created_at).cloned()
    }

    fn learn(&self, key: Key, now: Timestamp) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|other| other.id != key.id && other.is_accepted(now));
        known.push(key);
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    sid: String,
    iat: i64,
    exp: i64,
}

/// A signed token of a session, good for `life`.
pub async fn sign(panel: &Panel, session: &SessionId, user: &UserId, life: Duration) -> Result<String> {
    let (key, now) = (current(panel).await?, panel.now());
    let claims = Claims { sub: user.to_string(), sid: session.to_string(), iat: now.millis() / 1000, exp: (now + life).millis() / 1000 };
    let header = Header { kid: Some(key.id), ..Header::new(Algorithm::HS256) };
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&key.secret)).because("signing a token")
}

/// The session that a token is of and when the token is over, where it is ours and still good.
pub async fn session_of(panel: &Panel, token: &str) -> Result<Option<(String, Timestamp)>> {
    if token.len() > LONGEST {
        return Ok(None);
    }
    let Ok(header) = jsonwebtoken::decode_header(token) else { return Ok(None) };
    let Some(id) = header.kid.filter(|id| header.alg == Algorithm::HS256 && id.len() == crate::id::SUFFIX) else { return Ok(None) };
    let Some(key) = accepted(panel, &id).await? else { return Ok(None) };
    let mut validation = Validation::new(Algorithm::HS256);
    // The panel's own clock decides, below.
    validation.validate_exp = false;
    let Ok(data) = jsonwebtoken::decode::<Claims>(token, &DecodingKey::from_secret(&key.secret), &validation) else { return Ok(None) };
    let is_good = panel.now().millis() / 1000 < data.claims.exp;
    Ok(is_good.then_some((data.claims.sid, Timestamp(data.claims.exp.saturating_mul(1000)))))
}

/// A key by its id, while it is accepted.
async fn accepted(panel: &Panel, id: &str) -> Result<Option<Key>> {
    let now = panel.now();
    if let Some(key) = panel.of::<AccessTokenKeys>().find(|key| key.id == id) {
        return Ok(Some(key).filter(|key| key.is_accepted(now)));
    }
    let row = signing_key::Entity::find_by_id(id).one(panel.db.read()).await.because("looking up a signing key")?;
    let Some(row) = row else { return Ok(None) };
    let key = Key::read(panel, row)?;
    panel.of::<AccessTokenKeys>().learn(key.clone(), now);
    Ok(Some(key).filter(|key| key.is_accepted(now)))
}

/// The key that signs now; a new one where the last has served its time.
async fn current(panel: &Panel) -> Result<Key> {
    let now = panel.now();
    if let Some(key) = panel.of::<AccessTokenKeys>().find(|key| key.signs(now)) {
        return Ok(key);
    }
    let _turn = panel.of::<AccessTokenKeys>().making.lock().await;
    let newest = signing_key::Entity::find().order_by_desc(signing_key::Column::CreatedAt);
    if let Some(row) = newest.one(panel.db.read()).await.because("looking up the signing key")? {
        let key = Key::read(panel, row)?;
        panel.of::<AccessTokenKeys>().learn(key.clone(), now);
        if key.signs(now) {
            return Ok(key);
        }
    }
    let key = Key { id: random::suffix(), secret: random::bytes::<32>().to_vec(), created_at: now };
    let secret = panel.secrets.seal(&key.id, &STANDARD_NO_PAD.encode(&key.secret))?;
    let row = signing_key::ActiveModel { id: Set(key.id.clone()), secret: Set(secret), created_at: Set(now) };
    panel
        .db
        .tx(async |tx| {
            let over = signing_key::Entity::delete_many().filter(signing_key::Column::CreatedAt.lte(now - (SIGNS + ACCESS_LIFE + SKEW)));
            over.exec(tx).await.because("removing old signing keys")?;
            signing_key::Entity::insert(row).exec_without_returning(tx).await.because("making a signing key")
        })
        .await?;
    panel.of::<AccessTokenKeys>().learn(key.clone(), now);
    Ok(key)
}
