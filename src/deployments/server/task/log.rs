//! The log of a deployment: numbered from 1 without a gap, so that a reader resumes where she was. One panel writes it at a time: the
//! one with the lease.
use crate::{
    deployments::model::{MAX_LOG_LINES, Phase},
    error::Result,
    fault::Because,
    id::DeploymentId,
    runtime::{changes::Changed, panel::Panel},
    store::tables::deployment_log,
    units::Timestamp,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, sea_query::OnConflict};
use std::sync::{Arc, Mutex, PoisonError};

/// The longest line that is kept, in characters.
const LONGEST: usize = 2_000;

struct Pending {
    next: i64,
    lines: Vec<(i64, Timestamp, Phase, String)>,
}

/// Writes the log of one deployment.
#[derive(Clone)]
pub struct Log {
    panel: Arc<Panel>,
    id: DeploymentId,
    pending: Arc<Mutex<Pending>>,
    storing: Arc<tokio::sync::Mutex<()>>,
}

impl Log {
    /// Goes on after the last line that is stored.
    pub async fn resume(panel: &Arc<Panel>, id: &DeploymentId) -> Result<Self> {
        let last: Option<Option<i64>> = deployment_log::Entity::find()
            .select_only()
            .column_as(deployment_log::Column::Seq.max(), "last")
            .filter(deployment_log::Column::DeploymentId.eq(id.clone()))
            .into_tuple()
            .one(panel.db.read())
            .await
            .because("reading the end of a log")?;
        let pending = Pending { next: last.flatten().unwrap_or(0) + 1, lines: Vec::new() };
        Ok(Log { panel: panel.clone(), id: id.clone(), pending: Arc::new(Mutex::new(pending)), storing: Arc::default() })
    }

    /// Notes a line; it is stored at the next [`Log::flush`].
    pub fn line(&self, phase: Phase, text: &str) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let most = MAX_LOG_LINES as i64;
        let text = match pending.next {
            next if next < most => plain(text),
            next if next == most => "The log is longer than is kept; what follows is left out.".to_string(),
            _ => return,
        };
        let next = pending.next;
        pending.next += 1;
        pending.lines.push((next, self.panel.now(), phase, text));
    }

    /// Stores what was noted. May be dropped half-way: a line is forgotten only when it is known to be stored, and stored once.
    pub async fn flush(&self) -> Result<()> {
        let _one_at_a_time = self.storing.lock().await;
        let lines = self.pending.lock().unwrap_or_else(PoisonError::into_inner).lines.clone();
        let Some(last) = lines.last().map(|line| line.0) else { return Ok(()) };
        let row = |(seq, at, phase, text): &(i64, Timestamp, Phase, String)| deployment_log::ActiveModel {
            deployment_id: Set(self.id.clone()),
            seq: Set(*seq),
            at: Set(*at),
            phase: Set(*phase),
            text: Set(text.clone()),
        };
        let rows: Vec<deployment_log::ActiveModel> = lines.iter().map(row).collect();
        let there = OnConflict::columns([deployment_log::Column::DeploymentId, deployment_log::Column::Seq]).do_nothing().to_owned();
        self.panel
            .db
            .tx(async |tx| {
                for part in rows.chunks(200) {
                    let insert = deployment_log::Entity::insert_many(part.to_vec()).on_conflict(there.clone());
                    match insert.exec_without_returning(tx).await {
                        Err(DbErr::RecordNotInserted) => {}
                        done => done.because("writing a log").map(|_| ())?,
                    }
                }
                Ok(())
            })
            .await?;
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).lines.retain(|line| line.0 > last);
        self.panel.changes.tell(Changed::Deployment(self.id.clone()));
        Ok(())
    }
}

/// A line without colours and control characters, of a bounded length.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(LONGEST));
    let mut chars = text.trim_end().chars().peekable();
    let mut count = 0;
    while let Some(c) = chars.next() {
        if count == LONGEST {
            out.push('…');
            break;
        }
        match c {
            // CSI sequences (ECMA-48, 5.4) end with a byte from @ to ~.
            '\u{1b}' if chars.peek() == Some(&'[') => {
                chars.next();
                while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            }
            '\t' => out.push_str("    "),
            c if c.is_control() => {}
            c => {
                out.push(c);
                count += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_line_loses_its_colours_and_its_tricks() {
        assert_eq!(plain("\u{1b}[1;32mok\u{1b}[0m\tdone\r\n"), "ok    done");
        assert_eq!(plain("a\u{0}b\u{8}c"), "abc");
        assert_eq!(plain(&"x".repeat(5_000)).chars().count(), 2_001);
    }
}
