//! How the lines of the audit trail hang together. Each organization has a chain: a line knows its number and the hash of the line before
//! it, and its own hash is an HMAC over all it says. Whoever has the database alone can neither change a line nor take one out without
//! being found. How many lines a chain has, and the last one's hash, stand sealed in its head, so that lines missing at the end are found
//! as well. That a chain was begun is a line of the platform's own chain, so that a whole chain can't vanish either.
use crate::{
    audit::server::events,
    error::Result,
    fault::Because,
    id::{AuditId, Id, OrgId},
    store::{
        AuditChain, Db, EventKind, Tx, random,
        secrets::{Secrets, hex},
        tables::{audit_event, audit_head, user},
    },
    units::Timestamp,
};
use hmac::{Hmac, KeyInit, Mac};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, Statement};
use sha2::Sha256;
use std::{collections::BTreeMap, sync::Arc};

/// The event that tells of the first line of a chain.
pub const BEGUN: EventKind = events::AUDIT_CHAIN_BEGUN;
/// How many lines one statement inserts at most: PostgreSQL takes 65 535 values, SQLite 32 766.
const AT_ONCE: usize = 500;

/// The chain of what belongs to no organization: deeds of operators, sign-ins of nobody.
pub fn platform() -> OrgId {
    OrgId::from_suffix("00000000000000000000000000")
}

#[async_trait::async_trait]
impl AuditChain for Chain {
    async fn append(&self, tx: &Tx, lines: Vec<audit_event::Model>) -> Result<()> {
        append(tx, self, lines).await
    }
}

/// From now on the database takes lines of the audit trail, chained with the key that the master key gives.
pub fn attach(db: &Db, secrets: &Secrets) {
    db.chain_with(Arc::new(Chain::new(secrets.trail_key())));
}

/// The key of all chains.
#[derive(Clone)]
pub struct Chain(Hmac<Sha256>);

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chain")
    }
}

impl Chain {
    /// Chains with this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Chain(<Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    fn mac(&self, of: &impl serde::Serialize) -> String {
        let mut mac = self.0.clone();
        mac.update(&serde_json::to_vec(of).unwrap_or_default());
        hex(&mac.finalize().into_bytes())
    }

    /// What a line's hash must be, by all that it says.
    pub fn hash(&self, line: &audit_event::Model) -> String {
        let who = (&line.user_id, &line.user_name, &line.impersonator_id, &line.impersonator_name);
        let what = (&line.event, &line.target, &line.detail, line.created_at.millis());
        let whence = (&line.address, &line.agent, &line.credential, &line.credential_kind, &line.request_id);
        self.mac(&("line", &line.organization_id, line.seq, &line.prev_hash, &line.id, who, what, whence))
    }

    /// The seal of a chain's head.
    pub fn seal(&self, org: &OrgId, seq: i64, hash: &str) -> String {
        self.mac(&("head", org, seq, hash))
    }
}

#[derive(FromQueryResult)]
struct Head {
    seq: i64,
    hash: String,
}

/// Hangs lines on their chains. Takes the heads in the order of the organizations' ids, the platform's last.
async fn append(tx: &Tx, chain: &Chain, mut lines: Vec<audit_event::Model>) -> Result<()> {
    name(tx, &mut lines).await?;
    let mut chains: BTreeMap<OrgId, Vec<audit_event::Model>> = BTreeMap::new();
    for line in lines {
        chains.entry(line.organization_id.clone()).or_default().push(line);
    }
    let mut own = chains.remove(&platform()).unwrap_or_default();
    for (org, lines) in chains {
        let (at, request) = lines.last().map(|line| (line.created_at, line.request_id.clone())).unwrap_or_default();
        if hang(tx, chain, &org, lines).await? {
            own.push(begun(&org, at, request));
        }
    }
    if !own.is_empty() {
        hang(tx, chain, &platform(), own).await?;
    }
    Ok(())
}

/// Hangs lines on one chain; says whether they are its first.
async fn hang(tx: &Tx, chain: &Chain, org: &OrgId, mut lines: Vec<audit_event::Model>) -> Result<bool> {
    let head = take(tx, org, lines.len()).await?;
    let (before, mut prev) = (head.seq - lines.len() as i64, head.hash);
    for (line, seq) in lines.iter_mut().zip(before + 1..) {
        (line.seq, line.prev_hash) = (Some(seq), Some(prev));
        prev = chain.hash(line);
        line.hash = Some(prev.clone());
    }
    for some in lines.chunks(AT_ONCE) {
        // Columns that were read are `Unchanged`; an insert wants them all.
        let rows = some.iter().map(|line| line.clone().into_active_model().reset_all());
        audit_event::Entity::insert_many(rows).exec_without_returning(tx).await.because("writing the audit trail")?;
    }
    put(tx, chain, org, head.seq, &prev).await?;
    Ok(before == 0)
}

/// Hangs rows that stand there already, from before there were chains, on one chain.
pub async fn adopt(
    tx: &Tx,
    chain: &Chain,
    org: &OrgId,
    at: Timestamp,
    rows: impl AsyncFnOnce(&Tx) -> Result<Vec<audit_event::Model>>,
) -> Result<usize> {
    // The head first: of two panels that start together the second finds nothing left.
    let head = take(tx, org, 0).await?;
    let rows = rows(tx).await?;
    let (count, mut prev, mut last) = (rows.len(), head.hash, head.seq);
    for mut row in rows {
        last += 1;
        (row.seq, row.prev_hash) = (Some(last), Some(prev));
        prev = chain.hash(&row);
        let change = audit_event::ActiveModel {
            id: Set(row.id.clone()),
            seq: Set(row.seq),
            prev_hash: Set(row.prev_hash.clone()),
            hash: Set(Some(prev.clone())),
            ..Default::default()
        };
        audit_event::Entity::update(change).exec_without_returning(tx).await.because("chaining an old row")?;
    }
    put(tx, chain, org, last, &prev).await?;
    if head.seq == 0 && count > 0 && *org != platform() {
        tx.leave(begun(org, at, String::new()));
    }
    Ok(count)
}

/// Locks a head, counts `more` lines on it, and answers with the number of the last of them and the hash of the last one before them.
async fn take(tx: &Tx, org: &OrgId, more: usize) -> Result<Head> {
    let sql = "INSERT INTO audit_heads (organization_id, seq, hash, seal) VALUES ($1, $2, '', '')
               ON CONFLICT (organization_id) DO UPDATE SET seq = audit_heads.seq + excluded.seq RETURNING seq, hash";
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, [org.clone().into(), (more as i64).into()]);
    let head = Head::find_by_statement(statement).one(tx).await.because("taking the end of a chain")?;
    head.ok_or("it is not there").because("taking the end of a chain")
}

async fn put(tx: &Tx, chain: &Chain, org: &OrgId, seq: i64, hash: &str) -> Result<()> {
    let head = audit_head::ActiveModel {
        organization_id: Set(org.clone()),
        seq: Set(seq),
        hash: Set(hash.into()),
        seal: Set(chain.seal(org, seq, hash)),
    };
    audit_head::Entity::update(head).exec_without_returning(tx).await.because("writing the end of a chain").map(|_| ())
}

fn begun(org: &OrgId, at: Timestamp, request_id: String) -> audit_event::Model {
    line(platform(), BEGUN, org.to_string(), "{}".into(), request_id, at)
}

/// A line by nobody, from nowhere.
pub fn line(org: OrgId, kind: EventKind, target: String, detail: String, request_id: String, at: Timestamp) -> audit_event::Model {
    audit_event::Model {
        id: random::id::<AuditId>(),
        organization_id: org,
        user_id: String::new(),
        event: kind.name().into(),
        target,
        detail,
        address: String::new(),
        request_id,
        created_at: at,
        user_name: String::new(),
        impersonator_id: None,
        impersonator_name: None,
        agent: String::new(),
        credential: String::new(),
        credential_kind: String::new(),
        seq: None,
        prev_hash: None,
        hash: None,
    }
}

/// Looks up the names that lines lack.
async fn name(tx: &Tx, lines: &mut [audit_event::Model]) -> Result<()> {
    for line in lines {
        let Ok(id) = line.user_id.parse::<crate::id::UserId>() else { continue };
        if line.user_name.is_empty() {
            let person = user::Entity::find_by_id(id).one(tx).await.because("looking up a name")?;
            line.user_name = person.map(|person| person.name).unwrap_or_default();
        }
    }
    Ok(())
}
