//! The store of golden signals: what each release of each application was asked at each edge, per minute for a day, per quarter of an hour
//! for a month and per day for a year; and the newest lines of each application's access log.
//!
//! Edges hand what they counted to the [`Inbox`], where it is summed up in memory until a loop writes it down with [`flush`]. The minute,
//! the quarter of an hour and the day are written in the same transaction, so that nothing has to be rolled up afterwards: a day is the
//! sum of its minutes at any moment, whoever is killed when. Writers take turns, and each batch of numbers has a number of its own, so
//! that one whose commit was not answered counts once.
//!
//! A span of an edge's numbers is counted to the minute that it ends in. Edges tell every few seconds, so at most those few seconds of a
//! minute are counted to the next one.
pub mod inbox;
pub mod lines;
pub mod store;

pub use inbox::{EdgeCount, Inbox};
pub use lines::{LineFilter, lines, newest_line};
pub use store::{reported, series, totals, trim};

use crate::{edge::Histogram, error::Result, fault::Because, id::AppId, runtime::panel::Panel};
use sea_orm::{ConnectionTrait, DbBackend};
use std::{collections::BTreeSet, time::Duration};

/// The number of PostgreSQL's advisory lock that is held while numbers are written.
const WRITING: i64 = 0x7472_6166;

/// A length of time that numbers are summed up over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    Minute,
    Quarter,
    Day,
}

impl Step {
    /// Every one there is, the shortest first.
    pub const ALL: [Step; 3] = [Step::Minute, Step::Quarter, Step::Day];

    /// Its length.
    pub const fn seconds(self) -> i64 {
        match self {
            Step::Minute => 60,
            Step::Quarter => 900,
            Step::Day => 86_400,
        }
    }

    /// How long its rows are kept.
    pub const fn kept(self) -> Duration {
        const HOUR: u64 = 3_600;
        Duration::from_secs(match self {
            // An hour and a day more than is shown: the first point of a chart must not be half gone.
            Step::Minute => 25 * HOUR,
            Step::Quarter => 31 * 24 * HOUR,
            Step::Day => 367 * 24 * HOUR,
        })
    }

    /// The rows that one application may have. Time alone would not bound them: each release has its own.
    pub const fn most(self) -> u64 {
        match self {
            Step::Minute => 20_000,
            Step::Quarter => 30_000,
            Step::Day => 10_000,
        }
    }

    /// When the span that a moment lies in began, in milliseconds since 1970.
    pub const fn begin(self, at: i64) -> i64 {
        at - at.rem_euclid(self.seconds() * 1_000)
    }
}

/// A histogram as text: the buckets that are not empty, `12:5,13:7`.
pub fn written(histogram: &Histogram) -> String {
    histogram.filled().map(|(bucket, count)| format!("{bucket}:{count}")).collect::<Vec<_>>().join(",")
}

/// The histogram that a text tells; what can't be read in it is left out.
pub fn read(text: &str) -> Histogram {
    let mut histogram = Histogram::default();
    for (bucket, count) in text.split(',').filter_map(|pair| pair.split_once(':')) {
        if let (Ok(bucket), Ok(count)) = (bucket.parse(), count.parse()) {
            histogram.fill(bucket, count);
        }
    }
    histogram
}

/// The name that the numbers of this process's own edge stand under: panels that share a database tell theirs apart by the machine.
pub fn own_edge(panel: &Panel) -> String {
    if panel.db.backend() == DbBackend::Sqlite {
        return "panel".into();
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host.trim().chars().filter(|c| c.is_ascii_alphanumeric() || "-._".contains(*c)).take(63).collect();
    format!("panel@{}", if host.is_empty() { &panel.owner } else { &host })
}

/// Moves what this process's edge counted into the inbox. The panel's clock says when that was.
pub fn drain(panel: &Panel) {
    let Some(edge) = &panel.edge else { return };
    let mut signals = edge.take_signals();
    let until = u64::try_from(panel.now().millis()).unwrap_or(0);
    let behind = until as i64 - signals.until as i64;
    (signals.since, signals.until) = (signals.since.saturating_add_signed(behind), until);
    let mut entries = panel.of::<Inbox>().entries(edge);
    entries.iter_mut().for_each(|entry| entry.at = entry.at.saturating_add_signed(behind));
    panel.of::<Inbox>().push(&own_edge(panel), signals, entries);
}

/// Writes down what waits in the inbox, and says whose numbers there are news of. What could not be written waits for the next time.
pub async fn flush(panel: &Panel) -> Result<BTreeSet<AppId>> {
    let mut told = BTreeSet::new();
    let mut slot = panel.of::<Inbox>().storing.lock().await;
    loop {
        if slot.is_none() {
            *slot = panel.of::<Inbox>().next(panel.now());
        }
        let Some(batch) = slot.as_ref() else { return Ok(told) };
        panel
            .db
            .tx(async |tx| {
                if panel.db.backend() == DbBackend::Postgres {
                    let turn = format!("SELECT pg_advisory_xact_lock({WRITING})");
                    tx.execute_unprepared(&turn).await.because("waiting for the turn to write numbers")?;
                }
                store::store(tx, &panel.owner, batch, panel.now()).await
            })
            .await?;
        told.extend(batch.apps());
        *slot = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_survives_as_text() {
        let mut histogram = Histogram::default();
        for n in 0..5_000_u64 {
            histogram.record(Duration::from_micros(n * n));
        }
        let text = written(&histogram);
        assert_eq!(read(&text), histogram);
        assert!(text.len() < 900, "{}", text.len());
        assert_eq!((written(&Histogram::default()), read("").count()), (String::new(), 0));
        assert_eq!(read("999:4,x:1,3:-1,7").count(), 4);
    }

    #[test]
    fn a_span_begins_where_it_should_also_before_1970() {
        assert_eq!(Step::Minute.begin(61_000), 60_000);
        assert_eq!(Step::Quarter.begin(900_000), 900_000);
        assert_eq!(Step::Day.begin(-1), -86_400_000);
    }
}
