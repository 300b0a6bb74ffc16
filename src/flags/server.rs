//! How far features are rolled out, and the operator's notes to users: a few rows that nearly every request wants to know. They are kept
//! in memory and read again when they are a few seconds old, so that a request costs no statement and every panel follows soon.
use crate::{
    error::Result,
    fault::Because,
    id::{OrgId, UserId},
    runtime::panel::Panel,
    store::tables::{announcement, announcement_dismissal, feature_flag, flag_override},
};
use arc_swap::ArcSwap;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};
use sha2::{Digest, Sha256};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

/// How long what was read is believed.
const LIFE: Duration = Duration::from_secs(3);
/// The most notes that are shown at once.
const NOTES: u64 = 20;
/// The most organizations that are set apart of all flags together.
const APART: u64 = 20_000;

/// A feature that can be rolled out in stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// Sending an organization's audit trail to a webhook or to syslog.
    AuditStreams,
}

impl Flag {
    /// Every flag there is.
    pub const ALL: [Flag; 1] = [Flag::AuditStreams];

    /// Its name on the wire and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Flag::AuditStreams => "audit_streams",
        }
    }

    /// What it is, in one sentence.
    pub fn words(self) -> &'static str {
        match self {
            Flag::AuditStreams => "Organizations may send their audit trail to a webhook or to a syslog server.",
        }
    }

    /// To how many organizations in a hundred it is given as long as nobody says otherwise.
    pub fn usual(self) -> u8 {
        match self {
            Flag::AuditStreams => 100,
        }
    }

    /// The flag of this name.
    pub fn named(name: &str) -> Option<Flag> {
        Flag::ALL.into_iter().find(|flag| flag.name() == name)
    }
}

/// Where an organization stands in the order in which a flag is rolled out, 0 to 99: always the same for the same flag, and another for
/// another one, so that not always the same organizations come first.
pub fn turn(flag: Flag, org: &OrgId) -> u8 {
    let hash = Sha256::digest(format!("{}:{org}", flag.name()).as_bytes());
    let number = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    (number % 100) as u8
}

/// What was read.
#[derive(Default)]
pub struct FlagCache {
    known: ArcSwap<Known>,
}

#[derive(Default)]
struct Known {
    at: Option<Instant>,
    /// In hundredths, where somebody said so.
    percents: HashMap<String, i64>,
    apart: HashMap<(String, OrgId), bool>,
    notes: Vec<announcement::Model>,
}

impl FlagCache {
    /// Reads again before anything else is told: after a change.
    pub fn forget(&self) {
        self.known.store(Arc::default());
    }
}

async fn known(panel: &Panel) -> Result<Arc<Known>> {
    let known = panel.of::<FlagCache>().known.load_full();
    if known.at.is_some_and(|at| at.elapsed() < LIFE) {
        return Ok(known);
    }
    let db = panel.db.read();
    let percents = feature_flag::Entity::find().all(db).await.because("reading feature flags")?;
    let apart = flag_override::Entity::find().limit(APART).all(db).await.because("reading feature flags")?;
    let now = panel.now();
    let notes = announcement::Entity::find()
        .filter(announcement::Column::EndsAt.is_null().or(announcement::Column::EndsAt.gt(now)))
        .order_by_desc(announcement::Column::StartsAt)
        .limit(NOTES);
    let known = Arc::new(Known {
        at: Some(Instant::now()),
        percents: percents.into_iter().map(|row| (row.name, row.percent)).collect(),
        apart: apart.into_iter().map(|row| ((row.name, row.organization_id), row.is_on)).collect(),
        notes: notes.all(db).await.because("reading announcements")?,
    });
    panel.of::<FlagCache>().known.store(known.clone());
    Ok(known)
}

/// Whether an organization has a feature.
pub async fn is_on(panel: &Panel, org: &OrgId, flag: Flag) -> Result<bool> {
    let known = known(panel).await?;
    if let Some(is_on) = known.apart.get(&(flag.name().to_string(), org.clone())) {
        return Ok(*is_on);
    }
    let percent = known.percents.get(flag.name()).copied().unwrap_or(i64::from(flag.usual()));
    Ok(i64::from(turn(flag, org)) < percent)
}

/// The notes that somebody sees now who works in this organization. Costs a statement only where there are any that she can put away.
pub async fn notes(panel: &Panel, org: &OrgId, user: &UserId) -> Result<Vec<announcement::Model>> {
    let (known, now) = (known(panel).await?, panel.now());
    let meant = |note: &&announcement::Model| {
        let everybody = note.organizations.as_str() == "[]";
        let named = || note.organizations.read().is_ok_and(|all| all.contains(org));
        note.starts_at <= now && note.ends_at.is_none_or(|end| end > now) && (everybody || named())
    };
    let mut notes: Vec<announcement::Model> = known.notes.iter().filter(meant).cloned().collect();
    if notes.iter().any(|note| note.is_dismissable) {
        let ids: Vec<_> = notes.iter().map(|note| note.id.clone()).collect();
        let away = announcement_dismissal::Entity::find()
            .filter(announcement_dismissal::Column::UserId.eq(user.clone()))
            .filter(announcement_dismissal::Column::AnnouncementId.is_in(ids));
        let away = away.all(panel.db.read()).await.because("reading what was put away")?;
        let away: HashSet<_> = away.into_iter().map(|row| row.announcement_id).collect();
        notes.retain(|note| !note.is_dismissable || !away.contains(&note.id));
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::random;

    #[test]
    fn a_flag_comes_to_organizations_evenly_and_always_in_the_same_order() {
        let orgs: Vec<OrgId> = (0..2_000).map(|_| random::id()).collect();
        let quarter = orgs.iter().filter(|org| turn(Flag::AuditStreams, org) < 25).count();
        assert!((400..600).contains(&quarter), "{quarter}");
        assert!(
            orgs.iter().all(|org| turn(Flag::AuditStreams, org) == turn(Flag::AuditStreams, org) && turn(Flag::AuditStreams, org) < 100)
        );
        for flag in Flag::ALL {
            assert_eq!(Flag::named(flag.name()), Some(flag));
        }
    }
}
