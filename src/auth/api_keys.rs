//! Keys of the API, as requests carry them: `sk_live_`, 32 random letters and digits (190 bits), and six more that are the checksum of
//! those (CRC-32), so that a mistyped key is told without asking the database and a scanner of leaked secrets finds no false ones. A
//! key leads to its maker in one organization: what it may do is its scope and what she may do there at that moment, whichever is less.
use crate::{
    auth::session::{Credential, PresentedSecret, SecretKind, SessionCache, Who, grants, role},
    error::{Error, Result, Thing},
    fault::Because,
    id::{ApiKeyId, OrgId, UserId},
    rights::Permissions,
    runtime::panel::Panel,
    store::{json::JsonText, tables::api_key},
    units::Timestamp,
};
use sea_orm::{ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter, Statement, sea_query::Expr};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// What every key begins with.
pub const PREFIX: &str = "sk_live_";
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Random letters; each is worth 5.95 bits.
const RANDOM: usize = 32;
const CHECK: usize = 6;
/// How often the use of a key is written down.
const NOTED: Duration = Duration::from_secs(60);
/// Keys whose use is remembered here before all are forgotten.
const MOST: usize = 10_000;

/// A new key's secret.
pub fn secret() -> String {
    let random: String = (0..RANDOM).map(|_| char::from(LETTERS[rand::random_range(0..LETTERS.len())])).collect();
    let check = checksum(&random);
    format!("{PREFIX}{random}{check}")
}

/// CRC-32 (ISO 3309) in base 62, the highest digit first.
fn checksum(text: &str) -> String {
    let crc = !text
        .bytes()
        .fold(!0u32, |crc, byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }));
    let digit = |at: usize| char::from(LETTERS[(crc as usize / 62usize.pow(at as u32)) % 62]);
    (0..CHECK).rev().map(digit).collect()
}

/// Whether a text can be a key at all.
pub fn is_sound(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(PREFIX).filter(|rest| rest.len() == RANDOM + CHECK && rest.is_ascii()) else { return false };
    let (random, check) = rest.split_at(RANDOM);
    checksum(random) == check
}

/// The last letters of a secret, by which its owner knows it again.
pub fn hint(secret: &str) -> String {
    secret.chars().skip(secret.chars().count().saturating_sub(4)).collect()
}

#[derive(FromQueryResult)]
struct Row {
    key_id: ApiKeyId,
    scope: JsonText<Permissions>,
    expires_at: Option<Timestamp>,
    secret_expires_at: Option<Timestamp>,
    user_id: UserId,
    email: String,
    name: String,
    email_verified_at: Option<Timestamp>,
    has_second_factor: bool,
    org: OrgId,
    org_name: String,
    requires_two_factor: bool,
    org_suspended_at: Option<Timestamp>,
    role: String,
    role_name: Option<String>,
    role_permissions: Option<JsonText<Permissions>>,
    has_grants: bool,
}

/// Whose the key is. A key is of one organization: any other that is named beside it is not there.
pub async fn by_key(panel: &Panel, secret: &str, org: Option<&OrgId>) -> Result<Option<Arc<Who>>> {
    if !is_sound(secret) {
        return Ok(None);
    }
    let asked = PresentedSecret::new(SecretKind::Key, secret, None);
    let who = match panel.of::<SessionCache>().get(&asked, panel.now()) {
        Some(who) => Some(who),
        None => look_up(panel, &asked.hash()).await?.map(|who| panel.of::<SessionCache>().put(asked, who, None)),
    };
    match (who, org) {
        (Some(who), Some(org)) if who.org != *org => Err(Error::NotFound(Thing::ORGANIZATION)),
        (who, _) => Ok(who),
    }
}

async fn look_up(panel: &Panel, hash: &str) -> Result<Option<Who>> {
    let sql = "SELECT k.id AS key_id, k.scope, k.expires_at, c.expires_at AS secret_expires_at, u.id AS user_id, u.email, u.name, u.email_verified_at, u.has_second_factor,
                o.id AS org, o.name AS org_name, o.requires_two_factor, o.suspended_at AS org_suspended_at, m.role, r.name AS role_name,
                r.permissions AS role_permissions, m.has_grants
         FROM api_key_secrets c
         JOIN api_keys k ON k.id = c.key_id
         JOIN users u ON u.id = k.user_id
         JOIN memberships m ON m.user_id = k.user_id AND m.organization_id = k.organization_id
         JOIN organizations o ON o.id = k.organization_id
         LEFT JOIN roles r ON r.id = m.role AND r.organization_id = m.organization_id
         WHERE c.token_hash = $1 AND (c.expires_at IS NULL OR c.expires_at > $2) AND (k.expires_at IS NULL OR k.expires_at > $2)
               AND u.suspended_at IS NULL AND o.deleted_at IS NULL";
    let statement = Statement::from_sql_and_values(panel.db.backend(), sql, [hash.into(), panel.now().into()]);
    let Some(row) = Row::find_by_statement(statement).one(panel.db.read()).await.because("looking up an API key")? else { return Ok(None) };
    let scope = row.scope.read()?;
    let granted = if row.has_grants { grants(panel, &row.org, &row.user_id).await? } else { HashMap::new() };
    let granted = granted.into_iter().map(|(app, of)| (app, of.and(scope))).filter(|(_, of)| !of.is_empty()).collect();
    let (role_name, permissions) = role(&row.role, row.role_name, row.role_permissions.as_ref())?;
    let ends = row.expires_at.into_iter().chain(row.secret_expires_at).min();
    Ok(Some(Who {
        credential: Credential::Key(row.key_id),
        user: row.user_id,
        email: row.email,
        name: row.name,
        // Running the platform is done in person.
        is_operator: false,
        org: row.org,
        org_name: row.org_name,
        role: row.role,
        role_name,
        permissions: permissions.and(scope),
        grants: Arc::new(granted),
        // Whoever made the key was signed in as the organization demanded then.
        needs_provider: None,
        lacks_second_factor: row.requires_two_factor && !row.has_second_factor,
        is_verified: row.email_verified_at.is_some(),
        is_suspended: row.org_suspended_at.is_some(),
        impersonator: None,
        expires_at: ends.unwrap_or(Timestamp(i64::MAX)),
    }))
}

impl SessionCache {
    /// Forgets a key that was changed or revoked.
    pub fn forget_key(&self, key: &ApiKeyId) {
        self.forget_where(|who| who.credential == Credential::Key(key.clone()));
    }
}

/// When each key's use was last written down by this panel.
#[derive(Default)]
pub struct KeyUse(Mutex<HashMap<ApiKeyId, Timestamp>>);

/// Notes that a key was used, at most once a minute, beside the request.
#[expect(clippy::disallowed_methods, reason = "the request does not wait for a note of one row, and nothing is lost without it")]
pub fn note(panel: &Arc<Panel>, key: &ApiKeyId, address: &str) {
    let now = panel.now();
    {
        let mut used = panel.of::<KeyUse>().0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.get(key).is_some_and(|at| now.since(*at) < NOTED && *at <= now) {
            return;
        }
        if used.len() >= MOST {
            used.clear();
        }
        used.insert(key.clone(), now);
    }
    let (panel, key, address) = (panel.clone(), key.clone(), address.to_string());
    tokio::spawn(async move {
        let stale = Condition::any().add(api_key::Column::LastUsedAt.is_null()).add(api_key::Column::LastUsedAt.lte(now - NOTED));
        let update = api_key::Entity::update_many()
            .col_expr(api_key::Column::LastUsedAt, Expr::value(now))
            .col_expr(api_key::Column::LastUsedFrom, Expr::value(address))
            .filter(api_key::Column::Id.eq(key))
            .filter(stale);
        // What fails was logged, and is tried again in a minute.
        panel.db.tx(async |tx| update.exec(tx).await.because("noting the use of an API key")).await.ok();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_a_typing_mistake_by_itself() {
        let one = secret();
        assert!(is_sound(&one) && one.len() == 46 && one != secret());
        // The check value of CRC-32: cbf43926.
        assert_eq!(checksum("123456789"), "3jZRME");
        for at in PREFIX.len()..one.len() {
            let mut wrong: Vec<char> = one.chars().collect();
            wrong[at] = if wrong[at] == 'a' { 'b' } else { 'a' };
            assert!(!is_sound(&wrong.iter().collect::<String>()), "letter {at}");
        }
        for bad in ["", "sk_live_", &one[..45], &format!("{one}0"), &one.replace("live", "test"), &format!("{}é", &one[..44])] {
            assert!(!is_sound(bad), "{bad}");
        }
        assert_eq!(hint(&one), one[42..]);
    }
}
