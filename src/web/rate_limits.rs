//! How many requests a minute are taken: of each address, each credential and each organization, and fewer of those that cost more
//! (signing in, deploying, sending mail). Counted in this process, in a window that slides: this minute's count, and of the last
//! minute's the share that is not over yet. A refused request is not counted.
//!
//! Several panels agree within a bound. Each writes what it counted into a table once a second and reads the others', so that a subject
//! gets at most its limit, a tenth of it from each other panel (less than that is not told), and what all panels take in about two
//! seconds. What is remembered is bounded: where the table here is full, the coldest subjects are forgotten first.
use crate::{
    error::{Error, Result},
    fault::Because,
    runtime::{config::LimitsConfig, loops::Loop, panel::Panel},
    store::Db,
    units::Timestamp,
    web::ctx::Visitor,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use futures::FutureExt;
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

const MINUTE: i64 = 60_000;
const SHARDS: usize = 16;
/// Subjects that one shard remembers.
const MOST: usize = 4_096;
/// Rows of one statement, and rows that are read of the other panels at most.
const ROWS: usize = 200;
const READ: u32 = 20_000;

/// What a request is, by what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    Usual,
    /// Tries a password or makes an account: counted by address.
    SignIn,
    /// Makes a deployment: counted by organization.
    Deploy,
    /// Sends a mail: counted by organization, or by address where nobody is signed in.
    Mail,
}

impl Class {
    const ALL: [(Class, &str); 4] = [(Class::Usual, "usual"), (Class::SignIn, "sign-in"), (Class::Deploy, "deploy"), (Class::Mail, "mail")];

    /// Its name in the API's document.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(class, _)| *class == self).map_or("usual", |(_, name)| name)
    }

    /// The class of a name.
    pub fn named(name: &str) -> Option<Class> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(class, _)| *class)
    }
}

/// One subject's counts: of the last minute and of this one.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    minute: i64,
    limit: u32,
    mine: [u32; 2],
    others: [u32; 2],
    /// What the other panels were told.
    told: [u32; 2],
}

impl Count {
    /// Comes to the present minute.
    fn roll(&mut self, minute: i64) {
        match minute - self.minute {
            0 => return,
            1 => {
                for counts in [&mut self.mine, &mut self.others, &mut self.told] {
                    *counts = [counts[1], 0];
                }
            }
            _ => (self.mine, self.others, self.told) = Default::default(),
        }
        self.minute = minute;
    }

    fn is_hot(&self, count: u32) -> bool {
        count > 0 && count >= self.limit / 10
    }
}

/// What came of asking: how many are taken a minute, how many are left, and in how many seconds there are more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub limit: u32,
    pub remaining: u32,
    pub reset: u64,
}

/// Counts of all subjects.
#[derive(Default)]
pub struct RateLimits {
    shards: [Mutex<HashMap<String, Count>>; SHARDS],
    hasher: RandomState,
}

impl RateLimits {
    /// Takes one request of a subject, or says how it stands with none left.
    pub fn take(&self, subject: &str, limit: u32, now: Timestamp) -> Result<Quota, Quota> {
        let (minute, past) = (now.millis().div_euclid(MINUTE), now.millis().rem_euclid(MINUTE));
        let shard = self.hasher.hash_one(subject) as usize % SHARDS;
        let mut counts = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        if !counts.contains_key(subject) {
            make_room(&mut counts, minute);
            counts.insert(subject.to_string(), Count { minute, ..Count::default() });
        }
        let Some(count) = counts.get_mut(subject) else { return Ok(Quota { limit, remaining: limit, reset: 0 }) };
        count.roll(minute);
        count.limit = limit;
        let (before, here) = (i64::from(count.mine[0] + count.others[0]), i64::from(count.mine[1] + count.others[1]));
        // Rounded up: what is nearly over still counts.
        let used = here + (before * (MINUTE - past) + MINUTE - 1) / MINUTE;
        let left = i64::from(limit) - used;
        let ends = (MINUTE - past + 999) / 1000;
        if left <= 0 {
            return Err(Quota { limit, remaining: 0, reset: wait(before, here, i64::from(limit), past) });
        }
        count.mine[1] += 1;
        Ok(Quota { limit, remaining: (left - 1) as u32, reset: ends as u64 })
    }

    /// What the other panels should know: minute, subject and count.
    fn news(&self, minute: i64) -> Vec<(i64, String, u32)> {
        let mut all = Vec::new();
        for shard in &self.shards {
            for (subject, count) in shard.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
                count.roll(minute);
                for at in 0..2 {
                    if count.mine[at] != count.told[at] && count.is_hot(count.mine[at]) {
                        count.told[at] = count.mine[at];
                        all.push((minute - 1 + at as i64, subject.clone(), count.mine[at]));
                    }
                }
            }
        }
        all
    }

    fn hear(&self, minute: i64, heard: Vec<Heard>) {
        for one in heard {
            let shard = self.hasher.hash_one(&one.subject) as usize % SHARDS;
            let mut counts = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
            if !counts.contains_key(&one.subject) {
                make_room(&mut counts, minute);
            }
            let count = counts.entry(one.subject).or_insert_with(|| Count { minute, ..Count::default() });
            count.roll(minute);
            count.others[usize::from(one.minute == minute)] = u32::try_from(one.count).unwrap_or(u32::MAX / 4);
        }
    }
}

/// Seconds until one more is taken: the share of the last minute, or in the next one the share of this, must have shrunk enough.
fn wait(before: i64, here: i64, limit: i64, past: i64) -> u64 {
    let shrinks = |count: i64, room: i64| if count <= room { 0 } else { MINUTE - MINUTE * room.max(0) / count };
    let millis = if here < limit { shrinks(before, limit - here - 1) - past } else { MINUTE - past + shrinks(here, limit - 1) };
    ((millis.max(0) + 999) / 1000).max(1) as u64
}

fn make_room(counts: &mut HashMap<String, Count>, minute: i64) {
    let full = |counts: &HashMap<String, Count>| counts.len() >= MOST;
    if full(counts) {
        counts.retain(|_, count| count.minute >= minute - 1);
    }
    if full(counts) {
        counts.retain(|_, count| count.is_hot(count.mine[0].max(count.mine[1])));
    }
    if full(counts) {
        counts.clear();
    }
}

/// Whom an address stands for: itself, or with IPv6 the network of 64 bits that one subscriber has.
fn place(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(it)) if it.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = it.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        _ => address.to_string(),
    }
}

/// What a request's answer says of its limits: the tightest of those that it was counted in.
#[derive(Debug, Clone, Copy, Default)]
pub struct RateCheck(Option<Quota>);

impl RateCheck {
    /// Takes one of a subject; a limit of 0 is none.
    fn take(&mut self, panel: &Panel, subject: &str, limit: u32) -> Result<()> {
        if limit == 0 || !panel.config.limits.enabled {
            return Ok(());
        }
        match panel.of::<RateLimits>().take(subject, limit, panel.now()) {
            Ok(standing) => {
                if self.0.is_none_or(|known| standing.remaining < known.remaining) {
                    self.0 = Some(standing);
                }
                Ok(())
            }
            Err(standing) => {
                self.0 = Some(standing);
                Err(Error::RateLimited { retry_after: standing.reset })
            }
        }
    }

    /// Takes one of an address, before anything is looked up.
    pub fn address(&mut self, panel: &Panel, address: &str) -> Result<()> {
        self.take(panel, &format!("address {}", place(address)), panel.config.limits.address)
    }

    /// Takes one of whoever asks, and of the request's class.
    pub fn visitor(&mut self, visitor: &Visitor, class: Class) -> Result<()> {
        let (panel, LimitsConfig { credential, organization, .. }) = (&visitor.panel, visitor.panel.config.limits);
        self.class(visitor, class)?;
        if let Some(who) = &visitor.who {
            self.take(panel, &format!("credential {}", who.credential.id()), credential)?;
            self.take(panel, &format!("organization {}", who.org), organization)?;
        }
        Ok(())
    }

    /// Takes one of the class alone: for a form, whose deed is known only once it is read.
    pub fn class(&mut self, visitor: &Visitor, class: Class) -> Result<()> {
        let limits = visitor.panel.config.limits;
        let by_address = || place(&visitor.origin.address);
        let by_org = || visitor.who.as_ref().map_or_else(by_address, |who| who.org.to_string());
        match class {
            Class::Usual => Ok(()),
            Class::SignIn => self.take(&visitor.panel, &format!("sign-in {}", by_address()), limits.sign_in),
            Class::Deploy => self.take(&visitor.panel, &format!("deploy {}", by_org()), limits.deploy),
            Class::Mail => self.take(&visitor.panel, &format!("mail {}", by_org()), limits.mail),
        }
    }

    /// Says it in the answer's headers. What an inner layer said stands where it is tighter.
    pub fn tell(&self, headers: &mut HeaderMap) {
        let Some(Quota { limit, remaining, reset }) = self.0 else { return };
        let said = headers.get(&REMAINING).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u32>().ok());
        if said.is_some_and(|said| said <= remaining) {
            return;
        }
        for (name, value) in [(LIMIT, u64::from(limit)), (REMAINING, u64::from(remaining)), (RESET, reset)] {
            headers.insert(name, HeaderValue::from(value));
        }
    }
}

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

#[derive(FromQueryResult)]
struct Heard {
    subject: String,
    minute: i64,
    count: i64,
}

/// Tells the other panels what was counted here, and hears what they counted. One pass of a loop.
pub async fn exchange(panel: &Arc<Panel>) -> Result<Option<String>> {
    let minute = panel.now().millis().div_euclid(MINUTE);
    let news = panel.of::<RateLimits>().news(minute);
    if !news.is_empty() {
        tell(&panel.db, &panel.owner, &news, minute).await?;
    }
    let sql = "SELECT subject, minute, CAST(SUM(count) AS BIGINT) AS count FROM rate_counts
               WHERE minute IN ($1, $2) AND panel <> $3 GROUP BY subject, minute ORDER BY count DESC LIMIT $4";
    let values = [minute.into(), (minute - 1).into(), panel.owner.as_str().into(), i64::from(READ).into()];
    let statement = Statement::from_sql_and_values(panel.db.backend(), sql, values);
    let heard = Heard::find_by_statement(statement).all(panel.db.read()).await.because("hearing what other panels counted")?;
    panel.of::<RateLimits>().hear(minute, heard);
    Ok(None)
}

async fn tell(db: &Db, owner: &str, news: &[(i64, String, u32)], minute: i64) -> Result<()> {
    db.tx(async |tx| {
        let old = Statement::from_sql_and_values(db.backend(), "DELETE FROM rate_counts WHERE minute < $1", [(minute - 1).into()]);
        tx.execute_raw(old).await.because("forgetting old counts")?;
        for part in news.chunks(ROWS) {
            let mut values: Vec<sea_orm::Value> = Vec::with_capacity(part.len() * 4);
            let rows: Vec<String> = part
                .iter()
                .map(|(minute, subject, count)| {
                    let first = values.len() + 1;
                    values.extend([(*minute).into(), subject.as_str().into(), owner.into(), i64::from(*count).into()]);
                    format!("(${first}, ${}, ${}, ${})", first + 1, first + 2, first + 3)
                })
                .collect();
            let sql = format!(
                "INSERT INTO rate_counts (minute, subject, panel, count) VALUES {} ON CONFLICT (minute, subject, panel) DO UPDATE SET count = excluded.count",
                rows.join(", ")
            );
            tx.execute_raw(Statement::from_sql_and_values(db.backend(), sql, values)).await.because("telling what was counted")?;
        }
        Ok(())
    })
    .await
}

/// How panels tell each other. On an embedded database there is only one.
pub const LOOP: Loop = Loop::new("limits", Duration::from_secs(1), |panel| exchange(panel).boxed()).calm(Duration::ZERO).shared_only();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_slides_and_says_when_to_come_back() {
        let limits = RateLimits::default();
        let at = |millis: i64| Timestamp(100 * MINUTE + millis);
        for left in (0..10).rev() {
            assert_eq!(limits.take("a", 10, at(0)), Ok(Quota { limit: 10, remaining: left, reset: 60 }));
        }
        let refused = limits.take("a", 10, at(1_000)).unwrap_err();
        // Nothing of ten is over before a tenth of the next minute is.
        assert_eq!((refused.remaining, refused.reset), (0, 65));
        assert!(limits.take("a", 10, at(59_999)).is_err() && limits.take("a", 10, at(65_000)).is_err());
        assert!(limits.take("a", 10, at(1_000 + 1_000 * refused.reset as i64)).is_ok());
        assert!(limits.take("b", 10, at(0)).is_ok(), "another subject has its own");
        assert_eq!(limits.take("a", 10, at(10 * MINUTE)).unwrap().remaining, 9);
    }

    #[test]
    fn no_minute_takes_more_than_twice_and_none_of_the_sliding_ones_much_more_than_the_limit() {
        let limits = RateLimits::default();
        let mut taken = Vec::new();
        for step in 0..3_000 {
            let at = step * 100;
            if limits.take("a", 60, Timestamp(at)).is_ok() {
                taken.push(at);
            }
        }
        for from in (0..240_000).step_by(500) {
            let within = taken.iter().filter(|at| (from..from + MINUTE).contains(at)).count();
            assert!(within <= 75, "{within} from {from}");
        }
        assert!(taken.len() >= 240, "and it is not stingy: {}", taken.len());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_busiest_last() {
        let limits = RateLimits::default();
        for _ in 0..50 {
            limits.take("busy", 100, Timestamp(0)).unwrap();
        }
        for n in 0..200_000 {
            limits.take(&format!("s{n}"), 100, Timestamp(0)).unwrap();
        }
        let all: usize = limits.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(all <= SHARDS * MOST);
        assert_eq!(limits.take("busy", 100, Timestamp(0)).unwrap().remaining, 49);
    }

    #[test]
    fn neighbours_in_one_network_of_ipv6_are_one() {
        assert_eq!(place("2001:db8:1:2:3:4:5:6"), place("2001:db8:1:2::1"));
        assert_ne!(place("2001:db8:1:2::1"), place("2001:db8:1:3::1"));
        assert_eq!(place("203.0.113.7"), "203.0.113.7");
    }
}
