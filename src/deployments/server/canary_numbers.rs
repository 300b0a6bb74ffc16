//! What both releases were asked since a step began: what all edges have counted, less what they had counted at its beginning.
use crate::{
    deployments::model::Counts,
    edge::Histogram,
    error::Result,
    id::{AppId, DeploymentId, Id},
    runtime::{changes::Changed, panel::Panel},
    traffic::server::service,
    units::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// An edge's clock may be behind by so much, and its numbers are counted all the same.
const SKEW: Duration = Duration::from_secs(300);

/// What a release had counted at some moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sum {
    requests: u64,
    errors: u64,
    /// See [`traffic::written`].
    latency: String,
}

/// What both had counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sums {
    pub old: Sum,
    pub new: Sum,
}

impl Sums {
    /// What both have counted of a step that began at `since`, as far as it is written down.
    pub async fn read(panel: &Panel, app: &AppId, old: &DeploymentId, new: &DeploymentId, since: Timestamp) -> Result<Sums> {
        Ok(Sums { old: Sum::read(panel, app, old, since).await?, new: Sum::read(panel, app, new, since).await? })
    }
}

impl Sum {
    async fn read(panel: &Panel, app: &AppId, release: &DeploymentId, since: Timestamp) -> Result<Sum> {
        let total = service::totals(panel.db.read(), app, release.as_str(), since - SKEW).await?;
        Ok(Sum { requests: total.requests, errors: total.classes[4], latency: service::written(&total.latency) })
    }

    /// What was counted since an earlier moment.
    pub fn since(&self, earlier: &Sum) -> Counts {
        let before: HashMap<usize, u32> = service::read(&earlier.latency).filled().collect();
        let mut latency = Histogram::default();
        for (bucket, count) in service::read(&self.latency).filled() {
            latency.fill(bucket, count.saturating_sub(before.get(&bucket).copied().unwrap_or_default()));
        }
        let micros = |share| latency.quantile(share).map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        Counts {
            requests: self.requests.saturating_sub(earlier.requests),
            errors: self.errors.saturating_sub(earlier.errors),
            p50_micros: micros(0.5),
            p95_micros: micros(0.95),
        }
    }
}

/// Writes down what the edge of this process has counted up to now. The loop does it every few seconds; where something is decided, the
/// last of them count, too.
pub async fn gather(panel: &Panel) -> Result<()> {
    service::drain(panel);
    let told = service::flush(panel).await?;
    if !told.is_empty() {
        panel.changes.tell(Changed::Traffic(Arc::new(told)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_counts_from_its_own_beginning() {
        let mut all = Histogram::default();
        (0..95).for_each(|_| all.record(Duration::from_millis(1)));
        let before = Sum { requests: 95, errors: 7, latency: service::written(&all) };
        assert_eq!(before.since(&before), Counts::default());
        (0..100).for_each(|_| all.record(Duration::from_millis(500)));
        let after = Sum { requests: 195, errors: 10, latency: service::written(&all) };
        let counts = after.since(&before);
        assert_eq!((counts.requests, counts.errors), (100, 3));
        assert!(counts.p50_micros.is_some_and(|it| (450_000..600_000).contains(&it)), "{counts:?}");
    }
}
