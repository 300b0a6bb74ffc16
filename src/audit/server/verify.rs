//! Reads the trail from its beginning to its end and says what is not as it was written. A page of rows at a time, so that it takes no
//! more memory for a million rows than for a thousand; the panel may run meanwhile.
use super::service::next_chain;
use crate::{
    audit::server::chain::{self, Chain},
    error::Result,
    fault::Because,
    id::{AuditId, OrgId},
    store::{
        Db,
        tables::{audit_event, audit_head},
    },
};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};
use std::{collections::HashSet, fmt, str::FromStr};

/// Rows that are looked at together.
const PAGE: u64 = 1_000;
/// How many rows without a place are named of each chain.
const NAMED: u64 = 100;

/// How a chain ended at some time: kept elsewhere, it proves later that nothing before it was changed, by whomever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    pub org: OrgId,
    pub seq: i64,
    pub hash: String,
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.org, self.seq, self.hash)
    }
}

impl FromStr for Anchor {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.trim().split(':').collect();
        let [org, seq, hash] = parts.as_slice() else { return Err("An anchor is ORGANIZATION:NUMBER:HASH.".into()) };
        let org = org.parse().map_err(|why: crate::id::NotAnId| why.to_string())?;
        let seq = seq.parse().map_err(|_| "The number of an anchor counts from 1.".to_string())?;
        Ok(Anchor { org, seq, hash: (*hash).to_string() })
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// The row says something else than when it was written.
    Altered,
    /// The row before it is not the one that it was written after.
    Unlinked,
    /// Two rows have this number, or it counts below 1.
    Numbered,
    /// Rows up to this number are gone.
    MissingTo(i64),
    /// Rows at the end are gone: the chain had so many.
    Cut(i64),
    /// The row has no place in the chain: nobody but the panel gives one.
    Unchained,
    /// The row comes after the chain's end.
    Beyond,
    /// The chain's head was changed.
    Head,
    /// The chain's head is gone.
    NoHead,
    /// The chain was begun, and is gone.
    Gone,
    /// The chain does not hold this anchor.
    Anchor,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub org: OrgId,
    /// The row's number.
    pub seq: Option<i64>,
    /// The row, where it is there.
    pub row: Option<AuditId>,
    pub wrong: Wrong,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seq = self.seq.unwrap_or_default();
        match (&self.row, self.seq) {
            (Some(id), Some(seq)) => write!(f, "{}: row {seq} ({id}): ", self.org)?,
            (Some(id), None) => write!(f, "{}: row {id}: ", self.org)?,
            _ => write!(f, "{}: ", self.org)?,
        }
        match &self.wrong {
            Wrong::Altered => f.write_str("what it says is not what was written; it was altered"),
            Wrong::Unlinked => f.write_str("the row before it is not the one that it was written after"),
            Wrong::Numbered => f.write_str("its number is another row’s"),
            Wrong::MissingTo(to) if seq == *to => write!(f, "row {seq} was removed"),
            Wrong::MissingTo(to) => write!(f, "rows {seq} to {to} were removed"),
            Wrong::Cut(to) if seq == *to => write!(f, "row {seq}, the last one, was removed"),
            Wrong::Cut(to) => write!(f, "rows {seq} to {to}, the last ones, were removed"),
            Wrong::Unchained => f.write_str("it has no place in the chain; the panel did not write it"),
            Wrong::Beyond => f.write_str("it comes after the end of the chain; the panel did not write it"),
            Wrong::Head => f.write_str("the end of the chain is not as it was written; it was altered"),
            Wrong::NoHead => f.write_str("the end of the chain was removed"),
            Wrong::Gone => f.write_str("the whole chain was removed"),
            Wrong::Anchor => write!(f, "row {seq} is not the one of the anchor"),
        }
    }
}

/// What verifying says, one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Broken(Broken),
    /// A chain was read to its end.
    End(Anchor),
}

/// How much was read, and how much of it is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    pub rows: u64,
    pub chains: u64,
    pub broken: u64,
}

/// Reads every chain, or one, and says what is wrong.
pub async fn verify(db: &Db, chain: &Chain, only: Option<&OrgId>, anchors: &[Anchor], say: &mut dyn FnMut(Said)) -> Result<Count> {
    let mut reader = Reader { db, chain, anchors, say, count: Count::default() };
    if let Some(org) = only {
        reader.read(org).await?;
        return Ok(reader.count);
    }
    let mut last = None;
    while let Some(org) = reader.next(last.as_ref()).await? {
        reader.read(&org).await?;
        last = Some(org);
    }
    let seen = last.is_some();
    let unread: Vec<OrgId> = anchors.iter().map(|anchor| anchor.org.clone()).collect();
    for org in unread {
        if head(db, &org).await?.is_none() {
            reader.broken(&org, None, None, Wrong::Gone);
        }
    }
    // The platform's own chain begins with the first of any.
    if seen && head(db, &chain::platform()).await?.is_none() {
        reader.broken(&chain::platform(), None, None, Wrong::Gone);
    }
    Ok(reader.count)
}

struct Reader<'a> {
    db: &'a Db,
    chain: &'a Chain,
    anchors: &'a [Anchor],
    say: &'a mut dyn FnMut(Said),
    count: Count,
}

impl Reader<'_> {
    fn broken(&mut self, org: &OrgId, seq: Option<i64>, row: Option<&AuditId>, wrong: Wrong) {
        self.count.broken += 1;
        (self.say)(Said::Broken(Broken { org: org.clone(), seq, row: row.cloned(), wrong }));
    }

    /// The next organization that has a head or rows.
    async fn next(&self, after: Option<&OrgId>) -> Result<Option<OrgId>> {
        let head = audit_head::Entity::find()
            .filter(audit_head::Column::OrganizationId.gt(after.map_or(String::new(), ToString::to_string)))
            .order_by_asc(audit_head::Column::OrganizationId);
        let head = head.one(self.db.read()).await.because("looking for a chain")?.map(|head| head.organization_id);
        let rows = next_chain(self.db, after).await?;
        Ok([head, rows].into_iter().flatten().min())
    }

    async fn read(&mut self, org: &OrgId) -> Result<()> {
        self.count.chains += 1;
        // The head first: rows that are written meanwhile are no concern.
        let head = head(self.db, org).await?;
        let end = head.as_ref().map_or(i64::MAX, |head| head.seq);
        let mut last = Last::default();
        loop {
            let rows = page(self.db, org, &last, end).await?;
            let Some(newest) = rows.last() else { break };
            let newest = (newest.seq.unwrap_or_default(), Some(newest.id.clone()));
            for row in &rows {
                self.row(org, &mut last, row);
            }
            if *org == chain::platform() {
                self.begun(&rows).await?;
            }
            (last.at, last.id) = newest;
        }
        self.end(org, head, &last).await?;
        for row in unchained(self.db, org).await? {
            self.broken(org, None, Some(&row.id), Wrong::Unchained);
        }
        Ok(())
    }

    fn row(&mut self, org: &OrgId, last: &mut Last, row: &audit_event::Model) {
        self.count.rows += 1;
        let seq = row.seq.unwrap_or_default();
        let id = Some(&row.id);
        if seq > last.seq + 1 {
            self.broken(org, Some(last.seq + 1), None, Wrong::MissingTo(seq - 1));
        }
        if seq <= last.seq {
            self.broken(org, Some(seq), id, Wrong::Numbered);
        }
        let as_written = row.hash.as_deref() == Some(&self.chain.hash(row));
        if !as_written {
            self.broken(org, Some(seq), id, Wrong::Altered);
        } else if seq == last.seq + 1 && last.sound && row.prev_hash.as_deref() != Some(&last.hash) {
            self.broken(org, Some(seq), id, Wrong::Unlinked);
        }
        let anchored = self.anchors.iter().any(|it| it.org == *org && it.seq == seq && row.hash.as_deref() != Some(&it.hash));
        if anchored {
            self.broken(org, Some(seq), id, Wrong::Anchor);
        }
        (last.seq, last.hash, last.sound) = (seq, row.hash.clone().unwrap_or_default(), as_written);
    }

    /// Chains that were begun are still there.
    async fn begun(&mut self, rows: &[audit_event::Model]) -> Result<()> {
        let named: Vec<OrgId> =
            rows.iter().filter(|row| row.event == chain::BEGUN.name()).filter_map(|row| row.target.parse().ok()).collect();
        if named.is_empty() {
            return Ok(());
        }
        let heads = audit_head::Entity::find().filter(audit_head::Column::OrganizationId.is_in(named.clone()));
        let heads = heads.all(self.db.read()).await.because("looking for chains")?;
        let heads: HashSet<OrgId> = heads.into_iter().map(|head| head.organization_id).collect();
        for org in named.iter().filter(|org| !heads.contains(org)) {
            let rows = audit_event::Entity::find().filter(audit_event::Column::OrganizationId.eq(org.clone()));
            // Where rows are left, reading their chain says that the head is gone.
            if rows.one(self.db.read()).await.because("looking for a chain")?.is_none() {
                self.broken(org, None, None, Wrong::Gone);
            }
        }
        Ok(())
    }

    async fn end(&mut self, org: &OrgId, head: Option<audit_head::Model>, last: &Last) -> Result<()> {
        let Some(head) = head else {
            if last.seq > 0 {
                self.broken(org, None, None, Wrong::NoHead);
            }
            return Ok(());
        };
        if head.seal != self.chain.seal(org, head.seq, &head.hash) {
            self.broken(org, None, None, Wrong::Head);
        } else if last.seq < head.seq {
            self.broken(org, Some(last.seq + 1), None, Wrong::Cut(head.seq));
        } else if last.sound && last.hash != head.hash {
            self.broken(org, None, None, Wrong::Head);
        }
        for anchor in self.anchors.iter().filter(|it| it.org == *org && it.seq > head.seq) {
            let (seq, org) = (anchor.seq, anchor.org.clone());
            self.count.broken += 1;
            (self.say)(Said::Broken(Broken { org, seq: Some(seq), row: None, wrong: Wrong::Anchor }));
        }
        let now = self::head(self.db, org).await?.map_or(head.seq, |now| now.seq);
        let beyond = audit_event::Entity::find()
            .filter(audit_event::Column::OrganizationId.eq(org.clone()))
            .filter(audit_event::Column::Seq.gt(Ord::max(now, head.seq)))
            .order_by_asc(audit_event::Column::Seq)
            .limit(NAMED);
        for row in beyond.all(self.db.read()).await.because("reading beyond a chain")? {
            // Written after the head was read the second time.
            let written = self::head(self.db, org).await?.is_some_and(|head| row.seq.is_some_and(|seq| seq <= head.seq));
            if !written {
                self.broken(org, row.seq, Some(&row.id), Wrong::Beyond);
            }
        }
        (self.say)(Said::End(Anchor { org: org.clone(), seq: head.seq, hash: head.hash }));
        Ok(())
    }
}

/// The row before.
struct Last {
    seq: i64,
    hash: String,
    /// It is as it was written, so that what follows can be held against it.
    sound: bool,
    /// Where the next page begins.
    at: i64,
    id: Option<AuditId>,
}

impl Default for Last {
    fn default() -> Self {
        Last { seq: 0, hash: String::new(), sound: true, at: i64::MIN, id: None }
    }
}

async fn page(db: &Db, org: &OrgId, last: &Last, end: i64) -> Result<Vec<audit_event::Model>> {
    use audit_event::Column::{Id, OrganizationId, Seq};
    let mut rows = audit_event::Entity::find()
        .filter(OrganizationId.eq(org.clone()))
        .filter(Seq.gte(last.at).and(Seq.lte(end)))
        .order_by_asc(Seq)
        .order_by_asc(Id)
        .limit(PAGE);
    if let Some(id) = &last.id {
        rows = rows.filter(Seq.gt(last.at).or(Id.gt(id.clone())));
    }
    rows.all(db.read()).await.because("reading the audit trail")
}

async fn unchained(db: &Db, org: &OrgId) -> Result<Vec<audit_event::Model>> {
    let rows = audit_event::Entity::find()
        .filter(audit_event::Column::OrganizationId.eq(org.clone()))
        .filter(audit_event::Column::Seq.is_null())
        .limit(NAMED);
    rows.all(db.read()).await.because("looking for rows without a place")
}

async fn head(db: &Db, org: &OrgId) -> Result<Option<audit_head::Model>> {
    audit_head::Entity::find_by_id(org.clone()).one(db.read()).await.because("reading the end of a chain")
}
